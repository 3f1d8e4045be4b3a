package dev.espalier.tokenize;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// The ids of pieces met before. It grows up to 4 MiB; then a newcomer takes the place of an older
/// one. For one thread at a time.
final class WordCache {
    /// Ids that [#find] writes at once, wanted or not.
    static final int WRITTEN = 3;

    private static final int FEWEST_SLOTS = 1 << 10;
    private static final int MOST_SLOTS = 1 << 17;
    private static final int LONG_SLOTS = 1 << 12;

    /// Longer pieces are not kept.
    private static final int LONGEST = 64;

    private static final int PACKED = 15;

    /// MASKS[n] keeps the first n bytes of eight.
    private static final long[] MASKS = new long[2 * PACKED + 1];

    static {
        for (int n = 0; n < MASKS.length; n++) {
            MASKS[n] = n >= 8 ? -1 : (1L << 8 * n) - 1;
        }
    }

    /// Four longs a slot, for pieces of up to 15 bytes and up to 3 ids: the first eight bytes; the
    /// others with the length on top; two ids; the third with their number on top. A length of 0
    /// marks a free slot.
    private long[] table = new long[4 * FEWEST_SLOTS];

    private int used;

    /// The other pieces.
    private record Word(byte[] bytes, int[] ids) {}

    private final @Nullable Word[] words = new Word[LONG_SLOTS];

    /// Adds the ids of `bytes[from, to)` to `ids`, if they are known. [Utf8Chunks#SLACK] bytes
    /// beyond `to` must exist, and room for [#WRITTEN] ids.
    boolean find(byte[] bytes, int from, int to, Ids ids) {
        int length = to - from;
        if (length <= PACKED) {
            long low = low(bytes, from, length);
            long high = high(bytes, from, length);
            int slot = slot(low, high);
            if (table[slot] != low || table[slot + 1] != high) {
                slot ^= 4;
                if (table[slot] != low || table[slot + 1] != high) {
                    return length > 3 && findLong(bytes, from, to, ids);
                }
            }
            ids.addThree(table[slot + 2], table[slot + 3]);
            return true;
        }
        return findLong(bytes, from, to, ids);
    }

    private boolean findLong(byte[] bytes, int from, int to, Ids ids) {
        if (to - from > LONGEST) {
            return false;
        }
        var word = words[longSlot(bytes, from, to)];
        if (word == null || !Arrays.equals(word.bytes, 0, word.bytes.length, bytes, from, to)) {
            return false;
        }
        ids.addAll(word.ids, word.ids.length);
        return true;
    }

    void put(byte[] bytes, int from, int to, int[] ids) {
        int length = to - from;
        if (length > PACKED || ids.length > 3) {
            if (length <= LONGEST) {
                words[longSlot(bytes, from, to)] =
                        new Word(Arrays.copyOfRange(bytes, from, to), ids);
            }
            return;
        }
        if (used > table.length / 8 && table.length < 4 * MOST_SLOTS) {
            var old = table;
            table = new long[4 * old.length];
            used = 0;
            for (int slot = 0; slot < old.length; slot += 4) {
                if (old[slot + 1] != 0) {
                    put(old[slot], old[slot + 1], old[slot + 2], old[slot + 3]);
                }
            }
        }
        put(
                low(bytes, from, length),
                high(bytes, from, length),
                id(ids, 0) | id(ids, 1) << 32,
                id(ids, 2) | (long) ids.length << 32);
    }

    private void put(long low, long high, long firstIds, long lastIds) {
        int slot = slot(low, high);
        // The older of two stays where it is found first.
        if (table[slot + 1] != 0) {
            slot ^= 4;
        }
        used += table[slot + 1] == 0 ? 1 : 0;
        table[slot] = low;
        table[slot + 1] = high;
        table[slot + 2] = firstIds;
        table[slot + 3] = lastIds;
    }

    private static long id(int[] ids, int index) {
        return index < ids.length ? ids[index] : 0;
    }

    private static long low(byte[] bytes, int from, int length) {
        return (long) Split.LONG.get(bytes, from) & MASKS[length];
    }

    private static long high(byte[] bytes, int from, int length) {
        long rest = (long) Split.LONG.get(bytes, from + 8);
        return rest & MASKS[Math.max(length - 8, 0)] | (long) length << 56;
    }

    private int slot(long low, long high) {
        long h = (low ^ high >>> 32) * 0x9E3779B97F4A7C15L + high * 0xBF58476D1CE4E5B9L;
        return (int) ((h ^ h >>> 29) * 0x94D049BB133111EBL >>> 40) & table.length - 4;
    }

    private static int longSlot(byte[] bytes, int from, int to) {
        long h = to - from;
        for (int at = from; at < to; at += 8) {
            long eight = (long) Split.LONG.get(bytes, at) & MASKS[Math.min(to - at, 8)];
            h = (h ^ eight) * 0x9E3779B97F4A7C15L;
            h ^= h >>> 32;
        }
        return (int) h & LONG_SLOTS - 1;
    }
}
