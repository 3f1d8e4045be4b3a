package dev.espalier.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DropoutMaskTest {
    private static float[] mask(DType type, double drop, long seed, long... shape) {
        try (var scope = new Scope()) {
            Torch.seed(seed);
            return Tensor.full(1, shape).to(type).dropout(drop, true).floats();
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.1, 0.25, 0.5, 0.9})
    void dropsTheGivenShareAndKeepsTheMean(double drop) {
        var n = 1_000_003; // the last number drawn serves fewer than four elements
        var mask = mask(DType.FLOAT, drop, 3, n);

        var kept = (float) (1 / (1 - drop));
        var dropped = IntStream.range(0, n).filter(i -> mask[i] == 0).count();
        assertThat(IntStream.range(0, n).filter(i -> mask[i] == kept).count())
                .isEqualTo(n - dropped);
        var deviation = Math.sqrt(drop * (1 - drop) / n);
        assertThat(dropped / (double) n).isCloseTo(drop, within(4 * deviation + 0x1p-17));
    }

    @Test
    void neighboursAreDroppedIndependently() {
        var n = 1 << 20;
        var mask = mask(DType.FLOAT, 0.5, 5, n);
        for (var distance : new int[] {1, 2, 3, 4, 5, 64}) {
            var both =
                    IntStream.range(0, n - distance)
                            .filter(i -> mask[i] == 0 && mask[i + distance] == 0)
                            .count();
            assertThat(both / (double) (n - distance)).isCloseTo(0.25, within(0.002));
        }
    }

    @Test
    void bothPrecisionsKeepTheSameElements() {
        var wide = mask(DType.FLOAT, 0.1, 9, 33, 257);
        var narrow = mask(DType.BFLOAT16, 0.1, 9, 33, 257);

        var factor = 1.109375f; // 1 / 0.9 to the nearest bf16
        assertThat(narrow).containsOnly(0, factor);
        for (var i = 0; i < wide.length; i++) {
            assertThat(narrow[i] == 0).isEqualTo(wide[i] == 0);
        }
    }

    @Test
    void eachCallDrawsAnew() {
        try (var scope = new Scope()) {
            Torch.seed(1);
            var ones = Tensor.full(1, 1000);
            assertThat(ones.dropout(0.5, true).floats())
                    .isNotEqualTo(ones.dropout(0.5, true).floats());
        }
        assertThat(mask(DType.FLOAT, 0.5, 1, 1000)).isNotEqualTo(mask(DType.FLOAT, 0.5, 2, 1000));
    }

    @Test
    void theGradientIsTheMaskAndAllMayBeDropped() {
        try (var scope = new Scope()) {
            Torch.seed(2);
            var x = Tensor.full(3, 5, 7).requiresGrad(true);
            var y = x.transpose(0, 1).dropout(0.5, true);
            y.sum().backward();
            var gradient = java.util.Objects.requireNonNull(x.grad()).transpose(0, 1).floats();
            var out = y.floats();
            for (var i = 0; i < out.length; i++) {
                assertThat(out[i]).isEqualTo(3 * gradient[i]);
            }
            assertThat(x.dropout(1, true).floats()).containsOnly(0);
            assertThat(Arrays.stream(x.dropout(0, true).shape()).sum()).isEqualTo(12);
        }
    }
}
