package dev.espalier.evaluate;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/// Differences of two methods on the same records.
///
/// @param difference of the means, with its bootstrap interval over the records, or over records
///   and seeds
/// @param p the chance of a mean at least this far from 0 if each record's difference could as well
///   have the other sign: Fisher's randomization test (1935, "The design of experiments", section
///   21), exact for up to 16 differences that are not 0, else over 10 000 draws
public record Paired(Interval difference, double p) {
    private static final int EXACT = 16;
    private static final int DRAWS = 10_000;

    /// Sums of the same numbers in another order differ by less.
    private static final double ROUNDING = 1e-9;

    /// @param differences of each record: first minus second, of means over seeds for example
    /// @param seed of the draws
    public static Paired of(double[] differences, long seed) {
        var interval =
                Interval.bootstrap(
                        differences.length,
                        seed,
                        places ->
                                Arrays.stream(places).mapToDouble(i -> differences[i]).sum()
                                        / places.length);
        return new Paired(interval, signFlips(differences, seed));
    }

    /// Two methods by a figure of sums, F1 or BLEU say, to which records add differently. By the
    /// same test, in which both answers to a record change places (approximate randomization: Yeh
    /// 2000, "More accurate tests for the statistical significance of result differences"; for BLEU
    /// Riezler and Maxwell 2005, W05-0908).
    ///
    /// @param one what the first tells, of each seed
    /// @param two the second, of as many
    /// @param seed of the draws
    public static Paired of(List<Sums> one, List<Sums> two, long seed) {
        var interval =
                Interval.bootstrap(
                        one.getFirst().records(),
                        seed,
                        places -> Sums.mean(one, places) - Sums.mean(two, places));
        return new Paired(interval, exchanges(one, two, seed));
    }

    /// Of an interval over the records alone, as if the difference were normal.
    public static Paired of(Interval difference) {
        var deviation = (difference.high() - difference.low()) / (2 * Interval.Z);
        return new Paired(
                difference,
                deviation == 0
                        ? difference.value() == 0 ? 1 : 0
                        : beyond(Math.abs(difference.value()) / deviation, Double.MAX_VALUE));
    }

    /// What holds for other seeds, too: other weights to begin with, other draws of labels. Records
    /// and seeds are drawn apart from each other, so that what either leaves open adds up, as of
    /// the readers and cases of a study of readers (Obuchowski and Rockette 1995): the difference
    /// over
    ///
    /// t = d / √(v + s² / S)
    ///
    /// with v of the records, from the interval, and s² of the seeds. How far such a t may lie from
    /// 0 by chance is between what a normal one and a Student's t of S - 1 degrees may, as v is
    /// known by many records and s² by few seeds: the chances of the two are averaged with the
    /// weights v and s² / S. That is ours; `docs/decisions/041-intervals.md` has what it covers.
    /// The p is no less than that of the records alone.
    ///
    /// @param seeds the difference of each seed; of one seed nothing is known of others, and all
    ///   stays as it is
    public Paired overSeeds(double[] seeds) {
        if (seeds.length < 2) {
            return this;
        }
        var value = difference.value();
        var half = (difference.high() - difference.low()) / 2;
        var both = Both.of(half, seeds);
        if (both.variance() == 0) {
            return this;
        }
        var margin = both.margin();
        return new Paired(
                new Interval(value, value - margin, value + margin),
                Math.max(p, both.beyond(Math.abs(value))));
    }

    /// What test records and seeds leave open of a mean over the seeds.
    ///
    /// @param ofSeeds the seeds' share of the variance
    /// @param degrees of freedom that the seeds' variance is known by
    record Both(double variance, double ofSeeds, int degrees) {
        /// @param records half the width of the records' interval
        /// @param seeds the figure of each seed, at least two
        static Both of(double records, double[] seeds) {
            var mean = Arrays.stream(seeds).average().orElseThrow();
            var ofSeeds =
                    Arrays.stream(seeds).map(d -> (d - mean) * (d - mean)).sum()
                            / (seeds.length - 1)
                            / seeds.length;
            var variance = Math.pow(records / Interval.Z, 2) + ofSeeds;
            return new Both(variance, variance == 0 ? 0 : ofSeeds / variance, seeds.length - 1);
        }

        /// The chance of a mean that is at least so far from the true one.
        double beyond(double distance) {
            var t = distance / Math.sqrt(variance);
            return (1 - ofSeeds) * Paired.beyond(t, Double.MAX_VALUE)
                    + ofSeeds * Paired.beyond(t, degrees);
        }

        /// Half the width of the interval: what 5 % are beyond, by halving where it lies.
        double margin() {
            if (variance == 0) {
                return 0;
            }
            double low = 1, high = 16;
            for (var i = 0; i < 24; i++) {
                var middle = (low + high) / 2;
                if (beyond(middle * Math.sqrt(variance)) > 0.05) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            return low * Math.sqrt(variance);
        }
    }

