package dev.espalier.generate;

import dev.espalier.EspalierException;
import dev.espalier.tokenize.Tokenizer;
import java.util.List;
import java.util.Set;

/// When writing ends, whichever comes first; the model's context is always a limit too.
///
/// @param maxNewTokens tokens that are written at most
/// @param stops strings before which the text is cut off, wherever the borders of tokens are
/// @param ends ids that end a text
public record Limits(int maxNewTokens, List<String> stops, Set<Integer> ends) {
    public Limits {
        if (maxNewTokens < 1) {
            throw EspalierException.usage(
                    "the number of new tokens is " + maxNewTokens + ", but must be at least 1");
        }
        stops = List.copyOf(stops);
        ends = Set.copyOf(ends);
        if (stops.contains("")) {
            throw EspalierException.usage("a stop string is empty");
        }
    }

    /// At most `maxNewTokens`, up to a stop string or the tokenizer's end of text.
    public static Limits of(Tokenizer tokenizer, int maxNewTokens, String... stops) {
        var end = tokenizer.specials().endOfText();
        return new Limits(
                maxNewTokens, List.of(stops), end.isPresent() ? Set.of(end.getAsInt()) : Set.of());
    }
}
