package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
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

    private static double[] probabilities(Gpt2 model, int[] text, int place) {
        var scores =
                Torch.noGrad(() -> model.logits(model.hidden(Tensor.of(text, 1, text.length))))
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
        var batch = new DistillationBatch(model, old, 1, TEMPERATURE, texts, List.of("a", "b"));
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
                new DistillationBatch(model, old, 1, 1, List.of(new int[] {1, 2, 3}), List.of("a"));
        try (var parameters = new FlatParameters(model)) {
            batch.forward().backward(1);
            assertThat(parameters.gradientNorm()).isLessThan(1e-6);
        }
        old.free();
    }
}
