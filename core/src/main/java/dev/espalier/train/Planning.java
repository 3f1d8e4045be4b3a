package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.model.VisionModel;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Cost;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Largest;
import dev.espalier.plan.Machine;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.SourceRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TokenizerRecipe;
import dev.espalier.recipe.TrainingRecipe.Precision;
import dev.espalier.task.DistillationBatch;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Plans a recipe: what is known by its numbers alone, and, where its data are there and its model
/// has room, what its data hold and how long its first steps take.
public final class Planning {
    /// The vocabulary that is reckoned with for characters: it depends on the text; that of English
    /// is near 100.
    private static final int CHARACTERS = 100;

    /// The share of a machine's matrix products that training is reckoned to reach where nothing
    /// was measured.
    private static final double UNMEASURED = 0.5;

    /// What the first steps of a process bring into memory beside the model, its states and its
    /// activations: the code of the libraries that they call, and the program's own once it is
    /// compiled. The mean of 19 of the toy recipes, 10 to 90 MiB (`docs/log.md`).
    static final long FIRST_STEPS = 45L << 20;

    /// The process with the libraries and no model, where it is another that plans.
    private static final long PROCESS = (400L << 20) + FIRST_STEPS;

    /// Steps that are measured, for at least [#MEASURED_SECONDS] or so many.
    private static final int MEASURED_STEPS = 12;

    private static final double MEASURED_SECONDS = 4;

    /// Steps whose micro-batches tell how large the largest is.
    private static final int LOOKED_AT = 12;

    /// As many tensors of scores has learning without forgetting at a time: of either model as they
    /// are, divided, and as probabilities, their product, and gradients of three.
    private static final int SCORES_OF_TWO = 10;

    private Planning() {}

    /// What the first steps of a run told.
    ///
    /// @param classes that are told; 0 where there are none
    /// @param tokensPerStep of the task
    /// @param replayed tokens a step of general text
    /// @param flopsPerToken what is computed of a token, see [#flops]
    /// @param attention what of these is attention itself; null where that is not told apart
    /// @param before operations before the first step
    /// @param validated tokens that pass forward when the model is measured on its task
    /// @param general tokens of the general text that it is measured on
    /// @param varied whether rows of some batches are longer than those of others
    /// @param peakMemory of the process, see [PeakMemory#bytes]
    record Measured(
            int vocabulary,
            int classes,
            double tokensPerStep,
            double replayed,
            double stepsPerEpoch,
            long totalSteps,
            double flopsPerToken,
            @Nullable Double attention,
            double before,
            long validated,
            long general,
            double secondsPerStep,
            int steps,
            int rows,
            int length,
            boolean varied,
            long state,
            long trained,
            long process,
            long peakMemory) {
        Measured with(double secondsPerStep, int steps, long peakMemory) {
            return new Measured(
                    vocabulary,
                    classes,
                    tokensPerStep,
                    replayed,
                    stepsPerEpoch,
                    totalSteps,
                    flopsPerToken,
                    attention,
                    before,
                    validated,
                    general,
                    secondsPerStep,
                    steps,
                    rows,
                    length,
                    varied,
                    state,
                    trained,
                    process,
                    peakMemory);
        }

        /// Tokens a step that pass through the model.
        double passing() {
            return tokensPerStep + replayed;
        }
    }

    /// Makes the first steps of a job.
    ///
    /// @param process bytes that the process had without the model
    /// @param peak since before the job was prepared
    static Measured measured(
            Job job, Trainer trainer, int most, double seconds, long process, PeakMemory peak) {
        var facts = facts(job, trainer, process);
        if (most == 0) {
            return facts;
        }
        var taken = new ArrayList<Double>();
        var spent = 0.0;
        while (!trainer.done() && taken.size() < most && (spent < seconds || taken.size() < 3)) {
            var start = System.nanoTime();
            trainer.step();
            taken.add((System.nanoTime() - start) / 1e9);
            spent += taken.getLast();
        }
        // The first steps fault memory in and warm caches.
        var rest = taken.subList(Math.min(2, taken.size() - 1), taken.size());
        return facts.with(
                rest.stream().mapToDouble(s -> s).average().orElseThrow(),
                taken.size(),
                peak.bytes());
    }

    /// What is known of a run before its first step.
    private static Measured facts(Job job, Trainer trainer, long process) {
        var learner = job.learner();
        var rows = 1;
        var lengths = new TreeSet<>(List.of(1L));
        for (var step = 0; step < Math.min(LOOKED_AT, trainer.totalSteps()); step++) {
            for (var batch : learner.step(step)) {
                if (batch.tokens() > 0 && !batch.term().equals(Replaying.TERM)) {
                    var n = Math.max(1, batch.where().size());
                    rows = Math.max(rows, n);
                    lengths.add(Math.ceilDiv(batch.tokens(), n));
                }
            }
        }
        var trained = trained(learner.model());
        var replayed = Replayed.of(job);
        var limit = job.recipe().evaluate().tokens();
        return new Measured(
                vocabulary(learner.model()),
                classes(learner.model()),
                learner.tokensPerStep(),
                replayed == null ? 0 : replayed.tokens(),
                learner.stepsPerEpoch(),
                trainer.totalSteps(),
                flops(job),
                attention(job),
                before(job),
                job.validated(limit == null ? Long.MAX_VALUE : limit),
                job.forgetting().tokens(),
                0,
                0,
                rows,
                lengths.last().intValue(),
                lengths.tailSet(2L).size() > 1,
                trainer.stateBytes() - 4 * trained,
                trained,
                process,
                0);
    }

    /// A run that is foreseen while it goes: by what steps like its own took earlier, and by its
    /// first ones.
    static final class Forecast {
        private final Recipe recipe;
        private final Plan.Request request;
        private final String key;
        private final double tokensPerStep;
        private final long totalSteps;
        private final long formula;
        private final @Nullable Long earlierPeak;
        private final PeakMemory peak;
        private long firstPeak;
        private final @Nullable Double earlier;
        private final Rate rate;
        private final List<Double> seconds = new ArrayList<>();

