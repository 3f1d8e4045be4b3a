package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.nn.Linear;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FlatParametersTest {
    /// Fewer weights than a row of the sum, a multiple of it, and one with a rest.
    @ParameterizedTest
    @CsvSource({"3, 5", "32, 32", "700, 991"})
    void theNormIsThatOfAllGradientsTogether(int in, int out) {
        var linear = Linear.of(in, out, true);
        try (var parameters = new FlatParameters(linear)) {
            var rng = Rng.at(in, out);
            var values = new float[(int) parameters.count()];
            var squares = 0.0;
            for (var i = 0; i < values.length; i++) {
                values[i] = (float) ((rng.uniform() - 0.5) * Math.pow(10, rng.below(4)));
                squares += (double) values[i] * values[i];
            }
            parameters.gradients().copyInPlace(Tensor.of(values, values.length));

            assertThat(parameters.gradientNorm() / Math.sqrt(squares)).isCloseTo(1, within(1e-6));

            assertThat(parameters.clip(1) / Math.sqrt(squares)).isCloseTo(1, within(1e-6));
            assertThat(parameters.gradientNorm()).isCloseTo(1, within(1e-5));
        }
    }
}