    /// The chance of a Student's t that is as far from 0. With t = √ν tan θ its density goes as
    /// cos^(ν - 1) θ, whose integrals are taken by Simpson's rule.
    ///
    /// @param degrees ν, at least 1; beyond ten thousand it is as good as normal
    static double beyond(double t, double degrees) {
        var v = Math.min(degrees, 1e4);
        return powersOfCosine(v - 1, Math.atan(t / Math.sqrt(v))) / powersOfCosine(v - 1, 0);
    }

    /// ∫ cos^k θ dθ from `from` to π/2.
    private static double powersOfCosine(double k, double from) {
        var steps = 4000;
        var width = (Math.PI / 2 - from) / steps;
        var sum = 0.0;
        for (var i = 0; i <= steps; i++) {
            var weight = i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2;
            sum += weight * Math.pow(Math.max(0, Math.cos(from + i * width)), k);
        }
        return sum * width / 3;
    }

    private static double exchanges(List<Sums> one, List<Sums> two, long seed) {
        // By how much the second's row of a record is more, of each seed; of those that differ.
        var differing = new ArrayList<double[][]>();
        for (var i = 0; i < one.getFirst().records(); i++) {
            var of = new double[one.size()][];
            for (var s = 0; s < of.length; s++) {
                double[] from = one.get(s).rows()[i], to = two.get(s).rows()[i];
                of[s] = new double[from.length];
                Arrays.setAll(of[s], k -> to[k] - from[k]);
            }
            if (Arrays.stream(of).flatMapToDouble(Arrays::stream).anyMatch(d -> d != 0)) {
                differing.add(of);
            }
        }
        var more = differing.toArray(double[][][]::new);
        var ones = one.stream().map(Sums::total).toList();
        var twos = two.stream().map(Sums::total).toList();
        ToDoubleFunction<boolean[]> difference =
                kept -> {
                    var sum = 0.0;
                    for (var s = 0; s < ones.size(); s++) {
                        double[] a = ones.get(s).clone(), b = twos.get(s).clone();
                        for (var i = 0; i < kept.length; i++) {
                            for (var k = 0; !kept[i] && k < a.length; k++) {
                                a[k] += more[i][s][k];
                                b[k] -= more[i][s][k];
                            }
                        }
                        sum += one.get(s).figure().applyAsDouble(a);
                        sum -= two.get(s).figure().applyAsDouble(b);
                    }
                    return sum / ones.size();
                };
        var all = new boolean[more.length];
        Arrays.fill(all, true);
        var bound = Math.abs(difference.applyAsDouble(all)) - ROUNDING;
        return chance(all.length, seed, kept -> Math.abs(difference.applyAsDouble(kept)) >= bound);
    }

    private static double signFlips(double[] differences, long seed) {
        var sizes = Arrays.stream(differences).map(Math::abs).filter(d -> d > 0).toArray();
        var bound = Math.abs(Arrays.stream(differences).sum()) - ROUNDING;
        return chance(
                sizes.length,
                seed,
                kept -> {
                    var sum = 0.0;
                    for (var i = 0; i < sizes.length; i++) {
                        sum += kept[i] ? sizes[i] : -sizes[i];
                    }
                    return Math.abs(sum) >= bound;
                });
    }

    /// The share of all ways to keep `n` differences or to turn them that are as far from 0.
    private static double chance(int n, long seed, Predicate<boolean[]> isAsFar) {
        var kept = new boolean[n];
        if (n <= EXACT) {
            var beyond = 0;
            for (var signs = 0; signs < 1 << n; signs++) {
                for (var i = 0; i < n; i++) {
                    kept[i] = (signs >> i & 1) == 0;
                }
                beyond += isAsFar.test(kept) ? 1 : 0;
            }
            return beyond / (double) (1 << n);
        }
        var rng = Rng.at(seed, 11);
        var beyond = 1; // what was seen is one of the ways, too
        for (var draw = 0; draw < DRAWS; draw++) {
            for (var i = 0; i < n; i++) {
                kept[i] = rng.nextBoolean();
            }
            beyond += isAsFar.test(kept) ? 1 : 0;
        }
        return beyond / (DRAWS + 1.0);
    }

    /// p values that hold for all of several tests at once: Holm's (1979, "A simple sequentially
    /// rejective multiple test procedure"), in the order given.
    public static double[] holm(double[] p) {
        var order = new ArrayList<Integer>();
        for (var i = 0; i < p.length; i++) {
            order.add(i);
        }
        order.sort(Comparator.comparingDouble(i -> p[i]));
        var adjusted = new double[p.length];
        var most = 0.0;
        for (var rank = 0; rank < p.length; rank++) {
            most = Math.max(most, Math.min(1, (p.length - rank) * p[order.get(rank)]));
            adjusted[order.get(rank)] = most;
        }
        return adjusted;
    }
}
