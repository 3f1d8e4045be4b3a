package dev.espalier.parity;

import dev.espalier.model.Decoder;
import dev.espalier.model.DecoderClassifier;
import dev.espalier.nn.Attention;
import dev.espalier.nn.Module;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// A reference's batch: positions count from 0 whatever the mask, as the reference has it outside
/// of generation.
///
/// @param ids row-major, rows of `length`
/// @param mask 1 for tokens, 0 for padding; null for no padding
/// @param labels for a language model of each position, which are shifted here; for a classifier
///   one a row
/// @param pooled for a classifier the position in each row whose state is scored; else null
@SuppressWarnings("ArrayRecordComponent") // batches are passed on, never compared
record GoldenBatch(
        Module model,
        int length,
        long[] ids,
        long @Nullable [] mask,
        long[] labels,
        long @Nullable [] pooled)
        implements MicroBatch {
    int rows() {
        return ids.length / length;
    }

    Tensor idTensor() {
        return Tensor.of(ids, rows(), length);
    }

    Tensor positions() {
        return Tensor.arange(0, length).unsqueeze(0);
    }

    @Nullable Tensor additiveMask() {
        return mask == null ? null : Attention.causal(length, Tensor.of(mask, rows(), length));
    }

    Decoder body() {
        return model instanceof DecoderClassifier classifier ? classifier.body() : (Decoder) model;
    }

    Tensor hidden() {
        return body().hidden(idTensor(), positions(), additiveMask(), null); // (B, T, D)
    }

    /// The scores (B, classes) of a classifier, (B, T, V) of a language model.
    Tensor scores(Tensor hidden) {
        return model instanceof DecoderClassifier classifier
                ? classifier.forward(hidden, pooledTensor())
                : body().logits(hidden);
    }

    private Tensor pooledTensor() {
        var at = pooled == null ? lastTokens() : pooled;
        return Tensor.of(at, at.length);
    }

    private long[] lastTokens() {
        var last = new long[rows()];
        for (var row = 0; row < last.length; row++) {
            for (var t = 0; t < length; t++) {
                if (mask == null || mask[row * length + t] != 0) {
                    last[row] = t;
                }
            }
        }
        return last;
    }

    @Override
    public String term() {
        return "golden";
    }

    @Override
    public double weight() {
        return 1;
    }

    @Override
    public long count() {
        return Arrays.stream(model instanceof DecoderClassifier ? labels : shifted())
                .filter(l -> l != Tensor.IGNORE)
                .count();
    }

    @Override
    public long tokens() {
        return ids.length;
    }

    private long[] shifted() {
        var shifted = new long[labels.length];
        for (var i = 0; i < labels.length; i++) {
            shifted[i] = (i + 1) % length == 0 ? Tensor.IGNORE : labels[i + 1];
        }
        return shifted;
    }

    @Override
    public Loss forward() {
        if (model instanceof DecoderClassifier) {
            var sum = scores(hidden()).crossEntropySum(Tensor.of(labels, labels.length), null);
            return scale -> {
                sum.mul(scale).backward();
                return sum.detach();
            };
        }
        return new VocabularyLoss(body(), hidden(), Tensor.of(shifted(), rows(), length));
    }
}
