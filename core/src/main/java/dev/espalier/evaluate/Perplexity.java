package dev.espalier.evaluate;

import dev.espalier.model.Decoder;
import dev.espalier.objective.CausalBatch;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.List;

/// How well a language model foresees a text.
public final class Perplexity {
    private Perplexity() {}

    /// Windows in a batch hold about this many tokens.
    private static final int BATCH_TOKENS = 4096;

    /// The sum of the losses of each window's tokens, in nats. A window of n + 1 tokens has n to be
    /// foreseen; the windows may differ in length.
    public static double[] windowLosses(Decoder model, List<int[]> windows, boolean bf16) {
        var sums = new double[windows.size()];
        for (var start = 0; start < windows.size(); ) {
            var length = windows.get(start).length - 1;
            var end = start + 1;
            while (end < windows.size()
                    && windows.get(end).length == length + 1
                    && (long) (end + 1 - start) * length <= BATCH_TOKENS) {
                end++;
            }
            var batch =
                    new CausalBatch(
                            model,
                            "evaluation",
                            1,
                            windows.subList(start, end).toArray(new int[0][]));
            float[] each;
            try (var scope = new Scope()) {
                each = Torch.noGrad(() -> Torch.bf16(bf16, () -> batch.forward().each()));
            }
            for (var w = start; w < end; w++) {
                for (var t = 0; t < length; t++) {
                    sums[w] += each[(w - start) * length + t];
                }
            }
            start = end;
        }
        return sums;
    }
}
