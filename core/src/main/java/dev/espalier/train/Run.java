package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.checkpoint.RunFolder;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.optim.FlatParameters;
import dev.espalier.plan.History;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.recipe.TrainingRecipe.Precision;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// One run: a recipe carried out, and the folder that it leaves. See `docs/formats.md` for the
/// folder.
///
/// Evaluation and saving happen between steps, at steps that the recipe fixes, so that a run that
/// was interrupted at any moment and resumed makes the same weights and figures, bit for bit, as
/// one that never stopped.
///
/// A run is carried out on the thread that calls it, with help of others; one at a time in a
/// process, since it sets how many threads libtorch uses.
public final class Run {
    private static final Logger log = LoggerFactory.getLogger(Run.class);
    private static final String BEST = "best.bin";
    private static final String STATE = "run.json";

    /// Code that is compiled in a process that has trained: 10 to 11 MB, before it 5 to 6
    /// (`docs/log.md`).
    private static final long COMPILED = 8_000_000;

    private final Recipe recipe;
    private final History history;
    private @Nullable Beyond beyond;
    private double seconds;
    private double flops;
    private boolean diverged;

    public Run(Recipe recipe) {
        this(recipe, History.NONE);
    }

    /// A run that is foreseen by what `history` holds of earlier ones, and adds itself to it.
    public Run(Recipe recipe, History history) {
        this.recipe = recipe;
        this.history = history;
    }

    /// What a finished run gives: its folder, its model's folder, its scores.
    ///
    /// @param skippedSteps steps that were left out for their loss
    /// @param stoppedBecause why it ended before the recipe's end, or null
    /// @param foreseen what was predicted beside what was measured; null of a resumed run
    public record Result(
            Path folder,
            Path model,
            Progress progress,
            long skippedSteps,
            List<Score> scores,
            @Nullable String stoppedBecause,
            History.@Nullable Entry foreseen) {
        public Result {
            scores = List.copyOf(scores);
        }
    }

    /// The run's own state in a checkpoint, beside the trainer's.
    ///
    /// @param best the best selection value so far, or null
    /// @param bestStep when it was reached
    /// @param metric of which it is, or null; states of before it was told lack it
    /// @param stopped why training ended early, or null
    private record State(
            @Nullable Double best,
            long bestStep,
            @Nullable String metric,
            List<Job.Evaluation> evaluations,
            @Nullable String stopped) {}

    /// Does what the recipe says in an empty folder.
    public Result train(Consumer<StepFigures> progress) {
        return train(
                new Watcher() {
                    @Override
                    public void stepped(StepFigures figures, long total) {
                        progress.accept(figures);
                    }
                },
                false);
    }

    /// Does what the recipe says, from the last whole checkpoint where `resume` says so and there
    /// is one.
    ///
    /// @throws EspalierException of kind INTERRUPTED after a checkpoint was saved because the
    ///   watcher asked to stop, or the thread was interrupted
    public Result train(Watcher watcher, boolean resume) {
        if (recipe instanceof FinetuneRecipe finetune
                && finetune.forgetting() != null
                && finetune.forgetting().defence() instanceof DefenceRecipe.Cheapest ways) {
            return in(folder ->
                    new CheapestDefence(finetune, ways, history, watcher).train(folder, resume));
        }
        return in(folder -> {
            var checkpoint =
                    resume
                            ? folder.checkpoints().last()
                            : java.util.Optional.<Checkpoints.Checkpoint>empty();
            if (!resume && (Files.exists(folder.metrics()) || Files.exists(folder.model()))) {
                throw EspalierException.usage(
                        folder.path()
                                + " holds a run already; go on with --resume, or choose another output");
            }
            // Folders of before its files were noted say nothing of them.
            if (checkpoint.isPresent() && Files.exists(folder.inputs())) {
                Provenance.requireSame(Json.read(folder.inputs()), recipe, folder.path());
            }
            var peak = PeakMemory.fromNow();
            try (var job = prepare(folder, watcher)) {
                return train(
                        folder,
                        job,
                        watcher,
                        peak,
                        checkpoint.map(Checkpoints.Checkpoint::resume).orElse(null));
            }
        });
    }

