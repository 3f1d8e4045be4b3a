package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.model.Decoder;
import dev.espalier.nn.Attention;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Goes on writing token sequences: all prompts of a batch at once, padded on the left, each
/// position computed once thanks to the key-value cache.
///
/// A full context ends a sequence. To go on, positions would have to be dropped at its start, and a
/// model with learnt positions would have to compute all others anew for every token.
public final class TokenGenerator {
    private final Decoder decoder;
    private final int vocabulary;

    /// Told of every token as it is chosen.
    @FunctionalInterface
    public interface Listener {
        /// Whether the sequence of the `prompt`-th prompt goes on after `id`.
        boolean next(int prompt, int id);
    }

    /// Writes only ids below `vocabulary`, since a model may have more embeddings than there are
    /// tokens.
    public TokenGenerator(Decoder decoder, int vocabulary) {
        if (vocabulary > decoder.vocabulary()) {
            throw EspalierException.data(
                    "the tokenizer has "
                            + vocabulary
                            + " tokens, but the model only "
                            + decoder.vocabulary()
                            + ": they do not belong together");
        }
        this.decoder = decoder;
        this.vocabulary = vocabulary;
    }

    /// Tokens that the model's context leaves for an answer to a prompt of this length.
    public int room(int promptTokens) {
        return Math.max(0, decoder.context() - promptTokens);
    }

    /// Writes after each prompt until `listener` ends it, `maxNewTokens` are written, or the
    /// model's context is full. The i-th prompt draws from the stream `Rng.at(seed, i)`. Dropout is
    /// off.
    ///
    /// @throws EspalierException if a prompt is empty, leaves no room in the context, or holds an
    ///   id that the model does not have
    public void generate(
            List<int[]> prompts, Sampling sampling, int maxNewTokens, Listener listener) {
        prompts.forEach(this::check);
        if (prompts.isEmpty() || maxNewTokens < 1) {
            return;
        }
        var training = decoder.training();
        if (training) {
            decoder.training(false);
        }
        try {
            Torch.noGrad(() -> {
                try (var scope = new Scope()) {
                    new Batch(prompts, sampling, maxNewTokens, listener).run();
                }
            });
        } finally {
            if (training) {
                decoder.training(true);
            }
        }
    }

    private void check(int[] prompt) {
        if (prompt.length == 0) {
            throw EspalierException.usage("the prompt is empty; at least one token is needed");
        }
        if (room(prompt.length) == 0) {
            throw EspalierException.usage(
                    "the prompt has %d tokens, but the model's context of %d has room for at most %d"
                            .formatted(prompt.length, decoder.context(), decoder.context() - 1));
        }
        for (var id : prompt) {
            if (id < 0 || id >= decoder.vocabulary()) {
                throw EspalierException.data(
                        "the prompt holds the token id %d, but the model's go from 0 to %d"
                                .formatted(id, decoder.vocabulary() - 1));
            }
        }
    }

    /// One batch on its way.
    private final class Batch {
        private final List<int[]> prompts;
        private final Listener listener;
        private final Sampler sampler;
        private final Rng[] draws;
        private final int rows;
        private final int longest;
        private final int[] left; // tokens that each row may still get
        private final long[] last; // the token that each row got
        private final long[] position; // where that token stands among the row's own
        private final KeyValueCache cache;
        private final Tensor visible; // (B|1, 1, 1, capacity), additive

        Batch(List<int[]> prompts, Sampling sampling, int maxNewTokens, Listener listener) {
            this.prompts = prompts;
            this.listener = listener;
            rows = prompts.size();
            longest = prompts.stream().mapToInt(p -> p.length).max().orElseThrow();
            sampler = new Sampler(sampling, vocabulary);
            draws = new Rng[rows];
            left = new int[rows];
            last = new long[rows];
            position = new long[rows];
            for (var row = 0; row < rows; row++) {
                draws[row] = Rng.at(sampling.seed(), row);
                left[row] = Math.min(maxNewTokens, room(prompts.get(row).length));
                position[row] = prompts.get(row).length - 1;
            }
            var capacity = longest + Arrays.stream(left).max().orElseThrow();
            cache = decoder.cache(rows, capacity);
            visible = Attention.causal(1, keep(padded() ? rows : 1, capacity));
        }

        private boolean padded() {
            return prompts.stream().anyMatch(p -> p.length < longest);
        }

        void run() {
            choose(this::readPrompts);
            while (Arrays.stream(left).anyMatch(n -> n > 0)) {
                choose(this::readLast);
            }
        }

        private void choose(java.util.function.Supplier<Tensor> forward) {
            float[] scores;
            try (var scope = new Scope()) {
                var hidden = forward.get(); // (B, T, D)
                var end = hidden.narrow(1, hidden.size(1) - 1, 1); // (B, 1, D)
                scores = decoder.logits(end).floats(); // (B, 1, V)
            }
            for (var row = 0; row < rows; row++) {
                if (left[row] > 0) {
                    var id = sampler.next(scores, row * decoder.vocabulary(), draws[row]);
                    last[row] = id;
                    position[row]++;
                    left[row] = listener.next(row, id) ? left[row] - 1 : 0;
                }
            }
        }

        private Tensor readPrompts() {
            var ids = new long[rows * longest];
            var positions = new long[rows * longest];
            for (var row = 0; row < rows; row++) {
                var prompt = prompts.get(row);
                var start = (row + 1) * longest - prompt.length;
                for (var i = 0; i < prompt.length; i++) {
                    ids[start + i] = prompt[i];
                    positions[start + i] = i;
                }
            }
            return decoder.hidden(
                    Tensor.of(ids, rows, longest),
                    Tensor.of(positions, rows, longest),
                    promptMask(),
                    cache);
        }

        private @Nullable Tensor promptMask() {
            return padded() ? Attention.causal(longest, keep(rows, longest)) : null;
        }

        /// 1 for each of `columns` places but those of the padding.
        private Tensor keep(int rows, int columns) {
            var keep = new long[rows * columns];
            Arrays.fill(keep, 1);
            for (var row = 0; row < rows && padded(); row++) {
                var start = row * columns;
                Arrays.fill(keep, start, start + longest - prompts.get(row).length, 0);
            }
            return Tensor.of(keep, rows, columns);
        }

        /// Sequences that have ended are read on with the others, unheard; a full context must not
        /// lead them beyond its last position.
        private Tensor readLast() {
            var positions = position.clone();
            for (var row = 0; row < rows; row++) {
                positions[row] = Math.min(positions[row], decoder.context() - 1);
            }
            return decoder.hidden(
                    Tensor.of(last, rows, 1),
                    Tensor.of(positions, rows, 1),
                    visible.narrow(3, 0, cache.length() + 1),
                    cache);
        }
    }
}
