package dev.espalier.objective;

import dev.espalier.model.LanguageModel;
import dev.espalier.nn.Stack;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.jspecify.annotations.Nullable;

/// The cross-entropy of the vocabulary's scores, -Σ log softmax(h Wᵀ + b)\[label\] over the
/// positions whose label is not [Tensor#IGNORE].
///
/// The (positions, vocabulary) scores of a step never exist whole, and none of them are kept for a
/// backward pass: they are computed block by block, turned in place into their own gradient softmax
/// - onehot, and multiplied on into the gradients of the hidden states and of W. The body goes
///   backward once at the end.
///
/// With label smoothing ε and z-loss z (see [CrossEntropy]) the gradient is (1 + 2 z L) softmax -
/// (1 - ε) onehot - ε / V.
public final class VocabularyLoss implements Loss {
    /// Scores of one block: 48 MiB in bf16. The larger a block, the fewer times W and its gradient
    /// pass through memory; but 64 MiB fit into no heap of glibc's, and the kernel would zero each.
    private static final long BLOCK_SCORES = 24L << 20;

    /// Scores whose softmax is computed at once in fp32: 4 MiB, which stay in the cache between the
    /// operations.
    private static final long CACHED_SCORES = 1L << 20;

    private final LanguageModel model;
    private final Tensor hidden; // (N, D), as the head multiplies it
    private final Tensor labels; // (N)
    private final boolean bf16;
    private final CrossEntropy kind;

    /// `hidden` is (…, D); `labels` is (…) with the label of the *same* position, already shifted.
    public VocabularyLoss(LanguageModel model, Tensor hidden, Tensor labels) {
        this(model, hidden, labels, CrossEntropy.PLAIN);
    }

    /// As above, with a loss of its own kind for [#backward].
    public VocabularyLoss(LanguageModel model, Tensor hidden, Tensor labels, CrossEntropy kind) {
        this.model = model;
        this.hidden = model.transformed(hidden.reshape(-1, hidden.size(-1)));
        this.labels = labels.reshape(-1);
        this.bf16 = Torch.inBf16();
        this.kind = kind;
    }

    @Override
    public Tensor backward(double scale) {
        return backward(Tensor.full(scale, hidden.size(0)));
    }

    /// As above with a factor (N) of its own for each position's loss, since each may count in
    /// another way in a loss that is made of them. Gives the sum of the losses without factors.
    public Tensor backward(Tensor scales) {
        var type = bf16 ? DType.BFLOAT16 : DType.FLOAT;
        long rows = hidden.size(0);
        var block = blockRows(rows, model.vocabulary());
        var total = Tensor.zeros(DType.DOUBLE);
        var hiddenGradient = Tensor.zeros(DType.FLOAT, hidden.shape());
        Torch.noGrad(() -> {
            var head = model.head();
            var bias = model.headBias();
            var w = head.to(type); // (V, D)
            var b = bias == null ? null : bias.to(type); // (V)
            for (var start = 0L; start < rows; start += block) {
                var length = Math.min(block, rows - start);
                try (var scope = new Scope()) {
                    var h = hidden.narrow(0, start, length).to(type); // (block, D)
                    var scores = scores(h, w, b); // (block, V)
                    toGradient(
                            scores,
                            labels.narrow(0, start, length),
                            scales.narrow(0, start, length),
                            total);
                    if (hidden.requiresGrad()) {
                        hiddenGradient.narrow(0, start, length).copyInPlace(scores.matmul(w));
                    }
                    if (head.requiresGrad()) {
                        addWeightGradient(gradient(head), scores, h);
                    }
                    if (bias != null && bias.requiresGrad()) {
                        addBiasGradient(gradient(bias), scores);
                    }
                }
            }
        });
        if (hidden.requiresGrad()) {
            hidden.backward(hiddenGradient.to(hidden.dtype()));
        }
        Stack.backward(model);
        return total;
    }

    private static Tensor scores(Tensor h, Tensor w, @Nullable Tensor b) {
        return b == null ? h.matmul(w.transpose(0, 1)) : h.addmm(b, w.transpose(0, 1));
    }

