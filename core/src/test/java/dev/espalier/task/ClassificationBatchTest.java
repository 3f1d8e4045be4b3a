package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.task.TextReader.Tokens;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ClassificationBatchTest {
    private static final List<Tokens> TEXTS =
            List.of(new Tokens(new int[] {3, 1, 4, 1}, null), new Tokens(new int[] {5, 9}, null));
    private static final int[] LABELS = {2, 0};
    private static final float[] WEIGHTS = {0.5f, 1, 1.5f};

    private static SequenceClassifier model() {
        var model =
                new SequenceClassifier(
                        new Gpt2(Gpt2Config.of(10, 8, 16, 2, 2, 0)).initialize(1),
                        List.of("a", "b", "c"));
        model.initializeHead(2);
        model.parameters().values().forEach(p -> p.value().requiresGrad(true));
        return model;
    }

    @Test
    void everyTokenCountsByItsPlaceInItsText() {
        try (var scope = new Scope()) {
            var model = model();
            var want = 0.0;
            for (var r = 0; r < TEXTS.size(); r++) {
                var text = TEXTS.get(r);
                for (var t = 1; t <= text.length(); t++) {
                    // No token sees what follows it, so the beginning of a text alone says the
                    // same.
                    var scores =
                            ClassificationBatch.scores(
                                    model, List.of(new Tokens(Arrays.copyOf(text.ids(), t), null)));
                    var loss = scores.crossEntropySum(Tensor.of(new int[] {LABELS[r]}, 1), null);
                    var share = t / (text.length() * (text.length() + 1) / 2.0);
                    var last = t == text.length() ? 1 : 0;
                    want += WEIGHTS[LABELS[r]] * 0.5 * (share + last) * loss.item();
                }
            }
            assertThat(sum(model, WEIGHTS, true)).isCloseTo(want, within(1e-5));
        }
    }

    /// In a batch of 20 columns, four more than the longest power of 2.
    @Test
    void whatFillsRowsUpChangesNothing() {
        try (var scope = new Scope()) {
            var ids = IntStream.range(0, 17).map(i -> i * 7 % 10).toArray();
            var texts = List.of(new Tokens(ids, null), new Tokens(Arrays.copyOf(ids, 9), null));
            var decoder = new Gpt2(Gpt2Config.of(10, 32, 16, 2, 2, 0)).initialize(1);
            var encoder =
                    new Bert(EncoderConfig.of(EncoderConfig.Kind.BERT, 10, 32, 16, 1, 2, 0, 0))
                            .initialize(1);
            for (var body : List.of(decoder, encoder)) {
                assertThat(body.padded(texts.stream().map(Tokens::ids).toList(), 0).size(1))
                        .isEqualTo(20);
                var model = new SequenceClassifier(body, List.of("a", "b", "c"));
                model.initializeHead(2);
                var together = ClassificationBatch.scores(model, texts).floats();
                for (var r = 0; r < 2; r++) {
                    var alone = ClassificationBatch.scores(model, List.of(texts.get(r))).floats();
                    assertThat(Arrays.copyOfRange(together, 3 * r, 3 * r + 3))
                            .containsExactly(alone, within(1e-5f));
                }
            }
        }
    }

    @Test
    void theLastTokenAloneIsWhatIsPredictedWith() {
        try (var scope = new Scope()) {
            var model = model();
            var whole =
                    ClassificationBatch.scores(model, TEXTS)
                            .crossEntropySum(Tensor.of(LABELS, 2), null)
                            .item();
            assertThat(sum(model, null, false)).isCloseTo(whole, within(1e-5));
            assertThat(sum(model, null, true)).isNotCloseTo(whole, within(1e-4));
        }
    }

    @Test
    void aTextCountsOnceHoweverLongItIs() {
        try (var scope = new Scope()) {
            var model = model();
            // A head of zeros gives every class the same score at every token.
            Torch.noGrad(
                    () -> model.head().parameters().firstEntry().getValue().value().zeroInPlace());
            assertThat(sum(model, null, true)).isCloseTo(2 * Math.log(3), within(1e-5));
        }
    }

    private static SequenceClassifier model(Problem problem) {
        var model =
                new SequenceClassifier(
                        new Gpt2(Gpt2Config.of(10, 8, 16, 2, 2, 0)).initialize(1), problem);
        model.initializeHead(2);
        Torch.noGrad(
                () -> model.head().parameters().values().forEach(p -> p.value().mulInPlace(40)));
        model.parameters().values().forEach(p -> p.value().requiresGrad(true));
        return model;
    }

    private static double sum(
            SequenceClassifier model,
            double[][] truth,
            float @Nullable [] weights,
            boolean everyToken,
            CrossEntropy loss) {
        var examples =
                IntStream.range(0, 2)
                        .mapToObj(i -> new Example(TEXTS.get(i), truth[i], i + 0.5, "here"))
                        .toList();
        return new ClassificationBatch(model, 1, examples, weights, everyToken, loss)
                .forward()
                .backward(1)
                .item();
    }

    /// As PyTorch's BCEWithLogitsLoss, with its pos_weight, a mean over the labels.
    @Test
    void severalLabelsCostTheMeanOfTheirBinaryCrossEntropies() {
        try (var scope = new Scope()) {
            var model = model(new Problem.MultiLabel(List.of("a", "b", "c"), 0.5));
            var truth = new double[][] {{1, 0, 1}, {0, 0, 0}};
            var scores = ClassificationBatch.scores(model, TEXTS).floats();
            for (var smoothing : new double[] {0, 0.2}) {
                var want = 0.0;
                for (var i = 0; i < 6; i++) {
                    var p = 1 / (1 + Math.exp(-scores[i]));
                    var y = truth[i / 3][i % 3] * (1 - smoothing) + smoothing / 2;
                    want -=
                            (i / 3 + 0.5)
                                    / 3
                                    * (WEIGHTS[i % 3] * y * Math.log(p)
                                            + (1 - y) * Math.log(1 - p));
                }
                var loss = new CrossEntropy(smoothing, 0);
                assertThat(sum(model, truth, WEIGHTS, false, loss)).isCloseTo(want, within(1e-5));
            }
        }
    }

    @Test
    void aNumberCostsItsSquaredErrorInStandardUnits() {
        try (var scope = new Scope()) {
            var model = model(new Problem.Regression(100, 20));
            var scores = ClassificationBatch.scores(model, TEXTS).floats();
            var want = 0.5 * Math.pow(scores[0] - 1, 2) + 1.5 * Math.pow(scores[1] + 2, 2);
            var truth = new double[][] {{120}, {60}};
            assertThat(sum(model, truth, null, false, CrossEntropy.PLAIN))
                    .isCloseTo(want, within(1e-5));
        }
    }

    /// With a head of zeros all tokens say the same, so that only the weights' sum is seen.
    @Test
    void everyTokenTellsOfEveryKind() {
        try (var scope = new Scope()) {
            var several = model(new Problem.MultiLabel(List.of("a", "b"), 0.5));
            var number = model(new Problem.Regression(0, 1));
            for (var model : List.of(several, number)) {
                Torch.noGrad(() ->
                        model.head().parameters().values().forEach(p -> p.value().zeroInPlace()));
            }
            var labels = new double[][] {{1, 0}, {0, 1}};
            assertThat(sum(several, labels, null, true, CrossEntropy.PLAIN))
                    .isCloseTo(2 * Math.log(2), within(1e-5));
            assertThat(sum(number, new double[][] {{3}, {1}}, null, true, CrossEntropy.PLAIN))
                    .isCloseTo(0.5 * 9 + 1.5, within(1e-5));
        }
    }

    /// The second text of a pair is marked, by the row of the table of segments that BERT has.
    @Test
    void aBertSeesWhichTextATokenIsOf() {
        var config = EncoderConfig.of(EncoderConfig.Kind.BERT, 10, 8, 16, 1, 2, 0, 0);
        var model = new SequenceClassifier(new Bert(config).initialize(1), List.of("a", "b"));
        model.initializeHead(2);
        try (var scope = new Scope()) {
            var ids = new int[] {3, 1, 4};
            var plain = scores(model, new Tokens(ids, null));
            assertThat(scores(model, new Tokens(ids, new int[3]))).isEqualTo(plain);
            assertThat(scores(model, new Tokens(ids, new int[] {0, 0, 1}))).isNotEqualTo(plain);
            // Beside a longer text without marks.
            var beside =
                    Torch.noGrad(() ->
                            ClassificationBatch.scores(
                                            model,
                                            List.of(
                                                    new Tokens(ids, new int[] {0, 0, 1}),
                                                    new Tokens(new int[] {1, 2, 3, 4}, null)))
                                    .floats());
            assertThat(beside[0])
                    .isCloseTo(
                            scores(model, new Tokens(ids, new int[] {0, 0, 1}))[0], within(1e-5f));
        }
    }

    private static float[] scores(SequenceClassifier model, Tokens text) {
        return Torch.noGrad(() -> ClassificationBatch.scores(model, List.of(text)).floats());
    }

    private static double sum(
            SequenceClassifier model, float @Nullable [] weights, boolean everyToken) {
        var examples =
                IntStream.range(0, 2)
                        .mapToObj(
                                i -> new Example(TEXTS.get(i), new double[] {LABELS[i]}, 1, "here"))
                        .toList();
        return new ClassificationBatch(model, 1, examples, weights, everyToken, CrossEntropy.PLAIN)
                .forward()
                .backward(1)
                .item();
    }
}
