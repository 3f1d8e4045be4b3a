package dev.espalier.train;

import dev.espalier.data.Batches;
import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Examples of differing lengths, of like length in a batch, each once an epoch.
final class ExamplesByLength implements Learner {
    private final Module model;
    private final int[] lengths;
    private final int batch;
    private final int microBatch;
    private final long seed;
    private final Make make;

    /// Makes the micro-batch of the examples at `places` in an epoch, counted from 0.
    @FunctionalInterface
    interface Make {
        MicroBatch of(long epoch, List<Integer> places);
    }

    /// Of the epoch that was asked for last, since sorting many examples takes longer than a step.
    private volatile @Nullable Epoch last;

    private record Epoch(long number, List<int[]> batches) {}

    /// @param lengths in tokens, of each
    /// @param batch examples a step
    /// @param microBatch those that pass through the model at once
    ExamplesByLength(Module model, int[] lengths, int batch, int microBatch, long seed, Make make) {
        this.model = model;
        this.lengths = lengths;
        this.batch = batch;
        this.microBatch = microBatch;
        this.seed = seed;
        this.make = make;
    }

    private long perEpoch() {
        return Math.ceilDiv(lengths.length, batch);
    }

    /// The mean of the lengths.
    double meanLength() {
        return Arrays.stream(lengths).average().orElse(1);
    }

    @Override
    public Module model() {
        return model;
    }

    @Override
    public double stepsPerEpoch() {
        return perEpoch();
    }

    @Override
    public double tokensPerStep() {
        return Arrays.stream(lengths).asLongStream().sum() / (double) perEpoch();
    }

    @Override
    public List<MicroBatch> step(long step) {
        var epoch = step / perEpoch();
        var places = batches(epoch).get((int) (step % perEpoch()));
        var result = new ArrayList<MicroBatch>();
        for (var start = 0; start < places.length; start += microBatch) {
            var end = Math.min(places.length, start + microBatch);
            result.add(make.of(epoch, Arrays.stream(places, start, end).boxed().toList()));
        }
        return result;
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
