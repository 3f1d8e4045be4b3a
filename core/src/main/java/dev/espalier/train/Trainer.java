package dev.espalier.train;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import dev.espalier.nn.Parameter;
import dev.espalier.nn.Stack;
import dev.espalier.objective.MicroBatch;
import dev.espalier.optim.Anchor;
import dev.espalier.optim.FlatParameters;
import dev.espalier.optim.Optimizer;
import dev.espalier.optim.Schedule;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.ScheduleRecipe;
import dev.espalier.recipe.Share;
import dev.espalier.recipe.Span;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The training loop. One step takes the step's micro-batches, counts what each loss term is
/// divided by over all of them, goes forward and backward through each, clips, updates, and says
/// what happened. How a step is split into micro-batches changes nothing but rounding, what dropout
/// draws, and what batch norm normalises by.
///
/// Owns the flat buffers that the model's trained weights move into; not safe for use from several
/// threads.
public final class Trainer implements AutoCloseable {
    private static final String OPTIMIZER = "optimizer.safetensors";
    private static final String STATE = "trainer.json";
    private static final String RUNNING = "running";

    /// What the figures call the loss of an [Anchor].
    private static final String HELD = "held";

    /// Bytes that are written or read in one go, since a buffer of Java's ends at 2 GiB.
    private static final long AT_ONCE = 1 << 26;

    /// Weights that an array holds, with room for what is gathered beside them.
    private static final long MOST_MIXED = 2_000_000_000;

    /// Examples of a bad micro-batch that a message names.
    private static final int SHOWN = 8;

    private final Learner learner;
    private final Workers workers;
    private final FlatParameters parameters;

    /// What the model gathers beside its weights, such as running means.
    private final List<Parameter> running;

    private final Optimizer optimizer;
    private final @Nullable Anchor anchor;
    private final Schedule schedule;
    private final double peakRate;
    private final double clip;
    private final LossGuard guard;
    private final boolean bf16;
    private final long seed;
    private final long totalSteps;
    private final double matmulRate;
    private final double flopsPerToken;
    private @Nullable Tensor kept;
    private Progress progress = Progress.START;
    private double seconds;
    private boolean diverged;

    /// Of everything under `resume/`; another is refused.
    private static final int VERSION = 2;

    /// What of the trainer's own state a checkpoint holds.
    record State(
            int version,
            Progress progress,
            double seconds,
            long optimizerSteps,
            LossGuard.State guard) {}

    /// The speeds that a step's share of the machine is reckoned with; zeros where they are not
    /// wanted.
    ///
    /// @param matmulRate floating-point operations a second of this machine's matrix products
    /// @param flopsPerToken operations of one token's forward and backward pass
    public record Speeds(double matmulRate, double flopsPerToken) {
        public static final Speeds UNKNOWN = new Speeds(0, 0);
    }

    public Trainer(Learner learner, TrainingRecipe recipe, boolean bf16, long seed, Speeds speeds) {
        this.learner = learner;
        this.bf16 = bf16;
        this.seed = seed;
        matmulRate = speeds.matmulRate();
        flopsPerToken = speeds.flopsPerToken();
        totalSteps = steps(recipe.duration(), learner);
        schedule = schedule(recipe.schedule());
        clip = recipe.clip();
        guard = new LossGuard(recipe.badLoss());
        peakRate = recipe.optimizer().rate();
        Stack.recompute(learner.model(), recipe.recompute());
        running =
                learner.model().parameters().values().stream()
                        .filter(Parameter::isRunning)
                        .toList();
        // What is gathered depends on the order in which micro-batches pass.
        var count = running.isEmpty() ? Workers.count(learner.model()) : 1;
        parameters = new FlatParameters(learner.model(), count);
        var start = System.nanoTime();
        anchor = learner.anchor(parameters);
        // What it takes to know what to hold to is a part of the training.
        seconds = anchor == null ? 0 : (System.nanoTime() - start) / 1e9;
        optimizer =
                Optimizers.of(learner.model(), learner.begun(), parameters, recipe, anchor, bf16);
        workers = new Workers(count);
    }

