package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.util.Arrays;
import java.util.List;

/// The merges of a byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909): a hash
/// table from a pair of ids to its rank, small enough to stay in the processor's cache. Immutable
/// once filled.
final class Merges {
    /// The greatest vocabulary, and the greatest number of merges.
    static final int MOST_TOKENS = (1 << 21) - 1;

    static final int MOST_MERGES = 1 << 22;

    private static final long FREE = -1;

    /// The rank of no merge: greater than any.
    private static final int NONE = Integer.MAX_VALUE;

    /// Up to this length the merges of a piece are found by looking through all of its pairs.
    private static final int SHORT = 64;

    /// Left id, right id and rank in 21, 21 and 22 bits.
    private final long[] table;

    private final int mask;

    /// What the merge of each rank makes.
    private final int[] made;

    /// The table of `merges`, in their order.
    ///
    /// @throws EspalierException if they or the tokens are too many
    static Merges of(List<BytePairTokenizer.Merge> merges, int tokens) {
        if (tokens > MOST_TOKENS || merges.size() > MOST_MERGES) {
            throw EspalierException.data(
                    "%d tokens and %d merges are more than the %d and %d that are supported"
                            .formatted(tokens, merges.size(), MOST_TOKENS, MOST_MERGES));
        }
        var table = new Merges(merges.size());
        for (int rank = 0; rank < merges.size(); rank++) {
            var merge = merges.get(rank);
            table.put(merge.left(), merge.right(), rank, merge.id());
        }
        return table;
    }

    Merges(int count) {
        int capacity = Integer.highestOneBit(Math.max(count, 8)) << 2;
        table = new long[capacity];
        Arrays.fill(table, FREE);
        mask = capacity - 1;
        made = new int[count];
    }

    /// A pair that comes again takes the later rank, as in the reference.
    void put(int left, int right, int rank, int id) {
        long pair = (long) left << 21 | right;
        int slot = slot(pair);
        while (table[slot] != FREE && table[slot] >>> 22 != pair) {
            slot = slot + 1 & mask;
        }
        table[slot] = pair << 22 | rank;
        made[rank] = id;
    }

    private int rank(int left, int right) {
        long pair = (long) left << 21 | right;
        for (int slot = slot(pair); ; slot = slot + 1 & mask) {
            long entry = table[slot];
            if (entry >>> 22 == pair) {
                return (int) entry & MOST_MERGES - 1;
            }
            if (entry == FREE) {
                return NONE;
            }
        }
    }

    private int slot(long pair) {
        long h = pair * 0x9E3779B97F4A7C15L;
        return (int) (h >>> 32 ^ h >>> 47) & mask;
    }

    /// Merges `ids[0, length)` in place: always the pair of the lowest rank, the leftmost of those.
    /// Returns the length that is left.
    int apply(int[] ids, int length) {
        return length <= SHORT ? applyShort(ids, length) : applyLong(ids, length);
    }

    int applyShort(int[] ids, int length) {
        var ranks = new int[length];
        for (int i = 0; i + 1 < length; i++) {
            ranks[i] = rank(ids[i], ids[i + 1]);
        }
        int n = length;
        while (true) {
            int best = 0;
            int bestRank = NONE;
            for (int i = 0; i + 1 < n; i++) {
                if (ranks[i] < bestRank) {
                    bestRank = ranks[i];
                    best = i;
                }
            }
            if (bestRank == NONE) {
                return n;
            }
            ids[best] = made[bestRank];
            n--;
            for (int i = best + 1; i < n; i++) {
                ids[i] = ids[i + 1];
                ranks[i] = ranks[i + 1];
            }
            if (best + 1 < n) {
                ranks[best] = rank(ids[best], ids[best + 1]);
            }
            if (best > 0) {
                ranks[best - 1] = rank(ids[best - 1], ids[best]);
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
                heap.offer(rank(ids[i], ids[i + 1]), i);
            }
        }
        while (heap.size > 0) {
            long top = heap.poll();
            int rank = (int) (top >>> 32);
            int at = (int) top;
            int right = next[at];
            // An entry is out of date once its pair was merged or has become another.
            if (ids[at] < 0 || right >= length || rank(ids[at], ids[right]) != rank) {
                continue;
            }
            ids[at] = made[rank];
            ids[right] = -1;
            next[at] = next[right];
            if (next[at] < length) {
                previous[next[at]] = at;
                heap.offer(rank(ids[at], ids[next[at]]), at);
            }
            if (previous[at] >= 0) {
                heap.offer(rank(ids[previous[at]], ids[at]), previous[at]);
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

        void offer(int rank, int place) {
            if (rank == NONE) {
                return;
            }
            if (size == entries.length) {
                entries = Arrays.copyOf(entries, size + (size >> 1) + 8);
            }
            long entry = (long) rank << 32 | place;
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
