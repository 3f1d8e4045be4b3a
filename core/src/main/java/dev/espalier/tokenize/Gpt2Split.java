package dev.espalier.tokenize;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// GPT-2's pre-tokenizer over UTF-8 bytes: what this regular expression matches, by hand and in
/// linear time.
///
///     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
///
/// Categories are those of the running JDK's Unicode version, white space is Unicode's `White_Space`
/// (which leaves out U+001C to U+001F, unlike `Character.isWhitespace`).
final class Gpt2Split {
    static final byte SPACE = 0;
    static final byte LETTER = 1;
    static final byte NUMBER = 2;
    static final byte OTHER = 3;

    static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final byte[] BASIC = new byte[0x10000];

    static {
        for (int c = 0; c < BASIC.length; c++) {
            BASIC[c] = classify(c);
        }
    }

    private Gpt2Split() {}

    private static byte classify(int c) {
        if (isWhiteSpace(c)) {
            return SPACE;
        }
        return switch (Character.getType(c)) {
            case Character.UPPERCASE_LETTER,
                    Character.LOWERCASE_LETTER,
                    Character.TITLECASE_LETTER,
                    Character.MODIFIER_LETTER,
                    Character.OTHER_LETTER ->
                    LETTER;
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
                    NUMBER;
            default -> OTHER;
        };
    }

    static boolean isWhiteSpace(int c) {
        return c >= 0x09 && c <= 0x0d
                || c == 0x85
                || Character.getType(c) == Character.SPACE_SEPARATOR
                || c == 0x2028
                || c == 0x2029;
    }

    /// The end of the piece that starts at `from`. `bytes[from, to)` is well-formed UTF-8 and all
    /// that is left of the text. [Utf8Chunks#SLACK] bytes beyond `to` must exist.
    static int next(byte[] bytes, int from, int to) {
        int first = bytes[from];
        // Most pieces are a word of ASCII letters, with a space before it.
        int word = first == ' ' ? from + 1 : from;
        int letters = asciiLetters(bytes, word);
        if (letters > 0) {
            int end = word + letters;
            while (letters == 8) {
                letters = end < to ? asciiLetters(bytes, end) : 0;
                end += letters;
            }
            if (end >= to) {
                return to;
            }
            return bytes[end] >= 0 ? end : run(bytes, end, to, LETTER);
        }
        if (first == '\'') {
            int end = contraction(bytes, from, to);
            if (end > 0) {
                return end;
            }
        }
        int at = from;
        int kind;
        if (first == ' ' && from + 1 < to && (kind = kind(bytes, from + 1)) != SPACE) {
            at = from + 1;
        } else {
            kind = kind(bytes, from);
        }
        if (kind != SPACE) {
            return run(bytes, at, to, kind);
        }
        int last = at;
        int end = at;
        do {
            last = end;
            end += width(bytes[end]);
        } while (end < to && kind(bytes, end) == SPACE);
        // A run of white space leaves its last character to the word that follows.
        return end == to || last == from ? end : last;
    }

    /// How many of the eight bytes from `at` on, before the first that is not, are ASCII letters.
    private static int asciiLetters(byte[] bytes, int at) {
        long eight = (long) LONG.get(bytes, at);
        long lower = (eight | 0x2020202020202020L) & 0x7f7f7f7f7f7f7f7fL;
        // The top bit of each byte: at least 'a', not more than 'z', and below 0x80.
        long letters = (lower + 0x1f1f1f1f1f1f1f1fL) & ~(lower + 0x0505050505050505L) & ~eight;
        return Long.numberOfTrailingZeros(~letters & 0x8080808080808080L) >> 3;
    }

    private static int contraction(byte[] bytes, int from, int to) {
        if (from + 1 >= to) {
            return 0;
        }
        int a = bytes[from + 1];
        if (a == 's' || a == 't' || a == 'm' || a == 'd') {
            return from + 2;
        }
        if (from + 2 >= to) {
            return 0;
        }
        int b = bytes[from + 2];
        return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')
                ? from + 3
                : 0;
    }

    private static int run(byte[] bytes, int from, int to, int kind) {
        int at = from;
        while (at < to) {
            int b = bytes[at];
            if (b >= 0) {
                if (BASIC[b] != kind) {
                    return at;
                }
                at++;
            } else {
                if (kind(bytes, at) != kind) {
                    return at;
                }
                at += width(b);
            }
        }
        return at;
    }

    static int kind(byte[] bytes, int at) {
        int b = bytes[at];
        if (b >= 0) {
            return BASIC[b];
        }
        if (b < (byte) 0xe0) {
            return BASIC[(b & 0x1f) << 6 | bytes[at + 1] & 0x3f];
        }
        if (b < (byte) 0xf0) {
            return BASIC[(b & 0x0f) << 12 | (bytes[at + 1] & 0x3f) << 6 | bytes[at + 2] & 0x3f];
        }
        return classify(
                (b & 0x07) << 18
                        | (bytes[at + 1] & 0x3f) << 12
                        | (bytes[at + 2] & 0x3f) << 6
                        | bytes[at + 3] & 0x3f);
    }

    /// The number of bytes of the character whose first byte is `b`.
    static int width(int b) {
        if (b >= 0) {
            return 1;
        }
        return b < (byte) 0xe0 ? 2 : b < (byte) 0xf0 ? 3 : 4;
    }

    /// The last place in `bytes[from, to)` before which a piece certainly ends, whatever follows
    /// `to`: before white space that follows none. `from` if there is no such place.
    static int lastBoundary(byte[] bytes, int from, int to) {
        for (int at = to - 1; at > from; at--) {
            int b = bytes[at];
            if ((b == ' ' || b == '\n') && kind(bytes, characterBefore(bytes, at)) != SPACE) {
                return at;
            }
        }
        return from;
    }

    private static int characterBefore(byte[] bytes, int at) {
        int before = at - 1;
        while ((bytes[before] & 0xc0) == 0x80) {
            before--;
        }
        return before;
    }
}
