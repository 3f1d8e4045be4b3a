package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.data.Split;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.Classification;
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
import dev.espalier.model.Problem;
import dev.espalier.model.T5;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.Largest;
import dev.espalier.recipe.CompareRecipe;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.task.Example;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import dev.espalier.train.KeptRuns;
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
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Which way to go: what each way to a classifier reaches from how many labels, what it costs, and
/// what it makes the model forget.
///
/// Each way has the same small budget of tuning, once and not for each number of labels: a few
/// rates, tried at one number of labels and chosen by the validation records. The test records are
/// told once by each trained model, after all is chosen. Labels are drawn in equal numbers of each,
/// and a smaller draw of a seed is a part of a larger one.
///
/// What is done is kept, see [KeptRuns].
public final class Compare {
    /// The rates that are tried, as factors of the recipe's: what trains fewer weights takes larger
    /// steps.
    private static List<Double> factors(Arm arm) {
        return arm == Arm.FROZEN || arm == Arm.LORA
                ? List.of(3.0, 10.0, 1.0)
                : List.of(1.0, 3.0, 0.3);
    }

    /// Doublings that lower the error by less are held for not worth their labels.
    static final double WORTHWHILE = 0.01;

    /// One way at one number of labels with one seed.
    ///
    /// @param predicted of each test record, the index of its label
    /// @param rise of the general text's perplexity, where the recipe measures it
    public record Cell(
            Arm arm,
            int labels,
            int seed,
            double accuracy,
            double seconds,
            double flops,
            @Nullable Double rise,
            List<Integer> predicted) {}

    /// What the cells of a way at a number of labels come to.
    ///
    /// @param accuracy the mean over seeds; its interval is of other seeds and other test records
    public record Mean(
            Arm arm,
            int labels,
            Interval accuracy,
            double seconds,
            double flops,
            @Nullable Interval rise) {}

    /// Two ways on the same test records, means over the seeds.
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

    /// What a trained way costs at a number of labels, the mean over the seeds.
    ///
    /// @param seconds of its training
    /// @param shared seconds with its part of what came before: of pre-training where it begins
    ///   with that, and of pre-training further; null where a part is not known
    /// @param kilowattHours of `shared`; null where the machine's watts are not known
    /// @param price of `shared`; null where the machine's price is not known
    public record Expense(
            Arm arm,
            int labels,
            double seconds,
            @Nullable Double shared,
            @Nullable Double kilowattHours,
            @Nullable Double price) {}

    /// How often a base model must be used before it pays.
    ///
    /// @param seconds of its pre-training; null where its run is not there
    /// @param labelsScratch labels from which the same is reached from scratch; null where none
    ///   measured is enough
    /// @param tasks from which pre-training costs less than what it saves of each task: training
    ///   from scratch and its labels, at their prices; null where one is not known, or nothing is
    ///   saved
    public record BreakEven(
            int labels,
            @Nullable Double seconds,
            @Nullable Integer labelsScratch,
            @Nullable Double tasks) {}

    public record Result(
            String name,
            List<String> labels,
            int testRecords,
            Map<String, Double> rates,
            List<Mean> means,
            List<Versus> comparisons,
            List<Outlook> outlooks,
            List<Expense> expenses,
            int tasks,
            String currency,
            List<BreakEven> breakEven,
            int made,
            int kept) {}

    private final FinetuneRecipe recipe;
    private final CompareRecipe settings;
    private final Hardware hardware;
    private final Path output;
    private final KeptRuns runs;
    private final List<String> labels;
    private final List<LabelledText> train;
    private final List<LabelledText> validation;
    private final List<LabelledText> test;
    private final int[] truth;
    private @Nullable Path scratch;
    private @Nullable Path further;

