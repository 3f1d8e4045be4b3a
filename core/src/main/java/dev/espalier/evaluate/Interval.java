package dev.espalier.evaluate;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/// An estimate with its 95 % confidence interval. Where the data say nothing about the uncertainty
/// (a mean of one seed, say) the ends are infinite.
public record Interval(double value, double low, double high) {
    private static final int RESAMPLES = 2000;
    static final double Z = 1.959963984540054;

    /// The 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom.
    private static final double[] T = {
        12.706204736, 4.302652730, 3.182446305, 2.776445105, 2.570581836,
        2.446911851, 2.364624252, 2.306004135, 2.262157163, 2.228138852
    };

    /// A share of successes: the score interval of Wilson (1927), which holds its coverage near 0
    /// and 1 and for small `n`, unlike the textbook's.
    public static Interval share(long successes, long n) {
        if (n < 1 || successes < 0 || successes > n) {
            throw new IllegalArgumentException(successes + " of " + n + " is not a share");
        }
        return wilson((double) successes / n, n);
    }

    private static Interval wilson(double p, double n) {
        var zz = Z * Z / n;
        var middle = (p + zz / 2) / (1 + zz);
        var half = Z * Math.sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz);
        // At 0 and 1 the end is the share itself, but for rounding.
        return new Interval(p, Math.clamp(middle - half, 0, p), Math.clamp(middle + half, p, 1));
    }

    /// Σ successes / Σ sizes, a share whose successes come in independent units of different sizes:
    /// the words of sentences that were tagged rightly, for example. Wilson's interval for as many
    /// records as would say as much, corrected for the degrees of freedom (Korn and Graubard 1998,
    /// "Confidence intervals for proportions with small expected number of positive counts
    /// estimated from survey data"):
    ///
    /// n* = p (1 - p) / v · (z / t)², at most Σ sizes
    ///
    /// with v and t of [#ratio]. At 0, at 1 and for a single unit, where v says nothing, each unit
    /// counts as one record, as if all in it came together. Units of size 0 say nothing; of nothing
    /// else the share is 0, and may be all.
    public static Interval clustered(double[] successes, double[] sizes) {
        var units = Arrays.stream(sizes).filter(size -> size > 0).count();
        if (units == 0) {
            return new Interval(0, 0, 1);
        }
        double size = Arrays.stream(sizes).sum(), p = Arrays.stream(successes).sum() / size;
        var squares = 0.0;
        for (var i = 0; i < sizes.length; i++) {
            var residual = successes[i] - p * sizes[i];
            squares += residual * residual;
        }
        if (units == 1 || p <= 0 || p >= 1) {
            return wilson(Math.clamp(p, 0, 1), units);
        }
        var half = t((int) units - 1) * Math.sqrt(squares * units / (units - 1)) / size;
        return wilson(p, Math.min(size, p * (1 - p) * Z * Z / (half * half)));
    }

    /// The mean of figures that are independent of each other, each with its interval: the ends'
    /// distances from the value add up as squares (the method of variance estimates recovery, Zou
    /// and Donner 2008), which keeps what the intervals have of asymmetry.
    public static Interval mean(List<Interval> parts) {
        double value = 0, below = 0, above = 0;
        for (var part : parts) {
            value += part.value / parts.size();
            below += (part.value - part.low) * (part.value - part.low);
            above += (part.high - part.value) * (part.high - part.value);
        }
        return new Interval(
                value,
                value - Math.sqrt(below) / parts.size(),
                value + Math.sqrt(above) / parts.size());
    }

    /// This less `other`, which is independent of it, by the same method. Of figures on the same
    /// records it is too wide, as these rise and fall together.
    public Interval minus(Interval other) {
        var difference = value - other.value;
        return new Interval(
                difference,
                difference - Math.hypot(value - low, other.high - other.value),
                difference + Math.hypot(high - value, other.value - other.low));
    }

    /// The mean of independent repetitions (seeds), by Student's t with n - 1 degrees of freedom.
    public static Interval mean(double... values) {
        var ones = new double[values.length];
        Arrays.fill(ones, 1);
        return ratio(values, ones);
    }

    /// Of a mean over seeds, the interval over the records that this is: that over other seeds and
    /// other records, by the variances and the chances of [Paired#overSeeds], of each side by
    /// itself, which keeps what this has of asymmetry.
    ///
    /// @param seeds the figure of each; of one nothing is known of others, and all stays as it is
    public Interval overSeeds(double... seeds) {
        return seeds.length < 2
                ? this
                : new Interval(
                        value,
                        value - Paired.Both.of(value - low, seeds).margin(),
                        value + Paired.Both.of(high - value, seeds).margin());
    }

    /// Σ sums / Σ sizes over independent units of different sizes: the loss a token over sequences,
    /// for example. By the linearised variance of a ratio (Cochran 1977, section 6.4)
    ///
    /// v = n / (n - 1) · Σ (sᵢ - r cᵢ)² / (Σ cᵢ)²
    ///
    /// and Student's t with n - 1 degrees of freedom.
    public static Interval ratio(double[] sums, double[] sizes) {
        if (sums.length == 0 || sums.length != sizes.length) {
            throw new IllegalArgumentException(
                    sums.length + " sums over " + sizes.length + " sizes");
        }
        var n = sums.length;
        double size = 0, sum = 0;
        for (var i = 0; i < n; i++) {
            sum += sums[i];
            size += sizes[i];
        }
        if (!(size > 0)) {
            throw new IllegalArgumentException("a ratio over a size of " + size);
        }
        var r = sum / size;
        if (n == 1) {
            return new Interval(r, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);
        }
        var squares = 0.0;
        for (var i = 0; i < n; i++) {
            var residual = sums[i] - r * sizes[i];
            squares += residual * residual;
        }
        var half = t(n - 1) * Math.sqrt(squares * n / (n - 1)) / size;
        return new Interval(r, r - half, r + half);
    }

    /// [#ratio] where no sum is negative: losses, whose interval ends above 0. By the same variance
    /// for the logarithm, r · e^(± half / r), which also fits better what is skewed to the right.
    public static Interval loss(double[] sums, double[] sizes) {
        var plain = ratio(sums, sizes);
        var r = plain.value;
        // Of nothing but zeros, as of one unit, no end can be told.
        return r <= 0 || sums.length == 1
                ? new Interval(r, 0, Double.POSITIVE_INFINITY)
                : new Interval(
                        r, r * Math.exp((plain.low - r) / r), r * Math.exp((plain.high - r) / r));
    }

    /// From a share of those that were told or should have been, which of them are right (Jaccard's
    /// coefficient J), to F1 = 2 J / (1 + J).
    Interval toF1() {
        return map(j -> 2 * j / (1 + j));
    }

    /// With the ends of `other` where they lie farther out.
    Interval widenedBy(Interval other) {
        return new Interval(value, Math.min(low, other.low), Math.max(high, other.high));
    }

    /// Any statistic of `n` records, by the percentile bootstrap (Efron 1979): the 2.5 % and 97.5 %
    /// quantiles over 2000 resamples, a pure function of `seed`. It has no width where all records
    /// are alike, and says nothing then.
    ///
    /// @param statistic of the records at these places, of which some may come more than once; it
    ///   must not keep the array
    public static Interval bootstrap(int n, long seed, ToDoubleFunction<int[]> statistic) {
        return bootstraps(n, seed, places -> new double[] {statistic.applyAsDouble(places)})
                .getFirst();
    }

    /// As [#bootstrap] of several statistics, from the same resamples.
    ///
    /// @param statistics always as many
    public static List<Interval> bootstraps(
            int n, long seed, Function<int[], double[]> statistics) {
        if (n < 1) {
            throw new IllegalArgumentException("a bootstrap over " + n + " records");
        }
        var places = new int[n];
        Arrays.setAll(places, i -> i);
        var values = statistics.apply(places);
        var resampled = new double[values.length][RESAMPLES];
        for (var resample = 0; resample < RESAMPLES; resample++) {
            var rng = Rng.at(seed, resample);
            for (var i = 0; i < n; i++) {
                places[i] = rng.nextInt(n);
            }
            var again = statistics.apply(places);
            for (var v = 0; v < again.length; v++) {
                resampled[v][resample] = again[v];
            }
        }
        var intervals = new ArrayList<Interval>();
        for (var v = 0; v < values.length; v++) {
            Arrays.sort(resampled[v]);
            intervals.add(
                    new Interval(
                            values[v],
                            quantile(resampled[v], 0.025),
                            quantile(resampled[v], 0.975)));
        }
        return List.copyOf(intervals);
    }

    /// A correlation `r` of `n` pairs, by the transformation of Fisher (1921):
    ///
    /// tanh(artanh r ± 1.96 √(factor / (n - 3)))
    ///
    /// @param factor 1 for Pearson's; for Spearman's 1 + r² / 2 (Bonett and Wright 2000)
    public static Interval correlation(double r, int n, double factor) {
        if (n <= 3) {
            return new Interval(r, -1, 1);
        }
        var z = 0.5 * Math.log((1 + r) / (1 - r));
        var half = Z * Math.sqrt(factor / (n - 3));
        return new Interval(r, Math.tanh(z - half), Math.tanh(z + half));
    }

    /// The interval of an increasing function of the value.
    public Interval map(DoubleUnaryOperator increasing) {
        return new Interval(
                increasing.applyAsDouble(value),
                increasing.applyAsDouble(low),
                increasing.applyAsDouble(high));
    }

    /// Whether the value is distinguishable from `other`.
    public boolean excludes(double other) {
        return other < low || other > high;
    }

    /// The interval's half width; for an interval that is not symmetric, the larger side.
    public double margin() {
        return Math.max(high - value, value - low);
    }

    /// The 97.5 % quantile of Student's t; beyond the table by the expansion of Cornish and Fisher
    /// (Abramowitz and Stegun 26.7.5), right to five digits there.
    static double t(int degrees) {
        if (degrees <= T.length) {
            return T[degrees - 1];
        }
        double z = Z, v = degrees, z2 = z * z;
        return z
                + z * (z2 + 1) / (4 * v)
                + z * ((5 * z2 + 16) * z2 + 3) / (96 * v * v)
                + z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * v * v * v)
                + z
                        * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945)
                        / (92160 * v * v * v * v);
    }

    private static double quantile(double[] sorted, double q) {
        var at = q * (sorted.length - 1);
        var below = (int) at;
        var above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
