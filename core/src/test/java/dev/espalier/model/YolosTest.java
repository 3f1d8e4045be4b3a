package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.nn.PreNormBlock;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class YolosTest {
    /// Of the last block's weights the rows of the things, without the columns of the class and of
    /// the things themselves.
    @Test
    void thingsLookWhereTheLastBlockAttends() {
        var shape = YolosConfig.of(VitConfig.of(8, 4, 8, 2, 2, 0), 3);
        var yolos = new Yolos(shape, List.of("a", "b")).initialize(2);
        var last =
                (PreNormBlock) Objects.requireNonNull(yolos.modules().get("vit.encoder.layer.1"));
        var rng = Rng.at(3);
        var values = new float[2 * 3 * 8 * 12];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) rng.nextGaussian();
        }
        try (var scope = new Scope()) {
            Torch.noGrad(() -> {
                var pixels = Tensor.of(values, 2, 3, 8, 12);
                var told = yolos.tell(pixels);
                var looks = yolos.looks(told, pixels);
                // 2 x 3 patches, one class and three things
                assertThat(looks.shape()).containsExactly(2, 3, 2, 3);
                var weights = last.weights(told.states().get(1), 0, 10).floats(); // (2, 2, 10, 10)
                var found = looks.floats();
                for (var picture = 0; picture < 2; picture++) {
                    for (var thing = 0; thing < 3; thing++) {
                        var elsewhere = 0.0;
                        var sum = 0.0;
                        for (var column = 0; column < 10; column++) {
                            var at = picture * 200 + (7 + thing) * 10 + column;
                            var mean = (weights[at] + weights[at + 100]) / 2.0;
                            var patch = column - 1;
                            if (patch < 0 || patch >= 6) {
                                elsewhere += mean;
                            } else {
                                var look = found[picture * 18 + thing * 6 + patch];
                                assertThat((double) look).isCloseTo(mean, within(1e-6));
                                sum += look;
                            }
                        }
                        assertThat(sum + elsewhere).isCloseTo(1, within(1e-6));
                        assertThat(elsewhere).isPositive();
                    }
                }
                return looks;
            });
        }
    }
}