    /// @param recipe of fine-tuning all weights of a model that exists
    /// @param hardware what this machine draws and costs, where its row says so
    /// @throws EspalierException if the recipe is of another kind, or has no test
    public Compare(
            FinetuneRecipe recipe, CompareRecipe settings, Hardware hardware, Watcher watcher) {
        // What is studied is no part of what a cell is made of.
        this.recipe = recipe.alone();
        this.settings = settings;
        this.hardware = hardware;
        runs = new KeptRuns(watcher);
        // Beside the folder of a run of the recipe, which may be there.
        output = recipe.output().resolveSibling(recipe.output().getFileName() + "-compare");
        if (!(recipe.task() instanceof TaskRecipe.Classification task)
                || !(task.problem() instanceof ProblemRecipe.SingleLabel)) {
            throw EspalierException.usage("task: compare studies classification by one label");
        }
        if (!(recipe.model() instanceof ModelRecipe.Saved)) {
            throw EspalierException.usage("model: compare needs the `path` of a pre-trained one");
        }
        if (recipe.data().test() == null) {
            throw EspalierException.usage(
                    "data.test: compare needs records that nothing else sees");
        }
        var columns =
                new LabelledReader.Columns(
                        task.text(), task.pair(), task.label(), new LabelledReader.Labels.One());
        var all = read(recipe.data().train(), columns);
        var validation =
                recipe.data().validation() == null
                        ? null
                        : read(recipe.data().validation(), columns);
        if (validation == null) {
            var split =
                    Split.stratified(
                            all,
                            LabelledText::text,
                            LabelledText::labels,
                            recipe.data().validationShare(),
                            recipe.seed());
            all = split.train();
            validation = split.validation();
        }
        train = List.copyOf(all);
        test = read(recipe.data().test(), columns);
        labels = List.copyOf(new TreeSet<>(train.stream().map(LabelledText::label).toList()));
        LabelledReader.requireKnown(test, labels);
        LabelledReader.requireKnown(validation, labels);
        truth = test.stream().mapToInt(r -> labels.indexOf(r.label())).toArray();
        for (var count : settings.counts()) {
            requireEnough(count, train.size());
        }
        this.validation = List.copyOf(validation);
        AtomicFiles.write(output.resolve("recipe.yaml"), Recipes.write(this.recipe));
    }

    /// Where the study is kept: beside the run of its recipe, with `-compare` after its name.
    public Path folder() {
        return output;
    }

    private static List<LabelledText> read(Path file, LabelledReader.Columns columns) {
        try (var ledger = Ledger.strict()) {
            return LabelledReader.read(file, columns, null, ledger);
        }
    }

    private void requireEnough(int count, int there) {
        if (count > there) {
            throw EspalierException.usage(
                    "--labels: %d are more than the %d that %s leaves to train on"
                            .formatted(count, there, recipe.data().train()));
        }
    }

    /// Makes what is not made, and sums up.
    public Result run() {
        var problem = new Problem.SingleLabel(labels);
        var rates = new HashMap<Arm, Double>();
        var cells = new ArrayList<Cell>();
        var counts =
                settings.counts().stream().map(c -> c == 0 ? train.size() : c).distinct().toList();
        if (settings.arms().stream().anyMatch(Arm::isTrained)) {
            // What cannot be done is said before anything is.
            for (var count : counts) {
                for (var seed = 1; seed <= settings.seeds(); seed++) {
                    judging(drawn(count, seed));
                }
            }
        }
        for (var arm : settings.arms()) {
            if (arm.isTrained()) {
                rates.put(arm, tuned(arm));
            }
        }
        for (var count : counts) {
            for (var seed = 1; seed <= settings.seeds(); seed++) {
                // All is all: seeds differ in order and weights alone.
                var drawn = drawn(count, seed);
                requireEnough(Math.min(count, train.size()), drawn.size());
                for (var arm : settings.arms()) {
                    cells.add(cell(arm, drawn, seed, problem, rates));
                }
            }
        }
        return summed(cells, rates);
    }

    private Cell cell(
            Arm arm, List<LabelledText> drawn, int seed, Problem problem, Map<Arm, Double> rates) {
        var name = "%s-%d-%d".formatted(arm.name().toLowerCase(Locale.ROOT), drawn.size(), seed);
        if (!arm.isTrained()) {
            var start = System.nanoTime();
            var classes = drawn.stream().mapToInt(r -> labels.indexOf(r.label())).toArray();
            var predicted =
                    arm == Arm.MAJORITY
                            ? IntStream.generate(
                                            () -> Classification.majority(classes, labels.size()))
                                    .limit(test.size())
                                    .toArray()
                            : bag(problem, drawn);
            var seconds = (System.nanoTime() - start) / 1e9;
            return cell(arm, drawn.size(), seed, predicted, seconds, 0, null);
        }
        var folder = output.resolve("cells").resolve(name);
        var rate = Objects.requireNonNull(rates.get(arm));
        return runs.of(
                name,
                trained(arm, drawn, seed, rate, folder),
                asked(),
                Cell.class,
                run -> told(arm, drawn.size(), seed, run));
    }

