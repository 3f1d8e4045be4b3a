package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.junit.jupiter.api.Test;

class GatedMlpTest {
    @Test
    void isTheFormulaWithBiases() {
        try (var scope = new Scope()) {
            var mlp = new GatedMlp(1, 1, "silu", true);
            var values = new float[] {2, 0.5f, -3, 1, 0.25f, -1}; // gate, up, down: weight, bias
            var i = 0;
            for (var parameter : mlp.parameters().values()) {
                var value = values[i++];
                Torch.noGrad(() -> parameter.value().addInPlace(value));
            }
            var gate = 2 * 1.5 + 0.5;
            var want = 0.25 * (gate / (1 + Math.exp(-gate))) * (-3 * 1.5 + 1) - 1;
            var got = mlp.forward(Tensor.of(new float[] {1.5f}, 1, 1)).floats()[0];
            assertThat((double) got).isCloseTo(want, within(1e-5));
        }
    }

    @Test
    void aRmsNormScalesToTheGainAndIsNotCentred() {
        try (var scope = new Scope()) {
            var norm = new RmsNorm(2, 0.5);
            norm.parameters().values().forEach(p -> Torch.noGrad(() -> p.value().addInPlace(2)));
            var y = norm.forward(Tensor.of(new float[] {3, 4}, 1, 2)).floats();
            var root = Math.sqrt(12.5 + 0.5);
            assertThat((double) y[0]).isCloseTo(2 * 3 / root, within(1e-6));
            assertThat((double) y[1]).isCloseTo(2 * 4 / root, within(1e-6));
        }
    }
}
