package dev.espalier.objective;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;

/// What training takes as the loss of one position or record with the scores s of V classes and the
/// label y, where log p = s - L and L = log Σ exp s:
///
///     -(1 - ε) log p[y] - ε / V Σ log p + z L²
///
/// Measurements take the plain one, with ε = z = 0.
///
/// @param labelSmoothing ε: the share of the label's probability that all classes get (Szegedy et
///   al. 2016, arXiv:1512.00567, section 7)
/// @param zLoss z: holds the scores' normaliser near 1 (Chowdhery et al. 2022, PaLM,
///   arXiv:2204.02311, section 5)
public record CrossEntropy(double labelSmoothing, double zLoss) {
    public static final CrossEntropy PLAIN = new CrossEntropy(0, 0);

    public CrossEntropy {
        if (!(labelSmoothing >= 0 && labelSmoothing < 1) || !(zLoss >= 0)) {
            throw new IllegalArgumentException(
                    "label smoothing " + labelSmoothing + ", z-loss " + zLoss);
        }
    }

    /// The sum over the rows of `scores` (N, V), each times its weight of `weights` (N, 1), for
    /// `labels` (N, 1) of 0 … V - 1.
    public Tensor sum(Tensor scores, Tensor labels, Tensor weights) {
        var logs = scores.logSoftmax(-1); // (N, V)
        var loss = logs.gather(1, labels).mul(labelSmoothing - 1); // (N, 1)
        if (labelSmoothing > 0) {
            loss = loss.sub(logs.sum(1).mul(labelSmoothing / logs.size(1)));
        }
        if (zLoss > 0) {
            var normalizer = normalizer(scores, logs);
            loss = loss.add(normalizer.mul(normalizer).mul(zLoss));
        }
        return loss.mul(weights).sum();
    }

    /// The sum of the binary cross-entropies of `scores` (N, K), each of which is the logarithm of
    /// its label's odds:
    ///
    ///     -Σ (a log σ(s) + b log σ(-s))
    ///
    /// @param weights (N K, 2): a, b of each score; those of a label that holds are 1 - ε / 2 and
    ///   ε / 2, those of one that does not the other way round
    public static Tensor binarySum(Tensor scores, Tensor weights) {
        var odds = scores.reshape(-1, 1);
        var both = Tensor.concat(1, odds, odds.detach().mul(0)); // σ(s), σ(-s) = softmax(s, 0)
        return both.logSoftmax(-1).mul(weights).sum().mul(-1);
    }

    /// L (N, 1) of `scores` (N, V) whose logarithmic softmax is `logs`: the same for each column.
    static Tensor normalizer(Tensor scores, Tensor logs) {
        return scores.narrow(1, 0, 1).to(DType.FLOAT).sub(logs.narrow(1, 0, 1));
    }
}
