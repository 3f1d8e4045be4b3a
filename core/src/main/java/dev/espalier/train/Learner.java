package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.Anchor;
import dev.espalier.optim.FlatParameters;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What is trained, and on what: the model, and for each step the micro-batches that it sees. The
/// step's examples are a pure function of the step, which is why a run can be resumed without
/// saving a position in the data.
public interface Learner {
    Module model();

    /// The paths of weights that begin new in a model that has learnt before. However deep they
    /// lie, they have the whole rate.
    default Set<String> begun() {
        return Set.of();
    }

    /// Steps for one pass over the training data.
    double stepsPerEpoch();

    /// Tokens of a step, the mean where they vary; padding left out.
    double tokensPerStep();

    /// The micro-batches of a step, counted from 0. May be called from another thread than the
    /// loop's.
    List<MicroBatch> step(long step);

    /// What holds the weights back, or null; asked once, before the first step of a run and, with
    /// the same weights, before a resumed one goes on.
    default @Nullable Anchor anchor(FlatParameters parameters) {
        return null;
    }
}
