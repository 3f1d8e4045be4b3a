package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Bert;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.Masking;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import org.junit.jupiter.api.Test;

class DistillationBatchTest {
    private static final int VOCABULARY = 7;
    private static final double TEMPERATURE = 2;

    private static Gpt2 model(long seed) {
        return new Gpt2(Gpt2Config.of(VOCABULARY, 8, 8, 2, 2, 0)).initialize(seed);
    }

    private static double[] probabilities(LanguageModel model, int[] text, int place) {
        var read = Tensor.of(text, 1, text.length);
        var scores =
                Torch.noGrad(() ->
                                model.logits(
                                        model instanceof Encoder encoder
                                                ? encoder.hidden(read, null, null)
                                                : ((Gpt2) model).hidden(read)))
                        .floats();
        var p = new double[VOCABULARY];
        var sum = 0.0;
        for (var v = 0; v < VOCABULARY; v++) {
            p[v] = Math.exp(scores[place * VOCABULARY + v] / TEMPERATURE);
            sum += p[v];
        }
        for (var v = 0; v < VOCABULARY; v++) {
            p[v] /= sum;
        }
        return p;
    }

    @Test
    void itsLossIsThatOfThePaperAndKnowsNothingOfWhatFillsRows() {
        Gpt2 model = model(1), old = model(2);
        var texts = List.of(new int[] {1, 2, 3, 4, 5}, new int[] {6, 5});
        var expected = 0.0;
        for (var text : texts) {
            for (var t = 0; t < text.length; t++) {
                var wanted = probabilities(old, text, t);
                var told = probabilities(model, text, t);
                for (var v = 0; v < VOCABULARY; v++) {
                    expected -= wanted[v] * Math.log(told[v]);
                }
            }
        }
        var rows = texts.stream().map(ids -> DistillationBatch.whole(ids, "a")).toList();
        var batch = new DistillationBatch(model, old, 1, TEMPERATURE, rows);
        assertThat(batch.count()).isEqualTo(7);
        try (var parameters = new FlatParameters(model)) {
            assertThat(batch.forward().backward(1).item()).isCloseTo(expected, within(1e-4));
            assertThat(parameters.gradientNorm()).isPositive();
        }
        old.free();
    }

    @Test
    void whoSaysWhatItSaidHasNothingToLearn() {
        Gpt2 model = model(1), old = model(1);
        var batch =
                new DistillationBatch(
                        model,
                        old,
                        1,
                        1,
                        List.of(DistillationBatch.whole(new int[] {1, 2, 3}, "a")));
        try (var parameters = new FlatParameters(model)) {
            batch.forward().backward(1);
            assertThat(parameters.gradientNorm()).isLessThan(1e-6);
        }
        old.free();
    }

    /// Of an encoder the places that are hidden alone, whatever fills up rows.
    @Test
    void anEncoderTellsWhatIsHidden() {
        Bert model = encoder(1), old = encoder(2);
        var rows =
                List.of(
                        new Masking.Masked(
                                new int[] {1, 6, 3, 6, 5}, new int[] {1, 3}, new int[] {2, 4}, ""),
                        new Masking.Masked(new int[] {6, 5}, new int[] {0}, new int[] {3}, ""));
        var expected = 0.0;
        for (var row : rows) {
            for (var place : row.places()) {
                var wanted = probabilities(old, row.ids(), place);
                var told = probabilities(model, row.ids(), place);
                for (var v = 0; v < VOCABULARY; v++) {
                    expected -= wanted[v] * Math.log(told[v]);
                }
            }
        }
        var batch = new DistillationBatch(model, old, 1, TEMPERATURE, rows);
        assertThat(batch.count()).isEqualTo(3);
        try (var parameters = new FlatParameters(model)) {
            assertThat(batch.forward().backward(1).item()).isCloseTo(expected, within(1e-4));
            assertThat(parameters.gradientNorm()).isPositive();
        }
        old.free();
    }

    private static Bert encoder(long seed) {
        var config = EncoderConfig.of(EncoderConfig.Kind.BERT, VOCABULARY, 8, 8, 2, 2, 0, 0);
        var model = new Bert(config);
        model.initialize(seed);
        return model;
    }
}
