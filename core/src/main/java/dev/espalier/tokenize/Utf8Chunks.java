package dev.espalier.tokenize;

import java.util.Arrays;

/// A stretch of text as UTF-8, in chunks that end where a piece of [Gpt2Split] certainly ends, so
/// that a text of any length is read through one buffer that stays in the processor's cache.
final class Utf8Chunks {
    /// Bytes after the last one that may be read, though they mean nothing.
    static final int SLACK = 16;

    private static final int CHUNK = 1 << 15;

    private final String text;
    private final int to;
    private final char[] chars;
    private int at;
    private byte[] bytes;
    private int filled;
    private int limit;

    /// @param prefix whether a space goes before the text
    Utf8Chunks(String text, int from, int to, boolean prefix) {
        this.text = text;
        this.to = to;
        at = from;
        chars = new char[Math.min(to - from, CHUNK)];
        bytes = new byte[(int) Math.min(CHUNK, 3L * (to - from) + 4) + SLACK];
        if (prefix) {
            bytes[filled++] = ' ';
        }
    }

    /// Whether there is another chunk: `bytes()[0, limit())`.
    boolean next() {
        filled -= limit;
        System.arraycopy(bytes, limit, bytes, 0, filled);
        while (true) {
            fill();
            if (at == to) {
                limit = filled;
                return limit > 0;
            }
            limit = Gpt2Split.lastBoundary(bytes, 0, filled);
            if (limit > 0) {
                return true;
            }
            bytes = Arrays.copyOf(bytes, Math.toIntExact(2L * bytes.length));
        }
    }

    private void fill() {
        int room = bytes.length - SLACK - 4;
        while (at < to && filled <= room) {
            int count = Math.min(Math.min(to - at, chars.length), room - filled + 1);
            text.getChars(at, at + count, chars, 0);
            int n = filled;
            int i = 0;
            while (i < count && chars[i] < 0x80) {
                bytes[n++] = (byte) chars[i++];
            }
            while (i < count && n <= room) {
                char c = chars[i];
                if (c < 0x80) {
                    bytes[n++] = (byte) c;
                    i++;
                } else {
                    // From the text, since a pair of surrogates may end beyond `chars`.
                    int codePoint = Utf8.codePoint(text, at + i, to);
                    n = Utf8.write(codePoint, bytes, n);
                    i += Character.charCount(codePoint);
                }
            }
            filled = n;
            at += i;
        }
    }

    byte[] bytes() {
        return bytes;
    }

    int limit() {
        return limit;
    }
}
