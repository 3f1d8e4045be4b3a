package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.util.List;

/// Windows of `time + 1` tokens each, from which a causal model tells `time` next tokens. Which
/// window is the `index`-th of a run is a pure function of (seed, index): a run can be resumed
/// anywhere, and any number of threads may ask.
public interface Windows {
    /// Windows in one pass over the text; `index / perEpoch()` is the epoch.
    long perEpoch();

    /// The `index`-th window, from 0 without end.
    Window window(long seed, long index);

    /// The tokens of the `index`-th window.
    default int[] at(long seed, long index) {
        return window(seed, index).tokens();
    }

    /// Windows one after the other, each beginning with the last token of the one before, so that
    /// each token is told once; in a new order each epoch, which also shifts all windows by fewer
    /// tokens than the text's remainder, so that its end is seen too.
    static Windows shuffled(TokenShard shard, int time) {
        var perEpoch = perEpoch(shard, time);
        var remainder = (shard.tokens() - 1) % time;
        return new Of(
                perEpoch,
                (seed, index) -> {
                    var rng = Rng.at(seed, index / perEpoch);
                    var shift = below(rng, remainder + 1);
                    var order = new Permutation(perEpoch, rng.nextLong());
                    return shard.window(shift + order.at(index % perEpoch) * time, time + 1);
                });
    }

    /// Windows that start anywhere with equal probability, with replacement, as nanoGPT draws them.
    static Windows randomCrops(TokenShard shard, int time) {
        var perEpoch = perEpoch(shard, time);
        return new Of(
                perEpoch,
                (seed, index) ->
                        shard.window(below(Rng.at(seed, index), shard.tokens() - time), time + 1));
    }

    /// One source of a [#mixture].
    ///
    /// @param weight how often its windows are shown in an epoch of the mixture, relative to once;
    ///   positive
    record Part(Windows windows, double weight) {
        public Part {
            if (!(weight > 0 && weight <= 1e6)) {
                throw new IllegalArgumentException("a weight of " + weight);
            }
        }

        /// Windows of this source in an epoch of the mixture.
        long share() {
            return Math.max(1, Math.round(weight * windows.perEpoch()));
        }
    }

    /// Windows from several sources, mixed. An epoch of the mixture holds `weight` times the
    /// windows of each source, exactly, in a new order each time; within a source its own order
    /// goes on, so that its epochs last as long as its windows do.
    static Mixture mixture(List<Part> parts) {
        return new Mixture(parts);
    }

    private static long perEpoch(TokenShard shard, int time) {
        if (time < 1) {
            throw new IllegalArgumentException("windows of " + time);
        }
        if (shard.tokens() <= time) {
            throw EspalierException.data(
                    "%s: holds %d tokens, too few for one window of %d inputs and the token after them; give more text or a shorter context"
                            .formatted(shard.file(), shard.tokens(), time));
        }
        return (shard.tokens() - 1) / time;
    }

    /// Uniform in 0 … bound - 1, but for a bias below bound / 2^64.
    private static long below(Rng rng, long bound) {
        return Math.unsignedMultiplyHigh(rng.nextLong(), bound);
    }

    /// Windows given by a function.
    record Of(long perEpoch, Function function) implements Windows {
        /// From seed and index to a window.
        @FunctionalInterface
        interface Function {
            Window at(long seed, long index);
        }

        @Override
        public Window window(long seed, long index) {
            if (index < 0) {
                throw new IndexOutOfBoundsException(index);
            }
            return function.at(seed, index);
        }
    }
}
