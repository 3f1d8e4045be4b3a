package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class ClassificationBatchTest {
    private static final List<int[]> TEXTS = List.of(new int[] {3, 1, 4, 1}, new int[] {5, 9});
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
                for (var t = 1; t <= text.length; t++) {
                    // No token sees what follows it, so the beginning of a text alone says the
                    // same.
                    var scores =
                            ClassificationBatch.scores(
                                    model, List.of(java.util.Arrays.copyOf(text, t)));
                    var loss = scores.crossEntropySum(Tensor.of(new int[] {LABELS[r]}, 1), null);
                    var share = t / (text.length * (text.length + 1) / 2.0);
                    var last = t == text.length ? 1 : 0;
                    want += WEIGHTS[LABELS[r]] * 0.5 * (share + last) * loss.item();
                }
            }
            assertThat(sum(model, WEIGHTS, true)).isCloseTo(want, within(1e-5));
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

    private static double sum(
            SequenceClassifier model, float @Nullable [] weights, boolean everyToken) {
        return new ClassificationBatch(
                        model, 1, TEXTS, LABELS, weights, everyToken, CrossEntropy.PLAIN, List.of())
                .forward()
                .backward(1)
                .item();
    }
}