        /// @param process bytes that the process had without the model
        /// @param peak since before the job was prepared
        static Forecast of(
                Job job, Trainer trainer, History history, long process, PeakMemory peak) {
            return new Forecast(job, trainer, history, process, peak);
        }

        private Forecast(Job job, Trainer trainer, History history, long process, PeakMemory peak) {
            this.peak = peak;
            recipe = job.recipe();
            var facts = facts(job, trainer, process);
            request =
                    recipe.ofPictures()
                            ? seeing(job, facts)
                            : request(recipe, anatomy(recipe, facts.vocabulary()), facts);
            key = key(request.model(), request.pass(), recipe);
            tokensPerStep = facts.passing();
            totalSteps = facts.totalSteps();
            formula = recipe.ofPictures() ? 0 : request.memory(request.pass().recompute()).total();
            earlier = history.last(key).map(History.Entry::secondsPerStep).orElse(null);
            earlierPeak = history.peak(key).orElse(null);
            rate = Rate.of(request, key, bf16(recipe), history);
        }

        /// Steps that the rest is foretold by.
        private int first() {
            return (int) Math.clamp(totalSteps / 5, 20, 100);
        }

        void stepped(double took) {
            seconds.add(took);
            if (seconds.size() == first()) {
                firstPeak = peak.bytes();
            }
        }

        /// What was foreseen beside what came, after all steps.
        History.Entry outcome() {
            var steps = seconds.size();
            var mean = seconds.stream().mapToDouble(s -> s).average().orElse(0);
            var predicted = new ArrayList<History.Prediction>();
            if (earlier != null) {
                predicted.add(
                        earlierPeak == null
                                ? prediction("earlier", earlier, formula, "formula")
                                : prediction("earlier", earlier, earlierPeak, "earlier"));
            }
            // What a plan goes by where nothing like it was measured, also where something was.
            predicted.add(
                    prediction(
                            rate.basis(),
                            tokensPerStep / rate.tokensPerSecond(),
                            formula,
                            "formula"));
            var first = first();
            if (steps > 2 * first) {
                // The first ones fault memory in, and have kernels and the program compiled; of the
                // others the middle one, since few are slow for reasons of their own.
                var later = seconds.subList(first / 4, first).stream().sorted().toList();
                predicted.add(
                        prediction(
                                "first steps",
                                later.get(later.size() / 2),
                                formula == 0 ? firstPeak : formula,
                                formula == 0 ? "early steps" : "formula"));
            }
            return new History.Entry(
                    History.now(),
                    History.machine(),
                    recipe.name(),
                    key,
                    request.model().parameterCount(),
                    steps,
                    mean,
                    tokensPerStep / mean,
                    request.flopsPerToken() * tokensPerStep / mean,
                    peak.bytes(),
                    predicted);
        }

        private History.Prediction prediction(
                String basis, double secondsPerStep, long memory, String memoryBasis) {
            return new History.Prediction(
                    basis,
                    secondsPerStep * seconds.size(),
                    tokensPerStep / secondsPerStep,
                    memory,
                    memoryBasis);
        }
    }

    /// 0 of a model without one.
    private static int vocabulary(Module model) {
        return switch (model) {
            case LanguageModel m -> m.vocabulary();
            case SequenceClassifier m -> m.body().vocabulary();
            case TokenClassifier m -> m.body().vocabulary();
            default -> 0;
        };
    }

    private static int classes(Module model) {
        return switch (model) {
            case SequenceClassifier m -> m.labels().size();
            case TokenClassifier m -> m.labels().size();
            default -> 0;
        };
    }

    private static long trained(Module model) {
        return model.parameters().values().stream()
                .filter(Parameter::trained)
                .mapToLong(p -> p.value().count())
                .sum();
    }

    /// The plan of `recipe`.
    ///
    /// @param measure whether to make some steps, in a temporary folder, where that is possible
    public static Plan plan(
            Recipe recipe, boolean measure, Hardware hardware, History history, Watcher watcher) {
        if (recipe.ofPictures()) {
            return planSeeing(recipe, measure, hardware, history, watcher);
        }
        var notes = new ArrayList<String>();
        var bf16 = bf16(recipe);
        var guess = anatomy(recipe, null);
        var room = Machine.availableBytes();
        Measured measured = null;
        var isTooLarge = room > 0 && least(request(recipe, guess, null)) > room;
        if (!measure) {
            notes.add("nothing was measured, as asked");
        } else if (isTooLarge) {
            notes.add("no step was measured: the model has no room in this machine's memory");
        } else {
            try {
                measured =
                        new Run(recipe)
                                .measured(
                                        MEASURED_STEPS,
                                        MEASURED_SECONDS,
                                        watcher,
                                        (_, found) -> found);
            } catch (EspalierException e) {
                notes.add("no step was measured: " + e.getMessage());
            }
        }
        var counted = !measure || isTooLarge ? counted(recipe, guess) : null;
        var told = measured == null ? counted : measured;
        var model = anatomy(recipe, told == null ? null : told.vocabulary());
        var request = request(recipe, model, measured, counted);
        var key = key(request.model(), request.pass(), recipe);
        var here = here(request, measured, key, bf16, history, room);
        if (measured != null) {
            history.add(entry(recipe, request, key, measured));
        } else if (request.work().steps() == null) {
            notes.add("how long the run is depends on its data");
        }
        if (told == null ? recipe instanceof FinetuneRecipe : told.varied()) {
            notes.add(
                    "lengths vary: batches of ever new lengths have taken up to 2.8 times the memory that the formula has");
        }
        noteWhatIsLeftOut(recipe, notes);
        return Plan.of(request, here, hardware, history, notes);
    }

    /// Bytes that a step takes whatever passes through the model: weights, gradients, and the
    /// optimizer's state.
    static long least(Plan.Request request) {
        return 4 * (request.model().parameterCount() + request.pass().trained())
                + request.optimizer();
    }

