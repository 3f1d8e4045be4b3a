package dev.espalier.objective;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.data.Window;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizer.Before;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Fill-in-the-middle, from which a causal model learns to write between two texts (Bavarian et al.
/// 2022, arXiv:2207.14255, section 3): a document is cut at two of its characters, each place as
/// likely, and its middle is moved to its end.
///
///     PSM: ⟨prefix⟩ prefix ⟨suffix⟩ suffix ⟨middle⟩ middle
///     SPM: ⟨prefix⟩ ⟨suffix⟩ suffix ⟨middle⟩ prefix middle
///
/// Cut before it is tokenized, so that a model can go on in the middle of a word; no part begins by
/// the space that SentencePiece puts before texts. Applied to what a window shows of each document
/// ("context-level", section 4.4), which may lose its last tokens, since sentinels are added and cut
/// words have more tokens; what ends a document stays at its end.
public final class FillInTheMiddle {
    /// A character of UTF-8 that a window's border cuts has fewer tokens than this inside.
    private static final int CUT = 4;

    private final double rate;
    private final double suffixFirst;
    private final Tokenizer tokenizer;
    private final int prefix;
    private final int middle;
    private final int suffix;

    /// @param rate the share of the documents that are rearranged
    /// @param suffixFirst the share of these in the order SPM
    /// @param prefix the id of the sentinel before the prefix
    /// @param middle that before the middle
    /// @param suffix that before the suffix
    public FillInTheMiddle(
            double rate,
            double suffixFirst,
            Tokenizer tokenizer,
            int prefix,
            int middle,
            int suffix) {
        if (!(rate >= 0 && rate <= 1) || !(suffixFirst >= 0 && suffixFirst <= 1)) {
            throw new IllegalArgumentException("rates " + rate + " and " + suffixFirst);
        }
        requireContinuing(tokenizer.plain());
        this.rate = rate;
        this.suffixFirst = suffixFirst;
        this.tokenizer = tokenizer.plain();
        this.prefix = prefix;
        this.middle = middle;
        this.suffix = suffix;
    }

    /// Refuses a tokenizer that takes the rest of a word for a word of its own, such as WordPiece,
    /// or leaves out spaces at the end, such as a unigram model.
    private static void requireContinuing(Tokenizer tokenizer) {
        for (var id = 0; id < tokenizer.vocabularySize(); id++) {
            var word =
                    tokenizer.isSpecial(id)
                            ? ""
                            : new String(tokenizer.bytes(id), StandardCharsets.UTF_8).strip();
            if (word.matches("\\p{L}{2,}")) {
                var second = word.offsetByCodePoints(0, 1);
                if (!goesOn(tokenizer, word.substring(0, second), word.substring(second))
                        || !goesOn(tokenizer, word + " ", word)) {
                    throw EspalierException.usage(
                            "objective: fill-in-the-middle cuts texts within words and behind spaces, where this tokenizer cannot go on; allowed: tokenizers that keep every text (bpe, characters, sentencepiece-bpe)");
                }
                return;
            }
        }
    }

    private static boolean goesOn(Tokenizer tokenizer, String text, String rest) {
        var parts =
                joined(
                        Arrays.stream(tokenizer.encode(text, Before.TEXT)),
                        Arrays.stream(tokenizer.encode(rest, Before.TEXT)));
        return tokenizer.decode(parts.toArray()).equals(text + rest);
    }

    /// `window` of the same length, its documents rearranged as `rng` has it.
    public Window of(Window window, Rng rng) {
        var ids = window.tokens();
        var all = IntStream.builder();
        var starts = IntStream.builder();
        var length = 0;
        var borders =
                IntStream.concat(IntStream.of(0, ids.length), Arrays.stream(window.starts()))
                        .sorted()
                        .distinct()
                        .toArray();
        for (var b = 0; b + 1 < borders.length; b++) {
            var start = borders[b];
            if (Arrays.binarySearch(window.starts(), start) >= 0 && length < ids.length) {
                starts.add(length);
            }
            var part = document(Arrays.copyOfRange(ids, start, borders[b + 1]), rng);
            Arrays.stream(part).forEach(all);
            length += part.length;
        }
        return new Window(
                Arrays.copyOf(all.build().toArray(), ids.length),
                starts.build().toArray(),
                window.where());
    }

    /// A document, or the part of it that is seen; at least as many tokens as `ids`.
    private int[] document(int[] ids, Rng rng) {
        // All draws come first, so that one document's text does not move another's draws.
        double moved = rng.uniform(), first = rng.uniform(), a = rng.uniform(), b = rng.uniform();
        if (moved >= rate) {
            return ids;
        }
        var end = ids.length;
        while (end > 0 && tokenizer.isSpecial(ids[end - 1])) {
            end--;
        }
        for (var before = 0; before < Math.min(CUT, end); before++) {
            for (var last = end; last > Math.max(before, end - CUT); last--) {
                var text = text(ids, before, last);
                if (text != null) {
                    var rearranged = rearranged(text, a, b, first < suffixFirst);
                    var parts =
                            IntStream.concat(
                                            IntStream.concat(
                                                    Arrays.stream(ids, 0, before),
                                                    Arrays.stream(rearranged)),
                                            Arrays.stream(ids, last, ids.length))
                                    .toArray();
                    // Tokens that a border had cut may be fewer when the text is read anew.
                    return parts.length < ids.length ? ids : parts;
                }
            }
        }
        return ids;
    }

    /// The text of the tokens from `from` to `to`; null where they begin or end within a character,
    /// or one is special.
    private @Nullable String text(int[] ids, int from, int to) {
        var bytes = new ByteArrayOutputStream();
        for (var i = from; i < to; i++) {
            if (tokenizer.isSpecial(ids[i])) {
                return null;
            }
            bytes.writeBytes(tokenizer.bytes(ids[i]));
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.toByteArray()))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private int[] rearranged(String text, double a, double b, boolean spm) {
        var characters = text.codePointCount(0, text.length());
        var first = text.offsetByCodePoints(0, (int) (Math.min(a, b) * (characters + 1)));
        var second = text.offsetByCodePoints(0, (int) (Math.max(a, b) * (characters + 1)));
        var before = Arrays.stream(tokenizer.encode(text.substring(0, first), Before.TEXT));
        var between = Arrays.stream(tokenizer.encode(text.substring(first, second), Before.TEXT));
        var after = Arrays.stream(tokenizer.encode(text.substring(second), Before.TEXT));
        return (spm
                        ? joined(
                                IntStream.of(prefix, suffix),
                                after,
                                IntStream.of(middle),
                                before,
                                between)
                        : joined(
                                IntStream.of(prefix),
                                before,
                                IntStream.of(suffix),
                                after,
                                IntStream.of(middle),
                                between))
                .toArray();
    }

    private static IntStream joined(IntStream... parts) {
        return Arrays.stream(parts).flatMapToInt(part -> part);
    }
}
