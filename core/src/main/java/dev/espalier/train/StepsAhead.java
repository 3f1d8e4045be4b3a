package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/// Makes the examples of the steps to come while the loop computes one, since decoding and changing
/// pictures takes time that the step should not wait for. What the examples are does not depend on
/// it.
final class StepsAhead implements Learner {
    /// One being trained on leaves two that are ready or being made.
    private static final int DEPTH = 2;

    private final Learner learner;
    private final ArrayDeque<Made> ahead = new ArrayDeque<>();

    private record Made(long step, FutureTask<List<MicroBatch>> batches) {}

    StepsAhead(Learner learner) {
        this.learner = learner;
    }

    @Override
    public Module model() {
        return learner.model();
    }

    @Override
    public double stepsPerEpoch() {
        return learner.stepsPerEpoch();
    }

    @Override
    public double tokensPerStep() {
        return learner.tokensPerStep();
    }

    @Override
    public synchronized List<MicroBatch> step(long step) {
        while (!ahead.isEmpty() && ahead.getFirst().step() != step) {
            ahead.removeFirst();
        }
        for (var next = step + ahead.size(); next <= step + DEPTH; next++) {
            begin(next);
        }
        try {
            // Who interrupts the loop is heard after the step.
            return Workers.get(ahead.removeFirst().batches());
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException unchecked -> throw unchecked;
                case Error error -> throw error;
                case null, default -> throw new IllegalStateException(e);
            }
        }
    }

    private void begin(long step) {
        var made = new Made(step, new FutureTask<>(() -> learner.step(step)));
        ahead.add(made);
        Thread.ofPlatform().daemon().name("step-" + step).start(made.batches());
    }
}