    /// What the data of a recipe hold, by a model of a single narrow layer that reads the same
    /// tokens; null where they are not there, or not as they should be.
    private static @Nullable Measured counted(Recipe recipe, Anatomy model) {
        var type =
                switch (model.family()) {
                    case "bart" -> "bart";
                    case "t5" -> "t5, head-width: 8, hidden: 8";
                    default -> model.decoderLayers() > 0 ? "gpt2" : "bert";
                };
        var narrow =
                new ArrayList<>(
                        List.of(
                                "model={type: %s, layers: 1, heads: 1, width: 8, context: %d}"
                                        .formatted(type, model.context())));
        if (recipe.model() instanceof ModelRecipe.Saved saved && recipe.tokenizer() == null) {
            narrow.add("tokenizer={path: %s}".formatted(Json.line(saved.path().toString())));
        }
        if (recipe instanceof FinetuneRecipe) {
            narrow.addAll(List.of("adapter=none", "forgetting=none"));
        }
        try {
            return new Run(Recipes.parse(Recipes.write(recipe), recipe.name(), narrow))
                    .measured(0, 0, new Watcher() {}, (_, found) -> found);
        } catch (EspalierException e) {
            return null;
        }
    }

    /// The plan of a recipe of pictures, whose model is made, since the classes of its data decide
    /// its head. Memory is what some steps took.
    private static Plan planSeeing(
            Recipe recipe, boolean measure, Hardware hardware, History history, Watcher watcher) {
        var notes = new ArrayList<String>();
        Seen seen;
        var absent = false;
        try {
            seen =
                    new Run(recipe)
                            .measured(
                                    measure ? MEASURED_STEPS : 0,
                                    MEASURED_SECONDS,
                                    watcher,
                                    Planning::seen);
        } catch (EspalierException e) {
            if (isThere(recipe)) {
                throw e;
            }
            seen = unseen(recipe, e);
            absent = true;
            notes.add("no step was measured: " + e.getMessage());
        }
        var request = seen.request();
        var key = key(request.model(), request.pass(), recipe);
        var steps = seen.measured().steps();
        if (absent) {
            notes.add(
                    "classes that the data would tell are taken to be two; of the memory the activations are not known");
        } else if (steps == 0) {
            notes.add(
                    "nothing was measured, as asked; of the memory the activations are not known");
        } else {
            notes.add(
                    seen.measured().peakMemory() == 0
                            ? "of the memory the activations are not known"
                            : "the activations are what %d steps took".formatted(steps));
            history.add(entry(recipe, request, key, seen.measured()));
        }
        noteWhatIsLeftOut(recipe, notes);
        return Plan.of(
                request,
                here(
                        request,
                        steps == 0 ? null : seen.measured(),
                        key,
                        bf16(recipe),
                        history,
                        Machine.availableBytes()),
                hardware,
                history,
                notes);
    }

    private static void noteWhatIsLeftOut(Recipe recipe, List<String> notes) {
        notes.add("saving, the test and the report are in none of the times");
        if (recipe instanceof FinetuneRecipe f) {
            if (f.task() instanceof TaskRecipe.SequenceToSequence
                    || f.task() instanceof TaskRecipe.Captioning) {
                notes.add("evaluations are foretold without the texts that are written in them");
            }
            var measure = f.forgetting() == null ? null : f.forgetting().measure();
            if (measure != null && (!measure.tasks().isEmpty() || measure.pairs() != null)) {
                notes.add("evaluations are foretold without earlier tasks and minimal pairs");
            }
        }
        if (defence(recipe) instanceof DefenceRecipe.Cheapest cheapest) {
            notes.add(
                    "the plan is of one run; the defence cheapest makes up to %d like it"
                            .formatted(1 + cheapest.tries().stream().distinct().count()));
        }
    }

    /// What is asked of a plan, and what it goes by.
    record Seen(Plan.Request request, Measured measured) {}

    private static Seen seen(Job job, Measured measured) {
        return new Seen(seeing(job, measured), measured);
    }

    /// Whether the pictures of a recipe are there; what is wrong with them is told then.
    private static boolean isThere(Recipe recipe) {
        return switch (recipe) {
            case FinetuneRecipe f -> Files.exists(f.data().train());
            case PretrainRecipe p ->
                    p.data().sources().stream()
                            .anyMatch(s ->
                                    s instanceof SourceRecipe.Images i && Files.exists(i.path()));
        };
    }

    /// What is known of a recipe of pictures without them.
    ///
    /// @param why they are not known, which is thrown where nothing is
    private static Seen unseen(Recipe recipe, EspalierException why) {
        var ready = alone(recipe);
        if (ready == null) {
            throw why;
        }
        var model = ready.model();
        try {
            if (recipe instanceof FinetuneRecipe finetune) {
                Vision.adapt(finetune, ready);
            }
            var load = Vision.load(model, ready.preprocessor());
            var training = recipe.training();
            var trained = trained(model);
            var facts =
                    new Measured(
                            0,
                            0,
                            training.batch(),
                            0,
                            0,
                            0,
                            flops(recipe, blocks(model), load.flops(), null),
                            null,
                            0,
                            0,
                            0,
                            0,
                            0,
                            load.microBatch(ready, training),
                            1,
                            false,
                            optimizerBytes(training.optimizer(), trained),
                            trained,
                            PROCESS,
                            0);
            var work = work(recipe, training.batch(), 0, 0, null, null);
            return new Seen(seeing(recipe, model, facts, work), facts);
        } finally {
            model.free();
        }
    }

