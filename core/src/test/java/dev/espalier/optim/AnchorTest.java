package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.nn.Linear;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.api.Test;

class AnchorTest {
    @Test
    void itsGradientIsThatOfItsLoss() {
        var model = Linear.of(2, 1, false);
        try (var parameters = new FlatParameters(model);
                var anchor =
                        new Anchor(
                                Tensor.of(new float[] {1, -2}, 2),
                                Tensor.of(new float[] {0.5f, 3}, 2))) {
            parameters.weights().copyInPlace(Tensor.of(new float[] {2, -4}, 2));
            parameters.gradients().copyInPlace(Tensor.of(new float[] {10, 10}, 2));
            // ½ (0.5 · 1² + 3 · 2²), beside what was there.
            assertThat(anchor.pull(parameters)).isCloseTo(6.25, within(1e-6));
            assertThat(parameters.gradients().floats()).containsExactly(10.5f, 4);
            parameters.weights().copyInPlace(Tensor.of(new float[] {1, -2}, 2));
            assertThat(anchor.pull(parameters)).isZero();
            assertThat(parameters.gradients().floats()).containsExactly(10.5f, 4);
        }
    }
}
