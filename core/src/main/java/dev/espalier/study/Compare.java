package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.FileSource;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.LearningCurve;
import dev.espalier.evaluate.Paired;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Bart;
import dev.espalier.model.Encoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Llama;
import dev.espalier.model.T5;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Largest;
import dev.espalier.recipe.CompareRecipe;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.task.PictureClassifier;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.KeptRuns;
import dev.espalier.train.KeptText;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Which way to go: what each way to a model of a task reaches from how many labels, what it costs,
/// and what it makes the model forget. What is known of the task is its [Studied].
///
/// Each way has the same small budget of tuning, once and not for each number of labels: a few
/// rates, tried at one number of labels and chosen by the validation records. The test records are
/// told once by each trained model, after all is chosen. A smaller draw of a seed is a part of a
/// larger one; where each record has one label, labels are drawn in equal numbers of each.
///
/// What is done is kept, see [KeptRuns].
public final class Compare {
    /// The rates that are tried, as factors of the recipe's: what trains fewer weights takes larger
    /// steps.
    private static List<Double> factors(Arm arm) {
        return isPartial(arm) ? List.of(3.0, 10.0, 1.0) : List.of(1.0, 3.0, 0.3);
    }

    /// Differences are beyond chance below this, all comparisons of the study together.
    static final double SIGNIFICANT = 0.05;

    /// Doublings that lower the error by less are held for not worth their labels.
    static final double WORTHWHILE = 0.01;

    /// The rate of pre-training further where the recipe's is not AdamW's; that of `advise` too.
    private static final double FURTHER_RATE = 3e-4;

    /// One way at one number of labels with one seed.
    ///
    /// @param accuracy the share of test records that were told rightly; where words are tagged or
    ///   texts written, what [Result#metric] names, of which 1 is the most
    /// @param predicted of each test record, or of each of their words in order, the index of its
    ///   label
    /// @param written of each test record the text that was written; null where labels are told
    /// @param rise of the general text's perplexity, where the recipe measures it, from before
    ///   fine-tuning; see [Result#furtherRise]
    /// @param changes likewise of all else that was measured, as in `law perplexity-rise` and
    ///   `topics-test accuracy-change`; null in cells of before these were kept
    /// @param beyond why nothing is told, where it went beyond the forgetting budget or ended for
    ///   its loss; null elsewhere
    public record Cell(
            Arm arm,
            int labels,
            int seed,
            double accuracy,
            double seconds,
            double flops,
            @Nullable Double rise,
            @Nullable Map<String, Double> changes,
            List<Integer> predicted,
            @Nullable List<String> written,
            @Nullable String beyond) {}

    /// What the cells of a way at a number of labels come to.
    ///
    /// @param accuracy the mean over seeds; its interval is of other seeds and other test records
    /// @param rise of the general text's perplexity from that of the base model, also where what
    ///   was fine-tuned had been pre-trained further; null where that is not known. The geometric
    ///   mean of the perplexities, see [#rise]
    /// @param changes of all else, likewise; those of shares are plain means
    public record Mean(
            Arm arm,
            int labels,
            Interval accuracy,
            double seconds,
            double flops,
            @Nullable Interval rise,
            Map<String, Interval> changes) {}

    /// A way at a number of labels that went beyond the forgetting budget, or ended for its loss.
    /// It has no [Mean]: of the seeds that were left alone nothing is to be told, as they are the
    /// lucky ones.
    ///
    /// @param seed the first that did
    public record Beyond(Arm arm, int labels, int seed, String reason) {}

    /// Two ways on the same test records, means over the seeds; see [Paired#overSeeds].
    ///
    /// @param holm p for all comparisons of the study at once
    public record Versus(
            Arm better, Arm other, int labels, Interval difference, double p, double holm) {}

    /// What more labels would bring.
    ///
    /// @param labels a number that was not measured
    /// @param heldBack the largest number that was measured
    /// @param foreseen the error there, told by the smaller ones alone
    /// @param measured the error there
    /// @param worthwhile up to how many labels each doubling lowers the error by a point or more;
    ///   `heldBack` where not even the first does
    public record Outlook(
            Arm arm,
            int labels,
            Interval error,
            int heldBack,
            @Nullable Interval foreseen,
            double measured,
            Interval worthwhile) {
        /// Whether what was foreseen came, as far as its interval tells; null where nothing was.
        public @Nullable Boolean kept() {
            return foreseen == null || Double.isInfinite(foreseen.margin())
                    ? null
                    : Boolean.valueOf(!foreseen.excludes(measured));
        }
    }

    /// What a way costs at a number of labels, the mean over the seeds; of one that trains no model
    /// the time in which it is fitted and asked.
    ///
    /// @param seconds of its training
    /// @param shared seconds with its part of what came before: of pre-training where it begins
    ///   with that, and of pre-training further; null where a part is not known
    /// @param operations of its training, with its part of what came before; null likewise, and
    ///   where no model is trained
    /// @param kilowattHours of `shared`; null where the machine's watts are not known
    /// @param price of `shared`; null where the machine's price is not known
    public record Expense(
            Arm arm,
            int labels,
            double seconds,
            @Nullable Double shared,
            @Nullable Double operations,
            @Nullable Double kilowattHours,
            @Nullable Double price) {}