    /// The model of a recipe without its data; null of a captioner, whose tokenizer is learnt from
    /// them.
    private static Vision.@Nullable Ready<? extends VisionModel> alone(Recipe recipe) {
        var two = List.of("one", "other");
        var model = recipe.model();
        return switch (recipe) {
            case PretrainRecipe _ -> Vision.mae(model, recipe.seed());
            case FinetuneRecipe finetune ->
                    switch (finetune.task()) {
                        case TaskRecipe.ImageClassification _ ->
                                Vision.vit(model, new Problem.SingleLabel(two), recipe.seed());
                        case TaskRecipe.ObjectDetection _ ->
                                Vision.detector(model, two, recipe.seed());
                        case TaskRecipe.Segmentation task ->
                                Vision.segmenter(
                                        model,
                                        task.classes().isEmpty() ? two : task.classes(),
                                        recipe.seed());
                        default -> null;
                    };
        };
    }

    private static Plan.Request seeing(Job job, Measured measured) {
        var recipe = job.recipe();
        // Of an image, forward.
        var forward = measured.flopsPerToken() / passes(recipe, blocks(job.learner().model())) / 3;
        var evaluation = evaluation(recipe, measured, 0, forward * measured.validated());
        var work = work(recipe, measured.tokensPerStep(), 0, 0, evaluation, measured);
        return seeing(recipe, job.learner().model(), measured, work);
    }

    private static Plan.Request seeing(
            Recipe recipe, Module model, Measured measured, Plan.Work work) {
        var counts = new java.util.LinkedHashMap<String, Long>();
        model.parameters().forEach((path, p) -> counts.put(path, p.value().count()));
        var family =
                model instanceof dev.espalier.model.Model m
                        ? m.configJson().path("model_type").asString("model")
                        : "model";
        var anatomy = Anatomy.seeing(family, measured.length(), counts);
        var batch = recipe.training().batch();
        var workers =
                measured.rows() >= batch || !Workers.small(anatomy.parameterCount())
                        ? 1
                        : Math.min(Workers.MOST, Machine.threads());
        var pass =
                new Cost.Pass(
                        measured.rows(),
                        measured.length(),
                        0,
                        workers,
                        0,
                        bf16(recipe),
                        false,
                        measured.trained(),
                        false);
        var loader = kept(recipe, anatomy, measured.trained(), pass);
        var known =
                new Cost.Memory(
                        4 * anatomy.parameterCount(),
                        workers * 4 * measured.trained(),
                        measured.state(),
                        0,
                        0,
                        bf16(recipe) ? workers * 2 * anatomy.parameterCount() : 0,
                        loader,
                        measured.process());
        return new Plan.Request(
                recipe.name(),
                anatomy,
                pass,
                work,
                measured.flopsPerToken(),
                null,
                measured.state(),
                loader,
                measured.process(),
                false,
                bf16Elsewhere(recipe),
                null,
                new Cost.Memory(
                        known.weights(),
                        known.gradients(),
                        known.optimizer(),
                        Math.max(0, measured.peakMemory() - known.total()),
                        0,
                        known.copies(),
                        known.loader(),
                        known.process()));
    }

    private static History.Entry entry(
            Recipe recipe, Plan.Request request, String key, Measured measured) {
        return new History.Entry(
                History.now(),
                History.machine(),
                recipe.name(),
                key,
                request.model().parameterCount(),
                measured.steps(),
                measured.secondsPerStep(),
                measured.passing() / measured.secondsPerStep(),
                request.flopsPerToken() * measured.passing() / measured.secondsPerStep(),
                measured.peakMemory(),
                List.of());
    }

    /// The largest model that `budget` pays for on the machine of that name.
    public static Largest largest(
            Largest.Budget budget,
            String machine,
            int vocabulary,
            int context,
            Hardware hardware,
            History history) {
        var kind = hardware.named(machine);
        var isHere = kind.name().equals(Hardware.HERE);
        var bf16 = !isHere || Machine.hasBf16();
        var attainable = kind.attainable(bf16);
        if (attainable == 0 && !isHere) {
            throw EspalierException.usage(
                    "the table has no peak of '%s' to reckon with".formatted(machine));
        }
        var here = attainable > 0 ? 0 : UNMEASURED * Machine.usualMatmulRate(bf16);
        var memory = budget.memory() == null ? memory(kind) : budget.memory();
        return Largest.of(
                new Largest.Budget(budget.seconds(), budget.price(), memory),
                model ->
                        attainable > 0
                                ? attainable
                                : history.nearest(model.parameterCount(), bf16 ? "bf16" : "fp32")
                                        .map(History.Entry::flopsPerSecond)
                                        .orElse(here),
                Largest.Prices.on(kind, hardware.pricePerKwh()),
                vocabulary,
                context,
                bf16,
                PROCESS);
    }

    /// What a machine has for a process, or null where that is not known.
    private static @Nullable Long memory(Hardware.Kind kind) {
        if (kind.memoryGib() != null) {
            return (long) (kind.memoryGib() * 0x1p30);
        }
        var here = kind.name().equals(Hardware.HERE) ? Machine.availableBytes() : 0;
        return here > 0 ? Long.valueOf(here) : null;
    }

    private static Plan.Here here(
            Plan.Request request,
            @Nullable Measured measured,
            String key,
            boolean bf16,
            History history,
            long room) {
        var perStep = request.work().tokensPerStep();
        var taken =
                Math.max(
                        measured == null ? 0 : measured.peakMemory(), history.peak(key).orElse(0L));
        if (measured != null) {
            return new Plan.Here(
                    perStep / measured.secondsPerStep(),
                    "%d steps measured now".formatted(measured.steps()),
                    room,
                    taken);
        }
        var earlier = history.last(key);
        if (earlier.isPresent()) {
            return new Plan.Here(
                    perStep / earlier.get().secondsPerStep(),
                    "steps measured " + earlier.get().at().substring(0, 10),
                    room,
                    taken);
        }
        var rate = Rate.of(request, key, bf16, history);
        return new Plan.Here(rate.tokensPerSecond(), rate.words(), room, taken);
    }

