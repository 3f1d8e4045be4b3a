package dev.espalier.train;

import dev.espalier.model.Encoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MaskedBatch;
import dev.espalier.objective.Masking;
import dev.espalier.objective.MicroBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/// Masked language modelling on blocks of text.
///
/// @param batch blocks a step
/// @param microBatch blocks that pass through the model at once
/// @param loss the loss of a hidden token
/// @param blocksPerEpoch blocks in one pass over the text
/// @param tokensPerBlock their mean length
/// @param block the i-th block of the run, its tokens hidden; goes on beyond the first epoch
public record MaskedLearner(
        Encoder model,
        int batch,
        int microBatch,
        CrossEntropy loss,
        long blocksPerEpoch,
        double tokensPerBlock,
        LongFunction<Masking.Masked> block)
        implements Learner {
    /// What the figures call this loss.
    public static final String TERM = "masked-language-model";

    @Override
    public double stepsPerEpoch() {
        return Math.max(1, blocksPerEpoch / (double) batch);
    }

    @Override
    public double tokensPerStep() {
        return batch * tokensPerBlock;
    }

    @Override
    public List<MicroBatch> step(long step) {
        var batches = new ArrayList<MicroBatch>();
        for (var start = 0; start < batch; start += microBatch) {
            var rows = new ArrayList<Masking.Masked>();
            for (var i = start; i < Math.min(batch, start + microBatch); i++) {
                rows.add(block.apply(step * batch + i));
            }
            batches.add(new MaskedBatch(model, TERM, 1, rows, loss));
        }
        return batches;
    }
}