    private Schedule schedule(ScheduleRecipe recipe) {
        var warmup = stepsOfRun(recipe.warmup());
        return switch (recipe) {
            case ScheduleRecipe.Cosine s -> Schedule.cosine(warmup, totalSteps, s.floor());
            case ScheduleRecipe.Linear s -> Schedule.linear(warmup, totalSteps, s.floor());
            case ScheduleRecipe.InverseSquareRoot _ -> Schedule.inverseSquareRoot(warmup);
            case ScheduleRecipe.WarmupStableDecay s ->
                    Schedule.warmupStableDecay(
                            warmup, stepsOfRun(s.decay()), totalSteps, s.floor());
            case ScheduleRecipe.Constant _ -> Schedule.constant(warmup);
        };
    }

    private long stepsOfRun(Span span) {
        return switch (span) {
            case Share share -> Math.round(share.fraction() * totalSteps);
            case Duration duration -> steps(duration, learner);
        };
    }

    /// The steps that `span` of this learner's training takes.
    static long steps(Span span, Learner learner) {
        return switch (span) {
            case Duration duration ->
                    duration.toSteps(learner.stepsPerEpoch(), learner.tokensPerStep());
            case Share share -> throw new IllegalArgumentException(share + " of what?");
        };
    }

    public Progress progress() {
        return progress;
    }

    /// Of all steps so far.
    double seconds() {
        return seconds;
    }

    public long totalSteps() {
        return totalSteps;
    }

    /// Steps that were left out for their loss.
    public long skipped() {
        return guard.state().skipped();
    }

    /// Whether [#step] ended the training for its loss.
    boolean diverged() {
        return diverged;
    }

    public boolean done() {
        return progress.step() >= totalSteps;
    }

    /// Whether matrix products are computed in bf16.
    public boolean bf16() {
        return bf16;
    }

    /// Makes one step. Where its loss or gradient is bad and the recipe says to skip such steps,
    /// the clock goes on and the weights stay as they are.
    ///
    /// @throws EspalierException if it is bad and not to be skipped; the weights are then as they
    ///   were
    public StepFigures step() {
        var start = System.nanoTime();
        var batches = learner.step(progress.step());
        var counts = new TreeMap<String, Long>();
        batches.forEach(b -> counts.merge(b.term(), b.count(), Long::sum));
        // Where there is nothing to learn from, the sum is 0.
        counts.replaceAll((_, count) -> Math.max(1, count));
        var sums = new TreeMap<String, Double>();
        var gatheredBefore = gathered();
        learner.model().training(true);
        parameters.zeroGradients();
        var losses = new double[batches.size()];
        workers.run(batches.size(), i -> losses[i] = addGradient(batches, i, counts));
        parameters.addUpGradients();
        for (var i = 0; i < losses.length; i++) {
            sums.merge(batches.get(i).term(), losses[i], Double::sum);
        }
        var loss = 0.0;
        if (anchor != null) {
            loss = anchor.pull(parameters);
            sums.put(HELD, loss);
        }
        var norm = parameters.clip(clip);
        for (var batch : firstOfEachTerm(batches)) {
            sums.computeIfPresent(batch.term(), (term, sum) -> sum / counts.getOrDefault(term, 1L));
            loss += batch.weight() * sums.getOrDefault(batch.term(), 0.0);
        }
        var wrong = guard.fault(loss, norm);
        var fault = wrong == null ? null : wrong + " in " + culprit(batches, losses, norm, counts);
        learner.model().training(false);
        if (fault != null) {
            gathered(gatheredBefore);
            if (!guard.skip()) {
                diverged = true;
                throw stopped(fault);
            }
        }
        var rate = 0.0;
        if (fault == null) {
            guard.good(loss);
            rate = peakRate * schedule.factor(progress.step());
            optimizer.step(rate);
        }
        var tokens = batches.stream().mapToLong(MicroBatch::tokens).sum();
        progress =
                new Progress(
                        progress.step() + 1,
                        progress.tokens() + tokens,
                        (progress.step() + 1) / learner.stepsPerEpoch());
        var took = (System.nanoTime() - start) / 1e9;
        seconds += took;
        return new StepFigures(
                progress.step(),
                progress.tokens(),
                progress.epoch(),
                loss,
                sums.size() > 1 ? sums : Map.of(),
                rate,
                norm,
                guard.state().skipped(),
                fault,
                tokens / took,
                matmulRate > 0 ? tokens * flopsPerToken / took / matmulRate : 0,
                Torch.residentBytes(),
                seconds);
    }

