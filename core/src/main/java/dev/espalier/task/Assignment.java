package dev.espalier.task;

import java.util.Arrays;

/// Who does what at the least cost in all, by shortest augmenting paths (Jonker and Volgenant 1987,
/// "A shortest augmenting path algorithm for dense and sparse linear assignment problems"; the
/// Hungarian method of Kuhn 1955): O(rows² · columns).
final class Assignment {
    private Assignment() {}

    /// The column of each row, or -1 for those left over where there are more rows than columns; no
    /// column has two rows.
    ///
    /// @param costs (rows, columns), all finite
    static int[] of(double[][] costs) {
        if (costs.length == 0 || costs[0].length == 0) {
            var none = new int[costs.length];
            Arrays.fill(none, -1);
            return none;
        }
        if (costs.length > costs[0].length) {
            var turned = new double[costs[0].length][costs.length];
            for (var r = 0; r < costs.length; r++) {
                for (var c = 0; c < turned.length; c++) {
                    turned[c][r] = costs[r][c];
                }
            }
            var rows = of(turned);
            var columns = new int[costs.length];
            Arrays.fill(columns, -1);
            for (var c = 0; c < rows.length; c++) {
                columns[rows[c]] = c;
            }
            return columns;
        }
        return shortest(costs);
    }

    /// For at most as many rows as columns. Rows and columns are counted from 1, and 0 is none.
    private static int[] shortest(double[][] costs) {
        int n = costs.length, m = costs[0].length;
        var rowPrice = new double[n + 1];
        var columnPrice = new double[m + 1];
        var rowOf = new int[m + 1];
        var before = new int[m + 1];
        for (var row = 1; row <= n; row++) {
            var least = new double[m + 1];
            Arrays.fill(least, Double.POSITIVE_INFINITY);
            var reached = new boolean[m + 1];
            rowOf[0] = row;
            var at = 0;
            while (rowOf[at] != 0) {
                reached[at] = true;
                var from = rowOf[at];
                var step = Double.POSITIVE_INFINITY;
                var next = 0;
                for (var c = 1; c <= m; c++) {
                    if (reached[c]) {
                        continue;
                    }
                    var cost = costs[from - 1][c - 1] - rowPrice[from] - columnPrice[c];
                    if (cost < least[c]) {
                        least[c] = cost;
                        before[c] = at;
                    }
                    if (least[c] < step) {
                        step = least[c];
                        next = c;
                    }
                }
                for (var c = 0; c <= m; c++) {
                    if (reached[c]) {
                        rowPrice[rowOf[c]] += step;
                        columnPrice[c] -= step;
                    } else {
                        least[c] -= step;
                    }
                }
                at = next;
            }
            // Each column on the way takes the row of the one before it.
            while (at != 0) {
                rowOf[at] = rowOf[before[at]];
                at = before[at];
            }
        }
        var columns = new int[n];
        for (var c = 1; c <= m; c++) {
            if (rowOf[c] != 0) {
                columns[rowOf[c] - 1] = c - 1;
            }
        }
        return columns;
    }
}
