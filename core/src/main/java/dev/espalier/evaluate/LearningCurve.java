package dev.espalier.evaluate;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// How an error falls with the number of labels n: a + b n^-c, the inverse power law that learning
/// curves are known to follow (Hestness et al. 2017, arXiv:1712.00409), by least squares over the
/// points, 0 ≤ a and 0 ≤ b, and c from a grid.
///
/// @param floor a, what no number of labels takes away
/// @param scale b
/// @param exponent c
public record LearningCurve(double floor, double scale, double exponent) {
    private static final int RESAMPLES = 500;
    private static final int EXPONENTS = 79;

    /// An error that was measured at a number of labels.
    public record Point(double labels, double error) {}

    public double error(double labels) {
        return floor + scale * Math.pow(labels, -exponent);
    }

    /// Up to how many labels doubling them, from `labels` on, lowers the error by `gain` or more
    /// each time: `labels` itself where not even the first does. Looks 20 doublings ahead.
    public double worthwhile(double labels, double gain) {
        var n = labels;
        for (var doubling = 0; doubling < 20 && error(n) - error(2 * n) >= gain; doubling++) {
            n *= 2;
        }
        return n;
    }

    /// The curve through `points`, of at least three different numbers of labels.
    public static LearningCurve fit(List<Point> points) {
        if (points.stream().map(Point::labels).distinct().count() < 3) {
            throw new IllegalArgumentException("three numbers of labels are needed");
        }
        return fit(powers(points), points.stream().mapToDouble(Point::error).toArray());
    }

    /// n^-c of each point, a row for each c of the grid.
    private static double[][] powers(List<Point> points) {
        return IntStream.range(0, EXPONENTS)
                .mapToObj(i ->
                        points.stream()
                                .mapToDouble(p -> Math.pow(p.labels(), -exponent(i)))
                                .toArray())
                .toArray(double[][]::new);
    }

    private static double exponent(int i) {
        return 0.05 + 0.025 * i;
    }

    private static LearningCurve fit(double[][] powers, double[] errors) {
        var best = new LearningCurve(0, 0, 1);
        var least = Double.POSITIVE_INFINITY;
        for (var i = 0; i < EXPONENTS; i++) {
            var curve = fit(powers[i], errors, exponent(i));
            var loss = 0.0;
            for (var p = 0; p < errors.length; p++) {
                var residual = curve.floor + curve.scale * powers[i][p] - errors[p];
                loss += residual * residual;
            }
            if (loss < least) {
                least = loss;
                best = curve;
            }
        }
        return best;
    }

    /// a and b for a given c: a line over x = n^-c.
    private static LearningCurve fit(double[] x, double[] errors, double c) {
        double n = x.length, sx = 0, sy = 0, sxx = 0, sxy = 0;
        for (var p = 0; p < x.length; p++) {
            sx += x[p];
            sy += errors[p];
            sxx += x[p] * x[p];
            sxy += x[p] * errors[p];
        }
        var slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
        var floor = (sy - slope * sx) / n;
        if (floor < 0) {
            return new LearningCurve(0, Math.max(0, sxy / sxx), c);
        }
        return slope < 0 ? new LearningCurve(sy / n, 0, c) : new LearningCurve(floor, slope, c);
    }

    /// The error foreseen at `labels`, with its interval, see [#foresee(List, long, Foreseen)].
    ///
    /// @param measurements of the mean of so many measurements there, which vary too; 0 of the
    ///   curve itself
    public static Interval foresee(List<Point> points, double labels, int measurements, long seed) {
        return foresee(
                points,
                seed,
                (curve, noise) ->
                        curve.error(labels)
                                + (measurements == 0 ? 0 : noise / Math.sqrt(measurements)));
    }

    /// [#worthwhile] of the curve through `points`, with its interval, see [#foresee(List, long,
    /// Foreseen)].
    public static Interval worthwhile(List<Point> points, double labels, double gain, long seed) {
        return foresee(points, seed, (curve, _) -> curve.worthwhile(labels, gain));
    }

    /// What a curve foresees.
    private interface Foreseen {
        /// @param noise of one measurement
        double of(LearningCurve curve, double noise);
    }

    /// What the curve through `points` foresees, with the 2.5 % and 97.5 % quantiles of what curves
    /// foresee that are fitted to other points which could as well have been measured: those of the
    /// curve, with noise of the variance
    ///
    /// s² ν / χ²(ν), ν = N - 3,
    ///
    /// where s² is that of the N points around the curve, all numbers of labels together, and each
    /// draw of χ² is one of what s² may be wrong by. So it goes by Student's t where points are
    /// few, as resampling two or three points at each number of labels would not. Of no more points
    /// than the curve has parameters the ends are infinite. Tells nothing of whether the law holds
    /// beyond the points.
    private static Interval foresee(List<Point> points, long seed, Foreseen what) {
        var curve = fit(points);
        var value = what.of(curve, 0);
        var freedom = points.size() - 3;
        if (freedom < 1) {
            return new Interval(value, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
        }
        var powers = powers(points);
        var squares =
                points.stream()
                        .mapToDouble(p -> Math.pow(curve.error(p.labels()) - p.error(), 2))
                        .sum();
        var rng = Rng.at(seed, 12);
        var found = new double[RESAMPLES];
        for (var r = 0; r < RESAMPLES; r++) {
            var chi = 0.0;
            for (var i = 0; i < freedom; i++) {
                var draw = rng.nextGaussian();
                chi += draw * draw;
            }
            var deviation = Math.sqrt(squares / chi);
            var others =
                    points.stream()
                            .mapToDouble(
                                    p -> curve.error(p.labels()) + deviation * rng.nextGaussian())
                            .toArray();
            found[r] = what.of(fit(powers, others), deviation * rng.nextGaussian());
        }
        Arrays.sort(found);
        return new Interval(
                value,
                Math.min(value, found[RESAMPLES / 40]),
                Math.max(value, found[RESAMPLES - 1 - RESAMPLES / 40]));
    }
}
