package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// What a model made of a test set of numbers: the numbers told, beside the true ones.
public final class Regression implements Judgement {
    private final double[] truth;
    private final double[] told;

    public Regression(double[] truth, double[] told) {
        if (truth.length == 0 || truth.length != told.length) {
            throw new IllegalArgumentException(
                    truth.length + " numbers to judge by, " + told.length + " judged");
        }
        this.truth = truth.clone();
        this.told = told.clone();
    }

    public double[] truth() {
        return truth.clone();
    }

    public double[] told() {
        return told.clone();
    }

    /// The mean squared and the mean absolute error, over records, and where neither the true
    /// numbers nor those told are all the same the correlations of Pearson and Spearman, with
    /// Fisher's interval; that of Spearman's as Bonett and Wright (2000) have it.
    @Override
    public List<Score> scores(String data, long seed) {
        var n = truth.length;
        var squares = new double[n];
        var distances = new double[n];
        for (var i = 0; i < n; i++) {
            distances[i] = Math.abs(told[i] - truth[i]);
            squares[i] = distances[i] * distances[i];
        }
        var ones = new double[n];
        Arrays.fill(ones, 1);
        var mse = Score.of(data, "mse", Interval.loss(squares, ones), n);
        var mae = Score.of(data, "mae", Interval.loss(distances, ones), n);
        if (isConstant(truth) || isConstant(told)) {
            return List.of(mse, mae);
        }
        var pearson = correlation(truth, told);
        var spearman = correlation(ranks(truth), ranks(told));
        var factor = 1 + spearman * spearman / 2;
        return List.of(
                mse,
                mae,
                Score.of(data, "pearson", Interval.correlation(pearson, n, 1), n),
                Score.of(data, "spearman", Interval.correlation(spearman, n, factor), n));
    }

    private static boolean isConstant(double[] values) {
        return Arrays.stream(values).allMatch(value -> value == values[0]);
    }

    @Override
    public List<Score> labelScores(String data) {
        return List.of();
    }

    /// Pearson's r = Σ (x - x̄)(y - ȳ) / √(Σ (x - x̄)² Σ (y - ȳ)²); 0 where either is constant.
    static double correlation(double[] x, double[] y) {
        double meanX = Arrays.stream(x).average().orElseThrow();
        double meanY = Arrays.stream(y).average().orElseThrow();
        double products = 0, squaresX = 0, squaresY = 0;
        for (var i = 0; i < x.length; i++) {
            double dx = x[i] - meanX, dy = y[i] - meanY;
            products += dx * dy;
            squaresX += dx * dx;
            squaresY += dy * dy;
        }
        var norm = Math.sqrt(squaresX) * Math.sqrt(squaresY);
        return norm > 0 ? Math.clamp(products / norm, -1, 1) : 0;
    }

    /// The rank of each value from 1; equal values share the mean of their ranks.
    static double[] ranks(double[] values) {
        var order =
                IntStream.range(0, values.length)
                        .boxed()
                        .sorted(Comparator.comparingDouble(i -> values[i]))
                        .mapToInt(i -> i)
                        .toArray();
        var ranks = new double[values.length];
        for (var from = 0; from < order.length; ) {
            var to = from + 1;
            while (to < order.length && values[order[to]] == values[order[from]]) {
                to++;
            }
            for (var i = from; i < to; i++) {
                ranks[order[i]] = (from + 1 + to) / 2.0;
            }
            from = to;
        }
        return ranks;
    }
}