    /// How often a base model must be used before it pays.
    ///
    /// @param seconds of its pre-training; null where its run is not there
    /// @param labelsScratch labels from which the same is reached from scratch; null where none
    ///   measured is enough
    /// @param tasks from which pre-training costs less than what it saves of each task: training
    ///   from scratch and its labels, at their prices
    /// @param missing why `tasks` is null
    public record BreakEven(
            int labels,
            @Nullable Double seconds,
            @Nullable Integer labelsScratch,
            @Nullable Double tasks,
            List<Missing> missing) {
        boolean isToldApart() {
            return !missing.contains(Missing.NOT_TOLD_APART);
        }
    }

    /// Why it is not said from how many tasks on pre-training pays.
    public enum Missing {
        /// All weights are not better than from scratch beyond chance.
        NOT_TOLD_APART,
        NO_RUN_OF_THE_BASE,
        /// None of the numbers of labels that were measured is enough from scratch.
        NOT_REACHED,
        NO_LABEL_PRICE,
        NO_PRICE_HERE,
        NOTHING_SAVED
    }

    /// What a study found.
    ///
    /// @param metric what is called accuracy here: `accuracy`, `f1` of entities, or of written
    ///   texts one of their metrics
    /// @param labels the number of which is spoken of elsewhere is that of labelled records
    /// @param balanced the most records of which draws have as many of each label; null where they
    ///   are at random
    /// @param furtherRise of the general text's perplexity by pre-training further, before anything
    ///   is fine-tuned; null where that is not done or not measured
    /// @param tuning seconds of training that went into the choice of the rates, by ways
    public record Result(
            String name,
            String metric,
            List<String> labels,
            int testRecords,
            @Nullable Integer balanced,
            Map<String, Double> rates,
            Map<String, Double> tuning,
            List<Mean> means,
            List<Beyond> beyond,
            List<Versus> comparisons,
            List<Outlook> outlooks,
            List<Expense> expenses,
            @Nullable Interval furtherRise,
            int tasks,
            String currency,
            List<BreakEven> breakEven,
            int made,
            int kept) {}

    private final FinetuneRecipe recipe;
    private final CompareRecipe settings;
    private final Hardware hardware;
    private final Path output;
    private final Watcher watcher;
    private final KeptRuns runs;
    private final Studied studied;

    // Of pictures both decode all that they are of, and are the same for every way.
    private final String asked;
    private final Map<String, Path> draws = new HashMap<>();

    private List<Arm> arms;
    private final List<Integer> counts;
    private final Map<Long, Path> scratch = new HashMap<>();
    private @Nullable Path further;
    private final Map<String, Double> tuning = new TreeMap<>();

    /// A study whose runs are none of a history's.
    public Compare(
            FinetuneRecipe recipe, CompareRecipe settings, Hardware hardware, Watcher watcher) {
        this(recipe, settings, hardware, History.NONE, watcher);
    }

    /// @param recipe of fine-tuning all weights of a model; of a new one there are only the ways
    ///   that begin anew
    /// @param hardware what this machine draws and costs, where its row says so
    /// @param history is told what each run took, and what had been foreseen of it
    /// @throws EspalierException if the recipe's task is not studied, or has no test
    public Compare(
            FinetuneRecipe recipe,
            CompareRecipe settings,
            Hardware hardware,
            History history,
            Watcher watcher) {
        // What is studied is no part of what a cell is made of.
        this.recipe = recipe.alone();
        this.settings = settings;
        this.hardware = hardware;
        this.watcher = watcher;
        runs = new KeptRuns(watcher, history);
        // What is not there is said now, not when its turn comes.
        if (settings.text() != null) {
            var unused = FileSource.text(settings.text()).files();
        }
        // Beside the folder of a run of the recipe, which may be there.
        output = recipe.output().resolveSibling(recipe.output().getFileName() + "-compare");
        studied = Studied.of(this.recipe, output, watcher);
        asked = studied.asked();
        arms = settings.arms().stream().filter(this::isThere).toList();
        var left = settings.arms().stream().filter(a -> !isThere(a)).map(Arm::title).toList();
        if (arms.isEmpty()) {
            throw EspalierException.usage(
                    "--arms: there is no %s of this task and model"
                            .formatted(String.join(", ", left)));
        }
        if (!left.isEmpty()) {
            watcher.said("of this task and model there is no " + String.join(", ", left));
        }
        var there = studied.records();
        var wanted = settings.counts().stream().map(c -> c == 0 ? there : c).distinct().toList();
        counts = wanted.stream().filter(c -> c <= there).toList();
        var beyond = wanted.stream().filter(c -> c > there).toList();
        if (!beyond.isEmpty()) {
            if (!settings.hasUsualLabels()) {
                throw tooMany(beyond.getFirst(), there);
            }
            watcher.said(
                    "of the usual numbers of labels %s are more than the %d that there are"
                            .formatted(
                                    beyond.stream()
                                            .map(String::valueOf)
                                            .collect(Collectors.joining(", ")),
                                    there));
        }
        AtomicFiles.write(output.resolve("recipe.yaml"), Recipes.write(this.recipe));
    }

    /// The base model; null where the recipe's is new.
    private @Nullable Path base() {
        return recipe.model() instanceof ModelRecipe.Saved saved ? saved.path() : null;
    }

    private boolean isThere(Arm arm) {
        return studied.has(arm) && (base() != null || !arm.isPretrained());
    }