    /// What steps are told by of which none like them were measured.
    ///
    /// @param basis in a [History.Prediction]
    private record Rate(double tokensPerSecond, String basis, String words) {
        static Rate of(Plan.Request request, String key, boolean bf16, History history) {
            return history.nearest(request.model().parameterCount(), key)
                    .map(like ->
                            new Rate(
                                    like.flopsPerSecond() / request.flopsPerToken(),
                                    "rate",
                                    "the rate of %s, %,d parameters"
                                            .formatted(like.name(), like.parameters())))
                    .orElseGet(() ->
                            new Rate(
                                    UNMEASURED
                                            * Machine.usualMatmulRate(bf16)
                                            / request.flopsPerToken(),
                                    "guess",
                                    "%.0f %% of this machine's matrix products, a guess"
                                            .formatted(100 * UNMEASURED)));
        }
    }

    static boolean bf16(Recipe recipe) {
        var precision = recipe.training().precision();
        return precision == Precision.BF16 || precision == Precision.AUTO && Machine.hasBf16();
    }

    /// The same on a machine that multiplies in bf16, for which this one's processor says nothing.
    private static boolean bf16Elsewhere(Recipe recipe) {
        return recipe.training().precision() != Precision.FP32;
    }

    /// What the time of a step depends on.
    static String key(Anatomy model, Cost.Pass pass, Recipe recipe) {
        var kind =
                switch (recipe) {
                    case PretrainRecipe r -> r.objective().getClass().getSimpleName();
                    case FinetuneRecipe r ->
                            r.task().getClass().getSimpleName()
                                    + (r.task() instanceof TaskRecipe.Preference p
                                            ? " " + p.loss().getClass().getSimpleName()
                                            : "")
                                    + " "
                                    + adapter(r.adapter())
                                    + named(defence(r));
                };
        return String.format(
                        Locale.ROOT,
                        "%s %d %s %s batch %d%s x %d%s %s%s%s",
                        model.family(),
                        model.parameterCount(),
                        kind,
                        recipe.training().optimizer().getClass().getSimpleName(),
                        recipe.training().batch(),
                        pass.rows() * pass.workers() < recipe.training().batch()
                                ? " by " + pass.rows()
                                : "",
                        pass.input(),
                        pass.target() == 0 ? "" : " + " + pass.target(),
                        pass.bf16() ? "bf16" : "fp32",
                        pass.recompute() ? " recompute" : "",
                        pass.dropout() ? " dropout" : "")
                .toLowerCase(Locale.ROOT);
    }

    private static String adapter(AdapterRecipe adapter) {
        return adapter.getClass().getSimpleName()
                + switch (adapter) {
                    case AdapterRecipe.None _ -> "";
                    case AdapterRecipe.Frozen f ->
                            f.lastBlocks() > 0 ? " last-blocks " + f.lastBlocks() : "";
                    case AdapterRecipe.Lora l ->
                            " %d %s%s%s"
                                    .formatted(
                                            l.rank(),
                                            l.targets(),
                                            l.dropout() > 0 ? " dropout" : "",
                                            l.dora() ? " dora" : "");
                };
    }

    private static DefenceRecipe defence(Recipe recipe) {
        return recipe instanceof FinetuneRecipe f && f.forgetting() != null
                ? f.forgetting().defence()
                : new DefenceRecipe.None();
    }

    /// By which what is computed or kept beside the task differs.
    private static String named(DefenceRecipe defence) {
        var name = " " + defence.getClass().getSimpleName();
        return switch (defence) {
            // Of several the first to be tried is none.
            case DefenceRecipe.None _, DefenceRecipe.Cheapest _ -> "";
            case DefenceRecipe.Replay r -> name + " " + r.fraction();
            default -> name;
        };
    }

    /// The model in numbers, with the vocabulary that was found, or else the recipe's.
    static Anatomy anatomy(Recipe recipe, @Nullable Integer found) {
        return recipe.model() instanceof ModelRecipe.Saved saved
                ? Anatomy.of(HuggingFace.config(saved.path()))
                : Anatomy.of(recipe.model(), found == null ? vocabulary(recipe) : found);
    }

    /// The vocabulary of a recipe's tokenizer, as far as it tells.
    ///
    /// @throws EspalierException (USAGE) if it has none
    public static int vocabulary(Recipe recipe) {
        return switch (recipe.tokenizer()) {
            case TokenizerRecipe.Bpe bpe -> bpe.vocabulary();
            case TokenizerRecipe.WordPiece wordPiece -> wordPiece.vocabulary();
            case TokenizerRecipe.Unigram unigram -> unigram.vocabulary();
            case TokenizerRecipe.SentencePieceBpe bpe -> bpe.vocabulary();
            case TokenizerRecipe.Saved saved -> Tokenizers.read(saved.path()).vocabularySize();
            case TokenizerRecipe.Characters _ -> CHARACTERS;
            case null ->
                    throw EspalierException.usage(
                            recipe.name() + ": a new model needs a tokenizer");
        };
    }

    /// The share of attention's weights that a new model drops.
    static double dropout(ModelRecipe model) {
        return switch (model) {
            case ModelRecipe.Gpt2 g -> g.dropout();
            case ModelRecipe.LlamaShape l -> l.dropout();
            case ModelRecipe.EncoderShape e -> e.dropout();
            case ModelRecipe.Bart b -> b.dropout();
            case ModelRecipe.T5 t -> t.dropout();
            case ModelRecipe.Saved s -> s.dropout() == null ? 0 : s.dropout();
            default -> 0;
        };
    }

    static Plan.Request request(Recipe recipe, Anatomy model, @Nullable Measured measured) {
        return request(recipe, model, measured, null);
    }

