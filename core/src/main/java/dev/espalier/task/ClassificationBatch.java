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
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Texts to tell the label, the labels or a number of, padded on the right to one length. The loss
/// of a text is the cross-entropy of its label, the mean over all labels of their binary
/// cross-entropies, or the squared error in standardised units, as the Hugging Face library has it.
///
/// @param examples at least one
/// @param labelWeights of one label the weight of each class in the loss, 1 on average over the
///   training records; of several labels that of each where it holds; null for all 1
/// @param everyToken on a decoder, whether each token's state has to tell of the text, rather than
///   the last one's alone, with which texts are told: half of a text's weight is the last token's,
///   and of the other half t / (1 + 2 + … + n) is that of the t-th of its n tokens
/// @param loss the cross-entropy of a record or token
@SuppressWarnings("ArrayRecordComponent") // batches are passed on, never compared
public record ClassificationBatch(
        SequenceClassifier model,
        double weight,
        List<Example> examples,
        float @Nullable [] labelWeights,
        boolean everyToken,
        CrossEntropy loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "classification";

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public long count() {
        return examples.size();
    }

    @Override
    public long tokens() {
        return examples.stream().mapToLong(e -> e.tokens().length()).sum();
    }

    @Override
    public List<String> where() {
        return examples.stream().map(Example::where).toList();
    }

    @Override
    public List<ExampleText> examples(Tokenizer tokenizer) {
        return examples.stream()
                .map(e ->
                        new ExampleText(
                                e.where(),
                                List.of(
                                        ExampleText.field(
                                                "text",
                                                tokenizer,
                                                e.tokens().ids(),
                                                _ -> Mark.READ),
                                        ExampleText.field(
                                                "label",
                                                Example.shown(model.problem(), e.truth()),
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

    private List<TextReader.Tokens> texts() {
        return examples.stream().map(Example::tokens).toList();
    }

    private Tensor sumOverTexts() {
        var weights = new float[examples.size()];
        for (var r = 0; r < weights.length; r++) {
            weights[r] = (float) examples.get(r).weight();
        }
        return sum(scores(model, texts()), 1, weights);
    }

    private Tensor sumOverTokens() {
        var texts = texts();
        var ids = padded(model, texts);
        var length = Math.toIntExact(ids.size(1));
        var weights = new float[texts.size() * length];
        for (var r = 0; r < texts.size(); r++) {
            var n = texts.get(r).length();
            var weight = examples.get(r).weight();
            for (var t = 0; t < n; t++) {
                weights[r * length + t] = (float) (0.5 * weight * (t + 1) / (0.5 * n * (n + 1)));
            }
            weights[r * length + n - 1] += (float) (0.5 * weight);
        }
        var scores = model.scoresOfAll(ids, types(model, texts), lengths(texts)); // (B, T, classes)
        return sum(scores.view(weights.length, -1), length, weights);
    }

    /// The loss of `scores` (N, classes), of which `each` in a row are an example's.
    private Tensor sum(Tensor scores, int each, float[] weights) {
        return new LabelLoss(model.problem(), labelWeights, loss)
                .sum(scores, i -> examples.get(i / each).truth(), weights);
    }

    /// The scores (B, classes) of `texts`, in the scope that is open.
    public static Tensor scores(SequenceClassifier model, List<TextReader.Tokens> texts) {
        return model.scores(padded(model, texts), types(model, texts), lengths(texts));
    }

    private static long[] lengths(List<TextReader.Tokens> texts) {
        return texts.stream().mapToLong(TextReader.Tokens::length).toArray();
    }

    private static Tensor padded(
            SequenceClassifier model, List<TextReader.Tokens> texts) { // (B, T)
        if (texts.stream().anyMatch(text -> text.length() == 0)) {
            throw new IllegalArgumentException("a text without tokens");
        }
        return model.body()
                .padded(
                        texts.stream().map(TextReader.Tokens::ids).toList(),
                        model.body().padding());
    }

    private static @Nullable Tensor types(
            SequenceClassifier model, List<TextReader.Tokens> texts) { // (B, T)
        if (texts.stream().allMatch(t -> t.types() == null)) {
            return null;
        }
        return model.body()
                .padded(
                        texts.stream()
                                .map(t -> t.types() == null ? new int[t.length()] : t.types())
                                .toList(),
                        0);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return examples.hashCode();
    }
}
