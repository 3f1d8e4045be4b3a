package dev.espalier.train;

import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.task.ClassificationBatch;
import dev.espalier.task.Example;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// Classification of texts.
///
/// @param examples the training records, or the windows of them
/// @param batches the examples of the i-th step of the run
/// @param stepsPerEpoch steps for one pass over the examples
/// @param microBatch examples that pass through the model at once
/// @param labelWeights the weight of each label, or null; see [ClassificationBatch]
/// @param everyToken whether every token's state learns to tell of its text, or the last one's
///   alone
/// @param loss the loss of a record
/// @param weight of the loss, where others stand beside it
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
public record ClassificationLearner(
        SequenceClassifier classifier,
        List<Example> examples,
        LongFunction<int[]> batches,
        double stepsPerEpoch,
        int microBatch,
        float @Nullable [] labelWeights,
        boolean everyToken,
        CrossEntropy loss,
        double weight)
        implements Learner {
    @Override
    public Module model() {
        return classifier;
    }

    @Override
    public double tokensPerStep() {
        return examples.stream().mapToLong(e -> e.tokens().length()).sum() / stepsPerEpoch;
    }

    /// The examples of a step.
    List<Example> of(long step) {
        return Arrays.stream(batches.apply(step)).mapToObj(examples::get).toList();
    }

    @Override
    public List<MicroBatch> step(long step) {
        var places = batches.apply(step);
        var result = new ArrayList<MicroBatch>();
        for (var start = 0; start < places.length; start += microBatch) {
            var part =
                    Arrays.stream(places, start, Math.min(places.length, start + microBatch))
                            .mapToObj(examples::get)
                            .toList();
            result.add(
                    new ClassificationBatch(
                            classifier, weight, part, labelWeights, everyToken, loss));
        }
        return result;
    }
}
