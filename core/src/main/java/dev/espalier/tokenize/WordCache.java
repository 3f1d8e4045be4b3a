package dev.espalier.tokenize;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The ids of pieces met before. Of a fixed size; a newcomer takes the place of an older one.
///
/// Threads share it without locks: entries are immutable, and a lost or torn update of the table
/// only costs a merge done again.
final class WordCache {
    /// Longer pieces are not kept.
    static final int LONGEST = 64;

    private static final int SLOTS = 1 << 16;
    private static final int PACKED = 15;
    private static final VarHandle LONG =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /// A piece of up to 15 bytes is `low` and `high` themselves (with its length on top of `high`);
    /// a longer one is `bytes`, and `low` its hash.
    static final class Word {
        private final long low;
        private final long high;
        private final byte @Nullable [] bytes;
        final int[] ids;

        private Word(long low, long high, byte @Nullable [] bytes, int[] ids) {
            this.low = low;
            this.high = high;
            this.bytes = bytes;
            this.ids = ids;
        }
    }

    private final @Nullable Word[] table = new Word[SLOTS];

    /// The entry of `bytes[from, to)`, or null. [Utf8Chunks#SLACK] bytes beyond `to` must exist.
    @Nullable Word find(byte[] bytes, int from, int to) {
        int length = to - from;
        if (length > LONGEST) {
            return null;
        }
        long low = low(bytes, from, length);
        long high = high(bytes, from, length);
        int slot = slot(low, high);
        var word = table[slot];
        if (word != null && word.low == low && word.high == high && same(word, bytes, from, to)) {
            return word;
        }
        word = table[slot ^ 1];
        if (word != null && word.low == low && word.high == high && same(word, bytes, from, to)) {
            return word;
        }
        return null;
    }

    void put(byte[] bytes, int from, int to, int[] ids) {
        int length = to - from;
        if (length > LONGEST) {
            return;
        }
        long low = low(bytes, from, length);
        long high = high(bytes, from, length);
        int slot = slot(low, high);
        // The older of two stays where it is found first.
        if (table[slot] != null) {
            slot ^= 1;
        }
        table[slot] =
                new Word(
                        low,
                        high,
                        length <= PACKED ? null : Arrays.copyOfRange(bytes, from, to),
                        ids);
    }

    private static boolean same(Word word, byte[] bytes, int from, int to) {
        return word.bytes == null
                || Arrays.equals(word.bytes, 0, word.bytes.length, bytes, from, to);
    }

    private static long low(byte[] bytes, int from, int length) {
        if (length > PACKED) {
            return hash(bytes, from, length);
        }
        long first = (long) LONG.get(bytes, from);
        return length >= 8 ? first : first & (1L << 8 * length) - 1;
    }

    private static long high(byte[] bytes, int from, int length) {
        if (length <= 8 || length > PACKED) {
            return (long) length << 56;
        }
        return (long) LONG.get(bytes, from + 8) & (1L << 8 * (length - 8)) - 1
                | (long) length << 56;
    }

    private static long hash(byte[] bytes, int from, int length) {
        long h = length;
        int at = from;
        int to = from + length;
        for (; at + 8 <= to; at += 8) {
            h = mix(h ^ (long) LONG.get(bytes, at));
        }
        if (at < to) {
            h = mix(h ^ (long) LONG.get(bytes, at) & (1L << 8 * (to - at)) - 1);
        }
        return h;
    }

    private static long mix(long x) {
        long h = x * 0x9E3779B97F4A7C15L;
        return h ^ h >>> 32;
    }

    private static int slot(long low, long high) {
        return (int) (mix(low ^ Long.rotateLeft(high, 29) * 0xBF58476D1CE4E5B9L) >>> 13)
                & SLOTS - 1;
    }
}
