package dev.espalier.tokenize;

import java.util.Arrays;

/// The merges of a byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909): a hash
/// table from a pair of ids to its rank and to the id that it becomes. Immutable once filled.
final class Merges {
    private static final long FREE = -1;

    /// Rank and id of no merge: greater than any.
    static final long NONE = Long.MAX_VALUE;

    /// Up to this length the merges of a piece are found by looking through all of its pairs.
    private static final int SHORT = 64;

    private final long[] keys;
    private final long[] values;
    private final int mask;

    Merges(int count) {
        int capacity = Integer.highestOneBit(Math.max(count, 8)) << 2;
        keys = new long[capacity];
        values = new long[capacity];
        Arrays.fill(keys, FREE);
        mask = capacity - 1;
    }

    /// A pair that comes again takes the later rank, as in the reference.
    void put(int left, int right, int rank, int id) {
        long key = (long) left << 32 | right;
        int slot = slot(key);
        while (keys[slot] != FREE && keys[slot] != key) {
            slot = slot + 1 & mask;
        }
        keys[slot] = key;
        values[slot] = (long) rank << 32 | id;
    }

    /// rank << 32 | id, or [#NONE].
    long get(int left, int right) {
        long key = (long) left << 32 | right;
        for (int slot = slot(key); ; slot = slot + 1 & mask) {
            if (keys[slot] == key) {
                return values[slot];
            }
            if (keys[slot] == FREE) {
                return NONE;
            }
        }
    }

    private int slot(long key) {
        long h = key * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32 ^ h >>> 47) & mask;
    }

    /// Merges `ids[0, length)` in place: always the pair of the lowest rank, the leftmost of those.
    /// Returns the length that is left.
    int apply(int[] ids, int length) {
        return length <= SHORT ? applyShort(ids, length) : applyLong(ids, length);
    }

    int applyShort(int[] ids, int length) {
        var ranks = new long[length];
        for (int i = 0; i + 1 < length; i++) {
            ranks[i] = get(ids[i], ids[i + 1]);
        }
        int n = length;
        while (true) {
            int best = -1;
            long bestRank = NONE;
            for (int i = 0; i + 1 < n; i++) {
                if (ranks[i] < bestRank) {
                    bestRank = ranks[i];
                    best = i;
                }
            }
            if (best < 0) {
                return n;
            }
            ids[best] = (int) bestRank;
            n--;
            System.arraycopy(ids, best + 2, ids, best + 1, n - best - 1);
            System.arraycopy(ranks, best + 2, ranks, best + 1, n - best - 1);
            if (best + 1 < n) {
                ranks[best] = get(ids[best], ids[best + 1]);
            }
            if (best > 0) {
                ranks[best - 1] = get(ids[best - 1], ids[best]);
            }
        }
    }

    /// As [#applyShort] in O(n log n): a heap of (rank, place) over a linked list.
    int applyLong(int[] ids, int length) {
        var next = new int[length];
        var previous = new int[length];
        var heap = new Heap(length);
        for (int i = 0; i < length; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
            if (i + 1 < length) {
                heap.offer(get(ids[i], ids[i + 1]), i);
            }
        }
        while (heap.size > 0) {
            long top = heap.poll();
            int rank = (int) (top >>> 32);
            int at = (int) top;
            int right = next[at];
            if (ids[at] < 0 || right >= length) {
                continue;
            }
            long merge = get(ids[at], ids[right]);
            if (merge == NONE || (int) (merge >>> 32) != rank) {
                continue;
            }
            ids[at] = (int) merge;
            ids[right] = -1;
            next[at] = next[right];
            if (next[at] < length) {
                previous[next[at]] = at;
                heap.offer(get(ids[at], ids[next[at]]), at);
            }
            if (previous[at] >= 0) {
                heap.offer(get(ids[previous[at]], ids[at]), previous[at]);
            }
        }
        int n = 0;
        for (int i = 0; i < length; i = next[i]) {
            ids[n++] = ids[i];
        }
        return n;
    }

    /// A binary heap of rank << 32 | place, the least on top.
    private static final class Heap {
        private long[] entries;
        private int size;

        Heap(int capacity) {
            entries = new long[capacity];
        }

        void offer(long merge, int place) {
            if (merge == NONE) {
                return;
            }
            if (size == entries.length) {
                entries = Arrays.copyOf(entries, size + (size >> 1) + 8);
            }
            long entry = (merge >>> 32) << 32 | place;
            int at = size++;
            while (at > 0) {
                int parent = (at - 1) >> 1;
                if (entries[parent] <= entry) {
                    break;
                }
                entries[at] = entries[parent];
                at = parent;
            }
            entries[at] = entry;
        }

        long poll() {
            long top = entries[0];
            long last = entries[--size];
            int at = 0;
            while (true) {
                int child = 2 * at + 1;
                if (child >= size) {
                    break;
                }
                if (child + 1 < size && entries[child + 1] < entries[child]) {
                    child++;
                }
                if (entries[child] >= last) {
                    break;
                }
                entries[at] = entries[child];
                at = child;
            }
            entries[at] = last;
            return top;
        }
    }
}
