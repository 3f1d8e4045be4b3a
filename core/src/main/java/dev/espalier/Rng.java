package dev.espalier;

import java.util.random.RandomGenerator;

/// Random numbers that are a pure function of where they are used: `Rng.at(seed, epoch, index)`
/// always gives the same stream, on every JDK and platform.
///
/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators");
/// written out here because `java.util.random` does not promise the same stream from one release to
/// the next.
public final class Rng implements RandomGenerator {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;

    private long state;

    private Rng(long state) {
        this.state = state;
    }

    /// The stream at these coordinates, for example (seed, epoch, index). Order and number of
    /// coordinates matter.
    public static Rng at(long seed, long... coordinates) {
        var state = mix(seed + GOLDEN);
        for (var coordinate : coordinates) {
            state = mix(state ^ mix(coordinate + GOLDEN) + GOLDEN);
        }
        return new Rng(state);
    }

    /// A 64-bit seed derived from these coordinates.
    public static long seed(long seed, long... coordinates) {
        return at(seed, coordinates).nextLong();
    }

    @Override
    public long nextLong() {
        state += GOLDEN;
        return mix(state);
    }

    /// The next `count` numbers of [#nextLong], at the start of `into`.
    public void fill(long[] into, int count) {
        for (var i = 0; i < count; i++) {
            into[i] = mix(state + (i + 1) * GOLDEN);
        }
        state += count * GOLDEN;
    }

    /// Uniform in [0, 1).
    public double uniform() {
        return (nextLong() >>> 11) * 0x1p-53;
    }

    /// Uniform in 0 … bound - 1, but for a bias below bound / 2^64.
    public int below(int bound) {
        return (int) Math.unsignedMultiplyHigh(nextLong(), bound);
    }

    /// `x` of at least 0, rounded up or down at random so that the mean is `x`.
    public int round(double x) {
        return (int) (x + uniform());
    }

    /// Which `count` of `n` things are chosen, each choice as likely as any other (Knuth, "The art
    /// of computer programming", section 3.4.2, algorithm S).
    public boolean[] choose(int count, int n) {
        var chosen = new boolean[n];
        for (var i = 0; i < n; i++) {
            if (below(n - i) < count) {
                chosen[i] = true;
                count--;
            }
        }
        return chosen;
    }

    /// Puts `order` in a random order (Fisher and Yates).
    public void shuffle(int[] order) {
        for (var i = order.length - 1; i > 0; i--) {
            var j = below(i + 1);
            var other = order[j];
            order[j] = order[i];
            order[i] = other;
        }
    }

    /// The position in the stream, from which [#restore] goes on.
    public long state() {
        return state;
    }

    /// The stream that goes on where [#state] was read.
    public static Rng restore(long state) {
        return new Rng(state);
    }

    private static long mix(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
