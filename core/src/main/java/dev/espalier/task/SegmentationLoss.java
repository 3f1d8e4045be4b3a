package dev.espalier.task;

import dev.espalier.image.Mask;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The loss of a picture's pixels, told as classes: a weighted sum of
///
/// - the cross-entropy -w log p of each pixel;
/// - Dice (Milletari, Navab and Ahmadi 2016, arXiv:1606.04797): of a picture 1 - 2 Σ p g / (Σ p + Σ
///   g), the mean over the classes that it has, which weighs small ones as large ones; it counts as
///   much as a cross-entropy of that size at every pixel;
/// - the focal loss -w (1 - p)^γ log p of each pixel (Lin et al. 2017, arXiv:1708.02002), which
///   passes over what is told already.
///
/// p softmax of the scores of a pixel's own class or, for Dice, of each, brought to the size of the
/// mask; g 1 where a pixel is of the class. Pixels that mean nothing count nowhere.
///
/// @param classWeights w, 1 on average over the training pixels; null for all 1
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
public record SegmentationLoss(
        double crossEntropy,
        double dice,
        double focal,
        double gamma,
        float @Nullable [] classWeights) {
    /// Cross-entropy alone.
    public static final SegmentationLoss PLAIN = new SegmentationLoss(1, 0, 0, 2, null);

    /// The sum over all pixels of `masks`, each of `height` x `width`, of the classes that `scores`
    /// (B, K, h, w) are for.
    Tensor sum(Tensor scores, List<byte[]> masks, int height, int width) {
        int b = masks.size(), classes = (int) scores.size(1), pixels = height * width;
        var truth = new long[b * pixels];
        var weights = new float[b * pixels]; // of each pixel
        var known = new float[b * pixels];
        for (var i = 0; i < b; i++) {
            for (var at = 0; at < pixels; at++) {
                var label = masks.get(i)[at] & 0xFF;
                if (label != Mask.IGNORED) {
                    truth[i * pixels + at] = label;
                    weights[i * pixels + at] = classWeights == null ? 1 : classWeights[label];
                    known[i * pixels + at] = 1;
                }
            }
        }
        var logs =
                scores.to(DType.FLOAT)
                        .bilinear(height, width)
                        .logSoftmax(1)
                        .view(b, classes, pixels); // (B, K, N)
        var labels = Tensor.of(truth, b, 1, pixels);
        var sum = Tensor.full(0, 1);
        if (crossEntropy > 0 || focal > 0) {
            var told = logs.gather(1, labels); // (B, 1, N)
            var each = told.mul(Tensor.of(weights, b, 1, pixels)).mul(-1);
            if (crossEntropy > 0) {
                sum = sum.add(each.sum().mul(crossEntropy));
            }
            if (focal > 0) {
                sum = sum.add(each.mul(missed(told)).sum().mul(focal));
            }
        }
        if (dice > 0) {
            sum = sum.add(dice(logs, truth, known).mul(dice));
        }
        return sum;
    }

    /// (1 - p)^γ by its logarithm; what is told for sure is held off a gradient without end.
    private Tensor missed(Tensor logs) {
        return logs.exp().mul(-1).add(1).clampMin(1e-6).log().mul(gamma).exp();
    }

    private static Tensor dice(Tensor logs, long[] truth, float[] known) { // (B, K, N)
        int b = (int) logs.size(0), classes = (int) logs.size(1), pixels = (int) logs.size(2);
        var ones = new float[b * classes * pixels];
        var sizes = new float[b * classes]; // Σ g
        var counts = new float[b];
        for (var i = 0; i < truth.length; i++) {
            if (known[i] > 0) {
                var of = i / pixels * classes + (int) truth[i];
                ones[of * pixels + i % pixels] = 1;
                sizes[of]++;
                counts[i / pixels]++;
            }
        }
        var shares = new float[b * classes]; // of a picture's loss, pixels of its own
        for (var i = 0; i < b; i++) {
            var from = i * classes;
            var has = 0;
            for (var k = from; k < from + classes; k++) {
                has += sizes[k] > 0 ? 1 : 0;
            }
            for (var k = from; k < from + classes; k++) {
                shares[k] = sizes[k] > 0 ? counts[i] / has : 0;
            }
        }
        var p = logs.exp().mul(Tensor.of(known, b, 1, pixels)); // (B, K, N)
        var both = p.mul(Tensor.of(ones, b, classes, pixels)).sum(2).mul(2); // (B, K, 1)
        var either = p.sum(2).add(Tensor.of(sizes, b, classes, 1)).add(1e-6);
        var loss = both.div(either).mul(-1).add(1);
        return loss.mul(Tensor.of(shares, b, classes, 1)).sum();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(classWeights);
    }
}
