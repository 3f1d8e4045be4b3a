package dev.espalier.train;

import dev.espalier.data.Window;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.task.ClassificationBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Classification of texts, with general text replayed beside it where forgetting is to be held
/// off.
///
/// @param texts the tokens of each training record
/// @param labels the class of each
/// @param where each stands
/// @param batches the records of the i-th step of the run
/// @param stepsPerEpoch steps for one pass over the records
/// @param microBatch records that pass through the model at once
/// @param classWeights the weight of each class, or null
/// @param everyToken whether every token's state learns to tell the class, or the last one's alone
/// @param loss the loss of a record, and of a token of the replayed text
/// @param replay general text to go on learning, or null
public record ClassificationLearner(
        SequenceClassifier classifier,
        List<int[]> texts,
        int[] labels,
        List<String> where,
        LongFunction<int[]> batches,
        double stepsPerEpoch,
        int microBatch,
        float @Nullable [] classWeights,
        boolean everyToken,
        CrossEntropy loss,
        @Nullable Replay replay)
        implements Learner {
    /// Records that stand nowhere, with the plain loss.
    public ClassificationLearner(
            SequenceClassifier classifier,
            List<int[]> texts,
            int[] labels,
            LongFunction<int[]> batches,
            double stepsPerEpoch,
            int microBatch,
            float @Nullable [] classWeights,
            boolean everyToken,
            @Nullable Replay replay) {
        this(
                classifier,
                texts,
                labels,
                IntStream.range(0, labels.length).mapToObj(i -> "record " + i).toList(),
                batches,
                stepsPerEpoch,
                microBatch,
                classWeights,
                everyToken,
                CrossEntropy.PLAIN,
                replay);
    }

    /// General text in between (experience replay, Robins 1995): each step sees `windows` windows
    /// of it, whose loss counts as much in the step's loss as their share of its examples.
    ///
    /// @param windows windows of general text a step
    /// @param fraction the weight of their loss; the task's is 1 - fraction
    /// @param window the i-th window
    public record Replay(int windows, double fraction, LongFunction<int[]> window) {}

    @Override
    public Module model() {
        return classifier;
    }

    @Override
    public double tokensPerStep() {
        var perText = texts.stream().mapToLong(t -> t.length).average().orElse(1);
        return perText * texts.size() / stepsPerEpoch;
    }

    @Override
    public List<MicroBatch> step(long step) {
        var records = batches.apply(step);
        var result = new ArrayList<MicroBatch>();
        var weight = replay == null ? 1 : 1 - replay.fraction();
        for (var start = 0; start < records.length; start += microBatch) {
            var size = Math.min(microBatch, records.length - start);
            var part = new ArrayList<int[]>(size);
            var places = new ArrayList<String>(size);
            var classes = new int[size];
            for (var i = 0; i < size; i++) {
                part.add(texts.get(records[start + i]));
                places.add(where.get(records[start + i]));
                classes[i] = labels[records[start + i]];
            }
            result.add(
                    new ClassificationBatch(
                            classifier,
                            weight,
                            part,
                            classes,
                            classWeights,
                            everyToken,
                            loss,
                            places));
        }
        if (replay != null) {
            var first = step * replay.windows();
            result.addAll(
                    CausalLearner.batches(
                            classifier.decoder(),
                            "replay",
                            replay.fraction(),
                            replay.windows(),
                            microBatch,
                            true,
                            loss,
                            i ->
                                    Window.of(
                                            replay.window().apply(first + i),
                                            "window " + (first + i) + " of the replayed text")));
        }
        return result;
    }
}
