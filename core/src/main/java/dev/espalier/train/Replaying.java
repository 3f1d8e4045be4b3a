package dev.espalier.train;

import dev.espalier.Rng;
import dev.espalier.data.Window;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.nn.Module;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MaskedBatch;
import dev.espalier.objective.Masking;
import dev.espalier.objective.MicroBatch;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/// A task with general text in between (experience replay, Robins 1995): each step sees `windows`
/// windows of it, whose loss counts as much in the step's loss as their share of its examples.
///
/// @param words the model, or its body, which goes on foreseeing the text
/// @param windows windows of general text a step
/// @param fraction the weight of their loss; the task's is [#taskWeight]
/// @param window the i-th window
/// @param hidden the i-th window with tokens hidden, where the model is an encoder
/// @param loss of a token of the replayed text
public record Replaying(
        Learner task,
        LanguageModel words,
        int windows,
        double fraction,
        LongFunction<int[]> window,
        @Nullable LongFunction<Masking.Masked> hidden,
        int microBatch,
        CrossEntropy loss)
        implements Learner {
    static final String TERM = "replay";

    /// `task` with the text that the recipe replays, if it does.
    static Learner of(
            FinetuneRecipe recipe,
            Learner task,
            LanguageModel model,
            Tokenizer tokenizer,
            int microBatch) {
        var replay = replay(recipe);
        if (replay == null) {
            return task;
        }
        var window =
                TextData.shuffled(
                        TextData.general(replay.corpus(), tokenizer, model), recipe.seed());
        return new Replaying(
                task,
                model,
                windows(recipe),
                replay.fraction(),
                window,
                model instanceof Encoder ? hidden(window, tokenizer, recipe.seed()) : null,
                microBatch,
                Run.loss(recipe.training()));
    }

    /// Other tokens are hidden each time.
    private static LongFunction<Masking.Masked> hidden(
            LongFunction<int[]> window, Tokenizer tokenizer, long seed) {
        var masking = Pretraining.masking(GeneralText.BERTS, tokenizer);
        return i -> {
            var text = window.apply(i);
            // The last token is the next window's first.
            var read = tokenizer.template().apply(Arrays.copyOf(text, text.length - 1));
            return masking.of(read, where(i), Rng.at(seed, 8, i));
        };
    }

    private static String where(long i) {
        return "window " + i + " of the replayed text";
    }

    /// Windows of general text a step; 0 where the recipe replays none.
    static int windows(FinetuneRecipe recipe) {
        var replay = replay(recipe);
        if (replay == null) {
            return 0;
        }
        var share = replay.fraction();
        return Math.max(1, (int) Math.round(share * recipe.training().batch() / (1 - share)));
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

    /// Of the task, by which the run's length is told.
    @Override
    public double tokensPerStep() {
        return task.tokensPerStep();
    }

    @Override
    public List<MicroBatch> step(long step) {
        var first = step * windows;
        var result = new ArrayList<>(task.step(step));
        switch (words) {
            case Decoder decoder ->
                    result.addAll(
                            CausalLearner.batches(
                                    decoder,
                                    TERM,
                                    fraction,
                                    windows,
                                    microBatch,
                                    true,
                                    loss,
                                    i -> Window.of(window.apply(first + i), where(first + i))));
            case Encoder encoder -> {
                var source = java.util.Objects.requireNonNull(hidden);
                for (var start = 0; start < windows; start += microBatch) {
                    var rows = new ArrayList<Masking.Masked>();
                    for (var i = start; i < Math.min(windows, start + microBatch); i++) {
                        rows.add(source.apply(first + i));
                    }
                    result.add(new MaskedBatch(encoder, TERM, fraction, rows, loss));
                }
            }
            case EncoderDecoder _ -> throw new IllegalStateException();
        }
        return result;
    }
}
