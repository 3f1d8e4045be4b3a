package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.espalier.evaluate.MaskedText;
import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.objective.Masking;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class FisherTest {
    private static final int VOCABULARY = 4;
    private static final int LENGTH = 6;
    private static final int WINDOWS = 1600;

    /// A model whose states are all β, the shift of its last norm, and whose token table is zero,
    /// says each of V tokens with p = 1 / V. Then ∂ log p(y) / ∂ W_vd = (1[y = v] - p) β_d, whose
    /// square is p (1 - p) β_d² on average, and of T places T times that; of all other weights it
    /// is zero.
    @Test
    void theEstimateIsThatOfTheClosedForm() {
        var model = new Gpt2(Gpt2Config.of(VOCABULARY, 8, 2, 1, 1, 0));
        var shift = new float[] {0.5f, -2};
        Torch.noGrad(() ->
                Objects.requireNonNull(model.parameters().get("transformer.ln_f.bias"))
                        .value()
                        .copyInPlace(Tensor.of(shift, 2)));
        var windows = Collections.nCopies(WINDOWS, new int[LENGTH + 1]);
        try (var parameters = new FlatParameters(model)) {
            var fisher = Fisher.of(model, windows, parameters, 1).floats();
            var ratios = new ArrayList<Double>();
            for (var slot : parameters.slots()) {
                for (var i = 0; i < slot.count(); i++) {
                    var found = fisher[(int) slot.offset() + i];
                    if (slot.name().equals("transformer.wte.weight")) {
                        var beta = shift[i % 2];
                        var p = 1.0 / VOCABULARY;
                        var expected = LENGTH * p * (1 - p) * beta * beta;
                        // A square's deviation is nearly √2 of its mean: four of the mean's.
                        assertThat((double) found)
                                .isCloseTo(
                                        expected, within(4 * expected * Math.sqrt(2.0 / WINDOWS)));
                        ratios.add(found / expected);
                    } else {
                        assertThat(found).as(slot.name()).isZero();
                    }
                }
            }
            assertThat(mean(ratios)).isCloseTo(1, within(0.05));
            assertThat(parameters.gradients().floats()).containsOnly(0);
        }
    }

    private static double mean(List<Double> values) {
        return values.stream().mapToDouble(v -> v).average().orElseThrow();
    }

    /// Of a body whose weights all tell: the mean of the squares over all that two places can be,
    /// each as likely as the model says.
    @Test
    void theEstimateIsThatOfAllLabels() {
        var model = new Gpt2(Gpt2Config.of(3, 8, 4, 1, 1, 0)).initialize(1);
        Torch.noGrad(() -> model.parameters().values().forEach(p -> p.value().mulInPlace(8)));
        model.training(false);
        try (var parameters = new FlatParameters(model)) {
            var exact = new double[(int) parameters.count()];
            var all = 0.0;
            for (var label = 0; label < 9; label++) {
                parameters.zeroGradients();
                try (var scope = new Scope()) {
                    var states = model.hidden(Tensor.of(new int[] {0, 1}, 1, 2));
                    var labels = Tensor.of(new long[] {label / 3, label % 3}, 1, 2);
                    var p = Math.exp(-new VocabularyLoss(model, states, labels).backward(1).item());
                    all += p;
                    var gradient = parameters.gradients().floats();
                    Arrays.setAll(exact, i -> exact[i] + p * gradient[i] * gradient[i]);
                }
            }
            assertThat(all).isCloseTo(1, within(1e-5));
            var windows = Collections.nCopies(WINDOWS, new int[] {0, 1, 2});
            var fisher = Fisher.of(model, windows, parameters, 1).floats();
            var sums = new double[2];
            for (var slot : parameters.slots()) {
                double told = 0, found = 0;
                for (var i = (int) slot.offset(); i < slot.offset() + slot.count(); i++) {
                    told += exact[i];
                    found += fisher[i];
                }
                assertThat(found).as(slot.name()).isCloseTo(told, within(0.2 * told + 1e-9));
                sums[0] += told;
                sums[1] += found;
            }
            assertThat(sums[1]).isPositive().isCloseTo(sums[0], withinPercentage(5));
            assertThat(Arrays.stream(exact).filter(f -> f > 1e-6).count())
                    .isGreaterThan(exact.length / 2);
        }
    }

    /// As above, where the states are the shift of the head's own norm.
    @Test
    void anEncodersIsOfItsHiddenTokens() {
        var model =
                new Bert(EncoderConfig.of(EncoderConfig.Kind.BERT, VOCABULARY, 8, 2, 1, 1, 0, 0));
        var shift = new float[] {0.5f, -2};
        Torch.noGrad(() ->
                Objects.requireNonNull(
                                model.parameters().get("cls.predictions.transform.LayerNorm.bias"))
                        .value()
                        .copyInPlace(Tensor.of(shift, 2)));
        var row = new Masking.Masked(new int[LENGTH], new int[] {1, 3, 4}, new int[3], "");
        var rows = new MaskedText(Collections.nCopies(WINDOWS, row));
        try (var parameters = new FlatParameters(model)) {
            var fisher = Fisher.of(model, rows, parameters, 1).floats();
            var ratios = new ArrayList<Double>();
            for (var slot : parameters.slots()) {
                if (slot.name().equals("bert.embeddings.word_embeddings.weight")) {
                    for (var i = 0; i < slot.count(); i++) {
                        var p = 1.0 / VOCABULARY;
                        var expected = 3 * p * (1 - p) * shift[i % 2] * shift[i % 2];
                        ratios.add(fisher[(int) slot.offset() + i] / expected);
                    }
                }
            }
            assertThat(ratios)
                    .allSatisfy(
                            r -> assertThat(r).isCloseTo(1, within(4 * Math.sqrt(2.0 / WINDOWS))));
            assertThat(mean(ratios)).isCloseTo(1, within(0.05));
        }
    }
}
