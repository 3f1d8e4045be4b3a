package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.generate.BeamSearch.Hypothesis;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Goes on writing token sequences: all prompts of a batch at once. A decoder goes on from the
/// prompt; an encoder-decoder reads the prompt and writes an answer.
///
/// A full context ends a sequence. To go on, positions would have to be dropped at its start, and a
/// model with learnt positions would have to compute all others anew for every token.
public final class TokenGenerator {
    private final LanguageModel model;
    private final int vocabulary;
    private final @Nullable Tensor memory;

    /// Told of every token as it is chosen.
    @FunctionalInterface
    public interface Listener {
        /// Whether a sequence goes on after `id`. Sequences are numbered prompt by prompt: with two
        /// for each prompt, 0 and 1 are those of the first.
        boolean next(int sequence, int id);
    }

    /// What a prompt was answered with.
    ///
    /// @param ids what was written, with the id that ended it
    /// @param score the sum of the log-probabilities, divided as [Beams] says
    public record Answer(List<Integer> ids, double score) {
        public Answer {
            ids = List.copyOf(ids);
        }
    }

    /// Writes only ids below `vocabulary`, since a model may have more embeddings than there are
    /// tokens.
    public TokenGenerator(LanguageModel model, int vocabulary) {
        if (vocabulary > model.vocabulary()) {
            throw EspalierException.data(
                    "the tokenizer has "
                            + vocabulary
                            + " tokens, but the model only "
                            + model.vocabulary()
                            + ": they do not belong together");
        }
        this.model = model;
        this.vocabulary = vocabulary;
        memory = null;
    }

    /// Writes from `memory` (P, S, D), what the encoder gave of P things, such as pictures, which
    /// must live as long as this is used: of each prompt, which is empty, by its place.
    public TokenGenerator(EncoderDecoder model, int vocabulary, Tensor memory) {
        this.model = model;
        this.vocabulary = vocabulary;
        this.memory = memory;
    }

    private Rows rows(
            List<int[]> prompts, int copies, int newTokens, UnaryOperator<Tensor> scores) {
        return memory != null && model instanceof EncoderDecoder both
                ? new EncoderDecoderRows(both, memory, copies, newTokens, scores)
                : Rows.of(model, prompts, copies, newTokens, scores);
    }

    /// Tokens that the model's context leaves for an answer to a prompt of this length. An
    /// encoder-decoder has its longest input and its longest output, of which one is its start.
    public int room(int promptTokens) {
        return model instanceof EncoderDecoder both
                ? promptTokens <= both.longest() ? both.longest() - 1 : 0
                : Math.max(0, model.context() - promptTokens);
    }

    /// What stands before the tokens that are written.
    private int[] prefix(int[] prompt) {
        return model instanceof EncoderDecoder both ? new int[] {both.start()} : prompt;
    }

    /// Writes after each prompt until an id of `config.limits().ends()` comes, `listener` ends it,
    /// the most new tokens are written, or the model's context is full. The i-th sequence draws
    /// from the stream `Rng.at(seed, first + i)`. Dropout is off. Stop strings are not looked for.
    ///
    /// @param first sequences that were written before these, of the same seed
    /// @throws EspalierException if a prompt is empty, leaves no room in the context, or holds an
    ///   id that the model does not have, or if `config` asks for beams
    public void generate(
            List<int[]> prompts, long first, GenerationConfig config, Listener listener) {
        if (config.beams().count() > 1) {
            throw new IllegalArgumentException("beams are for search");
        }
        run(prompts, () -> sample(prompts, first, config, listener));
    }

    /// As above, for the first sequences of a seed.
    public void generate(List<int[]> prompts, GenerationConfig config, Listener listener) {
        generate(prompts, 0, config, listener);
    }

    /// Searches the best continuations of each prompt, `config.sequences()` of them, the best
    /// first. `written` is told after each step how many tokens it has added. Else as [#generate].
    public List<List<Answer>> search(
            List<int[]> prompts, GenerationConfig config, IntConsumer written) {
        var answers = new ArrayList<List<Answer>>();
        run(
                prompts,
                () -> {
                    for (var search : searched(prompts, config, written)) {
                        answers.add(
                                search.best(config.sequences()).stream()
                                        .map(TokenGenerator::answer)
                                        .toList());
                    }
                });
        return answers;
    }

    /// One text for each prompt, the best by `config`, with the id that ended it: by [#search]
    /// where there are beams, else by [#generate].
    public List<List<Integer>> write(List<int[]> prompts, GenerationConfig config) {
        if (config.beams().count() > 1) {
            return search(prompts, config, count -> {}).stream()
                    .map(answers -> answers.getFirst().ids())
                    .toList();
        }
        var written =
                Stream.generate(() -> (List<Integer>) new ArrayList<Integer>())
                        .limit(prompts.size())
                        .toList();
        generate(prompts, config, (sequence, id) -> written.get(sequence).add(id));
        return written;
    }

    private static Answer answer(Hypothesis hypothesis) {
        return new Answer(Arrays.stream(hypothesis.ids()).boxed().toList(), hypothesis.score());
    }