    /// Where the study is kept: beside the run of its recipe, with `-compare` after its name.
    public Path folder() {
        return output;
    }

    private EspalierException tooMany(int count, int there) {
        return EspalierException.usage(
                "--labels: %d are more than the %d that %s leaves to train on"
                        .formatted(count, there, recipe.data().train()));
    }

    /// Makes what is not made, and sums up.
    public Result run() {
        var rates = new HashMap<Arm, Double>();
        var cells = new ArrayList<Cell>();
        if (arms.stream().anyMatch(Arm::isTrained)) {
            // What cannot be done is said before anything is.
            for (var count : counts) {
                for (var seed = 1; seed <= settings.seeds(); seed++) {
                    drawn(count, seed).judging();
                }
            }
            arms = possible();
        }
        var triedAt = triedAt();
        for (var arm : arms) {
            if (arm.isTrained()) {
                rates.put(arm, tuned(arm, triedAt));
            }
        }
        for (var count : counts) {
            for (var seed = 1; seed <= settings.seeds(); seed++) {
                // All is all: seeds differ in order and weights alone.
                var drawn = drawn(count, seed);
                if (count > drawn.size()) {
                    throw tooMany(count, drawn.size());
                }
                for (var arm : arms) {
                    cells.add(cell(arm, drawn, seed, rates));
                }
            }
        }
        return summed(cells, rates);
    }

    /// The ways that can be trained as the recipe says. Where few weights are trained there may be
    /// none for its optimizer or a group of it, and the way is left out; what all weights are
    /// refused for is wrong with the recipe.
    private List<Arm> possible() {
        // What was pre-trained further has the shape of what was not.
        var trained =
                arms.stream()
                        .filter(Arm::isTrained)
                        .map(a -> a == Arm.FURTHER ? Arm.FULL : a)
                        .distinct()
                        .toList();
        if (arms.contains(Arm.FURTHER)) {
            var unused = furtherRecipe(Objects.requireNonNull(base()));
        }
        if (isOfWeights() && trained.stream().anyMatch(Compare::isPartial)) {
            watcher.said(
                    "without the recipe's defence, which needs all weights: "
                            + trained.stream()
                                    .filter(Compare::isPartial)
                                    .map(Arm::title)
                                    .collect(Collectors.joining(", ")));
        }
        var left = new ArrayList<Arm>();
        for (var arm : trained) {
            try {
                check(arm);
            } catch (EspalierException e) {
                left.add(arm);
                if (e.kind() != Kind.USAGE || !isPartial(arm) || left.containsAll(trained)) {
                    throw e;
                }
                watcher.said("%s is left out: %s".formatted(arm.title(), e.getMessage()));
            }
        }
        return arms.stream().filter(a -> !left.contains(a)).toList();
    }

    private void check(Arm arm) {
        var rate = recipe.training().optimizer().rate();
        var folder = output.resolve("cells").resolve("check");
        var trained = trained(arm, drawn(counts.getFirst(), 1), 1, rate, folder);
        if (recipe.training().byWeights()) {
            new Run(trained).check();
        }
    }

    /// Whether a way trains few of a model's weights.
    private static boolean isPartial(Arm arm) {
        return arm == Arm.FROZEN || arm == Arm.LORA;
    }

    private boolean isOfWeights() {
        return recipe.forgetting() != null && recipe.forgetting().defence().ofWeights();
    }

    private Studied.Draw drawn(int count, int seed) {
        return studied.drawn(count, Rng.seed(recipe.seed(), 200, seed));
    }

    private Cell cell(Arm arm, Studied.Draw drawn, int seed, Map<Arm, Double> rates) {
        var name = "%s-%d-%d".formatted(arm.name().toLowerCase(Locale.ROOT), drawn.size(), seed);
        if (!arm.isTrained()) {
            var start = System.nanoTime();
            var answers = drawn.untrained(arm);
            var seconds = (System.nanoTime() - start) / 1e9;
            return cell(arm, drawn.size(), seed, answers, seconds, 0, null, Map.of());
        }
        var folder = output.resolve("cells").resolve(name);
        var rate = Objects.requireNonNull(rates.get(arm));
        return runs.of(
                name,
                trained(arm, drawn, seed, rate, folder),
                asked,
                Cell.class,
                run -> told(arm, drawn.size(), seed, run),
                (_, why) ->
                        new Cell(
                                arm,
                                drawn.size(),
                                seed,
                                Double.NaN,
                                0,
                                0,
                                null,
                                null,
                                List.of(),
                                null,
                                why));
    }

    private Cell told(Arm arm, int count, int seed, Run.Result run) {
        var answers = studied.told(run.model());
        // Figures are what is wanted of a study; models of all cells would fill the disk.
        AtomicFiles.delete(run.model());
        var changes = new TreeMap<String, Double>();
        for (var score : run.scores()) {
            var metric = score.metric();
            if (metric.endsWith("-rise") && !score.data().equals(GENERAL)
                    || metric.endsWith("-change")) {
                changes.put(score.data() + " " + metric, score.value());
            }
        }
        return cell(
                arm,
                count,
                seed,
                answers,
                Objects.requireNonNull(cost(run.folder(), SECONDS)),
                Objects.requireNonNull(cost(run.folder(), OPERATIONS)),
                Score.find(run.scores(), GENERAL, RISE).map(Score::value).orElse(null),
                changes);
    }