    /// Goes forward and backward through one micro-batch, and gives the sum of its loss.
    private double addGradient(List<MicroBatch> batches, int i, Map<String, Long> counts) {
        var batch = batches.get(i);
        // Dropout draws from a stream that depends on where we are and on nothing before, so a
        // resumed run draws the same.
        Torch.seed(Rng.seed(seed, progress.step(), i));
        try (var scope = new Scope()) {
            var loss = Torch.bf16(bf16, batch::forward);
            var count = counts.getOrDefault(batch.term(), 1L);
            return loss.backward(batch.weight() / count).item();
        }
    }

    private EspalierException stopped(String fault) {
        var before = guard.state().inARow();
        return EspalierException.data(
                "step %d: %s%s; a lower training.optimizer.rate, a longer warm-up or training.clip helps%s"
                        .formatted(
                                progress.step() + 1,
                                fault,
                                before == 0
                                        ? ""
                                        : "; the %d steps before were skipped already"
                                                .formatted(before),
                                before == 0
                                        ? ", or training.bad-loss, which can skip such steps"
                                        : ""));
    }

    /// The micro-batch that made a step bad: the first without a finite loss or else gradient, or
    /// the one with the largest loss.
    private String culprit(
            List<MicroBatch> batches, double[] losses, double norm, Map<String, Long> counts) {
        var search = Arrays.stream(losses).allMatch(Double::isFinite) && !Double.isFinite(norm);
        var worst = 0;
        for (var i = 0; i < losses.length; i++) {
            if (!Double.isFinite(losses[i]) || search && !isGradientFinite(batches, i, counts)) {
                worst = i;
                break;
            }
            if (perCount(batches, losses, i) > perCount(batches, losses, worst)) {
                worst = i;
            }
        }
        var batch = batches.get(worst);
        var where = batch.where();
        return "micro-batch %d of %d (%s): %s%s"
                .formatted(
                        worst + 1,
                        batches.size(),
                        batch.term(),
                        String.join("; ", where.subList(0, Math.min(SHOWN, where.size()))),
                        where.size() > SHOWN ? " and " + (where.size() - SHOWN) + " more" : "");
    }

    private static double perCount(List<MicroBatch> batches, double[] losses, int i) {
        return batches.get(i).weight() * losses[i] / Math.max(1, batches.get(i).count());
    }

    private boolean isGradientFinite(List<MicroBatch> batches, int i, Map<String, Long> counts) {
        parameters.zeroGradients();
        addGradient(batches, i, counts);
        return Double.isFinite(parameters.gradientNorm());
    }

    private static List<MicroBatch> firstOfEachTerm(List<MicroBatch> batches) {
        var first = new TreeMap<String, MicroBatch>();
        batches.forEach(b -> first.putIfAbsent(b.term(), b));
        return List.copyOf(first.values());
    }

    /// Where each trained weight lies in [#weights].
    List<FlatParameters.Slot> slots() {
        return parameters.slots();
    }

