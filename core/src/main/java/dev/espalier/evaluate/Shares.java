package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// A figure that is a share of sums over independent records: Σ right / Σ of, the accuracy of words
/// for example, or F1 by way of it,
///
/// J = Σ right / Σ of, F1 = 2 J / (1 + J)
///
/// where `right` counts what was found and `of` what was told or is true.
///
/// @param right of each record
/// @param of of each record, no less
/// @param isF1 whether the figure is F1, and not the share itself
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Shares(double[] right, double[] of, boolean isF1) {
    /// The accuracy of words, of which each text is a record.
    ///
    /// @param truth the tags of each text
    /// @param told those that were predicted
    public static Shares ofWords(List<List<String>> truth, List<List<String>> told) {
        var right = new double[truth.size()];
        var words = new double[right.length];
        for (var i = 0; i < right.length; i++) {
            List<String> wanted = truth.get(i), tags = told.get(i);
            words[i] = tags.size();
            right[i] =
                    IntStream.range(0, tags.size())
                            .filter(w -> tags.get(w).equals(wanted.get(w)))
                            .count();
        }
        return new Shares(right, words, false);
    }

    public Sums sums() {
        var rows = new double[right.length][];
        Arrays.setAll(rows, i -> new double[] {right[i], of[i]});
        return new Sums(rows, sums -> value(sums[0], sums[1]));
    }

    public double value() {
        return sums().value();
    }

    /// The figure; 0 of nothing.
    private double value(double right, double of) {
        return of <= 0 ? 0 : isF1 ? 2 * right / (of + right) : right / of;
    }

    /// What other records would make of it: [Interval#clustered] of the means over repetitions on
    /// the same records.
    public static Interval interval(List<Shares> seeds) {
        var share =
                Interval.clustered(
                        mean(seeds.stream().map(Shares::right).toList()),
                        mean(seeds.stream().map(Shares::of).toList()));
        return seeds.getFirst().isF1 ? share.toF1() : share;
    }

    private static double[] mean(List<double[]> seeds) {
        return IntStream.range(0, seeds.getFirst().length)
                .mapToDouble(i -> seeds.stream().mapToDouble(s -> s[i]).average().orElseThrow())
                .toArray();
    }
}
