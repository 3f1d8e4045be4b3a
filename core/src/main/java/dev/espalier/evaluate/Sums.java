package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// A figure of what independent records add up to: a share of counts, F1 or BLEU for example.
///
/// @param rows what each record adds to each of the sums
/// @param figure of the sums
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Sums(double[][] rows, ToDoubleFunction<double[]> figure) {
    public int records() {
        return rows.length;
    }

    double[] total() {
        var sums = new double[rows[0].length];
        Arrays.stream(rows).forEach(row -> Bleu.add(sums, row));
        return sums;
    }

    public double value() {
        return figure.applyAsDouble(total());
    }

    /// Of the records at these places.
    private double value(int[] places) {
        var sums = new double[rows[0].length];
        for (var place : places) {
            Bleu.add(sums, rows[place]);
        }
        return figure.applyAsDouble(sums);
    }

    /// The mean over repetitions on the same records.
    static double mean(List<Sums> seeds, int[] places) {
        return seeds.stream().mapToDouble(s -> s.value(places)).average().orElseThrow();
    }

    /// [Interval#bootstrap] of that mean over the records.
    public static Interval interval(List<Sums> seeds, long seed) {
        return Interval.bootstrap(seeds.getFirst().records(), seed, places -> mean(seeds, places));
    }
}
