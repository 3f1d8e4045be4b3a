package dev.espalier.data;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Batches of examples of differing lengths, a pure function of (seed, epoch).
public final class Batches {
    /// Examples whose lengths are compared: batches drawn from among so many at once are alike
    /// enough in length, and still differ from epoch to epoch.
    private static final int POOL = 50;

    private Batches() {}

    /// Every index once, `size` a batch but for the last: the indices are shuffled, sorted by
    /// length within pools of 50 batches, cut into batches, and the batches shuffled, so that
    /// little is padded.
    public static List<int[]> byLength(int[] lengths, int size, long seed, long epoch) {
        if (size < 1) {
            throw new IllegalArgumentException("batches of " + size);
        }
        var rng = Rng.at(seed, epoch);
        var order = shuffled(lengths.length, rng);
        var batches = new ArrayList<int[]>();
        var pool = (int) Math.min((long) size * POOL, Math.max(1, lengths.length));
        for (var from = 0; from < order.length; from += pool) {
            var to = Math.min(order.length, from + pool);
            // Index as tie-breaker would undo the shuffle; a stable sort keeps it.
            var sorted =
                    Arrays.stream(order, from, to)
                            .boxed()
                            .sorted((a, b) -> Integer.compare(lengths[a], lengths[b]))
                            .mapToInt(Integer::intValue)
                            .toArray();
            for (var i = 0; i < sorted.length; i += size) {
                batches.add(Arrays.copyOfRange(sorted, i, Math.min(sorted.length, i + size)));
            }
        }
        var shuffled = new ArrayList<int[]>();
        for (var b : shuffled(batches.size(), rng)) {
            shuffled.add(batches.get(b));
        }
        return shuffled;
    }

    /// Rows cut to `most` tokens, and how many were.
    public record Cut(List<int[]> rows, int truncated) {}

    /// Cuts the ends of rows longer than `most`.
    public static Cut truncate(List<int[]> rows, int most) {
        if (most < 1) {
            throw new IllegalArgumentException("rows of " + most);
        }
        var truncated = 0;
        var cut = new ArrayList<int[]>(rows.size());
        for (var row : rows) {
            truncated += row.length > most ? 1 : 0;
            cut.add(row.length > most ? Arrays.copyOf(row, most) : row);
        }
        return new Cut(cut, truncated);
    }

    /// 0 … n - 1 in a random order (Fisher and Yates).
    static int[] shuffled(int n, Rng rng) {
        var order = new int[n];
        for (var i = 0; i < n; i++) {
            var j = (int) Math.unsignedMultiplyHigh(rng.nextLong(), i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