    /// @param counted what the data hold, where nothing was measured; null where that is not known
    private static Plan.Request request(
            Recipe recipe, Anatomy model, @Nullable Measured measured, @Nullable Measured counted) {
        var told = measured == null ? counted : measured;
        var training = recipe.training();
        var shape = shape(recipe, model);
        var length = told == null ? shape.input() : Math.min(shape.input(), told.length());
        var batch = training.batch();
        var small = Workers.small(model.parameterCount());
        var auto =
                CausalLearner.autoMicroBatch(
                        model.parameterCount(), batch, shape.input() + shape.target());
        var micro = training.microBatch() == null ? auto : Math.min(batch, training.microBatch());
        var rows = measured == null ? micro : measured.rows();
        var trained =
                measured == null
                        ? trained(recipe, model, told == null ? 0 : told.classes())
                        : measured.trained();
        var pass =
                new Cost.Pass(
                        rows,
                        length,
                        shape.target(),
                        rows >= batch || !small ? 1 : Math.min(Workers.MOST, Machine.threads()),
                        shape.scored(),
                        bf16(recipe),
                        training.recompute(),
                        trained,
                        dropout(recipe.model()) > 0,
                        frozen(recipe, model.layers()));
        var own =
                told == null
                        ? (double) batch * (shape.input() + shape.target())
                        : told.tokensPerStep();
        // Of a decoder beside an encoder it is not known which tokens are whose.
        var mean = shape.target() > 0 ? length : (int) Math.min(length, Math.ceil(own / batch));
        Double attention = Cost.attentionFlops(model, mean, shape.target());
        var whole = Cost.flopsPerToken(model, mean, shape.target(), shape.scored());
        var flops = flops(recipe, blocks(model), whole, attention);
        attention = attention(recipe, blocks(model), attention);
        if (defence(recipe) instanceof DefenceRecipe.Lwf) {
            var again = Cost.flopsPerToken(model, mean, shape.target(), asked(model));
            flops += flops(recipe, blocks(model), again, null) + again / 3;
        }
        var replayed = Replayed.of(recipe, model, GeneralText.length(model.context()));
        if (replayed != null) {
            flops = replayed.mixed(own, flops, replayed.flops());
            attention =
                    attention == null
                            ? null
                            : Double.valueOf(replayed.mixed(own, attention, replayed.attention()));
        }
        if (measured != null) {
            flops = measured.flopsPerToken();
            attention = measured.attention() == null ? attention : measured.attention();
        }
        var repeated =
                measured != null ? measured.replayed() : replayed == null ? 0 : replayed.tokens();
        var before = measured == null ? before(recipe, model) : measured.before();
        Plan.Evaluation evaluation = null;
        if (told != null) {
            var general = measured == null ? generalTokens(recipe) : measured.general();
            var foreseen =
                    Cost.flopsPerToken(model, GeneralText.length(model.context()), 0, asked(model));
            evaluation =
                    evaluation(
                            recipe,
                            told,
                            general,
                            (told.validated() * whole + general * foreseen) / 3);
        }
        var state =
                measured == null ? optimizerBytes(training.optimizer(), trained) : measured.state();
        return new Plan.Request(
                recipe.name(),
                model,
                pass,
                work(recipe, own, repeated, before, evaluation, told),
                flops,
                attention,
                state,
                kept(recipe, model, trained, pass),
                measured == null ? PROCESS : measured.process(),
                recipe instanceof PretrainRecipe,
                bf16Elsewhere(recipe),
                replayed == null ? null : replayed.pass(pass),
                null);
    }

    /// The share of the tokens of general text whose scores are computed.
    private static double asked(Anatomy model) {
        return model.decoderLayers() > 0 ? 1 : GeneralText.BERTS.rate();
    }

    /// The most tokens of general text that a recipe has the model measured on.
    private static long generalTokens(Recipe recipe) {
        if (!(recipe instanceof FinetuneRecipe f) || f.forgetting() == null) {
            return 0;
        }
        var measure = f.forgetting().measure();
        return (long) TextData.GENERAL_TOKENS
                * (measure.domains().size() + (measure.corpus() == null ? 0 : 1));
    }

    /// @param general tokens of general text each time
    /// @param operations each time
    private static Plan.Evaluation evaluation(
            Recipe recipe, Measured told, long general, double operations) {
        var every = recipe.evaluate().every().toSteps(told.stepsPerEpoch(), told.tokensPerStep());
        // The finished model is measured once more, and what general text it has to keep before.
        var times = Math.ceilDiv(told.totalSteps(), every) + 1.0 + Averaging.measured(recipe);
        if (general > 0) {
            times += general / (double) (told.validated() + general);
        }
        return new Plan.Evaluation(times, (double) told.validated() + general, times * operations);
    }

    /// General text that is replayed with a task's.
    ///
    /// @param rows windows a step
    /// @param length tokens of each
    /// @param scored the share of them whose scores are computed
    /// @param flops of one of them
    /// @param attention what of these is attention itself
    private record Replayed(int rows, int length, double scored, double flops, double attention) {
        /// @param length tokens of a window
        static @Nullable Replayed of(Recipe recipe, Anatomy model, int length) {
            var rows = recipe instanceof FinetuneRecipe f ? Replaying.windows(f) : 0;
            if (rows == 0) {
                return null;
            }
            var scored = asked(model);
            var whole = Cost.flopsPerToken(model, length, 0, scored);
            double attention = Cost.attentionFlops(model, length, 0);
            return new Replayed(
                    rows,
                    length,
                    scored,
                    Planning.flops(recipe, blocks(model), whole, attention),
                    Objects.requireNonNull(Planning.attention(recipe, blocks(model), attention)));
        }

        static @Nullable Replayed of(Job job) {
            if (!(job.learner() instanceof Replaying r)) {
                return null;
            }
            var hidden = r.hidden();
            return of(
                    job.recipe(),
                    Anatomy.of(r.words().configJson()),
                    hidden == null ? r.window().apply(0).length - 1 : hidden.apply(0).ids().length);
        }

        double tokens() {
            return (double) rows * length;
        }

        /// The mean of what is told of each token of the task, of which a step has `tokens`, and of
        /// each that is replayed.
        double mixed(double tokens, double own, double replayed) {
            return (tokens * own + tokens() * replayed) / (tokens + tokens());
        }