    /// What a cell's figures depend on beside its run.
    private String asked() {
        var task = (TaskRecipe.Classification) recipe.task();
        return AtomicFiles.sha256(Objects.requireNonNull(recipe.data().test()))
                + Json.line(
                        List.of(task.text(), String.valueOf(task.pair()), task.label(), labels));
    }

    private Cell told(Arm arm, int count, int seed, Run.Result run) {
        int[] predicted;
        try (var classifier = TextClassifier.load(run.model())) {
            predicted =
                    classifier
                            .predict(
                                    test.stream()
                                            .map(r ->
                                                    new TextClassifier.Input(r.text(), r.second()))
                                            .toList())
                            .stream()
                            .mapToInt(p -> labels.indexOf(p.label()))
                            .toArray();
        }
        // Figures are what is wanted of a study; models of all cells would fill the disk.
        AtomicFiles.delete(run.model());
        var cost = Json.read(run.folder().resolve("passport.json")).path("cost");
        return cell(
                arm,
                count,
                seed,
                predicted,
                cost.path("training-seconds").asDouble(),
                cost.path("flops").asDouble(),
                Score.find(run.scores(), "general", "perplexity-rise")
                        .map(Score::value)
                        .orElse(null));
    }

    private int[] bag(Problem problem, List<LabelledText> drawn) {
        var bag =
                BagOfWords.fit(
                        problem,
                        drawn,
                        drawn.stream()
                                .map(t -> Example.truth(problem, t))
                                .toArray(double[][]::new));
        return dev.espalier.task.Answers.likeliest(bag.answers(test));
    }

    private Cell cell(
            Arm arm,
            int count,
            int seed,
            int[] predicted,
            double seconds,
            double flops,
            @Nullable Double rise) {
        var accuracy = new Classification(labels, truth, predicted).accuracy().value();
        return new Cell(
                arm,
                count,
                seed,
                accuracy,
                seconds,
                flops,
                rise,
                Arrays.stream(predicted).boxed().toList());
    }

    /// The recipe of a way on `drawn`.
    private Recipe trained(Arm arm, List<LabelledText> drawn, long seed, double rate, Path folder) {
        var draws = output.resolve("draws");
        var data = draws.resolve(drawn.size() + "-" + seed + ".jsonl");
        write(data, lines(drawn));
        var chosen = draws.resolve("%d-%d-validation.jsonl".formatted(drawn.size(), seed));
        write(chosen, lines(judging(drawn)));
        return Recipes.read(
                output.resolve("recipe.yaml"),
                overrides(arm, data, chosen, drawn.size(), seed, rate, folder));
    }

    /// The validation records of labels that were drawn, since by others nothing can be chosen; in
    /// the test they are missed.
    private List<LabelledText> judging(List<LabelledText> drawn) {
        var known = drawn.stream().map(LabelledText::label).collect(Collectors.toSet());
        var judging = validation.stream().filter(r -> known.contains(r.label())).toList();
        if (judging.isEmpty() || known.size() < 2) {
            throw EspalierException.usage(
                    "--labels: %d are too few to train on and to choose by, of %d different labels"
                            .formatted(drawn.size(), labels.size()));
        }
        return judging;
    }

