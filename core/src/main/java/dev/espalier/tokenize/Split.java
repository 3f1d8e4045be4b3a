package dev.espalier.tokenize;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// The pre-tokenizers of byte-level models over UTF-8 bytes: what a regular expression matches, by
/// hand and in linear time. The expressions cover every text, so that nothing lies between matches.
///
/// Categories are those of the running JDK's Unicode version, white space is Unicode's
/// `White_Space` (which leaves out U+001C to U+001F, unlike `Character.isWhitespace`).
enum Split {
    /// GPT-2's, which is what `ByteLevel` alone means.
    GPT2(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
            Integer.MAX_VALUE,
            false),
    /// `Digits` one by one before [#GPT2], as SmolLM and StarCoder have it: a digit is a piece, and
    /// the white space before it stays apart, whole.
    GPT2_DIGITS(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+|"
                    + "\\s+(?![^\\s\\p{N}])|\\s+",
            1,
            true),
    /// As [#GPT2_DIGITS], with the digits that stand together in one piece.
    GPT2_NUMBERS(
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+|\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
                    + "\\s+(?![^\\s\\p{N}])|\\s+",
            Integer.MAX_VALUE,
            true),
    /// That of OpenAI's cl100k, and of Llama 3.
    CL100K(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
                    + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            3,
            false),
    /// Qwen 2's: as [#CL100K], one digit at a time.
    QWEN2(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
                    + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
            1,
            false);

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

    /// As it stands in `tokenizer.json`, or does the same.
    final String expression;

    /// The longest run of numbers that is one piece, in characters.
    private final int digits;

    /// Whether numbers are cut out before the rest, with no space before them.
    private final boolean apart;

    Split(String expression, int digits, boolean apart) {
        this.expression = expression;
        this.digits = digits;
        this.apart = apart;
    }

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
    int next(byte[] bytes, int from, int to) {
        return this == CL100K || this == QWEN2 ? cl100k(bytes, from, to) : gpt2(bytes, from, to);
    }

    private int gpt2(byte[] bytes, int from, int to) {
        int first = bytes[from];
        // Most pieces are a word of ASCII letters, with a space before it.
        int word = first == ' ' ? from + 1 : from;
        int letters = asciiLetters(bytes, word);
        if (letters > 0) {
            return letters(bytes, word, letters, to);
        }
        if (first == '\'') {
            int end = contraction(bytes, from, to, 0);
            if (end > 0) {
                return end;
            }
        }
        int at = from;
        int kind;
        if (first == ' '
                && from + 1 < to
                && (kind = kind(bytes, from + 1)) != SPACE
                && !(apart && kind == NUMBER)) {
            at = from + 1;
        } else {
            kind = kind(bytes, from);
        }
        if (kind != SPACE) {
            return kind == NUMBER ? numbers(bytes, at, to) : run(bytes, at, to, kind);
        }
        return whiteSpace(bytes, from, to, false);
    }

    private int cl100k(byte[] bytes, int from, int to) {
        int first = bytes[from];
        if (first == '\'') {
            int end = contraction(bytes, from, to, 0x20);
            if (end > 0) {
                return end;
            }
        }
        // Most pieces are a word of ASCII letters, with a character before it.
        int kind = kind(bytes, from);
        int second = from + width(first);
        if (kind == LETTER) {
            return letters(bytes, from, asciiLetters(bytes, from), to);
        }
        if (kind == NUMBER) {
            return numbers(bytes, from, to);
        }
        if (second < to) {
            int next = kind(bytes, second);
            if (next == LETTER && first != '\r' && first != '\n') {
                return letters(bytes, second, asciiLetters(bytes, second), to);
            }
            if (kind == OTHER || first == ' ' && next == OTHER) {
                int end = run(bytes, second, to, OTHER);
                while (end < to && isLineEnd(bytes[end])) {
                    end++;
                }
                return end;
            }
        }
        return kind == OTHER ? second : whiteSpace(bytes, from, to, true);
    }

    /// The end of the piece of numbers at `from`.
    private int numbers(byte[] bytes, int from, int to) {
        int end = from + width(bytes[from]);
        for (int n = 1; n < digits && end < to && kind(bytes, end) == NUMBER; n++) {
            end += width(bytes[end]);
        }
        return end;
    }

    /// The end of the white space at `from`: after its last line end if `toLineEnd` and it has one.
    /// Otherwise a run of white space leaves its last character to the word that follows.
    private int whiteSpace(byte[] bytes, int from, int to, boolean toLineEnd) {
        int last = from;
        int end = from;
        int line = 0;
        do {
            last = end;
            end += width(bytes[end]);
            line = isLineEnd(bytes[last]) ? end : line;
        } while (end < to && kind(bytes, end) == SPACE);
        if (toLineEnd && line > 0) {
            return line;
        }
        return end == to || last == from || apart && kind(bytes, end) == NUMBER ? end : last;
    }

    private static boolean isLineEnd(int b) {
        return b == '\r' || b == '\n';
    }

    /// The end of the letters at `word`, of which [#asciiLetters] found `letters`.
    private static int letters(byte[] bytes, int word, int letters, int to) {
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

    /// How many of the eight bytes from `at` on, before the first that is not, are ASCII letters.
    private static int asciiLetters(byte[] bytes, int at) {
        long eight = (long) LONG.get(bytes, at);
        long lower = (eight | 0x2020202020202020L) & 0x7f7f7f7f7f7f7f7fL;
        // The top bit of each byte: at least 'a', not more than 'z', and below 0x80.
        long letters = (lower + 0x1f1f1f1f1f1f1f1fL) & ~(lower + 0x0505050505050505L) & ~eight;
        return Long.numberOfTrailingZeros(~letters & 0x8080808080808080L) >> 3;
    }

    /// The end of the contraction at `from`, or 0.
    ///
    /// @param ignoreCase 0x20 to let upper case pass (and U+017F, the long s, as `(?i)` does), or 0
    private static int contraction(byte[] bytes, int from, int to, int ignoreCase) {
        if (from + 1 >= to) {
            return 0;
        }
        int a = bytes[from + 1] | ignoreCase;
        if (a == 's' || a == 't' || a == 'm' || a == 'd') {
            return from + 2;
        }
        if (from + 2 >= to) {
            return 0;
        }
        if (ignoreCase != 0 && bytes[from + 1] == (byte) 0xc5 && bytes[from + 2] == (byte) 0xbf) {
            return from + 3;
        }
        int b = bytes[from + 2] | ignoreCase;
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
    /// `to`: before a space that follows none, or a line end that follows a letter or a number
    /// (after others it may belong to their piece). `from` if there is no such place.
    static int lastBoundary(byte[] bytes, int from, int to) {
        for (int at = to - 1; at > from; at--) {
            int b = bytes[at];
            if (b == ' ' || b == '\n') {
                int before = kind(bytes, characterBefore(bytes, at));
                if (before != SPACE && (b == ' ' || before != OTHER)) {
                    return at;
                }
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
