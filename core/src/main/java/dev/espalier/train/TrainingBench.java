package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.data.Window;
import dev.espalier.model.LanguageModel;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Cost;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.function.Consumer;

/// How fast this machine trains the decoder of a recipe, beside how fast it multiplies: steps of
/// the training loop itself, on random tokens.
public final class TrainingBench {
    /// What was measured.
    ///
    /// @param model what was trained: `GPT2`, `Llama`, ...
    /// @param parameters of the model
    /// @param batch sequences of a step
    /// @param microBatch sequences that pass through the model at once
    /// @param length tokens of a sequence
    /// @param tokensPerSecond of the median step
    /// @param matmulGflops the rate of 2048 x 2048 products, the mean of before and after
    /// @param matmulShare the steps' rate by 6 N + 12 L D T over that of products
    /// @param peakMemoryBytes the most that the process had in memory
    /// @param predictedMemoryBytes by [Cost#trainingMemory]
    public record Result(
            String model,
            long parameters,
            int batch,
            int microBatch,
            int length,
            String precision,
            String processor,
            int threads,
            String allocator,
            double tokensPerSecond,
            double matmulGflops,
            double trainingGflops,
            double matmulShare,
            long peakMemoryBytes,
            long predictedMemoryBytes) {}

    private TrainingBench() {}

    /// Makes `steps` steps of the recipe, of which the model, the objective and the training count;
    /// its data are never read.
    ///
    /// @throws EspalierException (USAGE) if it is no causal recipe with a new model
    public static Result run(
            PretrainRecipe recipe,
            int vocabulary,
            int steps,
            boolean bf16,
            Consumer<String> progress) {
        if (!(recipe.objective() instanceof ObjectiveRecipe.Causal causal)) {
            throw EspalierException.usage(recipe.name() + ": bench needs a causal objective");
        }
        var before = Machine.matmulRate(bf16);
        var process = Torch.residentBytes(); // with the libraries and what they compiled
        var model = Models.decoder(recipe.model(), vocabulary, recipe.seed());
        model.training(true);
        var training = recipe.training();
        var length = causal.length() == null ? model.context() : causal.length();
        var batch = training.batch();
        var micro =
                training.microBatch() == null
                        ? CausalLearner.autoMicroBatch(model, batch, length)
                        : training.microBatch();
        var learner =
                new CausalLearner(
                        model,
                        length,
                        batch,
                        micro,
                        causal.acrossDocuments(),
                        Run.loss(training),
                        Long.MAX_VALUE,
                        i -> Window.of(random(i, length + 1, vocabulary), "window " + i));
        var flops = Cost.flopsPerToken(model, length) * batch * length;
        long predicted;
        var seconds = new double[steps];
        try (var trainer =
                new Trainer(learner, training, bf16, recipe.seed(), Trainer.Speeds.UNKNOWN)) {
            var state = trainer.stateBytes() - 4 * model.parameterCount();
            predicted = predicted(recipe, model, micro, length, bf16, state, process);
            for (var step = 0; step < steps; step++) {
                var start = System.nanoTime();
                trainer.step();
                seconds[step] = (System.nanoTime() - start) / 1e9;
                progress.accept(
                        String.format(
                                "step %d: %.0f tokens/s",
                                step + 1, batch * length / seconds[step]));
            }
        }
        var after = Machine.matmulRate(bf16);
        // The first steps fault memory in and warm caches; the median of the rest is the rate that
        // a run sees.
        var rest = Arrays.copyOfRange(seconds, Math.min(2, steps - 1), steps);
        Arrays.sort(rest);
        var median = rest[rest.length / 2];
        var rate = (before + after) / 2;
        return new Result(
                model.family().architecture(),
                model.parameterCount(),
                batch,
                micro,
                length,
                bf16 ? "bf16" : "fp32",
                Machine.processor(),
                Machine.threads(),
                Torch.allocator(),
                batch * length / median,
                rate / 1e9,
                flops / median / 1e9,
                flops / median / rate,
                Torch.peakResidentBytes(),
                predicted);
    }

    private static int[] random(long index, int length, int vocabulary) {
        var rng = Rng.at(1, index);
        var window = new int[length];
        Arrays.setAll(window, i -> rng.nextInt(vocabulary));
        return window;
    }

    private static long predicted(
            PretrainRecipe recipe,
            LanguageModel model,
            int rows,
            int length,
            boolean bf16,
            long state,
            long process) {
        var training = recipe.training();
        var anatomy = Anatomy.of(model.configJson());
        var pass =
                new Cost.Pass(
                        rows,
                        length,
                        0,
                        rows == training.batch() ? 1 : Workers.count(model),
                        1,
                        bf16,
                        training.recompute(),
                        anatomy.parameterCount(),
                        Planning.dropout(recipe.model()) > 0);
        return Cost.trainingMemory(anatomy, pass, state, 0, process).total();
    }
}
