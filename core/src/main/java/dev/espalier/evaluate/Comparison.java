package dev.espalier.evaluate;

/// Two classifiers on the same records.
///
/// @param difference of their accuracies: the interval for paired shares of Agresti and Min (2005),
///   which adds half a record to each of the four cells
/// @param gained records that only the first has right
/// @param lost records that only the second has right
/// @param p the two-sided p value of McNemar's exact test: the chance of a split of gained and lost
///   at least this uneven if both were equally good
public record Comparison(Interval difference, int gained, int lost, double p) {
    private static final double Z = 1.959963984540054;

    static Comparison of(int gained, int lost, int n) {
        double b = gained + 0.5, c = lost + 0.5, total = n + 2.0;
        var middle = (b - c) / total;
        var half = Z * Math.sqrt(b + c - (b - c) * (b - c) / total) / total;
        var interval =
                new Interval(
                        (double) (gained - lost) / n,
                        Math.max(-1, middle - half),
                        Math.min(1, middle + half));
        return new Comparison(interval, gained, lost, mcNemar(gained, lost));
    }

    /// 2 P(X ≤ min(gained, lost)) for X binomial with a half, in logarithms since 2⁻ⁿ underflows.
    private static double mcNemar(int gained, int lost) {
        int n = gained + lost, few = Math.min(gained, lost);
        double term = -n * Math.log(2), sum = 0;
        for (var k = 0; k <= few; k++) {
            sum += Math.exp(term);
            term += Math.log((double) (n - k) / (k + 1));
        }
        return Math.min(1, 2 * sum);
    }
}