    private void run(List<int[]> prompts, Runnable body) {
        prompts.forEach(this::check);
        if (prompts.isEmpty()) {
            return;
        }
        var training = model.training();
        if (training) {
            model.training(false);
        }
        try {
            Torch.noGrad(() -> {
                try (var scope = new Scope()) {
                    body.run();
                }
            });
        } finally {
            if (training) {
                model.training(true);
            }
        }
    }

    /// @throws EspalierException if nothing can be written after `prompt`
    void check(int[] prompt) {
        if (memory != null) {
            return;
        }
        if (prompt.length == 0) {
            throw EspalierException.usage("the prompt is empty; at least one token is needed");
        }
        if (room(prompt.length) == 0) {
            int most = model instanceof EncoderDecoder both ? both.longest() : model.context() - 1;
            throw EspalierException.usage(
                    "the prompt has %d tokens, but the model's context of %d has room for at most %d"
                            .formatted(prompt.length, model.context(), most));
        }
        for (var id : prompt) {
            if (id < 0 || id >= model.vocabulary()) {
                throw EspalierException.data(
                        "the prompt holds the token id %d, but the model's go from 0 to %d"
                                .formatted(id, model.vocabulary() - 1));
            }
        }
    }

    /// New tokens that a prompt may get.
    private int limit(int[] prompt, GenerationConfig config) {
        return Math.min(config.limits().maxNewTokens(), room(prompt.length));
    }

    private int mostNew(List<int[]> prompts, GenerationConfig config) {
        return prompts.stream().mapToInt(p -> limit(p, config)).max().orElseThrow();
    }

    private void sample(
            List<int[]> prompts, long first, GenerationConfig config, Listener listener) {
        var copies = config.sequences();
        var rows = rows(prompts, copies, mostNew(prompts, config), s -> s);
        var sampler = new Sampler(config.sampling(), vocabulary);
        var ends = config.limits().ends();
        var sequences = new ArrayList<Sequence>();
        for (var i = 0; i < prompts.size() * copies; i++) {
            var prompt = prompts.get(i / copies);
            sequences.add(
                    new Sequence(
                            prefix(prompt),
                            limit(prompt, config),
                            Rng.at(config.sampling().seed(), first + i)));
        }
        var last = new long[sequences.size()];
        var scores = rows.read();
        while (true) {
            var open = false;
            for (var row = 0; row < last.length; row++) {
                var sequence = sequences.get(row);
                if (sequence.left > 0) {
                    var offset = row * model.vocabulary();
                    sequence.penalise(config, scores, offset);
                    var id = sampler.next(scores, offset, sequence.draws);
                    sequence.add(id);
                    last[row] = id;
                    if (!listener.next(row, id) || ends.contains(id)) {
                        sequence.left = 0;
                    }
                    open |= sequence.left > 0;
                }
            }
            if (!open) {
                return;
            }
            scores = rows.read(last);
        }
    }

    /// A sequence as it is sampled.
    private final class Sequence {
        private final int promptTokens;
        private final Rng draws;
        private int[] ids;
        private int length;
        private int left;

        Sequence(int[] prompt, int limit, Rng draws) {
            promptTokens = prompt.length;
            this.draws = draws;
            ids = Arrays.copyOf(prompt, prompt.length + limit);
            length = prompt.length;
            left = limit;
        }

        void add(int id) {
            ids[length++] = id;
            left--;
        }

        void penalise(GenerationConfig config, float[] scores, int offset) {
            if (!config.penalties().equals(Penalties.NONE)) {
                config.penalties()
                        .apply(
                                scores,
                                offset,
                                vocabulary,
                                Arrays.copyOf(ids, length),
                                promptTokens,
                                left == 1,
                                config.limits().ends());
            }
        }
    }

    private List<BeamSearch> searched(
            List<int[]> prompts, GenerationConfig config, IntConsumer written) {
        var count = config.beams().count();
        var ends = config.limits().ends();
        var rows = rows(prompts, count, mostNew(prompts, config), logits -> logits.logSoftmax(-1));
        var searches =
                prompts.stream()
                        .map(p -> new BeamSearch(config.beams(), prefix(p), limit(p, config), ends))
                        .toList();
        var from = new long[prompts.size() * count];
        var last = new long[from.length];
        var scores = rows.read();
        while (true) {
            var open = 0;
            for (var i = 0; i < searches.size(); i++) {
                var search = searches.get(i);
                for (var beam = 0; beam < count; beam++) {
                    from[i * count + beam] = i * count + beam;
                }
                if (search.done()) {
                    continue;
                }
                open++;
                for (var beam = 0; beam < count; beam++) {
                    config.penalties()
                            .apply(
                                    scores,
                                    (i * count + beam) * model.vocabulary(),
                                    vocabulary,
                                    search.ids(beam),
                                    prefix(prompts.get(i)).length,
                                    search.isLast(),
                                    ends);
                }
                var parents =
                        search.step(
                                scores,
                                i * count * model.vocabulary(),
                                model.vocabulary(),
                                vocabulary);
                for (var beam = 0; beam < count; beam++) {
                    var ids = search.ids(beam);
                    from[i * count + beam] = (long) i * count + parents[beam];
                    last[i * count + beam] = ids[ids.length - 1];
                }
            }
            written.accept(open);
            if (searches.stream().allMatch(BeamSearch::done)) {
                return searches;
            }
            rows.reorder(from);
            scores = rows.read(last);
        }
    }
}
