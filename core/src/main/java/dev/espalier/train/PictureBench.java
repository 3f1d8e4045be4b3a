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
import java.util.function.IntConsumer;

/// How fast this machine trains the model of a recipe of pictures, and lets it see, beside how fast
/// it multiplies; and whether a step waits for its pictures.
public final class PictureBench {
    /// What was measured.
    ///
    /// @param model what was trained: `ViT`, `Yolos`, ...
    /// @param batch pictures of a step
    /// @param microBatch pictures that pass through the model at once
    /// @param imagesPerSecond of the median step, its pictures read and changed ahead as in a run
    /// @param readyImagesPerSecond likewise, where the pictures of all steps were made before
    /// @param madeImagesPerSecond pictures that are read and changed where nothing else is done
    /// @param forwardImagesPerSecond that pass through the model without learning
    /// @param matmulGflops the rate of 2048 x 2048 products, the mean of before and after
    /// @param matmulShare the rate of training over that of products, each picture's operations
    ///   counted as [Job#flopsPerToken] does
    /// @param forwardShare likewise without learning, which is a third of the operations
    /// @param peakMemoryBytes the most that the process had in memory
    public record Result(
            String model,
            long parameters,
            int batch,
            int microBatch,
            String precision,
            String processor,
            int threads,
            double imagesPerSecond,
            double readyImagesPerSecond,
            double madeImagesPerSecond,
            double forwardImagesPerSecond,
            double matmulGflops,
            double trainingGflops,
            double matmulShare,
            double forwardShare,
            long peakMemoryBytes) {}

    private PictureBench() {}

    /// Steps whose pictures come from another place at times.
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

    /// Makes `steps` steps of each kind, on the recipe's own pictures, in a temporary folder.
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
        var micro = training.microBatch() == null ? training.batch() : training.microBatch();
        var before = Machine.matmulRate(bf16);
        var learner = new Switched(job.learner());
        var run = new Timings("step", learner.tokensPerStep(), progress);
        var still = new Timings("with pictures that are ready, step", run.pictures, progress);
        var ready = new ArrayList<List<MicroBatch>>();
        try (var trainer =
                new Trainer(learner, training, bf16, job.recipe().seed(), Trainer.Speeds.UNKNOWN)) {
            // In turns, since a machine's speed drifts.
            for (var round = 0; round < 2; round++) {
                learner.ready = List.of();
                run.measure(steps, _ -> trainer.step());
                // A few are enough to be different, and do not fill the memory.
                while (ready.size() < Math.min(4, learner.stepsPerEpoch())) {
                    ready.add(job.learner().step(ready.size()));
                }
                learner.ready = ready;
                still.measure(steps, _ -> trainer.step());
            }
        }
        model.training(false);
        var forward = new Timings("forward", run.pictures, progress);
        forward.measure(steps, step -> forward(ready.get(step % ready.size()), bf16));
        var made = made(job.learner(), steps);
        var rate = (before + Machine.matmulRate(bf16)) / 2;
        var result =
                new Result(
                        model.getClass().getSimpleName(),
                        model.parameterCount(),
                        training.batch(),
                        micro,
                        bf16 ? "bf16" : "fp32",
                        Machine.processor(),
                        Machine.threads(),
                        run.rate(),
                        still.rate(),
                        made,
                        forward.rate(),
                        rate / 1e9,
                        job.flopsPerToken() * run.rate() / 1e9,
                        job.flopsPerToken() * run.rate() / rate,
                        job.flopsPerToken() / 3 * forward.rate() / rate,
                        Torch.peakResidentBytes());
        model.free();
        return result;
    }

    private static void forward(List<MicroBatch> step, boolean bf16) {
        for (var part : step) {
            try (var scope = new Scope()) {
                Torch.noGrad(() -> Torch.bf16(bf16, part::forward));
            }
        }
    }

    /// Pictures a second, of steps that nobody computes.
    private static double made(Learner learner, int steps) {
        var start = System.nanoTime();
        var pictures = 0L;
        // Far from those that have been asked for, some of which may be ready.
        for (var step = 0; step < steps; step++) {
            for (var part : learner.step(1_000_000L + step)) {
                pictures += part.tokens();
            }
        }
        return pictures / ((System.nanoTime() - start) / 1e9);
    }

    /// How long things took, but for the first two of each round, in which memory is faulted in.
    private static final class Timings {
        private final String what;
        private final double pictures;
        private final Consumer<String> progress;
        private final List<Double> seconds = new ArrayList<>();

        Timings(String what, double pictures, Consumer<String> progress) {
            this.what = what;
            this.pictures = pictures;
            this.progress = progress;
        }

        void measure(int steps, IntConsumer body) {
            for (var step = 0; step < steps; step++) {
                var start = System.nanoTime();
                body.accept(step);
                var took = (System.nanoTime() - start) / 1e9;
                if (step >= Math.min(2, steps - 1)) {
                    seconds.add(took);
                }
                progress.accept(
                        String.format(
                                Locale.ROOT,
                                "%s %d: %.0f images/s",
                                what,
                                step + 1,
                                pictures / took));
            }
        }

        /// Pictures a second of the median.
        double rate() {
            var sorted = seconds.stream().sorted().toList();
            return pictures / sorted.get(sorted.size() / 2);
        }
    }
}
