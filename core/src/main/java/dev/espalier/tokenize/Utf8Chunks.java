package dev.espalier.tokenize;

import java.util.Arrays;

/// A stretch of text as UTF-8, in chunks that end where a piece of [Split] certainly ends, so that
/// a text of any length is read through one buffer that stays in the processor's cache. For one
/// thread at a time; one text may follow another.
final class Utf8Chunks {
    /// Bytes after the last one that may be read, though they mean nothing.
    static final int SLACK = 16;

    private static final int CHUNK = 1 << 15;

    private final char[] chars = new char[CHUNK];
    private byte[] bytes = new byte[CHUNK + SLACK];
    private String text = "";
    private int at;
    private int to;
    private int filled;
    private int limit;

    /// Begins with `text[from, to)`.
    ///
    /// @param prefix whether a space goes before the text
    void read(String newText, int from, int newTo, boolean prefix) {
        text = newText;
        at = from;
        to = newTo;
        filled = 0;
        limit = 0;
        if (bytes.length > CHUNK + SLACK) {
            // It grew for one very long piece.
            bytes = new byte[CHUNK + SLACK];
        }
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
            limit = Split.lastBoundary(bytes, 0, filled);
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
