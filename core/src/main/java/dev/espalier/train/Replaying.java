package dev.espalier.train;

import dev.espalier.data.Window;
import dev.espalier.model.Decoder;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// A decoder's task with general text in between, as [ClassificationLearner.Replay].
///
/// @param windows windows of general text a step
/// @param fraction the weight of their loss; the task's is [#taskWeight]
/// @param window the i-th window
record Replaying(
        Learner task,
        Decoder decoder,
        int windows,
        double fraction,
        LongFunction<int[]> window,
        int microBatch,
        CrossEntropy loss)
        implements Learner {
    /// `task` with the text that the recipe replays, if it does.
    static Learner of(
            FinetuneRecipe recipe,
            Learner task,
            Decoder model,
            Tokenizer tokenizer,
            int microBatch) {
        var replay = replay(recipe);
        if (replay == null) {
            return task;
        }
        var text = TextData.general(replay.corpus(), tokenizer, model.context());
        var share = replay.fraction();
        var windows =
                Math.max(1, (int) Math.round(share * recipe.training().batch() / (1 - share)));
        return new Replaying(
                task,
                model,
                windows,
                share,
                TextData.shuffled(text, recipe.seed()),
                microBatch,
                Run.loss(recipe.training()));
    }

    /// The weight of the task's own loss.
    static double taskWeight(FinetuneRecipe recipe) {
        var replay = replay(recipe);
        return replay == null ? 1 : 1 - replay.fraction();
    }

    private static ForgettingRecipe.DefenceRecipe.@Nullable Replay replay(FinetuneRecipe recipe) {
        return recipe.forgetting() != null
                        && recipe.forgetting().defence()
                                instanceof ForgettingRecipe.DefenceRecipe.Replay replay
                ? replay
                : null;
    }

    @Override
    public Module model() {
        return task.model();
    }

    @Override
    public double stepsPerEpoch() {
        return task.stepsPerEpoch();
    }

    @Override
    public double tokensPerStep() {
        return task.tokensPerStep();
    }

    @Override
    public List<MicroBatch> step(long step) {
        var first = step * windows;
        var result = new ArrayList<>(task.step(step));
        result.addAll(
                CausalLearner.batches(
                        decoder,
                        "replay",
                        fraction,
                        windows,
                        microBatch,
                        true,
                        loss,
                        i ->
                                Window.of(
                                        window.apply(first + i),
                                        "window " + (first + i) + " of the replayed text")));
        return result;
    }
}