    private List<LabelledText> drawn(int count, int seed) {
        return Draws.balanced(train, count, Rng.seed(recipe.seed(), 200, seed));
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
                                "task.text=text",
                                "task.label=label",
                                "training.optimizer.rate=" + rate));
        if (((TaskRecipe.Classification) recipe.task()).pair() != null) {
            changed.add("task.pair=pair");
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
        switch (arm) {
            case FROZEN -> changed.add("adapter={type: frozen}");
            case LORA -> changed.add("adapter={type: lora, targets: all, merge: true}");
            case SCRATCH -> {
                changed.add("model.path=" + scratch());
                changed.add("forgetting=none");
            }
            case FURTHER -> changed.add("model.path=" + further());
            default -> {}
        }
        return changed;
    }

    /// The rate that does best on the validation records at the middle one of the label counts.
    private double tuned(Arm arm) {
        var counts =
                settings.counts().stream().map(c -> c == 0 ? train.size() : c).sorted().toList();
        var count = counts.get(counts.size() / 2);
        var usual = recipe.training().optimizer().rate();
        if (settings.rates() == 1) {
            return usual * factors(arm).getFirst();
        }
        var drawn = drawn(count, 1);
        var best = usual;
        var least = Double.POSITIVE_INFINITY;
        for (var factor : factors(arm).subList(0, settings.rates())) {
            var rate = Double.parseDouble(String.format(Locale.ROOT, "%.3g", usual * factor));
            var name =
                    arm.name().toLowerCase(Locale.ROOT)
                            + "-"
                            + String.format(Locale.ROOT, "%.3g", rate);
            var folder = output.resolve("tuning").resolve(name);
            var loss =
                    runs.of(
                            "tuning " + name,
                            trained(arm, drawn, 1, rate, folder),
                            "",
                            Double.class,
                            run -> {
                                AtomicFiles.delete(run.model());
                                return Score.find(run.scores(), "validation", "loss")
                                        .orElseThrow()
                                        .value();
                            });
            if (loss < least) {
                least = loss;
                best = rate;
            }
        }
        return best;
    }

    /// A folder with a model of the parent's shape and new weights, a pure function of both and of
    /// the seed.
    private Path scratch() {
        if (scratch != null) {
            return scratch;
        }
        scratch = output.resolve("scratch");
        var path = ((ModelRecipe.Saved) recipe.model()).path();
        var loaded = HuggingFace.readModel(path, null);
        LanguageModel model = loaded.model().withVocabulary(loaded.model().vocabulary());
        loaded.model().free();
        switch (model) {
            case Gpt2 m -> m.initialize(recipe.seed());
            case Llama m -> m.initialize(recipe.seed());
            case Encoder m -> m.initialize(recipe.seed());
            case Bart m -> m.initialize(recipe.seed());
            case T5 m -> m.initialize(recipe.seed());
            default ->
                    throw EspalierException.usage(
                            "compare knows no way to begin anew with " + path);
        }
        AtomicFiles.writeFolder(
                scratch,
                aside -> {
                    HuggingFace.write(aside, model, loaded.config());
                    Tokenizers.read(path).save(aside);
                });
        model.free();
        return scratch;
    }

    /// The model pre-trained further on the texts of the training records, and on `text`.
    private Path further() {
        if (further != null) {
            return further;
        }
        var folder = output.resolve("further");
        var saved = ((ModelRecipe.Saved) recipe.model()).path();
        var texts = output.resolve("unlabelled.jsonl");
        var lines = new StringBuilder();
        for (var record : train) {
            for (var text : record.texts()) {
                lines.append(Json.line(Map.of("text", text))).append('\n');
            }
        }
        write(texts, lines);
        var more =
                settings.text() == null
                        ? ""
                        : ", {type: text, path: %s}".formatted(Json.line(settings.text()));
        var pretraining =
                Recipes.parse(
                        """
                        name: further
                        seed: %d
                        output: %s
                        data: {sources: [{type: jsonl, path: %s, field: text}%s], validation: 5%%}
                        model: {path: %s}
                        objective: {type: %s}
                        training: {for: %s epochs, batch: %d, optimizer: {type: adamw, rate: %s}}
                        """
                                .formatted(
                                        recipe.seed(),
                                        Json.line(folder.toString()),
                                        Json.line(texts.toString()),
                                        more,
                                        Json.line(saved.toString()),
                                        objective(saved),
                                        settings.furtherEpochs(),
                                        recipe.training().batch(),
                                        recipe.training().optimizer().rate()),
                        "further");
        var unused =
                runs.of(
                        "pre-training further on the texts of " + train.size() + " records",
                        pretraining,
                        "",
                        Boolean.class,
                        run -> true);
        further = folder.resolve("model");
        return further;
    }

    /// By which objective the model in this folder is pre-trained further.
    public static String objective(Path model) {
        return switch (HuggingFace.config(model).path("model_type").asString("")) {
            case "bert", "roberta", "distilbert" -> "masked";
            case "bart" -> "denoising";
            case "t5" -> "span-corruption";
            default -> "causal";
        };
    }

    private static CharSequence lines(List<LabelledText> records) {
        var lines = new StringBuilder();
        for (var record : records) {
            var line = Json.mapper().createObjectNode();
            line.put("text", record.text());
            if (record.second() != null) {
                line.put("pair", record.second());
            }
            line.put("label", record.label());
            lines.append(Json.line(line)).append('\n');
        }
        return lines;
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

    private Result summed(List<Cell> cells, Map<Arm, Double> rates) {
        var counts = cells.stream().map(Cell::labels).distinct().sorted().toList();
        var means = new ArrayList<Mean>();
        for (var arm : settings.arms()) {
            for (var count : counts) {
                means.add(mean(of(cells, arm, count)));
            }
        }
        var named = new HashMap<String, Double>();
        rates.forEach((arm, rate) -> named.put(arm.title(), rate));
        return new Result(
                recipe.name(),
                labels,
                test.size(),
                new java.util.TreeMap<>(named),
                means,
                comparisons(cells, counts),
                outlooks(cells, counts),
                expenses(means),
                settings.tasks(),
                hardware.currency(),
                breakEven(means, counts),
                runs.made(),
                runs.kept());
    }

    private static List<Cell> of(List<Cell> cells, Arm arm, int count) {
        return cells.stream().filter(c -> c.arm() == arm && c.labels() == count).toList();
    }

    private Mean mean(List<Cell> cells) {
        var first = cells.getFirst();
        var accuracies = cells.stream().mapToDouble(Cell::accuracy).toArray();
        var rises =
                cells.stream()
                        .map(Cell::rise)
                        .filter(Objects::nonNull)
                        .mapToDouble(r -> r)
                        .toArray();
        return new Mean(
                first.arm(),
                first.labels(),
                accuracy(accuracies),
                cells.stream().mapToDouble(Cell::seconds).average().orElse(0),
                cells.stream().mapToDouble(Cell::flops).average().orElse(0),
                rises.length == 0 ? null : Interval.mean(rises));
    }

    /// The mean over seeds. Seeds and test records are drawn apart from each other, so the squares
    /// of what either leaves open add up: by Student's t, and by Wilson's interval.
    private Interval accuracy(double[] seeds) {
        var mean = Arrays.stream(seeds).average().orElseThrow();
        var records = Interval.share(Math.round(mean * test.size()), test.size());
        if (seeds.length == 1) {
            return records;
        }
        var margin = Interval.mean(seeds).margin();
        return new Interval(
                mean,
                Math.max(0, mean - Math.hypot(margin, mean - records.low())),
                Math.min(1, mean + Math.hypot(margin, records.high() - mean)));
    }

    /// Every two ways at each number of labels, the better one first.
    private List<Versus> comparisons(List<Cell> cells, List<Integer> counts) {
        var found = new ArrayList<Versus>();
        var arms = settings.arms();
        for (var count : counts) {
            for (var i = 0; i < arms.size(); i++) {
                for (var j = i + 1; j < arms.size(); j++) {
                    var one = right(of(cells, arms.get(i), count));
                    var two = right(of(cells, arms.get(j), count));
                    var isBetter = Arrays.stream(one).sum() >= Arrays.stream(two).sum();
                    var differences = new double[one.length];
                    for (var r = 0; r < one.length; r++) {
                        differences[r] = isBetter ? one[r] - two[r] : two[r] - one[r];
                    }
                    var paired = Paired.of(differences, recipe.seed());
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

    /// The share of the seeds that tell each test record rightly.
    private double[] right(List<Cell> cells) {
        return Paired.means(
                cells.stream()
                        .map(cell ->
                                IntStream.range(0, truth.length)
                                        .map(i -> cell.predicted().get(i) == truth[i] ? 1 : 0)
                                        .toArray())
                        .toList());
    }

    private List<Outlook> outlooks(List<Cell> cells, List<Integer> counts) {
        if (counts.size() < 3) {
            return List.of();
        }
        var outlooks = new ArrayList<Outlook>();
        for (var arm : settings.arms()) {
            if (arm == Arm.MAJORITY) {
                continue;
            }
            var points =
                    cells.stream()
                            .filter(c -> c.arm() == arm)
                            .map(c -> new LearningCurve.Point(c.labels(), 1 - c.accuracy()))
                            .toList();
            var most = counts.getLast();
            var smaller = points.stream().filter(p -> p.labels() < most).toList();
            var measured =
                    points.stream()
                            .filter(p -> p.labels() == most)
                            .mapToDouble(LearningCurve.Point::error)
                            .average()
                            .orElse(0);
            for (var factor : List.of(2, 4)) {
                outlooks.add(
                        new Outlook(
                                arm,
                                factor * most,
                                LearningCurve.foresee(
                                        points, (double) factor * most, 0, recipe.seed()),
                                most,
                                counts.size() < 4
                                        ? null
                                        : LearningCurve.foresee(
                                                smaller, most, settings.seeds(), recipe.seed()),
                                measured,
                                LearningCurve.worthwhile(points, most, WORTHWHILE, recipe.seed())));
            }
        }
        return outlooks;
    }

    private static @Nullable Double seconds(Path run) {
        var passport = run.resolve("passport.json");
        return Files.isRegularFile(passport)
                ? Double.valueOf(Json.read(passport).at("/cost/training-seconds").asDouble())
                : null;
    }

    /// Of the base model's pre-training.
    private @Nullable Double pretraining() {
        return seconds(((ModelRecipe.Saved) recipe.model()).path().resolveSibling(""));
    }

    private Hardware.@Nullable Kind here() {
        return hardware.machines().stream()
                .filter(m -> m.name().equals(Hardware.HERE))
                .findFirst()
                .orElse(null);
    }

    private @Nullable Double price(double seconds) {
        var here = here();
        return here == null ? null : Largest.Prices.on(here, hardware.pricePerKwh()).of(seconds);
    }

    private List<Expense> expenses(List<Mean> means) {
        var base = pretraining();
        var here = here();
        var found = new ArrayList<Expense>();
        for (var mean : means) {
            if (!mean.arm().isTrained()) {
                continue;
            }
            Double shared = mean.seconds();
            if (mean.arm().isPretrained()) {
                shared = base == null ? null : Double.valueOf(shared + base / settings.tasks());
            }
            if (mean.arm() == Arm.FURTHER && shared != null) {
                var further = seconds(output.resolve("further"));
                shared = further == null ? null : Double.valueOf(shared + further);
            }
            found.add(
                    new Expense(
                            mean.arm(),
                            mean.labels(),
                            mean.seconds(),
                            shared,
                            shared == null || here == null || here.watts() == null
                                    ? null
                                    : Double.valueOf(here.watts() * shared / 3.6e6),
                            shared == null ? null : price(shared)));
        }
        return found;
    }

    /// From how many labels the model from scratch reaches what the tuned one does.
    private List<BreakEven> breakEven(List<Mean> means, List<Integer> counts) {
        if (!settings.arms().contains(Arm.FULL) || !settings.arms().contains(Arm.SCRATCH)) {
            return List.of();
        }
        var seconds = pretraining();
        var found = new ArrayList<BreakEven>();
        for (var count : counts) {
            var tuned = accuracy(means, Arm.FULL, count);
            Integer enough =
                    counts.stream()
                            .filter(c -> accuracy(means, Arm.SCRATCH, c) >= tuned)
                            .findFirst()
                            .orElse(null);
            found.add(
                    new BreakEven(
                            count,
                            seconds,
                            enough,
                            seconds == null || enough == null
                                    ? null
                                    : tasks(
                                            seconds,
                                            meanOf(means, Arm.FULL, count).seconds(),
                                            count,
                                            meanOf(means, Arm.SCRATCH, enough).seconds(),
                                            enough)));
        }
        return found;
    }

    private static Mean meanOf(List<Mean> means, Arm arm, int count) {
        return means.stream()
                .filter(m -> m.arm() == arm && m.labels() == count)
                .findFirst()
                .orElseThrow();
    }

    private @Nullable Double tasks(
            double pretraining, double tuned, int labels, double scratch, int labelsScratch) {
        Double once = price(pretraining), with = price(tuned), without = price(scratch);
        var label = settings.labelPrice();
        if (label == null) {
            // Labels that cost nothing leave the seconds alone.
            return labels == labelsScratch ? tasks(pretraining, tuned, scratch) : null;
        }
        return once == null || with == null || without == null
                ? null
                : tasks(once, with + label * labels, without + label * labelsScratch);
    }

    /// The number of tasks from which `once` and `with` for each are no more than `without` for
    /// each; null where there is none.
    static @Nullable Double tasks(double once, double with, double without) {
        return without > with ? Double.valueOf(Math.ceil(once / (without - with))) : null;
    }

    private static double accuracy(List<Mean> means, Arm arm, int count) {
        return meanOf(means, arm, count).accuracy().value();
    }
}
