package dev.espalier.generate;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Answers on their way through a decoder: the encoder reads the prompts, padded on the right, and
/// keys and values of what it gives are computed once, before the first token is written.
final class EncoderDecoderRows implements Rows {
    private final EncoderDecoder model;
    private final int rows;
    private final UnaryOperator<Tensor> scores;
    private final EncoderDecoder.Cache cache;

    EncoderDecoderRows(
            EncoderDecoder model,
            List<int[]> prompts,
            int copies,
            int newTokens,
            UnaryOperator<Tensor> scores) {
        this.model = model;
        this.scores = scores;
        rows = prompts.size() * copies;
        var longest = prompts.stream().mapToInt(p -> p.length).max().orElseThrow();
        var ids = new long[prompts.size() * longest];
        Arrays.fill(ids, model.padding());
        for (var i = 0; i < prompts.size(); i++) {
            for (var t = 0; t < prompts.get(i).length; t++) {
                ids[i * longest + t] = prompts.get(i)[t];
            }
        }
        Tensor memory;
        try (var scope = new Scope()) {
            var read =
                    model.encode(
                            Tensor.of(ids, prompts.size(), longest),
                            keep(prompts, 1, longest)); // (P, S, D)
            memory = scope.keep(copied(read, copies)); // (B, S, D)
        }
        cache = model.cache(memory, keep(prompts, copies, longest), newTokens);
    }

    /// Answers to what has been read already, all of `memory` (P, S, D).
    EncoderDecoderRows(
            EncoderDecoder model,
            Tensor memory,
            int copies,
            int newTokens,
            UnaryOperator<Tensor> scores) {
        this.model = model;
        this.scores = scores;
        rows = (int) memory.size(0) * copies;
        cache = model.cache(copied(memory, copies), null, newTokens);
    }

    private static Tensor copied(Tensor read, int copies) { // (P, S, D)
        var rows = (int) read.size(0) * copies;
        var from = IntStream.range(0, rows).mapToLong(row -> row / copies).toArray();
        return copies == 1 ? read : read.indexSelect(0, Tensor.of(from, rows)); // (B, S, D)
    }

    /// 1 for each token, 0 for padding: (P · times, longest); null where nothing is padded.
    private static @Nullable Tensor keep(List<int[]> prompts, int times, int longest) {
        if (prompts.stream().allMatch(p -> p.length == longest)) {
            return null;
        }
        var keep = new long[prompts.size() * times * longest];
        for (var row = 0; row < prompts.size() * times; row++) {
            Arrays.fill(keep, row * longest, row * longest + prompts.get(row / times).length, 1);
        }
        return Tensor.of(keep, (long) prompts.size() * times, longest);
    }

    @Override
    public float[] read() {
        var starts = new long[rows];
        Arrays.fill(starts, model.start());
        return read(starts);
    }

    @Override
    public float[] read(long[] tokens) {
        try (var scope = new Scope()) {
            var hidden = model.decode(Tensor.of(tokens, rows, 1), cache); // (B, 1, D)
            return scores.apply(model.logits(hidden)).floats(); // (B, 1, V)
        }
    }

    /// What the encoder gave is the same for all rows of a prompt.
    @Override
    public void reorder(long[] from) {
        try (var scope = new Scope()) {
            cache.own().copyFrom(cache.own(), Tensor.of(from, rows));
        }
    }
}
