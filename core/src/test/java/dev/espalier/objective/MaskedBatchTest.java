package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class MaskedBatchTest {
    private static final EncoderConfig CONFIG =
            EncoderConfig.of(EncoderConfig.Kind.BERT, 60, 16, 32, 2, 2, 0, 0);

    /// Two rows of different lengths, 3 tokens of the first and 1 of the second to be told.
    private static final List<Masking.Masked> ROWS =
            List.of(
                    new Masking.Masked(
                            new int[] {2, 4, 9, 4, 17, 33, 3},
                            new int[] {1, 3, 5},
                            new int[] {21, 22, 33},
                            "first"),
                    new Masking.Masked(
                            new int[] {2, 4, 8, 3}, new int[] {1}, new int[] {50}, "second"));

    @Test
    void projectingTheHiddenTokensAloneGivesTheLossAndGradientsOfProjectingAll() {
        var model = new Bert(CONFIG).initialize(1);
        try (var flat = new FlatParameters(model);
                var scope = new Scope()) {
            var ids = new int[] {2, 4, 9, 4, 17, 33, 3, 2, 4, 8, 3, 0, 0, 0};
            var keep = new long[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0};
            var labels = new int[14];
            java.util.Arrays.fill(labels, (int) Tensor.IGNORE);
            labels[1] = 21;
            labels[3] = 22;
            labels[5] = 33;
            labels[8] = 50;
            var hidden = model.hidden(Tensor.of(ids, 2, 7), null, Tensor.of(keep, 2, 7));
            var whole =
                    model.logits(hidden).view(14, 60).crossEntropySum(Tensor.of(labels, 14), null);
            whole.mul(0.25).backward();
            var want = flat.gradients().floats();
            flat.zeroGradients();

            var batch = new MaskedBatch(model, "test", 1, ROWS, CrossEntropy.PLAIN);
            assertThat(batch.count()).isEqualTo(4);
            assertThat(batch.tokens()).isEqualTo(11);
            assertThat(batch.where()).containsExactly("first", "second");
            var sum = batch.forward().backward(0.25);

            assertThat(sum.item()).isCloseTo(whole.item(), within(1e-5));
            var got = flat.gradients().floats();
            for (var i = 0; i < want.length; i++) {
                assertThat(got[i]).isCloseTo(want[i], within(1e-6f));
            }
        }
    }

    @Test
    void ranksCountTheLikelierTokens() {
        var model = new Bert(CONFIG).initialize(1);
        try (var scope = new Scope()) {
            var batch = new MaskedBatch(model, "test", 1, ROWS.subList(1, 2), CrossEntropy.PLAIN);
            var scores =
                    model.logits(model.hidden(Tensor.of(new int[] {2, 4, 8, 3}, 1, 4), null, null))
                            .select(0, 0)
                            .select(0, 1)
                            .floats();
            var higher = 0;
            for (var score : scores) {
                higher += score > scores[50] ? 1 : 0;
            }
            assertThat(batch.forward().told().ranks()).containsExactly(higher);
        }
    }
}