    // As figures are called that runs leave.
    private static final String GENERAL = "general";
    private static final String RISE = "perplexity-rise";

    private Cell cell(
            Arm arm,
            int count,
            int seed,
            List<String> answers,
            double seconds,
            double flops,
            @Nullable Double rise,
            Map<String, Double> changes) {
        var labels = studied.labels();
        return new Cell(
                arm,
                count,
                seed,
                studied.value(answers),
                seconds,
                flops,
                rise,
                changes,
                labels.isEmpty() ? List.of() : answers.stream().map(labels::indexOf).toList(),
                labels.isEmpty() ? answers : null,
                null);
    }

    /// The recipe of a way on `drawn`.
    private Recipe trained(Arm arm, Studied.Draw drawn, long seed, double rate, Path folder) {
        var data = written("%d-%d".formatted(drawn.size(), seed), drawn::training);
        var chosen = written("%d-%d-validation".formatted(drawn.size(), seed), drawn::judging);
        return Recipes.read(
                output.resolve("recipe.yaml"),
                overrides(arm, data, chosen, drawn.size(), seed, rate, folder));
    }

    private Path written(String name, Supplier<Studied.Content> of) {
        return draws.computeIfAbsent(
                name,
                _ -> {
                    var content = of.get();
                    var file = output.resolve("draws").resolve(name + "." + content.ending());
                    write(file, content.lines());
                    return file;
                });
    }

    private List<String> overrides(
            Arm arm, Path data, Path chosen, int count, long seed, double rate, Path folder) {
        var changed =
                new ArrayList<>(
                        List.of(
                                "name=" + folder.getFileName(),
                                "output=" + folder,
                                "seed=" + Rng.seed(recipe.seed(), 300, seed) % 1_000_000_007L,
                                "data.train=" + data,
                                "data.validation=" + chosen,
                                "data.test=none",
                                "training.optimizer.rate=" + rate));
        changed.addAll(studied.overrides());
        // What the recipe itself trains is no part of the study: all weights are all.
        var all = "adapter=none";
        changed.addAll(
                switch (arm) {
                    case FROZEN -> List.of("adapter={type: frozen}");
                    case LORA -> List.of("adapter={type: lora, targets: all, merge: true}");
                    case SCRATCH ->
                            base() == null
                                    ? List.of(all, "forgetting=none")
                                    : List.of(
                                            all,
                                            "forgetting=none",
                                            "model.path=" + scratch(base(), seed));
                    case FURTHER ->
                            List.of(all, "model.path=" + further(Objects.requireNonNull(base())));
                    default -> List.of(all);
                });
        if (isPartial(arm) && isOfWeights()) {
            changed.add("forgetting.defence={type: none}");
        }
        var steps =
                recipe.training()
                        .duration()
                        .toSteps(Math.ceil(count / (double) recipe.training().batch()), 1);
        if (recipe.training().duration().unit() == Duration.Unit.EPOCHS
                && steps < settings.leastSteps()) {
            changed.add("training.for=%d steps".formatted(settings.leastSteps()));
            changed.add(
                    "evaluate.every=%d steps".formatted(Math.ceilDiv(settings.leastSteps(), 4)));
            changed.add("save.every=%d steps".formatted(settings.leastSteps()));
        }
        return changed;
    }

    /// How a rate did on the validation records.
    ///
    /// @param value of the figure that ways are judged by
    private record Tried(double value, double loss) {
        static final Tried BEYOND = new Tried(Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY);

        boolean isBetterThan(Tried other) {
            return value > other.value || value == other.value && loss < other.loss;
        }
    }

    /// The number of labels at which rates are tried: the middle one, or that of an earlier run of
    /// the study as long as it is among those that are asked for, so that another number beside it
    /// costs no more than its own cells.
    private int triedAt() {
        var earlier = output.resolve("tuning");
        if (Files.isDirectory(earlier)) {
            try (var folders = Files.list(earlier)) {
                for (var folder : folders.sorted().toList()) {
                    var before = triedAt(folder.resolve("recipe.yaml"));
                    if (before != null && counts.contains(before)) {
                        return before;
                    }
                }
            } catch (IOException e) {
                throw AtomicFiles.failure(earlier, e);
            }
        }
        return counts.stream().sorted().toList().get(counts.size() / 2);
    }

    /// By the name of the draw that the recipe in `file` trains on; null where it cannot be read.
    private static @Nullable Integer triedAt(Path file) {
        try {
            var draw =
                    Files.isRegularFile(file) && Recipes.read(file) instanceof FinetuneRecipe r
                            ? DRAW.matcher(String.valueOf(r.data().train().getFileName()))
                            : null;
            return draw != null && draw.matches() ? Integer.valueOf(draw.group(1)) : null;
        } catch (EspalierException e) {
            return null; // of another version, and made again
        }
    }

    private static final Pattern DRAW = Pattern.compile("(\\d{1,9})-1\\..*");

