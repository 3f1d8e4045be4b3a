package dev.espalier.evaluate;

import dev.espalier.model.Decoder;
import dev.espalier.objective.CausalBatch;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/// How well a language model foresees a text.
public final class Perplexity {
    private Perplexity() {}

    /// Windows in a batch hold about this many tokens.
    private static final int BATCH_TOKENS = 4096;

    /// The sum of the losses of each window's tokens, in nats. A window of n + 1 tokens has n to be
    /// foreseen; the windows may differ in length, and those of like length go together.
    public static double[] windowLosses(Decoder model, List<int[]> windows, boolean bf16) {
        return windowLosses(model, windows, id -> true, bf16);
    }

    /// As above, of the tokens alone that are `counted`.
    public static double[] windowLosses(
            Decoder model, List<int[]> windows, IntPredicate counted, boolean bf16) {
        var order =
                IntStream.range(0, windows.size())
                        .boxed()
                        .sorted(Comparator.comparingInt((Integer w) -> -windows.get(w).length))
                        .toList();
        var sums = new double[windows.size()];
        for (var start = 0; start < order.size(); ) {
            var longest = windows.get(order.get(start)).length;
            var rows = Math.max(1, BATCH_TOKENS / (longest - 1));
            var part = order.subList(start, Math.min(order.size(), start + rows));
            // No token sees what stands behind it, so that any filling will do.
            var filled =
                    part.stream()
                            .map(w -> Arrays.copyOf(windows.get(w), longest))
                            .toArray(int[][]::new);
            var batch = new CausalBatch(model, "evaluation", 1, filled);
            float[] each;
            try (var scope = new Scope()) {
                each = Torch.noGrad(() -> Torch.bf16(bf16, () -> batch.forward().each()));
            }
            for (var r = 0; r < part.size(); r++) {
                var window = windows.get(part.get(r));
                for (var t = 0; t < window.length - 1; t++) {
                    if (counted.test(window[t + 1])) {
                        sums[part.get(r)] += each[r * (longest - 1) + t];
                    }
                }
            }
            start += part.size();
        }
        return sums;
    }
}
