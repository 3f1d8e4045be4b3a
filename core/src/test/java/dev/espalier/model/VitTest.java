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

class VitTest {
    private static Tensor pictures(int count) {
        var rng = Rng.at(3);
        var values = new float[count * 3 * 8 * 12];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) rng.nextGaussian();
        }
        return Tensor.of(values, count, 3, 8, 12);
    }

    private static Vit vit(int layers) {
        var shape = VitConfig.of(8, 4, 8, layers, 2, 0);
        return new Vit(shape, new Problem.SingleLabel(List.of("a", "b"))).initialize(2);
    }

    /// By hand, for one block: half of the mean of the heads' weights from the class token, the
    /// other half staying with it.
    @Test
    void rolloutOfABlockIsItsAttention() {
        var vit = vit(1);
        var block = (PreNormBlock) Objects.requireNonNull(vit.modules().get("vit.encoder.layer.0"));
        try (var scope = new Scope()) {
            Torch.noGrad(() -> {
                var pixels = pictures(2);
                var rollout = vit.rollout(pixels);
                assertThat(rollout.shape()).containsExactly(2, 2, 3);
                var told = rollout.floats();
                var weights = block.weights(vit.seen(pixels).states().getFirst(), 0, 7).floats();
                for (var i = 0; i < told.length; i++) {
                    int picture = i / 6, patch = i % 6;
                    // (2, H, T, T) with 2 heads and 7 tokens
                    var at = picture * 2 * 49 + 1 + patch;
                    assertThat((double) told[i])
                            .isCloseTo((weights[at] + weights[at + 49]) / 4.0, within(1e-6));
                }
                return rollout;
            });
        }
    }

    @Test
    void howManyPositionsRollOutAtOnceChangesNothing() {
        var body = new VitBody(VitConfig.of(8, 4, 8, 3, 2, 0));
        InitialWeights.fill(body, 2, name -> 0.5);
        try (var scope = new Scope()) {
            Torch.noGrad(() -> {
                var pixels = pictures(2);
                var all = body.rollout(pixels, 7);
                assertThat(all.floats()).hasSize(12).doesNotContain(0);
                for (var atOnce : new long[] {1, 3, 6, 100}) {
                    assertThat(body.rollout(pixels, atOnce).floats())
                            .usingComparatorWithPrecision(1e-6f)
                            .containsExactly(all.floats());
                }
                return all;
            });
        }
    }

    @Test
    void rolloutSharesOutAtMostOne() {
        var vit = vit(4);
        try (var scope = new Scope()) {
            var values = Torch.noGrad(() -> vit.rollout(pictures(2))).floats();
            for (var picture = 0; picture < 2; picture++) {
                var sum = 0.0;
                for (var i = 0; i < 6; i++) {
                    assertThat(values[picture * 6 + i]).isPositive();
                    sum += values[picture * 6 + i];
                }
                // What has never left the class token is (1/2)⁴ at least.
                assertThat(sum).isBetween(0.1, 1 - Math.pow(0.5, 4) + 1e-6);
            }
        }
    }
}
