package dev.espalier.train;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.SequencePair;
import dev.espalier.objective.SequenceToSequenceBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;

/// Writing one sequence from another.
///
/// @param batch pairs a step
/// @param microBatch pairs that pass through the model at once
/// @param loss the loss of a token of a target
/// @param pairsPerEpoch pairs in one pass over the text
/// @param tokensPerPair the mean length of input and target together, nearly
/// @param pair the i-th pair of the run; goes on beyond the first epoch
public record SequenceToSequenceLearner(
        EncoderDecoder model,
        int batch,
        int microBatch,
        CrossEntropy loss,
        long pairsPerEpoch,
        double tokensPerPair,
        LongFunction<SequencePair> pair)
        implements Learner {
    /// What the figures call this loss.
    public static final String TERM = "sequence-to-sequence";

    @Override
    public double stepsPerEpoch() {
        return Math.max(1, pairsPerEpoch / (double) batch);
    }

    @Override
    public double tokensPerStep() {
        return batch * tokensPerPair;
    }

    @Override
    public List<MicroBatch> step(long step) {
        var batches = new ArrayList<MicroBatch>();
        for (var start = 0; start < batch; start += microBatch) {
            var pairs = new ArrayList<SequencePair>();
            for (var i = start; i < Math.min(batch, start + microBatch); i++) {
                pairs.add(pair.apply(step * batch + i));
            }
            batches.add(new SequenceToSequenceBatch(model, TERM, 1, pairs, loss));
        }
        return batches;
    }
}
