package dev.espalier.train;

import dev.espalier.data.Window;
import dev.espalier.model.Decoder;
import dev.espalier.nn.Module;
import dev.espalier.objective.CausalBatch;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/// Causal language modelling on windows of text.
///
/// @param length tokens that the model sees of a window; a window has one more
/// @param batch windows a step
/// @param microBatch windows that pass through the model at once
/// @param acrossDocuments whether a token sees the documents before its own in the window
/// @param loss the loss of a token
/// @param windowsPerEpoch windows in one pass over the text
/// @param window the i-th window of the run, of `length + 1` tokens; goes on beyond the first epoch
public record CausalLearner(
        Decoder model,
        int length,
        int batch,
        int microBatch,
        boolean acrossDocuments,
        CrossEntropy loss,
        long windowsPerEpoch,
        LongFunction<Window> window)
        implements Learner {
    /// Tokens that stand nowhere, with the plain loss.
    public CausalLearner(
            Decoder model,
            int length,
            int batch,
            int microBatch,
            long windowsPerEpoch,
            LongFunction<int[]> window) {
        this(
                model,
                length,
                batch,
                microBatch,
                true,
                CrossEntropy.PLAIN,
                windowsPerEpoch,
                i -> Window.of(window.apply(i), "window " + i));
    }

    /// This on other windows of the same length.
    CausalLearner with(LongFunction<Window> other) {
        return new CausalLearner(
                model, length, batch, microBatch, acrossDocuments, loss, windowsPerEpoch, other);
    }

    /// What the figures call this loss.
    public static final String TERM = "language-model";

    /// The largest micro-batch, in tokens, that `auto` chooses: enough to keep the matrix products
    /// large, small enough that the activations of a model that trains on two cores fit in its
    /// memory.
    private static final int AUTO_TOKENS = 4096;

    /// A small model's, whose activations are small; 32 short texts at a time took a third longer
    /// than 64.
    private static final int AUTO_TOKENS_SMALL = 8192;

    /// The largest divisor of `batch` whose windows hold at most 4096 tokens together; for a small
    /// model, two of whose micro-batches are computed at once, 8192, and at most half of `batch`. A
    /// pure function of the recipe, so that the same recipe gives the same figures everywhere.
    public static int autoMicroBatch(Module model, int batch, int length) {
        return autoMicroBatch(model.parameterCount(), batch, length);
    }

    static int autoMicroBatch(long parameters, int batch, int length) {
        var small = Workers.small(parameters);
        var most = small ? AUTO_TOKENS_SMALL : AUTO_TOKENS;
        for (var size = small ? batch / 2 : batch; size > 1; size--) {
            if (batch % size == 0 && (long) size * length <= most) {
                return size;
            }
        }
        return 1;
    }

    @Override
    public double stepsPerEpoch() {
        return Math.max(1, windowsPerEpoch / (double) batch);
    }

    @Override
    public double tokensPerStep() {
        return (double) batch * length;
    }

    @Override
    public List<MicroBatch> step(long step) {
        return batches(
                model,
                TERM,
                1,
                batch,
                microBatch,
                acrossDocuments,
                loss,
                i -> window.apply(step * batch + i));
    }

    /// `count` windows in micro-batches of `microBatch`.
    static List<MicroBatch> batches(
            Decoder model,
            String term,
            double weight,
            int count,
            int microBatch,
            boolean acrossDocuments,
            CrossEntropy loss,
            LongFunction<Window> window) {
        var batches = new ArrayList<MicroBatch>();
        for (var start = 0; start < count; start += microBatch) {
            var windows = new ArrayList<Window>();
            for (var i = start; i < Math.min(start + microBatch, count); i++) {
                windows.add(window.apply(i));
            }
            batches.add(new CausalBatch(model, term, weight, windows, acrossDocuments, loss));
        }
        return batches;
    }
}
