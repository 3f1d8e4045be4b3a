package dev.espalier.objective;

import dev.espalier.model.Decoder;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;

/// The cross-entropy of the vocabulary's scores, -Σ log softmax(h Wᵀ)[label] over the positions
/// whose label is not [Tensor#IGNORE].
///
/// The (positions, vocabulary) scores never exist whole: the head goes forward and backward chunk
/// by chunk into the gradient of the hidden states, and the body goes backward once at the end.
/// That saves the memory, and the time to write and read it, of the largest array of the step.
public final class VocabularyLoss implements Loss {
    /// Scores of one chunk: 32 MiB in fp32, a size that stays in a server's last cache.
    private static final long CHUNK_SCORES = 8L << 20;

    private final Decoder decoder;
    private final Tensor hidden; // (N, D)
    private final Tensor labels; // (N)
    private final boolean bf16;

    /// `hidden` is (B, T, D); `labels` is (B, T) with the label of the *same* position, already
    /// shifted.
    public VocabularyLoss(Decoder decoder, Tensor hidden, Tensor labels) {
        this.decoder = decoder;
        this.hidden = hidden.reshape(-1, hidden.size(-1));
        this.labels = labels.reshape(-1);
        this.bf16 = Torch.inBf16();
    }

    @Override
    public Tensor backward(double scale) {
        var leaf = hidden.detach().requiresGrad(true);
        var total = Tensor.zeros(DType.FLOAT);
        var rows = hidden.size(0);
        var chunk = chunkRows(decoder.vocabulary());
        for (var start = 0L; start < rows; start += chunk) {
            var length = Math.min(chunk, rows - start);
            var from = start;
            try (var scope = new Scope()) {
                var sum = Torch.bf16(bf16, () -> chunkSum(leaf, from, length));
                sum.mul(scale).backward();
                Torch.noGrad(() -> total.addInPlace(sum));
            }
        }
        if (hidden.requiresGrad()) {
            hidden.backward(java.util.Objects.requireNonNull(leaf.grad()).to(hidden.dtype()));
        }
        return total;
    }

    private Tensor chunkSum(Tensor from, long start, long length) {
        var logits = decoder.logits(from.narrow(0, start, length)); // (chunk, V)
        return logits.crossEntropySum(labels.narrow(0, start, length), null);
    }

    /// The loss of each position (N), 0 where the label is ignored; without gradients.
    public float[] each() {
        return Torch.noGrad(() -> {
            var rows = hidden.size(0);
            var losses = new float[Math.toIntExact(rows)];
            var chunk = chunkRows(decoder.vocabulary());
            for (var start = 0L; start < rows; start += chunk) {
                var length = Math.min(chunk, rows - start);
                try (var scope = new Scope()) {
                    var part = hidden.narrow(0, start, length);
                    var logits = decoder.logits(part).to(DType.FLOAT).logSoftmax(-1); // (chunk, V)
                    var wanted = labels.narrow(0, start, length); // (chunk)
                    var picked =
                            logits.gather(
                                            1,
                                            wanted.maskedFill(wanted.eq(Tensor.IGNORE), 0)
                                                    .unsqueeze(1))
                                    .view(length); // (chunk)
                    var loss = picked.mul(-1).maskedFill(wanted.eq(Tensor.IGNORE), 0).floats();
                    System.arraycopy(loss, 0, losses, (int) start, loss.length);
                }
            }
            return losses;
        });
    }

    /// Positions whose scores are computed at once.
    public static long chunkRows(long vocabulary) {
        return Math.max(32, CHUNK_SCORES / vocabulary);
    }
}