    /// The rate that does best on the validation records at [#triedAt] labels, by the figure that
    /// ways are judged by, of equals by the loss; the recipe's where all go beyond the forgetting
    /// budget.
    private double tuned(Arm arm, int count) {
        var usual = recipe.training().optimizer().rate();
        if (settings.rates() == 1) {
            return usual * factors(arm).getFirst();
        }
        var drawn = drawn(count, 1);
        var best = usual;
        var most = Tried.BEYOND;
        for (var factor : factors(arm).subList(0, settings.rates())) {
            var digits = String.format(Locale.ROOT, "%.3g", usual * factor);
            var rate = Double.parseDouble(digits);
            var name = arm.name().toLowerCase(Locale.ROOT) + "-" + digits;
            var folder = output.resolve("tuning").resolve(name);
            var tried =
                    runs.of(
                            "tuning " + name,
                            trained(arm, drawn, 1, rate, folder),
                            "by " + studied.metric(),
                            Tried.class,
                            run -> {
                                AtomicFiles.delete(run.model());
                                return new Tried(
                                        validation(run, studied.metric()), validation(run, "loss"));
                            },
                            (_, _) -> Tried.BEYOND);
            // A rate that went beyond the forgetting budget leaves no account.
            var spent = cost(folder, SECONDS);
            tuning.merge(arm.title(), spent == null ? 0 : spent, Double::sum);
            if (tried.isBetterThan(most)) {
                most = tried;
                best = rate;
            }
        }
        return best;
    }

    private static double validation(Run.Result run, String metric) {
        return Score.find(run.scores(), "validation", metric).orElseThrow().value();
    }

    /// A folder with a model of the shape of `base` and new weights, a pure function of both and of
    /// the seeds: each draw of labels has weights of its own to begin with.
    private Path scratch(Path base, long seed) {
        return scratch.computeIfAbsent(
                seed,
                _ -> {
                    var folder = output.resolve("scratch").resolve(String.valueOf(seed));
                    anew(base, Rng.seed(recipe.seed(), 400, seed), folder);
                    return folder;
                });
    }

    private static void anew(Path base, long seed, Path folder) {
        if (HuggingFace.isVision(base)) {
            var loaded = HuggingFace.readVision(base, null);
            var model = loaded.model().initialize(seed);
            AtomicFiles.writeFolder(
                    folder,
                    aside -> {
                        HuggingFace.write(aside, model, loaded.config());
                        PictureClassifier.preprocessor(base, model).write(aside);
                    });
            model.free();
            return;
        }
        var loaded = HuggingFace.readModel(base, null);
        LanguageModel model = loaded.model().withVocabulary(loaded.model().vocabulary());
        loaded.model().free();
        switch (model) {
            case Gpt2 m -> m.initialize(seed);
            case Llama m -> m.initialize(seed);
            case Encoder m -> m.initialize(seed);
            case Bart m -> m.initialize(seed);
            case T5 m -> m.initialize(seed);
            default ->
                    throw EspalierException.usage(
                            "compare knows no way to begin anew with " + base);
        }
        AtomicFiles.writeFolder(
                folder,
                aside -> {
                    HuggingFace.write(aside, model, loaded.config());
                    Tokenizers.read(base).save(aside);
                });
        model.free();
    }

    /// The model pre-trained further on the texts of the training records, and on `text`.
    private Path further(Path base) {
        if (further != null) {
            return further;
        }
        var unused =
                runs.of(
                        "pre-training further on the texts of " + studied.records() + " records",
                        furtherRecipe(base),
                        "",
                        Boolean.class,
                        run -> true);
        further = output.resolve("further").resolve("model");
        return further;
    }

    private Recipe furtherRecipe(Path base) {
        var texts = output.resolve("unlabelled.jsonl");
        var lines = new StringBuilder();
        studied.texts().forEach(text -> lines.append(Json.line(Map.of("text", text))).append('\n'));
        write(texts, lines);
        var more =
                settings.text() == null
                        ? ""
                        : ", {type: text, path: %s}".formatted(Json.line(settings.text()));
        var training = recipe.training();
        // Defaults are left out, so that studies of before these were passed on stay what they are.
        var own = new StringBuilder();
        if (training.precision() != TrainingRecipe.Precision.AUTO) {
            own.append(", precision: ")
                    .append(training.precision().name().toLowerCase(Locale.ROOT));
        }
        if (training.microBatch() != null) {
            own.append(", micro-batch: ").append(training.microBatch());
        }
        if (training.recompute()) {
            own.append(", recompute: true");
        }
        var rate =
                training.optimizer() instanceof OptimizerRecipe.AdamW a ? a.rate() : FURTHER_RATE;
        return Recipes.parse(
                """
                name: further
                seed: %d
                output: %s
                data: {sources: [{type: jsonl, path: %s, field: text}%s], validation: 5%%}
                model: {path: %s}
                objective: {type: %s}
                training: {for: %s epochs, batch: %d, optimizer: {type: adamw, rate: %s}%s}
                """
                        .formatted(
                                recipe.seed(),
                                Json.line(output.resolve("further").toString()),
                                Json.line(texts.toString()),
                                more,
                                Json.line(base.toString()),
                                objective(base),
                                settings.furtherEpochs(),
                                training.batch(),
                                rate,
                                own),
                "further");
    }

    /// By which objective the model in this folder is pre-trained further.
    public static String objective(Path model) {
        var anatomy = Anatomy.of(HuggingFace.config(model));
        if (anatomy.isEncoderDecoder()) {
            return anatomy.family().equals("t5") ? "span-corruption" : "denoising";
        }
        return anatomy.decoderLayers() == 0 ? "masked" : "causal";
    }

