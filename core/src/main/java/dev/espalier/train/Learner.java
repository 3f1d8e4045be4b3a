package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import java.util.List;

/// What is trained, and on what: the model, and for each step the micro-batches that it sees. The
/// step's examples are a pure function of the step, which is why a run can be resumed without
/// saving a position in the data.
public interface Learner {
    Module model();

    /// Steps for one pass over the training data.
    double stepsPerEpoch();

    /// Tokens of a step, the mean where they vary; padding left out.
    double tokensPerStep();

    /// The micro-batches of a step, counted from 0. May be called from another thread than the
    /// loop's.
    List<MicroBatch> step(long step);
}
