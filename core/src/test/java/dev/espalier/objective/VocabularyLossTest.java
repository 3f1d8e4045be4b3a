package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VocabularyLossTest {
    /// A vocabulary so large that 96 positions make three blocks.
    private static final int VOCABULARY = 600_000;

    @Test
    void blocksGiveTheLossAndTheGradientOfTheWhole() {
        assertThat(VocabularyLoss.blockRows(96, VOCABULARY)).isEqualTo(32);
        var model = new Gpt2(Gpt2Config.of(VOCABULARY, 96, 8, 1, 2, 0)).initialize(1);
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            var ids = IntStream.range(0, 96).map(i -> i * 977 % VOCABULARY).toArray();
            var labels =
                    IntStream.range(0, 96)
                            .map(i -> i % 5 == 0 ? Tensor.IGNORE : i * 31 % VOCABULARY)
                            .toArray();
            var hidden = model.hidden(Tensor.of(ids, 1, 96));
            var whole =
                    model.logits(hidden)
                            .view(96, VOCABULARY)
                            .crossEntropySum(Tensor.of(labels, 96), null);
            whole.mul(0.1).backward();
            var want = flat.gradients().floats();
            flat.zeroGradients();

            var loss =
                    new VocabularyLoss(
                            model, model.hidden(Tensor.of(ids, 1, 96)), Tensor.of(labels, 1, 96));
            var sum = loss.backward(0.1);

            assertThat(sum.item()).isCloseTo(whole.item(), within(1e-3));
            var got = flat.gradients().floats();
            for (var i = 0; i < want.length; i++) {
                assertThat(got[i]).isCloseTo(want[i], within(2e-6f));
            }
            var each =
                    new VocabularyLoss(
                                    model,
                                    model.hidden(Tensor.of(ids, 1, 96)),
                                    Tensor.of(labels, 1, 96))
                            .each();
            var total = 0.0;
            for (var i = 0; i < 96; i++) {
                assertThat(each[i] == 0).isEqualTo(i % 5 == 0);
                total += each[i];
            }
            assertThat(total).isCloseTo(whole.item(), within(1e-3));
        }
    }

    /// The gradients that the loss works out by itself against those of autograd.
    @ParameterizedTest
    @CsvSource({"0.1, 0", "0, 0.01", "0.2, 0.05"})
    void smoothingAndZLossHaveTheGradientsOfAutograd(double smoothing, double z) {
        var kind = new CrossEntropy(smoothing, z);
        var model = new Gpt2(Gpt2Config.of(50, 24, 16, 1, 2, 0)).initialize(1);
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            Torch.noGrad(() -> model.head().mulInPlace(40)); // scores far from uniform
            var ids = IntStream.range(0, 24).map(i -> i * 7 % 50).toArray();
            var labels = IntStream.range(0, 24).map(i -> i % 5 == 0 ? -100 : i * 31 % 50).toArray();
            var scores = model.logits(model.hidden(Tensor.of(ids, 1, 24))).view(24, 50);
            // Written out once more, apart from CrossEntropy.
            var logs = scores.logSoftmax(-1);
            var some = new float[24];
            var picked = new long[24];
            for (var i = 0; i < 24; i++) {
                some[i] = labels[i] < 0 ? 0 : 1;
                picked[i] = Math.max(0, labels[i]);
            }
            var keep = Tensor.of(some, 24, 1);
            var likelihood = logs.gather(1, Tensor.of(picked, 24, 1)).mul(keep).sum();
            var uniform = logs.matmul(Tensor.full(1 / 50.0, 50, 1)).mul(keep).sum();
            var normalizer =
                    scores.sub(logs)
                            .matmul(Tensor.full(1 / 50.0, 50, 1)); // the same in each column
            var want =
                    likelihood
                            .mul(smoothing - 1)
                            .sub(uniform.mul(smoothing))
                            .add(normalizer.mul(normalizer).mul(keep).sum().mul(z));
            want.mul(0.1).backward();
            var gradient = flat.gradients().floats();
            flat.zeroGradients();

            var hidden = model.hidden(Tensor.of(ids, 1, 24));
            var sum =
                    new VocabularyLoss(model, hidden, Tensor.of(labels, 1, 24), kind).backward(0.1);

            assertThat(sum.item()).isCloseTo(want.item(), within(1e-3));
            assertThat(flat.gradients().floats()).containsExactly(gradient, within(2e-4f));
            var rows = model.logits(model.hidden(Tensor.of(ids, 1, 24))).view(24, 50);
            assertThat(kind.sum(rows, Tensor.of(picked, 24, 1), keep).item())
                    .isCloseTo(want.item(), within(1e-3));
        }
    }

    @Test
    void inBf16LossAndGradientAreRoundedAndNoMore() {
        var model = new Gpt2(Gpt2Config.of(50, 24, 16, 1, 2, 0)).initialize(1);
        var ids = IntStream.range(0, 24).map(i -> i * 7 % 50).toArray();
        var labels = IntStream.range(0, 24).map(i -> i % 5 == 0 ? -100 : i * 31 % 50).toArray();
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            var sums = new double[2];
            var gradients = new float[2][];
            var each = new float[2][];
            for (var bf16 : new boolean[] {false, true}) {
                var i = bf16 ? 1 : 0;
                flat.zeroGradients();
                var loss =
                        Torch.bf16(
                                bf16,
                                () ->
                                        new VocabularyLoss(
                                                model,
                                                model.hidden(Tensor.of(ids, 1, 24)),
                                                Tensor.of(labels, 1, 24)));
                each[i] = loss.each();
                sums[i] = loss.backward(0.1).item();
                gradients[i] = flat.gradients().floats();
            }
            assertThat(sums[1]).isCloseTo(sums[0], within(0.01 * sums[0])).isNotEqualTo(sums[0]);
            var dot = 0.0;
            var norms = new double[2];
            for (var i = 0; i < gradients[0].length; i++) {
                dot += gradients[0][i] * gradients[1][i];
                norms[0] += gradients[0][i] * gradients[0][i];
                norms[1] += gradients[1][i] * gradients[1][i];
            }
            assertThat(dot / Math.sqrt(norms[0] * norms[1])).isGreaterThan(0.999);
            assertThat(norms[1]).isCloseTo(norms[0], within(0.02 * norms[0]));
            for (var i = 0; i < 24; i++) {
                assertThat(each[1][i]).isCloseTo(each[0][i], within(0.03f));
            }
        }
    }

    @Test
    void aNewModelIsAsGoodAsChance() {
        var model = new Gpt2(Gpt2Config.of(300, 16, 32, 2, 2, 0)).initialize(5);
        try (var scope = new Scope()) {
            var windows = new int[4][17];
            for (var w : windows) {
                java.util.Arrays.setAll(w, i -> (i * 7919 + w.length) % 300);
            }
            var batch = new CausalBatch(model, "t", 1, windows);
            var each = Torch.noGrad(() -> batch.forward().each());
            var mean =
                    IntStream.range(0, each.length)
                            .mapToDouble(i -> each[i])
                            .average()
                            .orElseThrow();
            assertThat(mean).isCloseTo(Math.log(300), within(0.1));
            assertThat(batch.count()).isEqualTo(64);
        }
        model.free();
    }
}
