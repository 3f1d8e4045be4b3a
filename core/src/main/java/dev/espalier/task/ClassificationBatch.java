package dev.espalier.task;

import dev.espalier.model.DecoderClassifier;
import dev.espalier.nn.Stack;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Texts with one label each, padded on the right to the longest of them.
///
/// @param texts the tokens of each text, at least one
/// @param labels the class of each text
/// @param classWeights the weight of each class in the loss, 1 on average over the training
///   records; null for all 1
public record ClassificationBatch(
        DecoderClassifier model,
        double weight,
        List<int[]> texts,
        int[] labels,
        float @Nullable [] classWeights)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "classification";

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return labels.length;
    }

    @Override
    public long tokens() {
        return texts.stream().mapToLong(t -> t.length).sum();
    }

    @Override
    public Loss forward() {
        var scores = scores(model, texts); // (B, classes)
        var weights = classWeights == null ? null : Tensor.of(classWeights, classWeights.length);
        var sum = scores.crossEntropySum(Tensor.of(labels, labels.length), weights);
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    /// The scores (B, classes) of `texts`, in the scope that is open.
    public static Tensor scores(DecoderClassifier model, List<int[]> texts) {
        var longest = texts.stream().mapToInt(t -> t.length).max().orElseThrow();
        var ids = new long[texts.size() * longest];
        var last = new long[texts.size()];
        for (var r = 0; r < texts.size(); r++) {
            var text = texts.get(r);
            if (text.length == 0) {
                throw new IllegalArgumentException("a text without tokens");
            }
            for (var t = 0; t < text.length; t++) {
                ids[r * longest + t] = text[t];
            }
            last[r] = text.length - 1;
        }
        var hidden = model.body().hidden(Tensor.of(ids, texts.size(), longest)); // (B, T, D)
        return model.forward(hidden, Tensor.of(last, texts.size()));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(labels);
    }
}
