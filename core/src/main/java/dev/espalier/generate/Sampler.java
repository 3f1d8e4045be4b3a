package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.util.Arrays;
import java.util.PriorityQueue;

/// Draws tokens by a [Sampling]. Runs in Java on scores copied out of libtorch, with `StrictMath`,
/// so that a draw is the same on every machine. For one thread.
final class Sampler {
    private final Sampling sampling;
    private final int vocabulary;
    private final double[] weights;
    private final long[] ranking;

    Sampler(Sampling sampling, int vocabulary) {
        this.sampling = sampling;
        this.vocabulary = vocabulary;
        weights = new double[sampling.temperature() == 0 ? 0 : vocabulary];
        ranking = new long[sampling.topP() == 1 ? 0 : vocabulary];
    }

    /// The next token by the scores from `offset` on, of which the first ones, as many as the
    /// vocabulary has, count.
    int next(float[] scores, int offset, Rng rng) {
        var best = best(scores, offset);
        if (sampling.temperature() == 0) {
            return best;
        }
        var total = weigh(scores, offset, scores[offset + best]);
        var threshold = rng.nextDouble() * total;
        var last = best;
        for (var id = 0; id < vocabulary; id++) {
            if (weights[id] > 0) {
                threshold -= weights[id];
                last = id;
                if (threshold < 0) {
                    break;
                }
            }
        }
        return last;
    }

    private int best(float[] scores, int offset) {
        var best = 0;
        for (var id = 0; id < vocabulary; id++) {
            if (Float.isNaN(scores[offset + id])) {
                throw notNumbers();
            }
            if (scores[offset + id] > scores[offset + best]) {
                best = id;
            }
        }
        if (scores[offset + best] == Float.NEGATIVE_INFINITY) {
            throw EspalierException.usage(
                    "no token is left that the rules on repetition and length allow");
        }
        if (Float.isInfinite(scores[offset + best])) {
            throw notNumbers();
        }
        return best;
    }

    static EspalierException notNumbers() {
        return EspalierException.data(
                "the model's scores of the next token are not finite numbers: its weights hold NaN or"
                        + " infinite values, or overflow");
    }

    /// Sets the weights, 0 for tokens that are not to be drawn, and gives their sum.
    private double weigh(float[] scores, int offset, float most) {
        var least = leastOfTopK(scores, offset);
        var total = 0.0;
        for (var id = 0; id < vocabulary; id++) {
            var score = scores[offset + id];
            weights[id] =
                    score < least
                            ? 0
                            : StrictMath.exp(((double) score - most) / sampling.temperature());
            total += weights[id];
        }
        var kept = sampling.topP() == 1 ? total : keepNucleus(scores, offset, total);
        return sampling.minP() == 0 ? kept : keepLikely();
    }

    /// Keeps tokens of at least the wanted share of the best one's weight, which is 1.
    private double keepLikely() {
        var kept = 0.0;
        for (var id = 0; id < vocabulary; id++) {
            weights[id] = weights[id] < sampling.minP() ? 0 : weights[id];
            kept += weights[id];
        }
        return kept;
    }

    private float leastOfTopK(float[] scores, int offset) {
        var k = sampling.topK();
        if (k == 0 || k >= vocabulary) {
            return Float.NEGATIVE_INFINITY;
        }
        var top = new PriorityQueue<Float>(k);
        for (var id = 0; id < vocabulary; id++) {
            var score = scores[offset + id];
            if (top.size() < k) {
                top.add(score);
            } else if (score > top.element()) {
                top.remove();
                top.add(score);
            }
        }
        return top.element();
    }

    /// Keeps a token if those that are better have less than the wanted probability together.
    private double keepNucleus(float[] scores, int offset, double total) {
        // Tokens below this weight have less than 1 - topP together, so the better ones have more
        // than topP: none of them can be in the nucleus, and only the others need sorting.
        var candidate = (1 - sampling.topP()) * total / vocabulary;
        var count = 0;
        for (var id = 0; id < vocabulary; id++) {
            if (weights[id] > 0 && weights[id] >= candidate) {
                ranking[count++] = ((long) ~ascending(scores[offset + id]) << Integer.SIZE) | id;
            } else {
                weights[id] = 0;
            }
        }
        Arrays.sort(ranking, 0, count);
        var kept = 0.0;
        for (var rank = 0; rank < count; rank++) {
            var id = (int) ranking[rank];
            if (kept < sampling.topP() * total) {
                kept += weights[id];
            } else {
                weights[id] = 0;
            }
        }
        return kept;
    }

    /// The bits of a float as an integer of the same order.
    private static int ascending(float value) {
        var bits = Float.floatToIntBits(value);
        return bits ^ ((bits >> (Integer.SIZE - 1)) & Integer.MAX_VALUE);
    }
}