    /// All that the run is made of but the program and the machine: the recipe with every default,
    /// and each file that it reads with its SHA-256. Runs of the same inputs end alike.
    ///
    /// @throws EspalierException (DATA) if a file is missing
    public String inputs() {
        return Recipes.write(recipe) + Json.pretty(Provenance.before(recipe));
    }

    /// What was measured when nothing had been within the forgetting budget, and the run ended.
    ///
    /// @param worse the share by which what suffered most was worse
    record Beyond(List<Score> scores, double worse, String reason) {}

    @Nullable Beyond beyond() {
        return beyond;
    }

    /// Whether training ended for its loss, by `training.bad-loss`.
    boolean diverged() {
        return diverged;
    }

    /// Of the training, however it ended.
    double trainingSeconds() {
        return seconds;
    }

    /// Operations of the training, however it ended.
    double flops() {
        return flops;
    }

    /// The examples of a step, counted from 0, as the model sees them. Prepares the data in a
    /// temporary folder, of which only the records that were set aside stay; the run's folder,
    /// which may hold a run, is left alone.
    public List<ExampleText> examples(long step, Watcher watcher) {
        if (step < 0) {
            throw new IllegalArgumentException("step " + step);
        }
        return aside(
                watcher,
                (temporary, job) -> {
                    var examples = job.examples(step);
                    job.learner().model().free();
                    // What lay in the folder is gone with it; the texts' own files are named too.
                    var inside = temporary + File.separator;
                    return examples.stream()
                            .map(e ->
                                    new ExampleText(
                                            e.where().replace(inside, ""), e.fields(), e.picture()))
                            .toList();
                });
    }

    /// Prepares all as a run does, in a temporary folder, up to what updates the weights; the run's
    /// folder is left alone.
    ///
    /// @throws EspalierException if the run would be refused, for what is trained say
    public void check() {
        var unused =
                aside(
                        new Watcher() {},
                        (_, job) -> {
                            var model = job.learner().model();
                            var training = job.recipe().training();
                            var begun = job.learner().begun();
                            try (var parameters = new FlatParameters(model);
                                    var optimizer =
                                            Optimizers.of(
                                                    model,
                                                    begun,
                                                    parameters,
                                                    training,
                                                    null,
                                                    job.bf16())) {
                                return optimizer.steps();
                            }
                        });
    }

    /// Prepares all as a run does, in a temporary folder, and makes its first steps: at most
    /// `most`, of which the first two only warm up, and no more than take `seconds`; none of them
    /// for 0. Gives what `then` makes of it.
    <T> T measured(
            int most, double seconds, Watcher watcher, BiFunction<Job, Planning.Measured, T> then) {
        var peak = PeakMemory.fromNow();
        return aside(
                watcher,
                (temporary, job) -> {
                    var learner = job.learner();
                    var process = process(job);
                    var recipe = job.recipe();
                    try (var trainer =
                            new Trainer(
                                    learner,
                                    recipe.training(),
                                    job.bf16(),
                                    recipe.seed(),
                                    Trainer.Speeds.UNKNOWN)) {
                        return then.apply(
                                job, Planning.measured(job, trainer, most, seconds, process, peak));
                    }
                });
    }

