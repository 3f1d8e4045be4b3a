package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.List;
import org.assertj.core.data.Offset;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Each term against its formula, written out pixel by pixel.
class SegmentationLossTest {
    private static final int PICTURES = 2;
    private static final int CLASSES = 3;
    private static final int SIDE = 4;
    private static final int PIXELS = SIDE * SIDE;
    private static final int IGNORED = 255;

    private final float[] scores = new float[PICTURES * CLASSES * PIXELS];
    private final List<byte[]> masks = List.of(new byte[PIXELS], new byte[PIXELS]);

    SegmentationLossTest() {
        var rng = Rng.at(3);
        for (var i = 0; i < scores.length; i++) {
            scores[i] = (float) rng.nextGaussian();
        }
        for (var mask : masks) {
            for (var i = 0; i < PIXELS; i++) {
                mask[i] = (byte) (i % 5 == 0 ? IGNORED : rng.nextInt(2));
            }
        }
        masks.getLast()[1] = 2;
    }

    private double p(int picture, int c, int pixel) {
        double sum = 0, own = 0;
        for (var k = 0; k < CLASSES; k++) {
            var e = Math.exp(scores[(picture * CLASSES + k) * PIXELS + pixel]);
            sum += e;
            own = k == c ? e : own;
        }
        return own / sum;
    }

    private double ours(
            double crossEntropy, double dice, double focal, float @Nullable [] weights) {
        try (var scope = new Scope()) {
            return new SegmentationLoss(crossEntropy, dice, focal, 2, weights)
                    .sum(Tensor.of(scores, PICTURES, CLASSES, SIDE, SIDE), masks, SIDE, SIDE)
                    .item();
        }
    }

    @Test
    void crossEntropyAndFocalAreSumsOverKnownPixels() {
        double plain = 0, weighted = 0, focal = 0;
        var weights = new float[] {0.5f, 2, 3};
        for (var b = 0; b < PICTURES; b++) {
            for (var i = 0; i < PIXELS; i++) {
                var label = masks.get(b)[i] & 0xFF;
                if (label != IGNORED) {
                    var p = p(b, label, i);
                    plain -= Math.log(p);
                    weighted -= weights[label] * Math.log(p);
                    focal -= (1 - p) * (1 - p) * Math.log(p);
                }
            }
        }
        assertThat(ours(1, 0, 0, null)).isCloseTo(plain, Offset.offset(1e-4));
        assertThat(ours(1, 0, 0, weights)).isCloseTo(weighted, Offset.offset(1e-4));
        assertThat(ours(0, 0, 1, null)).isCloseTo(focal, Offset.offset(1e-4));
        assertThat(ours(0.5, 0, 2, null)).isCloseTo(0.5 * plain + 2 * focal, Offset.offset(1e-4));
    }

    @Test
    void diceIsAMeanOverThePicturesClassesAndCountsAsItsPixels() {
        var expected = 0.0;
        for (var b = 0; b < PICTURES; b++) {
            double sum = 0, known = 0;
            var present = 0;
            for (var c = 0; c < CLASSES; c++) {
                double both = 0, told = 0, is = 0;
                for (var i = 0; i < PIXELS; i++) {
                    var label = masks.get(b)[i] & 0xFF;
                    if (label != IGNORED) {
                        told += p(b, c, i);
                        is += label == c ? 1 : 0;
                        both += label == c ? p(b, c, i) : 0;
                    }
                }
                known += is;
                if (is > 0) {
                    present++;
                    sum += 1 - 2 * both / (told + is);
                }
            }
            expected += known * sum / present;
        }
        assertThat(ours(0, 1, 0, null)).isCloseTo(expected, Offset.offset(1e-4));
    }

    @Test
    void whatIsToldForSureHasAFiniteGradient() {
        try (var scope = new Scope()) {
            var sure = Tensor.of(new float[] {100, -100}, 1, 2, 1, 1).requiresGrad(true);
            new SegmentationLoss(1, 1, 1, 0.5, null)
                    .sum(sure, List.of(new byte[1]), 1, 1)
                    .backward();
            assertThat(sure.grad())
                    .isInstanceOfSatisfying(
                            Tensor.class, grad -> assertThat(grad.allFinite()).isTrue());
        }
    }
}
