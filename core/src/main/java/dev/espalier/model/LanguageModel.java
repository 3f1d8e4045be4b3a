package dev.espalier.model;

import dev.espalier.nn.HalfMatrix;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A transformer over tokens up to its last hidden states, with the head that scores the vocabulary
/// on top: a [Decoder], whose positions see what is before them, an [Encoder], whose positions see
/// everything, or an [EncoderDecoder], which is one upon the other.
public abstract sealed class LanguageModel extends Model permits Decoder, Encoder, EncoderDecoder {
    private @Nullable HalfMatrix halfHead;

    /// The matrix (V, D) that the head multiplies by to score the vocabulary.
    public abstract Tensor head();

    /// What is added to the scores (V), or null.
    public @Nullable Tensor headBias() {
        return null;
    }

    /// What the head does to `hidden` (…, D) before [#head] is multiplied by.
    public Tensor transformed(Tensor hidden) {
        return hidden;
    }

    /// The scores (…, V) of `hidden` (…, D).
    public final Tensor logits(Tensor hidden) {
        var x = transformed(hidden);
        return halfHead != null && x.isOneRow() ? halfHead.times(x) : x.linear(head(), headBias());
    }

    /// Has single rows scored by `matrix`, a copy of the head and its bias, or by the head again.
    public final void halveHead(@Nullable HalfMatrix matrix) {
        halfHead = matrix;
    }

    /// Whether single rows are scored by a copy of the head.
    public final boolean isHalved() {
        return halfHead != null;
    }

    /// A new head with which the family classifies texts, by the state (B, D) of one position each:
    /// of the first for encoders, of the last for others.
    abstract ClassificationHead classificationHead(int classes);

    /// A model of this shape, with all weights zero, for another number of tokens.
    public abstract LanguageModel withVocabulary(int size);

    public abstract int vocabulary();

    /// The most positions that the model can tell apart.
    public abstract int context();

    public abstract int width();

    public abstract int layers();

    /// The id to fill short rows of a batch with.
    public abstract int padding();

    /// The length that rows of `lengths` are filled up to: that of all where they are alike; else
    /// that of the longest, rounded up to one of four lengths between two powers of 2, but not
    /// beyond the context. For each length that occurs libtorch compiles products anew and keeps
    /// them, which took a twelfth of the time and 400 MiB where any length could (docs/log.md);
    /// filling up is cheaper.
    public int paddedLength(IntStream lengths) {
        var range = lengths.summaryStatistics();
        var longest = range.getMax();
        if (range.getMin() == longest || longest < 5) {
            return longest;
        }
        var step = Integer.highestOneBit(longest - 1) / 4;
        return Math.max(longest, Math.min(context(), Math.ceilDiv(longest, step) * step));
    }

    /// `rows` filled up on the right with `filling` to [#paddedLength]: (B, T).
    public final Tensor padded(List<int[]> rows, int filling) {
        var length = paddedLength(rows.stream().mapToInt(row -> row.length));
        var ids = new int[rows.size() * length];
        Arrays.fill(ids, filling);
        for (var r = 0; r < rows.size(); r++) {
            System.arraycopy(rows.get(r), 0, ids, r * length, rows.get(r).length);
        }
        return Tensor.of(ids, rows.size(), length);
    }

    /// The weights that take part in a matrix product for every token: all but the tables that are
    /// only looked up.
    public abstract long matrixWeights();
}