    /// Does `what` with a job that is prepared in a temporary folder.
    <T> T aside(Watcher watcher, BiFunction<Path, Job, T> what) {
        var temporary = temporary();
        // What names a file is to find it there.
        var said = new StringBuilder();
        var listening =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.append(line).append('\n');
                        watcher.said(line);
                    }
                };
        try (var folder = RunFolder.open(temporary)) {
            try (var scope = new Scope();
                    var job = prepare(folder, listening)) {
                return what.apply(temporary, job);
            } catch (EspalierException e) {
                said.append(e.getMessage());
                throw e;
            } finally {
                folder.refuse(said.toString());
            }
        } finally {
            try {
                Files.delete(temporary);
            } catch (IOException e) {
                log.debug("left: {}", temporary, e);
            }
        }
    }

    /// What the process has in memory beside the model, and will have whatever the model is.
    private static long process(Job job) {
        var resident = Torch.residentBytes() + Machine.untouchedHeap();
        // Where nothing has been computed yet, little has been compiled.
        var first =
                Machine.compiledCode() < COMPILED
                        && !(job.recipe() instanceof FinetuneRecipe f && f.forgetting() != null);
        return Math.max(0, resident - 4 * job.learner().model().parameterCount())
                + (first ? Planning.FIRST_STEPS : 0);
    }

    private static Path temporary() {
        try {
            return Files.createTempDirectory("espalier-");
        } catch (IOException e) {
            throw AtomicFiles.failure(Path.of(System.getProperty("java.io.tmpdir", "")), e);
        }
    }

    /// Does `what` in the run's folder, and leaves nothing there if it is refused.
    private <T> T in(Function<RunFolder, T> what) {
        try (var folder = RunFolder.open(recipe.output())) {
            // What the run makes and frees nowhere, its model among it, ends with it.
            try (var scope = new Scope()) {
                return what.apply(folder);
            } catch (EspalierException e) {
                // Who interrupts a preparation may want to go on with it.
                if (e.kind() != Kind.INTERRUPTED) {
                    folder.refuse(String.valueOf(e.getMessage()));
                }
                throw e;
            }
        }
    }

    private Job prepare(RunFolder folder, Watcher watcher) {
        return switch (recipe) {
            case PretrainRecipe pretrain -> Pretraining.prepare(pretrain, folder.path(), watcher);
            case FinetuneRecipe finetune -> Finetuning.prepare(finetune, folder.path(), watcher);
        };
    }

    private Result train(
            RunFolder folder,
            Job job,
            Watcher watcher,
            PeakMemory peak,
            @Nullable Path resumeFrom) {
        var completed = job.recipe();
        var bf16 = job.bf16();
        var speeds = new Trainer.Speeds(Machine.usualMatmulRate(bf16), Planning.flops(job));
        var process = process(job);
        try (var trainer =
                new Trainer(job.learner(), completed.training(), bf16, completed.seed(), speeds)) {
            var forecast =
                    resumeFrom == null
                            ? Planning.Forecast.of(job, trainer, history, process, peak)
                            : null;
            var loop = new Loop(folder, job, trainer, watcher, forecast);
            if (resumeFrom != null) {
                loop.restore(resumeFrom);
                watcher.said("resumed after step " + trainer.progress().step());
                sayChanges(folder, Recipes.write(completed), watcher);
            }
            folder.begin();
            if (resumeFrom == null && !job.preflight().isEmpty()) {
                watcher.preflight(job.preflight());
            }
            AtomicFiles.write(folder.recipe(), Recipes.write(completed));
            return loop.run();
        }
    }

    /// A longer run or another interval is what resuming is for too; but the figures are then not
    /// those of a run that was never stopped, so nobody should miss it.
    private static void sayChanges(RunFolder folder, String recipe, Watcher watcher) {
        try {
            var changes = Recipes.changes(Files.readString(folder.recipe()), recipe);
            if (!changes.isEmpty()) {
                watcher.said("the recipe has changed: " + String.join("; ", changes));
            }
        } catch (IOException e) {
            throw EspalierException.data(folder.recipe() + ": cannot be read (" + e + ")", e);
        }
    }

    static CrossEntropy loss(TrainingRecipe t) {
        return new CrossEntropy(t.labelSmoothing(), t.zLoss());
    }

    /// `t` with its micro-batch, and with the precision that `auto` stands for on this machine.
    static TrainingRecipe completed(TrainingRecipe t, int microBatch) {
        var precision = t.precision();
        if (precision == Precision.AUTO) {
            precision = Machine.hasBf16() ? Precision.BF16 : Precision.FP32;
        }
        return new TrainingRecipe(
                t.duration(),
                t.batch(),
                microBatch,
                t.optimizer(),
                t.groups(),
                t.layerDecay(),
                t.schedule(),
                t.clip(),
                t.badLoss(),
                t.labelSmoothing(),
                t.zLoss(),
                precision,
                t.recompute(),
                t.earlyStopping());
    }

    /// One run while it goes.
    private final class Loop {
        private final RunFolder folder;
        private final Job job;
        private final Trainer trainer;
        private final Watcher watcher;
        private final List<Job.Evaluation> evaluations = new ArrayList<>();
        private final long evaluateEvery;
        private final long saveEvery;
        private final long validationTokens;
        private final ObjectNode provenance;
        private final Planning.@Nullable Forecast forecast;
        private final @Nullable Averaging averaging;
        private @Nullable Double best;
        private long bestStep;
        private @Nullable String stopped;
        private boolean interrupted;

        Loop(
                RunFolder folder,
                Job job,
                Trainer trainer,
                Watcher watcher,
                Planning.@Nullable Forecast forecast) {
            this.forecast = forecast;
            averaging = Averaging.of(job, trainer);
            this.folder = folder;
            this.job = job;
            this.trainer = trainer;
            this.watcher = watcher;
            var completed = job.recipe();
            evaluateEvery = Trainer.steps(completed.evaluate().every(), job.learner());
            saveEvery = Trainer.steps(completed.save().every(), job.learner());
            var limit = completed.evaluate().tokens();
            validationTokens = limit == null ? Long.MAX_VALUE : limit;
            // Now, since the files may change while the run goes.
            provenance = Provenance.of(recipe, folder.path());
        }

        Result run() {
            AtomicFiles.write(folder.inputs(), Json.pretty(provenance));
            try (var journal = Journal.open(folder.metrics(), trainer.progress().step())) {
                while (!trainer.done() && stopped == null) {
                    var before = trainer.seconds();
                    var figures = step();
                    hear();
                    if (forecast != null) {
                        forecast.stepped(figures.seconds() - before);
                    }
                    journal.add(figures);
                    watcher.stepped(figures, trainer.totalSteps());
                    if (figures.fault() != null) {
                        watcher.said("step " + figures.step() + " skipped: " + figures.fault());
                    }
                    if (figures.step() % evaluateEvery == 0 || trainer.done()) {
                        evaluate();
                    }
                    var last = trainer.done() || stopped != null;
                    hear();
                    if (figures.step() % saveEvery == 0 || last) {
                        save();
                    }
                    if (!last && (watcher.stop() || interrupted)) {
                        save();
                        throw new EspalierException(
                                Kind.INTERRUPTED,
                                "stopped after step "
                                        + figures.step()
                                        + "; a checkpoint is saved, and --resume goes on from it");
                    }
                }
                hear();
                return finish();
            } finally {
                if (interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private StepFigures step() {
            try {
                return trainer.step();
            } finally {
                if (trainer.diverged()) {
                    diverged = true;
                    spent();
                }
            }
        }

        /// Puts an interruption by until all is written, since an interrupted thread can write no
        /// file.
        private void hear() {
            interrupted |= Thread.interrupted();
        }

        private void evaluate() {
            var scores = job.measure(validationTokens);
            var step = trainer.progress().step();
            evaluations.add(new Job.Evaluation(step, scores));
            watcher.evaluated(step, scores);
            stopped = job.forgetting().verdict();
            if (stopped != null) {
                if (best == null) {
                    spent();
                    beyond = new Beyond(scores, job.forgetting().worse(), stopped);
                    var saved = !folder.checkpoints().list().isEmpty();
                    if (!saved) {
                        folder.abandon();
                    }
                    throw EspalierException.check(
                            stopped
                                    + ", before any evaluation within it; evaluate more often, or defend it"
                                    + (saved
                                            ? "; "
                                                    + folder.path()
                                                    + " holds a checkpoint from"
                                                    + " before, from which --resume goes on"
                                            : ""));
                }
                return;
            }
            var value = job.selection(scores);
            if (value == null) {
                return;
            }
            if (best == null || value > best) {
                best = value;
                bestStep = step;
                trainer.keep();
            }
            var stopping = job.recipe().training().earlyStopping();
            var since = evaluations.stream().filter(e -> e.step() > bestStep).count();
            if (stopping != null && since >= stopping.patience()) {
                stopped = since + " evaluations without an improvement over step " + bestStep;
            }
        }

        private void save() {
            var step = trainer.progress().step();
            try (var scope = new Scope()) {
                folder.checkpoints()
                        .write(
                                step,
                                bytes(job, trainer),
                                (model, resume) -> {
                                    job.writeModel(model);
                                    trainer.save(resume);
                                    Files.writeString(
                                            resume.resolve(STATE),
                                            Json.pretty(
                                                    new State(
                                                            best,
                                                            bestStep,
                                                            job.chosenBy(),
                                                            evaluations,
                                                            stopped)));
                                    trainer.saveKept(resume.resolve(BEST));
                                });
            }
            folder.checkpoints().prune(job.recipe().save().keep(), Set.of(step));
        }

        void restore(Path resume) {
            trainer.restore(resume);
            var state = Json.read(resume.resolve(STATE), State.class);
            // A figure of another kind is nothing to be better than.
            if (state.metric() == null || state.metric().equals(job.chosenBy())) {
                best = state.best();
                bestStep = state.bestStep();
            } else if (state.best() != null) {
                watcher.said(
                        "the best weights so far were the best by %s, and are let go"
                                .formatted(state.metric()));
            }
            stopped = state.stopped();
            evaluations.addAll(state.evaluations());
            if (best != null) {
                trainer.readKept(resume.resolve(BEST));
            }
        }

        private void spent() {
            seconds = trainer.seconds();
            flops = trainer.progress().tokens() * Planning.flops(job) + Planning.before(job);
        }

        private Result finish() {
            spent();
            if (best != null) {
                trainer.restoreKept();
            }
            var foreseen = forecast == null ? null : forecast.outcome();
            if (foreseen != null) {
                try {
                    history.add(foreseen);
                } catch (EspalierException e) {
                    // The run is worth more than what later ones would know of it.
                    watcher.said(
                            "how it went is not kept for later predictions: " + e.getMessage());
                }
                foreseen.outcomes(job.recipe().unit()).forEach(watcher::said);
            }
            var mixtures =
                    averaging == null ? List.<Score>of() : averaging.settle(job, trainer, watcher);
            var scores = new ArrayList<>(job.finish());
            scores.addAll(job.forgetting().finish());
            scores.addAll(mixtures);
            AtomicFiles.writeFolder(folder.model(), job::writeModel);
            AtomicFiles.write(folder.evaluation(), Json.pretty(scores));
            AtomicFiles.write(folder.passport(), Json.pretty(passport(foreseen)));
            job.report(
                    folder.report(), ended(), Journal.read(folder.metrics()), evaluations, scores);
            return new Result(
                    folder.path(),
                    folder.model(),
                    trainer.progress(),
                    trainer.skipped(),
                    scores,
                    stopped,
                    foreseen);
        }

        /// After which step the model had the weights that are kept.
        private long keptStep() {
            return best == null ? trainer.progress().step() : bestStep;
        }

        private String ended() {
            var weights = "the weights are those of step " + keptStep();
            return stopped == null
                    ? weights
                    : "ended early, after step %d of %d, since %s; %s"
                            .formatted(
                                    trainer.progress().step(),
                                    trainer.totalSteps(),
                                    stopped,
                                    weights);
        }

        private Object passport(History.@Nullable Entry foreseen) {
            var passport = JsonNodeFactory.instance.objectNode();
            passport.put("recipe", Recipes.write(job.recipe()));
            Provenance.build()
                    .forEach((key, value) -> passport.put(key.toString(), value.toString()));
            var machine = passport.putObject("machine");
            machine.put("processor", Machine.processor());
            machine.put("threads", Machine.threads());
            machine.put(
                    "system", System.getProperty("os.name") + " " + System.getProperty("os.arch"));
            machine.put("java", Runtime.version().toString());
            passport.setAll(provenance);
            // With what became of it, in place of its files alone.
            passport.set("data", job.dataPassport());
            passport.put("stopped-because", stopped);
            passport.put("kept-step", keptStep());
            var cost = passport.putObject("cost");
            cost.put("steps", trainer.progress().step());
            cost.put("skipped-steps", trainer.skipped());
            cost.put("tokens", trainer.progress().tokens());
            cost.put("flops", flops);
            cost.put("training-seconds", seconds);
            if (foreseen != null) {
                passport.set("foreseen", Json.mapper().valueToTree(foreseen));
            }
            return passport;
        }
    }

    /// What a checkpoint takes on disk, nearly.
    static long bytes(Job job, Trainer trainer) {
        // Beside few trained weights stands the whole model, but where an adapter is left alone.
        var model =
                job.recipe() instanceof FinetuneRecipe finetune
                                && Finetuning.leavesAdapter(finetune)
                        ? trainer.stateBytes()
                        : 4 * job.learner().model().parameterCount();
        return model + trainer.stateBytes() + trainer.keptBytes();
    }
}