    /// Replaces the scores (block, V) by their gradient, and adds their loss to `total`.
    private void toGradient(Tensor scores, Tensor labels, Tensor scales, Tensor total) {
        long rows = scores.size(0), vocabulary = scores.size(1);
        var part = Math.max(1, CACHED_SCORES / vocabulary);
        double smoothing = kind.labelSmoothing(), z = kind.zLoss();
        for (var start = 0L; start < rows; start += part) {
            var length = Math.min(part, rows - start);
            try (var scope = new Scope()) {
                var place = scores.narrow(0, start, length);
                var wanted = labels.narrow(0, start, length).view(length, 1);
                var ignored = wanted.eq(Tensor.IGNORE);
                var index = wanted.maskedFill(ignored, 0);
                var logs = place.to(DType.FLOAT).logSoftmax(-1); // (part, V)
                var loss = logs.gather(1, index).mul(smoothing - 1); // (part, 1)
                if (smoothing > 0) {
                    loss.addInPlace(logs.sum(1).mul(-smoothing / vocabulary));
                }
                var normalizer = z > 0 ? CrossEntropy.normalizer(place, logs) : null; // (part, 1)
                if (normalizer != null) {
                    loss.addcmulInPlace(normalizer, normalizer, z);
                }
                total.addInPlace(loss.maskedFill(ignored, 0).to(DType.DOUBLE).sum());
                var gradient = logs.expInPlace();
                if (normalizer != null) {
                    gradient.mulInPlace(normalizer.mul(2 * z).addInPlace(1));
                }
                if (smoothing > 0) {
                    gradient.addInPlace(-smoothing / vocabulary);
                }
                gradient.scatterAddInPlace(1, index, Tensor.full(smoothing - 1, length, 1));
                place.copyInPlace(
                        gradient.mulInPlace(
                                scales.narrow(0, start, length)
                                        .view(length, 1)
                                        .maskedFill(ignored, 0)));
            }
        }
    }

    /// Adds the scores' gradient (block, V) transposed times `h` (block, D) to the head's gradient
    /// (V, D): in fp32 within the product, else some rows at a time, since the product is rounded
    /// to bf16 and has to be widened before it is added.
    private static void addWeightGradient(Tensor gradient, Tensor scores, Tensor h) {
        if (h.dtype() == DType.FLOAT) {
            gradient.addmmInPlace(scores.transpose(0, 1), h);
            return;
        }
        long vocabulary = gradient.size(0), part = Math.max(1, CACHED_SCORES / gradient.size(1));
        for (var start = 0L; start < vocabulary; start += part) {
            var length = Math.min(part, vocabulary - start);
            try (var scope = new Scope()) {
                var product =
                        scores.narrow(1, start, length).transpose(0, 1).matmul(h); // (part, D)
                gradient.narrow(0, start, length).addInPlace(product.to(DType.FLOAT));
            }
        }
    }

    /// Adds the sums of the columns of `scores` (block, V) to the bias' gradient (V).
    private static void addBiasGradient(Tensor gradient, Tensor scores) {
        var ones = Tensor.full(1, 1, scores.size(0)).to(scores.dtype());
        gradient.addInPlace(ones.matmul(scores).view(-1).to(DType.FLOAT));
    }

    /// The place where the leaf `weight` adds up its gradient, made if there is none.
    private static Tensor gradient(Tensor weight) {
        var gradient = weight.grad();
        if (gradient == null) {
            gradient = Tensor.zeros(DType.FLOAT, weight.shape());
            weight.grad(gradient);
        }
        return gradient;
    }

    /// What the model makes of each position's label.
    ///
    /// @param losses -log p of the label, 0 where it is ignored
    /// @param ranks how many tokens have a higher score than the label: 0 where it is the likeliest
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    public record Ranked(float[] losses, long[] ranks) {}

    /// The loss of each position (N), 0 where the label is ignored; without gradients.
    public float[] each() {
        return told().losses();
    }

    /// The loss and the rank of each position (N); without gradients.
    public Ranked told() {
        return Torch.noGrad(() -> {
            var rows = hidden.size(0);
            var losses = new float[Math.toIntExact(rows)];
            var ranks = new long[losses.length];
            var chunk = Math.max(1, 8 * CACHED_SCORES / model.vocabulary());
            var type = bf16 ? DType.BFLOAT16 : DType.FLOAT;
            var bias = model.headBias();
            var w = model.head().to(type); // (V, D)
            var b = bias == null ? null : bias.to(type); // (V)
            for (var start = 0L; start < rows; start += chunk) {
                var length = Math.min(chunk, rows - start);
                try (var scope = new Scope()) {
                    var part = hidden.narrow(0, start, length).to(type); // (chunk, D)
                    var logs = scores(part, w, b).to(DType.FLOAT).logSoftmax(-1); // (chunk, V)
                    var wanted = labels.narrow(0, start, length); // (chunk)
                    var ignored = wanted.eq(Tensor.IGNORE);
                    var picked =
                            logs.gather(
                                    1, wanted.maskedFill(ignored, 0).unsqueeze(1)); // (chunk, 1)
                    var loss = picked.view(length).mul(-1).maskedFill(ignored, 0).floats();
                    var rank = logs.gt(picked).to(DType.LONG).sum(1).longs();
                    System.arraycopy(loss, 0, losses, (int) start, loss.length);
                    System.arraycopy(rank, 0, ranks, (int) start, rank.length);
                }
            }
            return new Ranked(losses, ranks);
        });
    }

    /// Positions whose scores are computed at once, of `rows`: blocks of nearly one size.
    public static long blockRows(long rows, long vocabulary) {
        var blocks = Math.ceilDiv(rows * vocabulary, BLOCK_SCORES);
        return Math.max(1, Math.ceilDiv(rows, Math.max(1, blocks)));
    }
}