    private static void write(Path file, CharSequence lines) {
        // A file that is as it should be keeps its time, and what went by it its hash.
        try {
            if (!Files.exists(file) || !Files.readString(file).contentEquals(lines)) {
                AtomicFiles.write(file, lines.toString());
            }
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    // What it comes to

    private Result summed(List<Cell> measured, Map<Arm, Double> rates) {
        var counts = measured.stream().map(Cell::labels).distinct().sorted().toList();
        var furtherRises = furtherRises();
        var budget = recipe.forgetting() == null ? null : recipe.forgetting().budget();
        var cells = measured.stream().map(c -> fromBase(c, furtherRises, budget)).toList();
        var means = new ArrayList<Mean>();
        var beyond = new ArrayList<Beyond>();
        for (var arm : arms) {
            for (var count : counts) {
                var same = of(cells, arm, count);
                same.stream()
                        .filter(c -> c.beyond() != null)
                        .findFirst()
                        .ifPresentOrElse(
                                c ->
                                        beyond.add(
                                                new Beyond(
                                                        arm,
                                                        count,
                                                        c.seed(),
                                                        Objects.requireNonNull(c.beyond()))),
                                () -> means.add(mean(same)));
            }
        }
        // Of these alone figures are told.
        var told =
                cells.stream().filter(c -> find(means, c.arm(), c.labels()).isPresent()).toList();
        var named = new HashMap<String, Double>();
        rates.forEach((arm, rate) -> named.put(arm.title(), rate));
        var comparisons = comparisons(told, counts);
        return new Result(
                recipe.name(),
                studied.metric(),
                studied.labels(),
                studied.tests(),
                studied.balanced(),
                new TreeMap<>(named),
                tuning,
                means,
                beyond,
                comparisons,
                outlooks(told),
                expenses(means),
                furtherRises.get(GENERAL),
                settings.tasks(),
                hardware.currency(),
                breakEven(means, comparisons),
                runs.made(),
                runs.kept());
    }

    /// What pre-training further made of the perplexity of each text that is measured, where that
    /// can be told.
    private Map<String, Interval> furtherRises() {
        var rises = new HashMap<String, Interval>();
        var base = base();
        var forgetting = recipe.forgetting();
        // What has lost its head for the vocabulary foresees nothing that could be forgotten.
        if (base == null
                || further == null
                || forgetting == null
                || forgetting.measure().head() != null) {
            return rises;
        }
        var measure = forgetting.measure();
        if (measure.corpus() != null) {
            rises.put(GENERAL, KeptText.rise(measure.corpus(), base, further, recipe.seed()));
        }
        for (var domain : measure.domains()) {
            rises.put(domain.name(), KeptText.rise(domain.corpus(), base, further, recipe.seed()));
        }
        return rises;
    }

    /// A cell with what was forgotten since the base model: that of a model that was pre-trained
    /// further had forgotten before its cell measured. What of it cannot be told is left out, and
    /// what is then beyond the budget is beyond it.
    ///
    /// @param before of each text the rise by pre-training further
    static Cell fromBase(Cell cell, Map<String, Interval> before, @Nullable Double budget) {
        if (cell.arm() != Arm.FURTHER || cell.beyond() != null) {
            return cell;
        }
        var rises = new TreeMap<String, Double>();
        before.forEach((text, by) -> {
            var since =
                    text.equals(GENERAL)
                            ? cell.rise()
                            : cell.changes() == null ? null : cell.changes().get(text + " " + RISE);
            if (since != null) {
                rises.put(text, (1 + by.value()) * (1 + since) - 1);
            }
        });
        var worst =
                rises.entrySet().stream()
                        .max(Map.Entry.comparingByValue())
                        .filter(text -> budget != null && text.getValue() > budget)
                        .map(text ->
                                String.format(
                                        Locale.ROOT,
                                        "with pre-training further the perplexity of %s rose by %.1f %%, beyond forgetting.budget of %.1f %%",
                                        text.getKey(),
                                        100 * text.getValue(),
                                        100 * Objects.requireNonNull(budget)));
        var general = rises.remove(GENERAL);
        var changes = new TreeMap<String, Double>();
        rises.forEach((text, rise) -> changes.put(text + " " + RISE, rise));
        return new Cell(
                cell.arm(),
                cell.labels(),
                cell.seed(),
                cell.accuracy(),
                cell.seconds(),
                cell.flops(),
                general,
                changes,
                cell.predicted(),
                cell.written(),
                worst.orElse(null));
    }

    private static List<Cell> of(List<Cell> cells, Arm arm, int count) {
        return cells.stream().filter(c -> c.arm() == arm && c.labels() == count).toList();
    }

    private Mean mean(List<Cell> cells) {
        var first = cells.getFirst();
        var rises =
                cells.stream()
                        .map(Cell::rise)
                        .filter(Objects::nonNull)
                        .mapToDouble(r -> r)
                        .toArray();
        var changes = new TreeMap<String, List<Double>>();
        for (var cell : cells) {
            if (cell.changes() != null) {
                cell.changes()
                        .forEach((what, change) ->
                                changes.computeIfAbsent(what, _ -> new ArrayList<>()).add(change));
            }
        }
        var means = new TreeMap<String, Interval>();
        changes.forEach((what, values) -> {
            // Cells of older builds know nothing of them, and some seeds are not all.
            if (values.size() == cells.size()) {
                means.put(what, change(what, values.stream().mapToDouble(v -> v).toArray()));
            }
        });
        return new Mean(
                first.arm(),
                first.labels(),
                accuracy(cells),
                cells.stream().mapToDouble(Cell::seconds).average().orElse(0),
                cells.stream().mapToDouble(Cell::flops).average().orElse(0),
                rises.length == 0 ? null : rise(rises),
                means);
    }

    /// The mean over seeds of what rose by these shares, by Student's t for the logarithm: e^… - 1,
    /// never below -1. Forgetting multiplies, and is skewed to the right.
    static Interval rise(double... rises) {
        return Interval.mean(Arrays.stream(rises).map(Math::log1p).toArray()).map(Math::expm1);
    }

    /// Of a loss and a perplexity the change is a share of what was, of all else a difference of
    /// shares.
    private static Interval change(String what, double... values) {
        return what.endsWith(" " + RISE) || what.endsWith(" loss-change")
                ? rise(values)
                : values.length == 1
                        ? Interval.mean(values)
                        : Interval.mean(values).map(c -> Math.clamp(c, -1, 1));
    }

    /// The mean over seeds, with what other seeds and other test records leave open.
    private Interval accuracy(List<Cell> cells) {
        var seeds = cells.stream().mapToDouble(Cell::accuracy).toArray();
        var mean = Arrays.stream(seeds).average().orElseThrow();
        var records = studied.interval(mean, answers(cells));
        var both = new Interval(mean, records.low(), records.high()).overSeeds(seeds);
        return new Interval(mean, Math.max(0, both.low()), Math.min(1, both.high()));
    }

    private List<List<String>> answers(List<Cell> cells) {
        return cells.stream()
                .map(c ->
                        c.written() == null
                                ? c.predicted().stream().map(studied.labels()::get).toList()
                                : c.written())
                .toList();
    }

    /// Every two ways at each number of labels, the better one first.
    private List<Versus> comparisons(List<Cell> cells, List<Integer> counts) {
        var found = new ArrayList<Versus>();
        for (var count : counts) {
            for (var i = 0; i < arms.size(); i++) {
                for (var j = i + 1; j < arms.size(); j++) {
                    var one = of(cells, arms.get(i), count);
                    var two = of(cells, arms.get(j), count);
                    if (one.isEmpty() || two.isEmpty()) {
                        continue;
                    }
                    var isBetter = level(one) >= level(two);
                    var better = isBetter ? one : two;
                    var other = isBetter ? two : one;
                    var paired =
                            studied.paired(answers(better), answers(other), recipe.seed())
                                    .overSeeds(
                                            IntStream.range(0, better.size())
                                                    .mapToDouble(s ->
                                                            better.get(s).accuracy()
                                                                    - other.get(s).accuracy())
                                                    .toArray());
                    found.add(
                            new Versus(
                                    arms.get(isBetter ? i : j),
                                    arms.get(isBetter ? j : i),
                                    count,
                                    paired.difference(),
                                    paired.p(),
                                    1));
                }
            }
        }
        var adjusted = Paired.holm(found.stream().mapToDouble(Versus::p).toArray());
        return IntStream.range(0, found.size())
                .mapToObj(i -> {
                    var v = found.get(i);
                    return new Versus(
                            v.better(), v.other(), v.labels(), v.difference(), v.p(), adjusted[i]);
                })
                .toList();
    }

    private static double level(List<Cell> cells) {
        return cells.stream().mapToDouble(Cell::accuracy).average().orElseThrow();
    }

    private List<Outlook> outlooks(List<Cell> cells) {
        var outlooks = new ArrayList<Outlook>();
        for (var arm : arms) {
            if (arm == Arm.MAJORITY || arm == Arm.COPY) {
                continue;
            }
            var points =
                    cells.stream()
                            .filter(c -> c.arm() == arm)
                            .map(c -> new LearningCurve.Point(c.labels(), 1 - c.accuracy()))
                            .toList();
            var counts =
                    cells.stream()
                            .filter(c -> c.arm() == arm)
                            .map(Cell::labels)
                            .distinct()
                            .sorted()
                            .toList();
            if (counts.size() < 3) {
                continue;
            }
            var most = counts.getLast();
            var smaller = points.stream().filter(p -> p.labels() < most).toList();
            var measured =
                    points.stream()
                            .filter(p -> p.labels() == most)
                            .mapToDouble(LearningCurve.Point::error)
                            .average()
                            .orElse(0);
            var foreseen =
                    counts.size() < 4
                            ? null
                            : LearningCurve.foresee(smaller, most, settings.seeds(), recipe.seed());
            var worthwhile = LearningCurve.worthwhile(points, most, WORTHWHILE, recipe.seed());
            for (var factor : List.of(2, 4)) {
                outlooks.add(
                        new Outlook(
                                arm,
                                factor * most,
                                LearningCurve.foresee(
                                        points, (double) factor * most, 0, recipe.seed()),
                                most,
                                foreseen,
                                measured,
                                worthwhile));
            }
        }
        return outlooks;
    }

    private static final String SECONDS = "/cost/training-seconds";
    private static final String OPERATIONS = "/cost/flops";

    /// What a run cost, of one of these kinds; null where it is not there, or does not tell.
    private static @Nullable Double cost(Path run, String kind) {
        var passport = run.resolve("passport.json");
        if (!Files.isRegularFile(passport)) {
            return null;
        }
        var cost = Json.read(passport).at(kind);
        return cost.isNumber() ? Double.valueOf(cost.doubleValue()) : null;
    }

    /// What the base model's pre-training cost.
    private @Nullable Double pretraining(String kind) {
        var base = base();
        return base == null ? null : cost(base.resolveSibling(""), kind);
    }

    /// `own` of training with its part of what came before.
    private @Nullable Double shared(Arm arm, double own, String kind) {
        Double shared = own;
        if (arm.isPretrained()) {
            var base = pretraining(kind);
            shared = base == null ? null : Double.valueOf(own + base / settings.tasks());
        }
        if (arm == Arm.FURTHER && shared != null) {
            var further = cost(output.resolve("further"), kind);
            shared = further == null ? null : Double.valueOf(shared + further);
        }
        return shared;
    }

    private Largest.Prices prices() {
        var here = hardware.here();
        return here == null ? _ -> null : Largest.Prices.on(here, hardware.pricePerKwh());
    }

    private List<Expense> expenses(List<Mean> means) {
        var here = hardware.here();
        var found = new ArrayList<Expense>();
        for (var mean : means) {
            var shared = shared(mean.arm(), mean.seconds(), SECONDS);
            found.add(
                    new Expense(
                            mean.arm(),
                            mean.labels(),
                            mean.seconds(),
                            shared,
                            mean.arm().isTrained()
                                    ? shared(mean.arm(), mean.flops(), OPERATIONS)
                                    : null,
                            shared == null || here == null || here.watts() == null
                                    ? null
                                    : Double.valueOf(here.watts() * shared / 3.6e6),
                            shared == null ? null : prices().of(shared)));
        }
        return found;
    }

    /// From how many labels the model from scratch reaches what the tuned one does.
    private List<BreakEven> breakEven(List<Mean> means, List<Versus> comparisons) {
        if (!arms.contains(Arm.FULL) || !arms.contains(Arm.SCRATCH)) {
            return List.of();
        }
        var seconds = pretraining(SECONDS);
        var found = new ArrayList<BreakEven>();
        for (var tuned : means) {
            if (tuned.arm() != Arm.FULL) {
                continue;
            }
            // Where either ended early nothing was compared.
            if (find(means, Arm.SCRATCH, tuned.labels()).isEmpty()) {
                continue;
            }
            var isBetter =
                    comparisons.stream()
                            .anyMatch(v ->
                                    v.labels() == tuned.labels()
                                            && v.better() == Arm.FULL
                                            && v.other() == Arm.SCRATCH
                                            && v.holm() < SIGNIFICANT);
            var scratch =
                    means.stream()
                            .filter(m ->
                                    m.arm() == Arm.SCRATCH
                                            && m.accuracy().value() >= tuned.accuracy().value())
                            .findFirst()
                            .orElse(null);
            found.add(
                    isBetter
                            ? breakEven(tuned, scratch, seconds, settings.labelPrice(), prices())
                            : new BreakEven(
                                    tuned.labels(),
                                    seconds,
                                    null,
                                    null,
                                    List.of(Missing.NOT_TOLD_APART)));
        }
        return found;
    }

    /// @param scratch of the fewest labels that are enough from scratch; null where none are
    /// @param pretraining seconds; null where they are not known
    static BreakEven breakEven(
            Mean tuned,
            @Nullable Mean scratch,
            @Nullable Double pretraining,
            @Nullable Double labelPrice,
            Largest.Prices prices) {
        var missing = new ArrayList<Missing>();
        if (pretraining == null) {
            missing.add(Missing.NO_RUN_OF_THE_BASE);
        }
        if (scratch == null) {
            missing.add(Missing.NOT_REACHED);
        }
        // As many labels on both sides leave the seconds alone, whatever labels cost.
        var isOfLabels = scratch != null && scratch.labels() != tuned.labels();
        if (isOfLabels && labelPrice == null) {
            missing.add(Missing.NO_LABEL_PRICE);
        }
        var once = prices.of(pretraining == null ? 0 : pretraining);
        if (isOfLabels && once == null) {
            missing.add(Missing.NO_PRICE_HERE);
        }
        Double tasks = null;
        if (missing.isEmpty() && scratch != null && pretraining != null) {
            tasks =
                    !isOfLabels || labelPrice == null || once == null
                            ? tasks(pretraining, tuned.seconds(), scratch.seconds())
                            : tasks(
                                    once,
                                    spent(tuned, labelPrice, prices),
                                    spent(scratch, labelPrice, prices));
            if (tasks == null) {
                missing.add(Missing.NOTHING_SAVED);
            }
        }
        return new BreakEven(
                tuned.labels(),
                pretraining,
                scratch == null ? null : Integer.valueOf(scratch.labels()),
                tasks,
                missing);
    }

    private static double spent(Mean mean, double labelPrice, Largest.Prices prices) {
        return Objects.requireNonNull(prices.of(mean.seconds())) + labelPrice * mean.labels();
    }

    /// Of a way at a number of labels; empty where it went beyond the budget.
    static Optional<Mean> find(List<Mean> means, Arm arm, int count) {
        return means.stream().filter(m -> m.arm() == arm && m.labels() == count).findFirst();
    }

    /// The number of tasks from which `once` and `with` for each are no more than `without` for
    /// each; null where there is none.
    static @Nullable Double tasks(double once, double with, double without) {
        return without > with ? Double.valueOf(Math.ceil(once / (without - with))) : null;
    }
}
