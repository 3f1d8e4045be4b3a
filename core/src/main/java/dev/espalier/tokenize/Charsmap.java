package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What becomes of characters before SentencePiece sees them: its `precompiled_charsmap`, which is
/// the size of a [DoubleArray], the array, and the texts that its values point into, each ended by
/// a byte 0.
///
/// It is applied as the Hugging Face library does: to whole grapheme clusters of less than six
/// bytes, for which the shortest key stands that they begin with, and else to single characters.
/// SentencePiece itself takes the longest key wherever it stands. Immutable but for a table of what
/// was seen, and safe for many threads.
final class Charsmap {
    private static final Pattern CLUSTER = Pattern.compile("\\X");

    /// Clusters of so many bytes are not looked up whole.
    static final int LONG = 6;

    /// Characters of the basic plane of which no two form a cluster, but for a line end of two.
    private static final boolean[] ALONE = new boolean[1 << 16];

    static {
        for (int c = 0; c < ALONE.length; c++) {
            ALONE[c] = isAlone(c);
        }
    }

    private final DoubleArray keys;
    private final byte[] texts;

    /// Whether a character of the basic plane was met and stays as it is.
    private final boolean[] stays = new boolean[1 << 16];

    private Charsmap(DoubleArray keys, byte[] texts) {
        this.keys = keys;
        this.texts = texts;
    }

    /// Receives what becomes of a text, from left to right.
    interface Sink {
        /// A character that stays.
        void same(int character);

        /// `text[from, to)`, not empty and of visible ASCII, that stays.
        default void same(String text, int from, int to) {
            for (int at = from; at < to; at++) {
                same(text.charAt(at));
            }
        }

        /// What stands for so many characters, perhaps nothing.
        void replaced(String by, int characters);
    }

    /// @throws EspalierException if it is no such map
    static Charsmap read(byte[] bytes, String place) {
        var in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long size = bytes.length < 4 ? -1 : Integer.toUnsignedLong(in.getInt());
        if (size < 0 || size % 4 != 0 || size > in.remaining()) {
            throw EspalierException.data(
                    "%s: %d bytes are no precompiled_charsmap: the size of its trie is %d"
                            .formatted(place, bytes.length, size));
        }
        var keys = DoubleArray.read(in.slice(4, (int) size));
        var texts = in.position(4 + (int) size).slice();
        try {
            StandardCharsets.UTF_8.newDecoder().decode(texts.duplicate());
        } catch (CharacterCodingException e) {
            throw EspalierException.data(
                    place + ": the texts of the precompiled_charsmap are not UTF-8", e);
        }
        return new Charsmap(keys, Arrays.copyOfRange(bytes, 4 + (int) size, bytes.length));
    }

    /// The map that has these keys and what each becomes.
    static byte[] write(Map<String, String> map) {
        var sorted = new TreeMap<byte[], String>(Arrays::compareUnsigned);
        map.forEach((key, value) -> sorted.put(key.getBytes(StandardCharsets.UTF_8), value));
        var texts = new StringBuilder();
        var places = new TreeMap<String, Integer>();
        var keys = new ArrayList<byte[]>();
        var values = new Ids(sorted.size());
        int at = 0;
        for (var entry : sorted.entrySet()) {
            var place = places.get(entry.getValue());
            if (place == null) {
                place = at;
                places.put(entry.getValue(), at);
                texts.append(entry.getValue()).append('\0');
                at += entry.getValue().getBytes(StandardCharsets.UTF_8).length + 1;
            }
            keys.add(entry.getKey());
            values.add(place);
        }
        var trie = DoubleArray.of(keys, values.toArray()).toBytes();
        return ByteBuffer.allocate(4 + trie.length + at)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(trie.length)
                .put(trie)
                .put(texts.toString().getBytes(StandardCharsets.UTF_8))
                .array();
    }

    /// Hands out what becomes of `text[from, to)`.
    void apply(String text, int from, int to, Sink sink) {
        Matcher clusters = null;
        for (int at = from; at < to; ) {
            int run = visible(text, at, to, stays);
            if (run > at && run < to && !isBorder(text.charAt(run - 1), text.charAt(run))) {
                run--;
            }
            if (run > at) {
                sink.same(text, at, run);
                at = run;
                continue;
            }
            char c = text.charAt(at);
            if (ALONE[c] && (at + 1 == to || isBorder(c, text.charAt(at + 1)))) {
                one(c, sink);
                at++;
                continue;
            }
            clusters = clusters == null ? CLUSTER.matcher(text) : clusters;
            int end = clusters.region(at, to).lookingAt() ? clusters.end() : at + 1;
            var whole = end - at < LONG ? shortest(text, at, end) : null;
            if (whole != null) {
                sink.replaced(whole, Character.codePointCount(text, at, end));
                at = end;
                continue;
            }
            while (at < end) {
                int point = Utf8.codePoint(text, at, end);
                one(point, sink);
                at += Character.charCount(point);
            }
        }
    }

    /// The end of the run of visible ASCII at `from` that is `wanted`.
    static int visible(String text, int from, int to, boolean[] wanted) {
        int at = from;
        while (at < to) {
            char c = text.charAt(at);
            if (c <= ' ' || c >= 0x7f || !wanted[c]) {
                break;
            }
            at++;
        }
        return at;
    }

    private static boolean isBorder(char c, char next) {
        return ALONE[next] && !(c == '\r' && next == '\n');
    }

    private void one(int c, Sink sink) {
        if (c < stays.length && stays[c]) {
            sink.same(c);
            return;
        }
        var text = Character.toString(c);
        var by = shortest(text, 0, text.length());
        if (by != null) {
            sink.replaced(by, 1);
            return;
        }
        if (c < stays.length) {
            stays[c] = true;
        }
        sink.same(c);
    }

    /// What stands for the shortest key that `text[from, to)` begins with, or null if there is none
    /// or the text has [#LONG] bytes.
    private @Nullable String shortest(String text, int from, int to) {
        var bytes = new byte[4 * (to - from)];
        int length = 0;
        for (int at = from; at < to; ) {
            int c = Utf8.codePoint(text, at, to);
            length = Utf8.write(c, bytes, length);
            at += Character.charCount(c);
        }
        int node = length < LONG ? keys.root() : -1;
        for (int i = 0; i < length && node >= 0; i++) {
            int next = keys.next(node, bytes[i]);
            int value = next < 0 ? -1 : keys.value(node, bytes[i], next);
            if (value >= 0) {
                int end = Math.min(value, texts.length);
                while (end < texts.length && texts[end] != 0) {
                    end++;
                }
                int start = Math.min(value, end);
                return new String(texts, start, end - start, StandardCharsets.UTF_8);
            }
            node = next;
        }
        return null;
    }

    private static boolean isAlone(int c) {
        if (c >= 0x1100 && c <= 0x11ff // parts of Hangul
                || c >= 0xa960 && c <= 0xa97f
                || c >= 0xac00 && c <= 0xd7ff
                || c == 0xe33 // letters that Unicode counts to what stands before or behind
                || c == 0xeb3
                || c == 0xd4e) {
            return false;
        }
        return switch (Character.getType(c)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.OTHER_LETTER,
                    Character.DECIMAL_DIGIT_NUMBER,
                    Character.LETTER_NUMBER,
                    Character.OTHER_NUMBER,
                    Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION,
                    Character.MATH_SYMBOL,
                    Character.CURRENCY_SYMBOL,
                    Character.OTHER_SYMBOL,
                    Character.SPACE_SEPARATOR,
                    Character.CONTROL ->
                    true;
            default -> false;
        };
    }
}
