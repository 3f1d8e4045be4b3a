package dev.espalier.tokenize;

import java.util.Arrays;

/// Sorts the suffixes of a text by prefix doubling (Manber and Myers 1990), as far as their first
/// characters are wanted.
final class Suffixes {
    private Suffixes() {}

    /// The places of `points`, ordered by at least the `depth` characters from each on; equal ones
    /// by their place.
    static int[] sorted(int[] points, int depth) {
        int n = points.length;
        var order = new int[n];
        var ranks = new int[n];
        var next = new int[n];
        var sorted = points.clone();
        Arrays.sort(sorted);
        int classes = 0;
        for (int i = 0; i < n; i++) {
            if (i == 0 || sorted[i] != sorted[classes - 1]) {
                sorted[classes++] = sorted[i];
            }
        }
        for (int i = 0; i < n; i++) {
            ranks[i] = Arrays.binarySearch(sorted, 0, classes, points[i]);
            next[i] = i;
        }
        count(next, ranks, Math.max(classes, 1), order);
        for (int known = 1; known < depth && classes < n; known *= 2) {
            // By the second half: what is cut off by the text's end comes first.
            int at = 0;
            for (int i = Math.max(n - known, 0); i < n; i++) {
                next[at++] = i;
            }
            for (int suffix : order) {
                if (suffix >= known) {
                    next[at++] = suffix - known;
                }
            }
            count(next, ranks, classes, order);
            next[order[0]] = 0;
            classes = 1;
            for (int i = 1; i < n; i++) {
                int a = order[i - 1], b = order[i];
                boolean same =
                        ranks[a] == ranks[b] && rank(ranks, a + known) == rank(ranks, b + known);
                classes += same ? 0 : 1;
                next[b] = classes - 1;
            }
            var old = ranks;
            ranks = next;
            next = old;
        }
        return order;
    }

    private static int rank(int[] ranks, int at) {
        return at < ranks.length ? ranks[at] : -1;
    }

    /// Sorts `suffixes` by their ranks into `order`, keeping equal ones as they are.
    private static void count(int[] suffixes, int[] ranks, int classes, int[] order) {
        var starts = new int[classes + 1];
        for (int suffix : suffixes) {
            starts[ranks[suffix] + 1]++;
        }
        for (int c = 0; c < classes; c++) {
            starts[c + 1] += starts[c];
        }
        for (int suffix : suffixes) {
            order[starts[ranks[suffix]]++] = suffix;
        }
    }
}