        /// @param task what passes of the task
        Cost.Pass pass(Cost.Pass task) {
            return new Cost.Pass(
                    Math.min(task.rows(), rows),
                    length,
                    0,
                    task.workers(),
                    scored,
                    task.bf16(),
                    task.recompute(),
                    task.trained(),
                    task.dropout(),
                    task.frozen());
        }
    }

    /// What is computed of a token, of whose whole forward and backward pass [Cost#flopsPerToken]
    /// tells.
    ///
    /// @param attention what of `whole` is attention itself; null where that is not told apart
    private static double flops(
            Recipe recipe, int blocks, double whole, @Nullable Double attention) {
        var own = attention(recipe, blocks, attention);
        return attention == null || own == null
                ? whole * passes(recipe, blocks)
                : (whole - attention) * passes(recipe, blocks) + own;
    }

    /// As above, with what a defence computes beside the task; the mean where tokens are replayed.
    static double flops(Job job) {
        var own =
                flops(
                                job.recipe(),
                                blocks(job.learner().model()),
                                job.flopsPerToken(),
                                job.attentionFlops())
                        + beside(job);
        var replayed = Replayed.of(job);
        return replayed == null
                ? own
                : replayed.mixed(job.learner().tokensPerStep(), own, replayed.flops());
    }

    private static @Nullable Double attention(Job job) {
        var own = attention(job.recipe(), blocks(job.learner().model()), job.attentionFlops());
        var replayed = Replayed.of(job);
        return own == null || replayed == null
                ? own
                : Double.valueOf(
                        replayed.mixed(job.learner().tokensPerStep(), own, replayed.attention()));
    }

    /// What a defence computes for each token of the task: that of learning without forgetting
    /// passes the task's texts once more, and forward alone through the model that it was.
    private static double beside(Job job) {
        if (!(job.learner() instanceof Defending d) || d.old() == null) {
            return 0;
        }
        var tokens = 0L;
        var whole = 0.0;
        for (var step = 0; step < LOOKED_AT; step++) {
            for (var batch : d.step(step)) {
                tokens += batch.tokens();
                if (batch instanceof DistillationBatch again) {
                    for (var row : again.rows()) {
                        var length = row.ids().length;
                        var scored = row.places().length / (double) length;
                        whole += length * Cost.flopsPerToken(d.words(), length, scored);
                    }
                }
            }
        }
        return tokens == 0
                ? 0
                : (flops(job.recipe(), blocks(job.learner().model()), whole, null) + whole / 3)
                        / tokens;
    }

    /// What is computed once before the first step: for EWC each window of its text passes forward
    /// and back, by what is drawn from its scores.
    static double before(Job job) {
        if (!(job.learner() instanceof Defending d)
                || !(d.defence() instanceof DefenceRecipe.Ewc ewc)) {
            return 0;
        }
        var model = Anatomy.of(d.words().configJson());
        return d.windows(ewc).stream()
                .mapToDouble(window -> asking(job.recipe(), model, window.length - 1))
                .sum();
    }

    /// The same of a recipe whose text is not read: of as many windows as it may have.
    private static double before(Recipe recipe, Anatomy model) {
        return defence(recipe) instanceof DefenceRecipe.Ewc ewc
                ? ewc.windows() * asking(recipe, model, GeneralText.length(model.context()))
                : 0;
    }

    /// Of a window of `length` tokens.
    private static double asking(Recipe recipe, Anatomy model, int length) {
        var scored = asked(model);
        var drawing = 2 * scored * model.vocabulary() * model.width();
        return length
                * (flops(recipe, blocks(model), Cost.flopsPerToken(model, length, 0, scored), null)
                        + drawing);
    }

    /// What of attention itself is computed: its products have no weights, so that whatever goes
    /// back through it is.
    private static @Nullable Double attention(Recipe recipe, int blocks, @Nullable Double whole) {
        var isAdapted =
                recipe instanceof FinetuneRecipe f && f.adapter() instanceof AdapterRecipe.Lora;
        return whole == null || isAdapted ? whole : Double.valueOf(whole * passes(recipe, blocks));
    }

    /// What of forward, backward into the states and backward into the weights is computed: a
    /// frozen body needs the first alone but for its last blocks, one with adapters the first two.
    private static double passes(Recipe recipe, int blocks) {
        return recipe instanceof FinetuneRecipe finetune
                ? switch (finetune.adapter()) {
                    case AdapterRecipe.None _ -> 1;
                    case AdapterRecipe.Frozen f -> (1 + 2 * lastBlocks(f, blocks)) / 3;
                    case AdapterRecipe.Lora _ -> 2.0 / 3;
                }
                : 1;
    }

    /// The share of whole blocks that is trained.
    private static double lastBlocks(AdapterRecipe.Frozen frozen, int blocks) {
        return blocks == 0 ? frozen.lastBlocks() : (double) last(frozen, blocks) / blocks;
    }

    private static int last(AdapterRecipe.Frozen frozen, int blocks) {
        return (int) Math.ceil(frozen.lastBlocks() * blocks - 1e-6);
    }

    /// Blocks of a stack; an encoder and a decoder have one each.
    private static int blocks(Anatomy model) {
        return Math.max(model.encoderLayers(), model.decoderLayers());
    }

    private static int blocks(Module model) {
        return (int) Depths.of(model).values().stream().mapToLong(Depths.Depth::of).max().orElse(0);
    }

    /// Blocks through which nothing goes back.
    private static int frozen(Recipe recipe, int blocks) {
        return recipe instanceof FinetuneRecipe f && f.adapter() instanceof AdapterRecipe.Frozen a
                ? blocks - last(a, blocks)
                : 0;
    }

