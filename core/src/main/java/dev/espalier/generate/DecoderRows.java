package dev.espalier.generate;

import dev.espalier.model.Decoder;
import dev.espalier.nn.Attention;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The sequences of a batch on their way through a decoder: prompts padded on the left, several
/// rows for each prompt, each position computed once thanks to the key-value cache. Its memory
/// belongs to the scope that it is made in.
final class DecoderRows implements Rows {
    /// Bytes of a layer's keys and values that attention goes through, for a single row, in less
    /// time on one thread than it takes libtorch's other threads to get a processor from those that
    /// multiply in half precision.
    private static final long SHORT = 4 << 20;

    private final Decoder decoder;
    private final List<int[]> prompts;
    private final int copies;
    private final int rows;
    private final int longest;
    private final UnaryOperator<Tensor> scores;
    private final long[] position; // of the next token among each row's own
    private final KeyValueCache cache;
    private final Tensor visible; // (B|1, 1, 1, capacity), additive

    /// `copies` rows, one after the other, for each prompt, and up to `newTokens` more positions.
    /// `scores` turns logits into what the caller wants of them.
    DecoderRows(
            Decoder decoder,
            List<int[]> prompts,
            int copies,
            int newTokens,
            UnaryOperator<Tensor> scores) {
        this.decoder = decoder;
        this.prompts = prompts;
        this.copies = copies;
        this.scores = scores;
        rows = prompts.size() * copies;
        longest = prompts.stream().mapToInt(p -> p.length).max().orElseThrow();
        position = new long[rows];
        for (var row = 0; row < rows; row++) {
            position[row] = prompts.get(row / copies).length;
        }
        var capacity = longest + newTokens;
        cache = decoder.cache(rows, capacity);
        visible = Attention.causal(1, padded() ? keep(copies, capacity) : keep(capacity));
    }

    private boolean padded() {
        return prompts.stream().anyMatch(p -> p.length < longest);
    }

    @Override
    public float[] read() {
        try (var scope = new Scope()) {
            var once = copies == 1 ? cache : decoder.cache(prompts.size(), longest);
            var ids = new long[prompts.size() * longest];
            var positions = new long[ids.length];
            for (var i = 0; i < prompts.size(); i++) {
                var prompt = prompts.get(i);
                var start = (i + 1) * longest - prompt.length;
                for (var t = 0; t < prompt.length; t++) {
                    ids[start + t] = prompt[t];
                    positions[start + t] = t;
                }
            }
            var hidden =
                    decoder.hidden(
                            Tensor.of(ids, prompts.size(), longest),
                            Tensor.of(positions, prompts.size(), longest),
                            promptMask(),
                            once); // (P, T, D)
            var last = hidden.narrow(1, longest - 1L, 1); // (P, 1, D)
            if (copies == 1) {
                return scores(last);
            }
            var from = IntStream.range(0, rows).mapToLong(row -> row / copies).toArray();
            var places = Tensor.of(from, rows);
            cache.copyFrom(once, places);
            return scores(last.indexSelect(0, places)); // (B, 1, V)
        }
    }

    /// A full context must not lead sequences that have ended beyond its last position.
    @Override
    public float[] read(long[] tokens) {
        try (var scope = new Scope()) {
            var positions = new long[rows];
            for (var row = 0; row < rows; row++) {
                positions[row] = Math.min(position[row]++, decoder.context() - 1);
            }
            Supplier<float[]> step =
                    () ->
                            scores(
                                    decoder.hidden(
                                            Tensor.of(tokens, rows, 1),
                                            Tensor.of(positions, rows, 1),
                                            visible.narrow(3, 0, cache.length() + 1),
                                            cache));
            return rows == 1 && decoder.isHalved() && cache.layerBytes() < SHORT
                    ? Torch.onThisThread(step)
                    : step.get();
        }
    }

    @Override
    public void reorder(long[] from) {
        try (var scope = new Scope()) {
            cache.copyFrom(cache, Tensor.of(from, rows));
        }
    }

    private float[] scores(Tensor hidden) { // (B, 1, D)
        return scores.apply(decoder.logits(hidden)).floats(); // (B, 1, V)
    }

    private @Nullable Tensor promptMask() {
        return padded() ? Attention.causal(longest, keep(1, longest)) : null;
    }

    /// 1 for each of `columns` places but those of the padding: (P · times, columns).
    private Tensor keep(int times, int columns) {
        var keep = new long[prompts.size() * times * columns];
        Arrays.fill(keep, 1);
        for (var row = 0; row < prompts.size() * times; row++) {
            var padding = longest - prompts.get(row / times).length;
            Arrays.fill(keep, row * columns, row * columns + padding, 0);
        }
        return Tensor.of(keep, (long) prompts.size() * times, columns);
    }

    private static Tensor keep(int columns) {
        var keep = new long[columns];
        Arrays.fill(keep, 1);
        return Tensor.of(keep, 1, columns);
    }
}
