package dev.espalier.tokenize;

/// UTF-8 from `String`, with U+FFFD for a surrogate without its partner (the JDK writes `?`).
final class Utf8 {
    private Utf8() {}

    /// The code point at `at`, U+FFFD for a surrogate without its partner before `to`.
    static int codePoint(String text, int at, int to) {
        char c = text.charAt(at);
        if (!Character.isSurrogate(c)) {
            return c;
        }
        if (Character.isHighSurrogate(c)
                && at + 1 < to
                && Character.isLowSurrogate(text.charAt(at + 1))) {
            return Character.toCodePoint(c, text.charAt(at + 1));
        }
        return 0xfffd;
    }

    /// Whether the byte `b`, from 0 to 255, occurs in no text.
    static boolean isImpossible(int b) {
        return b == 0xc0 || b == 0xc1 || b > 0xf4;
    }

    /// Writes the code point `c` at `bytes[at]` and returns where the next one goes.
    static int write(int c, byte[] bytes, int at) {
        if (c < 0x80) {
            bytes[at] = (byte) c;
            return at + 1;
        }
        if (c < 0x800) {
            bytes[at] = (byte) (0xc0 | c >> 6);
            bytes[at + 1] = (byte) (0x80 | c & 0x3f);
            return at + 2;
        }
        if (c < 0x10000) {
            bytes[at] = (byte) (0xe0 | c >> 12);
            bytes[at + 1] = (byte) (0x80 | c >> 6 & 0x3f);
            bytes[at + 2] = (byte) (0x80 | c & 0x3f);
            return at + 3;
        }
        bytes[at] = (byte) (0xf0 | c >> 18);
        bytes[at + 1] = (byte) (0x80 | c >> 12 & 0x3f);
        bytes[at + 2] = (byte) (0x80 | c >> 6 & 0x3f);
        bytes[at + 3] = (byte) (0x80 | c & 0x3f);
        return at + 4;
    }
}
