package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.generate.Generated.Ending;
import dev.espalier.model.Decoder;
import dev.espalier.tokenize.StreamingDecoder;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Goes on writing texts with a model and its tokenizer. Several threads may use one at once, as
/// long as nothing trains the model meanwhile.
public final class Generator {
    private final Tokenizer tokenizer;
    private final TokenGenerator tokens;

    /// @throws EspalierException if the tokenizer has more tokens than the model
    public Generator(Decoder decoder, Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
        tokens = new TokenGenerator(decoder, tokenizer.vocabularySize());
    }

    /// Writes after `prompt`, which may be empty if the tokenizer has a token that begins or ends a
    /// text.
    public Generated generate(String prompt, Sampling sampling, Limits limits) {
        return generate(prompt, sampling, limits, piece -> {});
    }

    /// As above, giving each piece of the text to `stream` as soon as it is certain: whole
    /// characters, which together are the text of the result. What `stream` throws ends the
    /// writing.
    public Generated generate(
            String prompt, Sampling sampling, Limits limits, Consumer<String> stream) {
        return generate(List.of(prompt), sampling, limits, List.of(stream)).getFirst();
    }

    /// Writes after all prompts at once, which is faster than one after the other. They draw from
    /// streams of their own, all of one seed.
    public List<Generated> generate(List<String> prompts, Sampling sampling, Limits limits) {
        return generate(
                prompts,
                sampling,
                limits,
                prompts.stream().<Consumer<String>>map(p -> piece -> {}).toList());
    }

    private List<Generated> generate(
            List<String> prompts,
            Sampling sampling,
            Limits limits,
            List<Consumer<String>> streams) {
        var ids = prompts.stream().map(this::ids).toList();
        var texts = streams.stream().map(stream -> new Text(limits, stream)).toList();
        tokens.generate(
                ids, sampling, limits.maxNewTokens(), (prompt, id) -> texts.get(prompt).next(id));
        return texts.stream().map(Text::finish).toList();
    }

    private int[] ids(String prompt) {
        var ids = tokenizer.encode(prompt);
        if (ids.length > 0) {
            return ids;
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

        Generated finish() {
            if (!stops.stopped()) {
                give(stops.next(decoder.finish()));
                give(stops.finish());
            }
            return new Generated(
                    text.toString(), ids.stream().mapToInt(Integer::intValue).toArray(), ending());
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
