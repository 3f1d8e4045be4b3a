package dev.espalier.train;

import dev.espalier.nn.Module;
import dev.espalier.objective.MicroBatch;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.Recipe;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.IntToLongFunction;

/// How fast this machine trains the model of a recipe on the recipe's own data, and lets it pass
/// through without learning, beside how fast it multiplies; and whether a step waits for its data.
/// [TrainingBench] needs no data, for decoders.
public final class RecipeBench {
    /// What was measured.
    ///
    /// @param model what was trained: `ViT`, `Roberta`, ...
    /// @param unit what is counted: `images` or `tokens`
    /// @param batch examples of a step
    /// @param perSecond of the median step, its data made as in a run
    /// @param readyPerSecond likewise, where the data of all steps were made before
    /// @param madePerSecond that are made where nothing else is done
    /// @param forwardPerSecond that pass through the model without learning
    /// @param matmulGflops the rate of 2048 x 2048 products, the mean of before and after
    /// @param matmulShare the rate of training over that of products, the operations of each
    ///   counted as [Job#flopsPerToken] does, what is not trained left out
    /// @param forwardShare likewise without learning, which is a third of all the operations
    /// @param peakMemoryBytes the most that the process had in memory
    public record Result(
            String model,
            long parameters,
            String unit,
            int batch,
            String precision,
            String processor,
            int threads,
            double perSecond,
            double readyPerSecond,
            double madePerSecond,
            double forwardPerSecond,
            double matmulGflops,
            double trainingGflops,
            double matmulShare,
            double forwardShare,
            long peakMemoryBytes) {}

    private RecipeBench() {}

    /// Steps whose data come from another place at times.
    private static final class Switched implements Learner {
        private final Learner learner;
        private List<List<MicroBatch>> ready = List.of();

        Switched(Learner learner) {
            this.learner = learner;
        }

        @Override
        public Module model() {
            return learner.model();
        }

        @Override
        public double stepsPerEpoch() {
            return learner.stepsPerEpoch();
        }

        @Override
        public double tokensPerStep() {
            return learner.tokensPerStep();
        }

        @Override
        public List<MicroBatch> step(long step) {
            return ready.isEmpty() ? learner.step(step) : ready.get((int) (step % ready.size()));
        }
    }

    /// Makes `steps` steps of each kind, on the recipe's own data, in a temporary folder.
    ///
    /// @param progress told of what is done
    public static Result run(Recipe recipe, int steps, Consumer<String> progress) {
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        progress.accept(line);
                    }
                };
        return new Run(recipe).aside(watcher, (_, job) -> measured(job, steps, progress));
    }

    private static Result measured(Job job, int steps, Consumer<String> progress) {
        var training = job.recipe().training();
        var bf16 = job.bf16();
        var model = job.learner().model();
        var before = Machine.matmulRate(bf16);
        var learner = new Switched(job.learner());
        var unit = job.recipe().ofPictures() ? "images" : "tokens";
        var run = new Timings("step", unit, progress);
        var still = new Timings("with data that are ready, step", unit, progress);
        var ready = new ArrayList<List<MicroBatch>>();
        try (var trainer =
                new Trainer(learner, training, bf16, job.recipe().seed(), Trainer.Speeds.UNKNOWN)) {
            // In turns, since a machine's speed drifts.
            for (var round = 0; round < 2; round++) {
                learner.ready = List.of();
                run.measure(steps, _ -> step(trainer));
                // A few are enough to be different, and do not fill the memory.
                while (ready.size() < Math.min(4, learner.stepsPerEpoch())) {
                    ready.add(job.learner().step(ready.size()));
                }
                learner.ready = ready;
                still.measure(steps, _ -> step(trainer));
            }
        }
        model.training(false);
        var forward = new Timings("forward", unit, progress);
        forward.measure(steps, step -> forward(ready.get(step % ready.size()), bf16));
        var made = made(job.learner(), steps);
        var rate = (before + Machine.matmulRate(bf16)) / 2;
        var result =
                new Result(
                        model.getClass().getSimpleName(),
                        model.parameterCount(),
                        unit,
                        training.batch(),
                        bf16 ? "bf16" : "fp32",
                        Machine.processor(),
                        Machine.threads(),
                        run.rate(),
                        still.rate(),
                        made,
                        forward.rate(),
                        rate / 1e9,
                        Planning.flops(job) * run.rate() / 1e9,
                        Planning.flops(job) * run.rate() / rate,
                        job.flopsPerToken() / 3 * forward.rate() / rate,
                        Torch.peakResidentBytes());
        model.free();
        return result;
    }

    private static long step(Trainer trainer) {
        var before = trainer.progress().tokens();
        trainer.step();
        return trainer.progress().tokens() - before;
    }

    private static long forward(List<MicroBatch> step, boolean bf16) {
        var seen = 0L;
        for (var part : step) {
            seen += part.tokens();
            try (var scope = new Scope()) {
                Torch.noGrad(() -> Torch.bf16(bf16, part::forward));
            }
        }
        return seen;
    }

    /// How many a second, of steps that nobody computes.
    private static double made(Learner learner, int steps) {
        var start = System.nanoTime();
        var made = 0L;
        // Far from those that have been asked for, some of which may be ready.
        for (var step = 0; step < steps; step++) {
            for (var part : learner.step(1_000_000L + step)) {
                made += part.tokens();
            }
        }
        return made / ((System.nanoTime() - start) / 1e9);
    }

    /// How fast things went, but for the first two of each round, in which memory is faulted in.
    private static final class Timings {
        private final String what;
        private final String unit;
        private final Consumer<String> progress;
        private final List<Double> rates = new ArrayList<>();

        Timings(String what, String unit, Consumer<String> progress) {
            this.what = what;
            this.unit = unit;
            this.progress = progress;
        }

        /// @param body what is measured; how many it saw
        void measure(int steps, IntToLongFunction body) {
            for (var step = 0; step < steps; step++) {
                var start = System.nanoTime();
                var seen = body.applyAsLong(step);
                var rate = seen / ((System.nanoTime() - start) / 1e9);
                if (step >= Math.min(2, steps - 1)) {
                    rates.add(rate);
                }
                progress.accept(
                        String.format(Locale.ROOT, "%s %d: %.0f %s/s", what, step + 1, rate, unit));
            }
        }

        /// The median.
        double rate() {
            var sorted = rates.stream().sorted().toList();
            return sorted.get(sorted.size() / 2);
        }
    }
}
