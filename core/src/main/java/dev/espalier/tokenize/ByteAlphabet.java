package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// GPT-2's way of writing bytes as visible characters: those that are visible in Latin-1 as
/// themselves, the others as U+0100 onwards in the order of their values.
final class ByteAlphabet {
    private static final char[] CHARS = new char[256];
    private static final short[] BYTES = new short[0x144];

    static {
        java.util.Arrays.fill(BYTES, (short) -1);
        int next = 0x100;
        for (int b = 0; b < 256; b++) {
            CHARS[b] = (char) (visible(b) ? b : next++);
            BYTES[CHARS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {}

    private static boolean visible(int b) {
        return b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae;
    }

    static char character(int b) {
        return CHARS[b & 0xff];
    }

    /// The bytes in the order of GPT-2's vocabulary: the visible ones first.
    static int[] order() {
        var order = new int[256];
        int n = 0;
        for (int c = 0; c < BYTES.length; c++) {
            if (BYTES[c] >= 0) {
                order[n++] = BYTES[c];
            }
        }
        return order;
    }

    static String write(byte[] bytes, int from, int to) {
        var text = new StringBuilder(to - from);
        for (int i = from; i < to; i++) {
            text.append(character(bytes[i]));
        }
        return text.toString();
    }

    /// The bytes that `token` writes, or null if it holds a character that stands for none.
    static byte @Nullable [] read(String token) {
        var bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return null;
            }
            bytes[i] = (byte) BYTES[c];
        }
        return bytes;
    }

    /// The bytes of a token as the Hugging Face library's decoder sees it: UTF-8 where it is not
    /// written in this alphabet.
    static byte[] readOrUtf8(String token) {
        var bytes = read(token);
        return bytes != null ? bytes : token.getBytes(StandardCharsets.UTF_8);
    }
}
