package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Examples of differing lengths, of like length in a batch, each once an epoch.
final class ExamplesByLength implements Learner {
    private final Module model;
    private final int[] lengths;
    private final ByLength order;
    private final int microBatch;
    private final Make make;

    /// Makes the micro-batch of the examples at `places` in an epoch, counted from 0.
    @FunctionalInterface
    interface Make {
        MicroBatch of(long epoch, List<Integer> places);
    }

    /// @param lengths in tokens, of each
    /// @param batch examples a step
    /// @param microBatch those that pass through the model at once
    ExamplesByLength(Module model, int[] lengths, int batch, int microBatch, long seed, Make make) {
        this.model = model;
        this.lengths = lengths;
        order = new ByLength(lengths, batch, seed);
        this.microBatch = microBatch;
        this.make = make;
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
        return order.perEpoch();
    }

    @Override
    public double tokensPerStep() {
        return Arrays.stream(lengths).asLongStream().sum() / (double) order.perEpoch();
    }

    @Override
    public List<MicroBatch> step(long step) {
        var epoch = step / order.perEpoch();
        var places = order.of(step);
        var result = new ArrayList<MicroBatch>();
        for (var start = 0; start < places.length; start += microBatch) {
            var end = Math.min(places.length, start + microBatch);
            result.add(make.of(epoch, Arrays.stream(places, start, end).boxed().toList()));
        }
        return result;
    }
}
