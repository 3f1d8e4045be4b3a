package dev.espalier.train;

import dev.espalier.data.Batches;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which examples a step learns from: those of a batch are of like length, and each comes once an
/// epoch.
final class ByLength {
    private final int[] lengths;
    private final int batch;
    private final long seed;

    /// Of the epoch that was asked for last, since sorting many examples takes longer than a step.
    private volatile @Nullable Epoch last;

    private record Epoch(long number, List<int[]> batches) {}

    /// @param lengths in tokens, of each
    /// @param batch examples a step
    ByLength(int[] lengths, int batch, long seed) {
        this.lengths = lengths;
        this.batch = batch;
        this.seed = seed;
    }

    /// Steps for one pass over the examples.
    int perEpoch() {
        return Math.ceilDiv(lengths.length, batch);
    }

    /// The examples of a step of the run, counted from 0.
    int[] of(long step) {
        return batches(step / perEpoch()).get((int) (step % perEpoch()));
    }

    private List<int[]> batches(long number) {
        var known = last;
        if (known != null && known.number() == number) {
            return known.batches();
        }
        var batches = Batches.byLength(lengths, batch, seed, number);
        last = new Epoch(number, batches);
        return batches;
    }
}
