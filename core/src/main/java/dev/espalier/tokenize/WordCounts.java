package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/// How often each piece of bytes was seen: a hash table over one array of bytes.
final class WordCounts {
    private byte[] arena = new byte[1 << 16];
    private int used;
    private int[] ends = new int[1 << 10];
    private int[] hashes = new int[1 << 10];
    private long[] counts = new long[1 << 10];
    private int size;

    /// Index of a piece plus one; 0 where there is none.
    private int[] table = new int[1 << 12];

    int size() {
        return size;
    }

    private int start(int word) {
        return word == 0 ? 0 : ends[word - 1];
    }

    int length(int word) {
        return ends[word] - start(word);
    }

    byte byteAt(int word, int index) {
        return arena[start(word) + index];
    }

    /// A piece that is UTF-8.
    String text(int word) {
        return new String(arena, start(word), length(word), StandardCharsets.UTF_8);
    }

    long count(int word) {
        return counts[word];
    }

    void add(byte[] bytes, int from, int to) {
        long h = 0;
        for (int i = from; i < to; i++) {
            h = (h + (bytes[i] & 0xff) + 1) * 0x9E3779B97F4A7C15L;
        }
        int hash = spread(h);
        int mask = table.length - 1;
        int slot = hash & mask;
        while (table[slot] != 0) {
            int word = table[slot] - 1;
            if (hashes[word] == hash
                    && Arrays.equals(arena, start(word), ends[word], bytes, from, to)) {
                counts[word]++;
                return;
            }
            slot = slot + 1 & mask;
        }
        table[slot] = insert(bytes, from, to, hash) + 1;
        if (2 * size > table.length) {
            rehash();
        }
    }

    private int insert(byte[] bytes, int from, int to, int hash) {
        int length = to - from;
        if (arena.length - used < length) {
            arena = Arrays.copyOf(arena, grown(arena.length, (long) used + length));
        }
        System.arraycopy(bytes, from, arena, used, length);
        used += length;
        if (size == ends.length) {
            ends = Arrays.copyOf(ends, 2 * size);
            hashes = Arrays.copyOf(hashes, 2 * size);
            counts = Arrays.copyOf(counts, 2 * size);
        }
        ends[size] = used;
        hashes[size] = hash;
        counts[size] = 1;
        return size++;
    }

    private static int grown(int length, long needed) {
        if (needed > Integer.MAX_VALUE - 8) {
            throw new OutOfMemoryError("more than 2 GiB of different words");
        }
        return (int) Math.min(Integer.MAX_VALUE - 8, Math.max(needed, 2L * length));
    }

    private void rehash() {
        table = new int[2 * table.length];
        int mask = table.length - 1;
        for (int word = 0; word < size; word++) {
            int slot = hashes[word] & mask;
            while (table[slot] != 0) {
                slot = slot + 1 & mask;
            }
            table[slot] = word + 1;
        }
    }

    static int spread(long x) {
        long h = x * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32 ^ h >>> 52);
    }
}
