package dev.espalier.evaluate;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/// Differences of two methods on the same records.
///
/// @param difference of the means, with its bootstrap interval over the records
/// @param p the chance of a mean at least this far from 0 if each record's difference could as well
///   have the other sign: Fisher's randomization test (1935, "The design of experiments", section
///   21), exact for up to 16 differences that are not 0, else over 10 000 draws
public record Paired(Interval difference, double p) {
    private static final int EXACT = 16;
    private static final int DRAWS = 10_000;

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

    private static double signFlips(double[] differences, long seed) {
        var sizes = Arrays.stream(differences).map(Math::abs).filter(d -> d > 0).toArray();
        // Sums of the same numbers in another order differ by rounding.
        var bound = Math.abs(Arrays.stream(differences).sum()) - 1e-9;
        if (sizes.length <= EXACT) {
            var beyond = 0;
            for (var signs = 0; signs < 1 << sizes.length; signs++) {
                var sum = 0.0;
                for (var i = 0; i < sizes.length; i++) {
                    sum += (signs >> i & 1) == 0 ? sizes[i] : -sizes[i];
                }
                beyond += Math.abs(sum) >= bound ? 1 : 0;
            }
            return beyond / (double) (1 << sizes.length);
        }
        var rng = Rng.at(seed, 11);
        var beyond = 1; // what was seen is one of the ways, too
        for (var draw = 0; draw < DRAWS; draw++) {
            var sum = 0.0;
            for (var size : sizes) {
                sum += rng.nextBoolean() ? size : -size;
            }
            beyond += Math.abs(sum) >= bound ? 1 : 0;
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

    /// Whether a list of correct answers, 1 or 0, one array a seed, as means over the seeds.
    public static double[] means(List<int[]> correct) {
        var means = new double[correct.getFirst().length];
        for (var seed : correct) {
            for (var i = 0; i < means.length; i++) {
                means[i] += seed[i] / (double) correct.size();
            }
        }
        return means;
    }
}
