package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.generate.Generated.Ending;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.tokenize.StreamingDecoder;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Goes on writing texts with a model and its tokenizer; an encoder-decoder answers them. Several
/// threads may use one at once, as long as nothing trains the model meanwhile.
public final class Generator {
    private final LanguageModel model;
    private final Tokenizer tokenizer;
    private final TokenGenerator tokens;

    /// @throws EspalierException if the tokenizer has more tokens than the model
    public Generator(LanguageModel model, Tokenizer tokenizer) {
        this.model = model;
        this.tokenizer = tokenizer;
        tokens = new TokenGenerator(model, tokenizer.vocabularySize());
    }

    /// Tokens that the model's context leaves for an answer to a prompt of this length.
    public int room(int promptTokens) {
        return tokens.room(promptTokens);
    }

    /// Writes after `prompt`, which may be empty if the tokenizer has a token that begins or ends a
    /// text.
    public Generated generate(String prompt, Sampling sampling, Limits limits) {
        return generate(prompt, GenerationConfig.of(sampling, limits), piece -> {});
    }

    /// As above, giving each piece of the text to `stream` as soon as it is certain: whole
    /// characters, which together are the text of the result. What `stream` throws ends the
    /// writing. Beams are certain at the end alone. Of several sequences the first is the result.
    public Generated generate(String prompt, GenerationConfig config, Consumer<String> stream) {
        return generate(ids(prompt), config, stream);
    }

    /// As above, after token ids.
    public Generated generate(int[] prompt, GenerationConfig config, Consumer<String> stream) {
        return write(
                        List.of(prompt),
                        0,
                        config,
                        sequence -> sequence == 0 ? stream : piece -> {},
                        tokens -> {})
                .getFirst()
                .getFirst();
    }

    /// Writes after all prompts at once, which is faster than one after the other: for each prompt
    /// its sequences. All draw from streams of their own, of one seed. `written` is told now and
    /// then how many tokens have been written since.
    public List<List<Generated>> generate(
            List<String> prompts, GenerationConfig config, IntConsumer written) {
        return generateAfter(prompts.stream().map(this::ids).toList(), 0, config, written);
    }

    /// As above, after token ids.
    ///
    /// @param before prompts of the same job that came before these: each prompt draws by its
    ///   number, so that it does not matter how many are given at once
    public List<List<Generated>> generateAfter(
            List<int[]> prompts, long before, GenerationConfig config, IntConsumer written) {
        return write(
                prompts, before * config.sequences(), config, sequence -> piece -> {}, written);
    }

    private List<List<Generated>> write(
            List<int[]> prompts,
            long first,
            GenerationConfig config,
            IntFunction<Consumer<String>> streams,
            IntConsumer written) {
        var each = config.sequences();
        var texts = new ArrayList<Text>();
        for (var i = 0; i < prompts.size() * each; i++) {
            texts.add(new Text(config.limits(), streams.apply(i)));
        }
        var results = new ArrayList<List<Generated>>();
        if (config.beams().count() == 1) {
            tokens.generate(
                    prompts,
                    first,
                    config,
                    (sequence, id) -> {
                        written.accept(1);
                        return texts.get(sequence).next(id);
                    });
            for (var i = 0; i < prompts.size(); i++) {
                results.add(
                        texts.subList(i * each, (i + 1) * each).stream()
                                .map(text -> text.finish(null))
                                .toList());
            }
            return results;
        }
        for (var answers : tokens.search(prompts, config, written)) {
            var best = new ArrayList<Generated>();
            for (var answer : answers) {
                var text = texts.get(results.size() * each + best.size());
                for (var id : answer.ids()) {
                    if (!text.next(id)) {
                        break;
                    }
                }
                best.add(text.finish(answer.score()));
            }
            results.add(List.copyOf(best));
        }
        return results;
    }

    /// Refuses token ids after which nothing can be written, such as more than the model can read.
    ///
    /// @throws EspalierException that says why
    public void check(int[] prompt) {
        tokens.check(prompt);
    }

    /// The tokens that a prompt of plain text becomes: for a decoder behind what its tokenizer puts
    /// before a text.
    public int[] ids(String prompt) {
        var ids = tokenizer.encode(prompt);
        if (model instanceof EncoderDecoder both) {
            return tokenizer.template().endedBy(both.end()).apply(ids);
        }
        var begun = tokenizer.begun(ids);
        if (begun.length > 0) {
            return begun;
        }
        var specials = tokenizer.specials();
        var start =
                specials.beginOfText().isPresent() ? specials.beginOfText() : specials.endOfText();
        return new int[] {
            start.orElseThrow(() ->
                    EspalierException.usage(
                            "the prompt is empty, and the tokenizer has no token that begins a"
                                    + " text"))
        };
    }

    /// One text as it grows.
    private final class Text {
        private final Limits limits;
        private final Consumer<String> stream;
        private final StopStrings stops;
        private final StreamingDecoder decoder = new StreamingDecoder(tokenizer);
        private final StringBuilder text = new StringBuilder();
        private final List<Integer> ids = new ArrayList<>();
        private boolean ended;

        Text(Limits limits, Consumer<String> stream) {
            this.limits = limits;
            this.stream = stream;
            stops = new StopStrings(limits.stops());
        }

        boolean next(int id) {
            ids.add(id);
            if (limits.ends().contains(id)) {
                ended = true;
                return false;
            }
            if (!tokenizer.isSpecial(id)) {
                give(stops.next(decoder.next(id)));
            }
            return !stops.stopped();
        }

        private void give(String piece) {
            if (!piece.isEmpty()) {
                text.append(piece);
                stream.accept(piece);
            }
        }

        Generated finish(@Nullable Double score) {
            if (!stops.stopped()) {
                give(stops.next(decoder.finish()));
                give(stops.finish());
            }
            return new Generated(
                    text.toString(),
                    ids.stream().mapToInt(Integer::intValue).toArray(),
                    ending(),
                    score);
        }

        private Ending ending() {
            if (stops.stopped()) {
                return Ending.STOP_STRING;
            }
            if (ended) {
                return Ending.END_OF_TEXT;
            }
            return ids.size() == limits.maxNewTokens() ? Ending.LENGTH : Ending.CONTEXT;
        }
    }
}