    /// Bytes that training keeps beside the model: the best weights so far, and what a defence
    /// holds it to.
    private static long kept(Recipe recipe, Anatomy model, long trained, Cost.Pass pass) {
        var best = 4 * trained;
        if (!(recipe instanceof FinetuneRecipe)) {
            return recipe.training().earlyStopping() == null ? 0 : best;
        }
        return best
                + switch (defence(recipe)) {
                    // Where each weight is held to, and how strongly.
                    case DefenceRecipe.L2Sp _, DefenceRecipe.Ewc _ -> 8 * trained;
                    // The model that it was, and what both say of each place.
                    case DefenceRecipe.Lwf _ -> {
                        var places = asked(model) * pass.rows() * pass.input();
                        yield 4 * model.parameterCount()
                                + (long) (SCORES_OF_TWO * 4 * places * model.vocabulary())
                                        * pass.workers();
                    }
                    // The weights of before, those at the end, and a mixture.
                    case DefenceRecipe.WiseFt _, DefenceRecipe.Cheapest _ -> 12 * trained;
                    case DefenceRecipe.Soup s -> 4 * trained * (s.models().size() + 2);
                    case DefenceRecipe.None _, DefenceRecipe.Replay _ -> 0;
                };
    }

    /// @param classes that are told; 0 where they are not known
    private static long trained(Recipe recipe, Anatomy model, int classes) {
        if (!(recipe instanceof FinetuneRecipe finetune)) {
            return model.parameterCount();
        }
        var task = finetune.task();
        var head =
                writes(task)
                        ? 0
                        : model.headWeights(
                                classes == 0 ? 2 : classes,
                                task instanceof TaskRecipe.TokenLabelling);
        return switch (finetune.adapter()) {
            case AdapterRecipe.None _ -> model.parameterCount();
            case AdapterRecipe.Frozen f ->
                    f.lastBlocks() > 0
                            ? head
                                    + 2L * model.width()
                                    + Math.round(
                                            lastBlocks(f, blocks(model)) * model.blockWeights())
                            : writes(task) ? (long) model.vocabulary() * model.width() : head;
            case AdapterRecipe.Lora l ->
                    head + model.adapterWeights(l.targets(), l.rank(), l.dora());
        };
    }

    /// Whether the head of `task` is the vocabulary's.
    private static boolean writes(TaskRecipe task) {
        return task instanceof TaskRecipe.Instruction
                || task instanceof TaskRecipe.Preference
                || task instanceof TaskRecipe.SequenceToSequence;
    }

    private static long optimizerBytes(OptimizerRecipe optimizer, long trained) {
        return switch (optimizer) {
            case OptimizerRecipe.AdamW _ -> 8 * trained;
            case OptimizerRecipe.Lion _, OptimizerRecipe.Muon _ -> 4 * trained;
            case OptimizerRecipe.Sgd s -> s.momentum() > 0 ? 4 * trained : 0;
            case OptimizerRecipe.Adafactor a -> a.momentum() > 0 ? 4 * trained : 0;
        };
    }

    /// Tokens of a row.
    ///
    /// @param scored the share of tokens whose scores are computed
    private record Shape(int input, int target, double scored) {}

    private static Shape shape(Recipe recipe, Anatomy model) {
        var context = model.context();
        return switch (recipe) {
            case PretrainRecipe r ->
                    switch (r.objective()) {
                        case ObjectiveRecipe.Causal o -> new Shape(or(o.length(), context), 0, 1);
                        case ObjectiveRecipe.FillInTheMiddle o ->
                                new Shape(or(o.length(), context), 0, 1);
                        case ObjectiveRecipe.Masked o ->
                                new Shape(or(o.length(), context), 0, o.rate());
                        case ObjectiveRecipe.Denoising o ->
                                new Shape(or(o.length(), context), or(o.length(), context), 1);
                        case ObjectiveRecipe.SpanCorruption o -> {
                            var length = or(o.length(), context);
                            var part = length * o.density() * (1 + 1 / o.span());
                            yield new Shape(
                                    length, or(o.targetLength(), (int) Math.ceil(part) + 1), 1);
                        }
                        case ObjectiveRecipe.Prefix o -> {
                            var half = Math.max(1, or(o.length(), 2 * context) / 2);
                            yield new Shape(half, half, 1);
                        }
                        default -> new Shape(context, 0, 1);
                    };
            case FinetuneRecipe r ->
                    switch (r.task()) {
                        case TaskRecipe.Classification t ->
                                new Shape(or(t.maxLength(), context), 0, 0);
                        case TaskRecipe.TokenLabelling t ->
                                new Shape(or(t.maxLength(), context), 0, 0);
                        case TaskRecipe.SequenceToSequence t ->
                                new Shape(or(t.maxInput(), context), or(t.maxTarget(), context), 1);
                        case TaskRecipe.Instruction t ->
                                new Shape(or(t.maxLength(), context), 0, 1);
                        case TaskRecipe.Preference t -> new Shape(or(t.maxLength(), context), 0, 1);
                        default -> new Shape(context, 0, 1);
                    };
        };
    }

    private static int or(@Nullable Integer asked, int otherwise) {
        return asked == null ? otherwise : asked;
    }

    /// @param own tokens of the task a step
    /// @param replayed those of general text
    private static Plan.Work work(
            Recipe recipe,
            double own,
            double replayed,
            double before,
            Plan.@Nullable Evaluation evaluation,
            @Nullable Measured measured) {
        var duration = recipe.training().duration();
        var perStep = own + replayed;
        if (measured != null) {
            double steps = measured.totalSteps();
            return new Plan.Work(
                    recipe.unit(),
                    steps,
                    perStep,
                    replayed,
                    steps * perStep,
                    own * measured.stepsPerEpoch(),
                    steps / measured.stepsPerEpoch(),
                    before,
                    evaluation);
        }
        Double steps =
                switch (duration.unit()) {
                    case STEPS -> Double.valueOf(duration.amount());
                    case TOKENS -> Double.valueOf(Math.ceil(duration.amount() / own));
                    case EPOCHS -> null;
                };
        return new Plan.Work(
                recipe.unit(),
                steps,
                perStep,
                replayed,
                steps == null ? null : Double.valueOf(steps * perStep),
                null,
                duration.unit() == Duration.Unit.EPOCHS ? Double.valueOf(duration.amount()) : null,
                before,
                evaluation);
    }
}
