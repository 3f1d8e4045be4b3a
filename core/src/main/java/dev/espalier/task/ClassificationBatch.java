package dev.espalier.task;

import dev.espalier.model.Decoder;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Stack;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Texts with one label each, padded on the right to the longest of them.
///
/// @param texts the tokens of each text, at least one
/// @param labels the class of each text
/// @param classWeights the weight of each class in the loss, 1 on average over the training
///   records; null for all 1
/// @param everyToken on a decoder, whether each token's state has to tell the text's class, rather
///   than the last one's alone, with which classes are predicted: half of a text's weight is the
///   last token's, and of the other half t / (1 + 2 + … + n) is that of the t-th of its n tokens
/// @param loss the loss of a record or token
/// @param where each text stands
public record ClassificationBatch(
        SequenceClassifier model,
        double weight,
        List<int[]> texts,
        int[] labels,
        float @Nullable [] classWeights,
        boolean everyToken,
        CrossEntropy loss,
        List<String> where)
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
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return IntStream.range(0, labels.length)
                .mapToObj(r ->
                        new ExampleText(
                                where.get(r),
                                List.of(
                                        ExampleText.field(
                                                "text", tokenizer, texts.get(r), _ -> Mark.READ),
                                        ExampleText.field(
                                                "label",
                                                model.labels().get(labels[r]),
                                                Mark.TARGET))))
                .toList();
    }

    @Override
    public Loss forward() {
        var sum = everyToken && model.body() instanceof Decoder ? sumOverTokens() : sumOverTexts();
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    private Tensor sumOverTexts() {
        var weights = new float[labels.length];
        for (var r = 0; r < weights.length; r++) {
            weights[r] = classWeights == null ? 1 : classWeights[labels[r]];
        }
        return sum(scores(model, texts), labels, weights);
    }

    private Tensor sumOverTokens() {
        var longest = longest(texts);
        var weights = new float[texts.size() * longest];
        var classes = new int[weights.length];
        for (var r = 0; r < texts.size(); r++) {
            var n = texts.get(r).length;
            var weight = classWeights == null ? 1 : classWeights[labels[r]];
            for (var t = 0; t < n; t++) {
                weights[r * longest + t] = (float) (0.5 * weight * (t + 1) / (0.5 * n * (n + 1)));
            }
            weights[r * longest + n - 1] += 0.5f * weight;
            Arrays.fill(classes, r * longest, (r + 1) * longest, labels[r]);
        }
        var scores = model.scoresOfAll(padded(model, texts), lengths(texts)); // (B, T, classes)
        return sum(scores.view(weights.length, -1), classes, weights);
    }

    private Tensor sum(Tensor scores, int[] classes, float[] weights) {
        var n = weights.length;
        return loss.sum(scores, Tensor.of(classes, n, 1), Tensor.of(weights, n, 1));
    }

    /// The scores (B, classes) of `texts`, in the scope that is open.
    public static Tensor scores(SequenceClassifier model, List<int[]> texts) {
        return model.scores(padded(model, texts), lengths(texts));
    }

    private static long[] lengths(List<int[]> texts) {
        return texts.stream().mapToLong(t -> t.length).toArray();
    }

    private static Tensor padded(SequenceClassifier model, List<int[]> texts) { // (B, T)
        var longest = longest(texts);
        var ids = new int[texts.size() * longest];
        Arrays.fill(ids, model.body().padding());
        for (var r = 0; r < texts.size(); r++) {
            var text = texts.get(r);
            if (text.length == 0) {
                throw new IllegalArgumentException("a text without tokens");
            }
            System.arraycopy(text, 0, ids, r * longest, text.length);
        }
        return Tensor.of(ids, texts.size(), longest);
    }

    private static int longest(List<int[]> texts) {
        return texts.stream().mapToInt(t -> t.length).max().orElseThrow();
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
