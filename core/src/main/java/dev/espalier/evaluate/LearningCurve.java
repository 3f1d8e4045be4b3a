package dev.espalier.evaluate;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// How an error falls with the number of labels n: a + b n^-c, the inverse power law that learning
/// curves are known to follow (Hestness et al. 2017, arXiv:1712.00409), by least squares over the
/// points, 0 ≤ a and 0 ≤ b, and c from a grid.
///
/// @param floor a, what no number of labels takes away
/// @param scale b
/// @param exponent c
public record LearningCurve(double floor, double scale, double exponent) {
    private static final int RESAMPLES = 500;

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
        var best = new LearningCurve(0, 0, 1);
        var least = Double.POSITIVE_INFINITY;
        for (var c = 0.05; c < 2.0001; c += 0.025) {
            var curve = fit(points, c);
            var loss =
                    points.stream()
                            .mapToDouble(p -> Math.pow(curve.error(p.labels()) - p.error(), 2))
                            .sum();
            if (loss < least) {
                least = loss;
                best = curve;
            }
        }
        return best;
    }

    /// a and b for a given c: a line over n^-c.
    private static LearningCurve fit(List<Point> points, double c) {
        double n = points.size(), sx = 0, sy = 0, sxx = 0, sxy = 0;
        for (var point : points) {
            var x = Math.pow(point.labels(), -c);
            sx += x;
            sy += point.error();
            sxx += x * x;
            sxy += x * point.error();
        }
        var slope = (n * sxy - sx * sy) / (n * sxx - sx * sx);
        var floor = (sy - slope * sx) / n;
        if (floor < 0) {
            return new LearningCurve(0, Math.max(0, sxy / sxx), c);
        }
        return slope < 0 ? new LearningCurve(sy / n, 0, c) : new LearningCurve(floor, slope, c);
    }

    /// The error foreseen at `labels`, with the 2.5 % and 97.5 % quantiles of what curves foresee
    /// that are fitted to other draws: at each number of labels its points are drawn anew with
    /// replacement. Needs several points at each; tells nothing of whether the law holds.
    public static Interval foresee(List<Point> points, double labels, long seed) {
        var rng = Rng.at(seed, 12);
        var groups = new ArrayList<List<Point>>();
        points.stream()
                .map(Point::labels)
                .distinct()
                .forEach(at -> groups.add(points.stream().filter(p -> p.labels() == at).toList()));
        var found = new double[RESAMPLES];
        for (var r = 0; r < RESAMPLES; r++) {
            var drawn = new ArrayList<Point>();
            for (var group : groups) {
                for (var i = 0; i < group.size(); i++) {
                    drawn.add(group.get(rng.nextInt(group.size())));
                }
            }
            found[r] = fit(drawn).error(labels);
        }
        Arrays.sort(found);
        var value = fit(points).error(labels);
        return new Interval(
                value,
                Math.min(value, found[RESAMPLES / 40]),
                Math.max(value, found[RESAMPLES - 1 - RESAMPLES / 40]));
    }
}