    /// Copies the trained weights and what is gathered beside them, in place of an earlier copy,
    /// for [#restoreKept]. Not into an array, which ends at 2³¹ numbers and would take Java's heap.
    void keep() {
        try (var scope = new Scope()) {
            var trained = parameters.weights();
            var gathered = gathered();
            if (kept == null) {
                kept = scope.keep(Tensor.zeros(DType.FLOAT, trained.count() + gathered.length));
            }
            kept.narrow(0, 0, trained.count()).copyInPlace(trained);
            kept.narrow(0, trained.count(), gathered.length)
                    .copyInPlace(Tensor.of(gathered, gathered.length));
        }
    }

    /// Goes back to what [#keep] copied.
    void restoreKept() {
        try (var scope = new Scope()) {
            var trained = parameters.weights();
            var all = Objects.requireNonNull(kept, "nothing was kept");
            trained.copyInPlace(all.narrow(0, 0, trained.count()));
            gathered(all.narrow(0, trained.count(), all.count() - trained.count()).floats());
        }
    }

    /// The bytes that [#keep] has copied, and [#saveKept] writes.
    long keptBytes() {
        return kept == null ? 0 : kept.bytes();
    }

    /// Writes what is kept, as numbers of 32 bits, the least byte first.
    void saveKept(Path file) throws IOException {
        if (kept != null) {
            try (var scope = new Scope();
                    var out = FileChannel.open(file, CREATE_NEW, WRITE)) {
                var all = kept.segment();
                for (var at = 0L; at < all.byteSize(); at += AT_ONCE) {
                    var part = all.asSlice(at, Math.min(AT_ONCE, all.byteSize() - at));
                    for (var bytes = part.asByteBuffer(); bytes.hasRemaining(); ) {
                        out.write(bytes);
                    }
                }
            }
        }
    }

    /// Keeps what [#saveKept] wrote.
    ///
    /// @throws EspalierException (DATA) if it cannot be read, or is of another model
    void readKept(Path file) {
        keep();
        try (var scope = new Scope();
                var in = FileChannel.open(file)) {
            var all = Objects.requireNonNull(kept).segment();
            if (in.size() != all.byteSize()) {
                throw EspalierException.data(
                        "%s: has %,d bytes, and this recipe's model needs %,d; resume with the recipe that wrote it"
                                .formatted(file, in.size(), all.byteSize()));
            }
            for (var at = 0L; at < all.byteSize(); at += AT_ONCE) {
                var part = all.asSlice(at, Math.min(AT_ONCE, all.byteSize() - at));
                for (var bytes = part.asByteBuffer(); bytes.hasRemaining(); ) {
                    if (in.read(bytes) < 0) {
                        throw new EOFException("it ends early");
                    }
                }
            }
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// A copy of the trained weights and of what is gathered beside them, from which
    /// [#restoreWeights] goes back.
    ///
    /// @throws EspalierException (USAGE) if there are more than an array holds
    public float[] weights() {
        if (parameters.count() > MOST_MIXED) {
            throw EspalierException.usage(
                    "forgetting.defence: %,d weights are trained, and at most %,d are mixed with others"
                            .formatted(parameters.count(), MOST_MIXED));
        }
        var trained = Math.toIntExact(parameters.count());
        var gathered = gathered();
        var all = new float[trained + gathered.length];
        try (var scope = new Scope()) {
            MemorySegment.copy(
                    parameters.weights().segment(), ValueLayout.JAVA_FLOAT, 0, all, 0, trained);
        }
        System.arraycopy(gathered, 0, all, trained, gathered.length);
        return all;
    }

    public void restoreWeights(float[] weights) {
        var trained = Math.toIntExact(parameters.count());
        parameters
                .weights()
                .segment()
                .copyFrom(MemorySegment.ofArray(weights).asSlice(0, 4L * trained));
        gathered(Arrays.copyOfRange(weights, trained, weights.length));
    }

    private float[] gathered() {
        List<float[]> parts;
        try (var scope = new Scope()) {
            parts = running.stream().map(r -> r.value().floats()).toList();
        }
        var all = new float[parts.stream().mapToInt(p -> p.length).sum()];
        var at = 0;
        for (var part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }

    private void gathered(float[] all) {
        var at = 0;
        for (var slot : running) {
            var value = slot.value();
            var count = Math.toIntExact(value.count());
            var part = Arrays.copyOfRange(all, at, at + count);
            try (var scope = new Scope()) {
                Torch.noGrad(() -> value.copyInPlace(Tensor.of(part, value.shape())));
            }
            at += count;
        }
    }

    /// The bytes that [#save] writes, nearly.
    public long stateBytes() {
        return parameters.weights().bytes()
                + optimizer.state().values().stream().mapToLong(Tensor::bytes).sum();
    }

    /// Writes what is needed to go on, bit for bit, into `folder`, which exists: the trained
    /// weights, the optimizer's state, the clock.
    public void save(Path folder) throws IOException {
        var tensors = new ArrayList<SafeTensors.Entry>();
        tensors.add(entry("weights", parameters.weights()));
        optimizer
                .state()
                .forEach((name, tensor) -> tensors.add(entry("optimizer." + name, tensor)));
        if (!running.isEmpty()) {
            var gathered = gathered();
            tensors.add(
                    new SafeTensors.Entry(
                            RUNNING,
                            SafeTensors.DType.F32,
                            new long[] {gathered.length},
                            MemorySegment.ofArray(gathered)));
        }
        SafeTensors.write(folder.resolve(OPTIMIZER), tensors);
        Files.writeString(
                folder.resolve(STATE),
                Json.pretty(
                        new State(VERSION, progress, seconds, optimizer.steps(), guard.state())));
    }

    private static SafeTensors.Entry entry(String name, Tensor tensor) {
        return new SafeTensors.Entry(name, SafeTensors.DType.F32, tensor.shape(), tensor.segment());
    }

    /// Goes on from what [#save] wrote.
    ///
    /// @throws EspalierException (DATA) if another version wrote it, or for another model
    public void restore(Path folder) {
        var said = folder.resolve(STATE);
        var version = Json.read(said).path("version");
        if (version.asInt(-1) != VERSION) {
            throw EspalierException.data(
                    "%s: is of version %s; this program goes on from version %d"
                            .formatted(said, version.isMissingNode() ? "0" : version, VERSION));
        }
        var file = folder.resolve(OPTIMIZER);
        try (var tensors = SafeTensors.open(file)) {
            copy(file, tensors, "weights", parameters.weights());
            optimizer
                    .state()
                    .forEach((name, tensor) -> copy(file, tensors, "optimizer." + name, tensor));
            if (!running.isEmpty()) {
                try (var scope = new Scope()) {
                    var gathered = Tensor.of(gathered(), gathered().length);
                    copy(file, tensors, RUNNING, gathered);
                    gathered(gathered.floats());
                }
            }
        }
        var state = Json.read(said, State.class);
        progress = state.progress();
        seconds = state.seconds();
        optimizer.steps(state.optimizerSteps());
        guard.state(state.guard());
    }

    private static void copy(Path file, SafeTensors tensors, String name, Tensor into) {
        var entry =
                tensors.find(name)
                        .orElseThrow(() ->
                                EspalierException.data(
                                        file + ": the tensor '" + name + "' is missing"));
        if (entry.data().byteSize() != into.bytes()) {
            throw EspalierException.data(
                    file
                            + ": the tensor '"
                            + name
                            + "' is of another size than this recipe's model; resume with the recipe that wrote it");
        }
        into.segment().copyFrom(entry.data());
    }

    /// Ends the training and leaves the model usable: its weights move out of the buffer, and all
    /// else is freed.
    public void release() {
        parameters.release(learner.model());
        free();
    }

    /// Frees the weights, gradients and optimizer state. The model must not be used any more.
    @Override
    public void close() {
        parameters.close();
        free();
    }

    private void free() {
        workers.close();
        optimizer.close();
        if (anchor != null) {
            anchor.close();
        }
        if (kept != null) {
            kept.close();
        }
    }
}
