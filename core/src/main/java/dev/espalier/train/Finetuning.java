package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.Entities;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Decoder;
import dev.espalier.model.Family;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Model;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.Answers;
import dev.espalier.task.Commonest;
import dev.espalier.task.Example;
import dev.espalier.task.TextReader;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to tell the label, the labels or a number of texts, with what that makes it
/// forget.
final class Finetuning implements Job {
    private final FinetuneRecipe recipe;
    private final TaskRecipe.Classification task;
    private final Watcher watcher;
    private final Tokenizer tokenizer;
    private final TextReader reader;
    private final SequenceClassifier model;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final Records training;
    private final Records validation;
    private final @Nullable Records test;
    private final ClassificationLearner learner;
    private final Learner defended;
    private final Forgetting forgetting;
    private final ObjectNode passport;

    /// Records as the model reads them.
    ///
    /// @param truth what each is labelled with, as [Example#truth] has it
    record Records(List<LabelledText> records, List<TextReader.Read> read, List<double[]> truth) {
        static Records of(List<LabelledText> records, Problem problem, TextReader reader) {
            if (!(problem instanceof Problem.Regression)) {
                LabelledReader.requireKnown(records, problem.labels());
            }
            return new Records(
                    records,
                    records.stream().map(r -> reader.read(r.text(), r.second())).toList(),
                    records.stream().map(r -> Example.truth(problem, r)).toList());
        }

        double[][] truths() {
            return truth.toArray(double[][]::new);
        }

        long truncated() {
            return read.stream().filter(TextReader.Read::truncated).count();
        }

        long windowed() {
            return read.stream().filter(r -> r.windows().size() > 1).count();
        }

        int windows() {
            return read.stream().mapToInt(r -> r.windows().size()).sum();
        }

        /// A window each; together those of a record weigh as much as another record's.
        List<Example> examples() {
            var mean = (double) windows() / records.size();
            var examples = new ArrayList<Example>();
            for (var i = 0; i < records.size(); i++) {
                var windows = read.get(i).windows();
                for (var window : windows) {
                    examples.add(
                            new Example(
                                    window,
                                    truth.get(i),
                                    mean / windows.size(),
                                    records.get(i).where()));
                }
            }
            return examples;
        }
    }

    private Finetuning(
            FinetuneRecipe recipe,
            TaskRecipe.Classification task,
            Watcher watcher,
            Tokenizer tokenizer,
            TextReader reader,
            SequenceClassifier model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            Records training,
            Records validation,
            @Nullable Records test,
            ClassificationLearner learner,
            ObjectNode passport) {
        this.recipe = recipe;
        this.task = task;
        this.watcher = watcher;
        this.tokenizer = tokenizer;
        this.reader = reader;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.training = training;
        this.validation = validation;
        this.test = test;
        this.learner = learner;
        this.passport = passport;
        defended =
                recipe.forgetting() == null
                        ? learner
                        : Defending.of(
                                recipe,
                                Replaying.of(
                                        recipe,
                                        learner,
                                        model.body(),
                                        tokenizer,
                                        learner.microBatch()),
                                model.body(),
                                tokenizer,
                                learner.microBatch(),
                                learner::of);
        forgetting =
                Forgetting.of(recipe.forgetting(), model.body(), tokenizer, bf16(), recipe.seed());
    }

    static Job prepare(FinetuneRecipe recipe, Path folder, Watcher watcher) {
        if (recipe.adapter() instanceof AdapterRecipe.Lora lora
                && !lora.merge()
                && !leavesAdapter(recipe)) {
            watcher.said(
                    "adapter: the run leaves the updates added into the model's weights, since "
                            + (recipe.task().ofPictures()
                                    ? "no adapter holds all that a model of pictures learns"
                                    : "the model that they belong to begins here and is kept nowhere else"));
        }
        return switch (recipe.task()) {
            case TaskRecipe.Classification task -> prepare(recipe, task, folder, watcher);
            case TaskRecipe.TokenLabelling task -> Labelling.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Instruction task -> Instruction.prepare(recipe, task, folder, watcher);
            case TaskRecipe.SequenceToSequence task ->
                    Rewriting.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Preference task -> Preferring.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Captioning task -> Captioning.prepare(recipe, task, folder, watcher);
            case TaskRecipe.ImageClassification task ->
                    PictureLabelling.prepare(recipe, task, folder, watcher);
            case TaskRecipe.ObjectDetection task ->
                    Detecting.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Segmentation task -> Segmenting.prepare(recipe, task, folder, watcher);
        };
    }

    private static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Classification task, Path folder, Watcher watcher) {
        var files = TextData.labelled(recipe.data(), task, recipe.seed(), folder, watcher);
        var problem = problem(recipe.data().train(), task.problem(), files.train());
        var tokenizer = TextData.tokenizer(recipe, files.train(), folder, watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        var model = new SequenceClassifier(Forgetting.withHead(recipe, ready), problem);
        model.initializeHead(recipe.seed());
        if (recipe.model() instanceof ModelRecipe.Saved saved) {
            HuggingFace.readHead(saved.path(), model);
        }
        var maxLength = maxLength(task.maxLength(), model.body(), tokenizer);
        var reader = reader(task, tokenizer, maxLength);
        reader.describe(ready.config());
        var train = Records.of(files.train(), problem, reader);
        if (!(problem instanceof Problem.Regression)) {
            var constant = Answers.constant(problem, train.truths());
            Commonest.tell(ready.config(), Answers.labels(problem, constant));
        }
        var validation = Records.of(files.validation(), problem, reader);
        var test = files.test() == null ? null : Records.of(files.test(), problem, reader);
        report(watcher, "training", train, maxLength);
        report(watcher, "validation", validation, maxLength);
        if (test != null) {
            report(watcher, "test", test, maxLength);
        }
        var lora = adapt(recipe, model, model.body());
        model.trainHead();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null
                        ? CausalLearner.autoMicroBatch(model, recipe.training().batch(), maxLength)
                        : micro;
        var completed = completed(recipe, Math.min(microBatch, recipe.training().batch()));
        var learner = learner(completed, task, model, train, microBatch);
        return new Finetuning(
                completed,
                task,
                watcher,
                tokenizer,
                reader,
                model,
                ready.config(),
                lora,
                train,
                validation,
                test,
                learner,
                files.passport());
    }

    /// What is to be told, by the labels that the training records have.
    private static Problem problem(Path file, ProblemRecipe recipe, List<LabelledText> records) {
        if (records.stream().map(LabelledText::labels).distinct().count() < 2) {
            throw EspalierException.data(
                    file
                            + ": all records have the label "
                            + records.getFirst().labels()
                            + "; there is nothing to tell apart");
        }
        return switch (recipe) {
            case ProblemRecipe.SingleLabel _ ->
                    new Problem.SingleLabel(LabelledReader.labels(records));
            case ProblemRecipe.MultiLabel several ->
                    new Problem.MultiLabel(
                            LabelledReader.labels(records),
                            several.threshold() == null ? 0.5 : several.threshold());
            case ProblemRecipe.Regression _ -> {
                var numbers = records.stream().mapToDouble(LabelledText::number).toArray();
                var mean = Arrays.stream(numbers).average().orElseThrow();
                var variance =
                        Arrays.stream(numbers)
                                .map(x -> (x - mean) * (x - mean))
                                .average()
                                .orElseThrow();
                if (!(variance > 0) || !Double.isFinite(variance)) {
                    throw EspalierException.data(
                            file
                                    + ": the numbers of all records have the variance "
                                    + variance
                                    + "; there is nothing to tell apart");
                }
                yield new Problem.Regression(mean, Math.sqrt(variance));
            }
        };
    }

    /// Reads the texts of `task`.
    static TextReader reader(TaskRecipe.Classification task, Tokenizer tokenizer, int maxLength) {
        var pairs = task.pair() != null;
        var reader =
                new TextReader(tokenizer, maxLength, stride(task, maxLength, tokenizer), pairs);
        reader.require(pairs);
        return reader;
    }

    /// How far apart windows begin; 0 where longer texts are cut.
    private static int stride(TaskRecipe.Classification task, int maxLength, Tokenizer tokenizer) {
        if (task.windows() == null) {
            return 0;
        }
        var template = tokenizer.template();
        var room =
                maxLength - (task.pair() == null ? template.addedToOne() : template.addedToTwo());
        var stride = task.windows().stride();
        if (stride != null && stride > room) {
            throw EspalierException.usage(
                    "task.windows.stride: %d would pass over tokens; allowed: up to the %d that a window holds"
                            .formatted(stride, room));
        }
        return stride == null ? Math.max(1, room / 2) : stride;
    }

    static int maxLength(@Nullable Integer asked, LanguageModel body, Tokenizer tokenizer) {
        var context = body.context();
        if (asked != null && asked > context) {
            throw EspalierException.usage(
                    "task.max-length: "
                            + asked
                            + " tokens are more than the model's context of "
                            + context);
        }
        var length = asked == null ? context : asked;
        if (length <= tokenizer.template().addedToOne()) {
            throw EspalierException.usage(
                    "task.max-length: %d tokens leave no room for text beside the special ones"
                            .formatted(length));
        }
        return length;
    }

    private static void report(Watcher watcher, String name, Records records, int maxLength) {
        var n = records.records().size();
        if (records.truncated() > 0) {
            watcher.said(
                    "%s: %d of %d texts are longer than %d tokens and were cut"
                            .formatted(name, records.truncated(), n, maxLength));
        }
        if (records.windowed() > 0) {
            watcher.said(
                    "%s: %d of %d texts are longer than %d tokens and are read in windows, %d in all"
                            .formatted(name, records.windowed(), n, maxLength, records.windows()));
        }
    }

    static FinetuneRecipe completed(FinetuneRecipe r, int microBatch) {
        return r.with(r.model(), r.task(), Run.completed(r.training(), microBatch));
    }

    /// Freezes what the recipe does not train, of the body of `model`, and adds adapters.
    static Lora.@Nullable Settings adapt(FinetuneRecipe recipe, Module model, Model body) {
        return switch (recipe.adapter()) {
            case AdapterRecipe.None _ -> null;
            case AdapterRecipe.Frozen frozen -> {
                var depths = Depths.of(body);
                if (frozen.lastBlocks() > 0 && depths.isEmpty()) {
                    throw EspalierException.usage(
                            "adapter.last-blocks: a %s has no blocks one behind the other; allowed: 0"
                                    .formatted(body.family().body()));
                }
                body.parameters()
                        .forEach((name, p) ->
                                p.trained(
                                        p.trained()
                                                && isTrained(
                                                        frozen.lastBlocks(), depths.get(name))));
                yield null;
            }
            case AdapterRecipe.Lora l -> {
                var targets = targets(l.targets(), body.family());
                if (targets.isEmpty()) {
                    throw EspalierException.usage(
                            "adapter: lora is for linear maps, of which a %s has none; allowed: none, frozen"
                                    .formatted(body.family().body()));
                }
                var settings =
                        new Lora.Settings(
                                l.rank(), l.alpha(), l.dropout(), targets, l.rslora(), l.dora());
                if (Lora.attach(model, settings, Rng.seed(recipe.seed(), 3))
                        .contains(Decoder.HEAD_MAP)) {
                    throw EspalierException.usage(
                            "adapter.targets: the map to the vocabulary, `%s`, takes no adapter; allowed: attention, all, or maps within the blocks"
                                    .formatted(Decoder.HEAD_MAP));
                }
                yield settings;
            }
        };
    }

    /// Whether a weight is among the last blocks, or comes after them.
    private static boolean isTrained(double lastBlocks, Depths.@Nullable Depth depth) {
        // A third of three blocks is one, whatever is lost by rounding.
        return lastBlocks > 0
                && (depth == null || depth.blocks() <= Math.ceil(lastBlocks * depth.of() - 1e-6));
    }

    /// `attention` and `all` stand for names of the family's.
    private static List<String> targets(List<String> targets, Family family) {
        if (targets.equals(List.of("attention"))) {
            return family.attention();
        }
        return targets.equals(List.of("all"))
                ? Stream.concat(family.attention().stream(), family.mlp().stream()).toList()
                : targets;
    }

    private static ClassificationLearner learner(
            FinetuneRecipe recipe,
            TaskRecipe.Classification task,
            SequenceClassifier model,
            Records train,
            int microBatch) {
        var examples = train.examples();
        var lengths = examples.stream().mapToInt(e -> e.tokens().length()).toArray();
        var order = new ByLength(lengths, recipe.training().batch(), recipe.seed());
        return new ClassificationLearner(
                model,
                examples,
                order::of,
                order.perEpoch(),
                microBatch,
                task.classWeights() == TaskRecipe.Classification.ClassWeights.BALANCED
                        ? balanced(model.problem(), train.truth())
                        : null,
                task.learnFrom() == TaskRecipe.Classification.LearnFrom.EVERY_TOKEN,
                Run.loss(recipe.training()),
                Replaying.taskWeight(recipe));
    }

    /// Of one label the inverse of each class's frequency, 1 on average over the records; of
    /// several how many records are without each for one that has it, and 1 for a label that all
    /// have.
    static float[] balanced(Problem problem, List<double[]> truth) {
        var one = problem instanceof Problem.SingleLabel;
        var counts = new double[problem.labels().size()];
        for (var record : truth) {
            for (var label = 0; label < counts.length; label++) {
                counts[label] += one ? (record[0] == label ? 1 : 0) : record[label];
            }
        }
        var weights = new float[counts.length];
        for (var label = 0; label < weights.length; label++) {
            weights[label] =
                    (float)
                            (one
                                    ? truth.size() / (double) weights.length / counts[label]
                                    : counts[label] < truth.size()
                                            ? (truth.size() - counts[label]) / counts[label]
                                            : 1);
        }
        return weights;
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return defended;
    }

    /// With what is cut of each text.
    @Override
    public List<ExampleText> examples(long step) {
        var records =
                training.records().stream()
                        .collect(Collectors.toMap(LabelledText::where, r -> r, (a, _) -> a));
        return Job.examples(learner, step, tokenizer).stream()
                .map(example -> {
                    var record = records.get(example.where());
                    var cut =
                            record == null
                                    ? List.<String>of()
                                    : reader.cut(record.text(), record.second());
                    for (var end : cut) {
                        example = example.cutOf("text", end);
                    }
                    return example;
                })
                .toList();
    }

    @Override
    public double flopsPerToken() {
        return Cost.flopsPerToken(model.body(), length(), 0);
    }

    @Override
    public Double attentionFlops() {
        return Cost.attentionFlops(model.body(), length());
    }

    private int length() {
        return (int)
                Math.round(
                        learner.examples().stream()
                                .mapToInt(e -> e.tokens().length())
                                .average()
                                .orElse(1));
    }

    @Override
    public List<Score> validate(long tokens) {
        var answers = Answers.of(model, validation.read());
        return scores("validation", validation, told(answers), answers, constant(validation));
    }

    @Override
    public long validated(long tokens) {
        return validation.read().stream()
                .flatMap(read -> read.windows().stream())
                .mapToLong(window -> window.length())
                .sum();
    }

    private List<Score> scores(
            String data,
            Records records,
            Problem problem,
            double[][] answers,
            SequencedMap<String, double[][]> others) {
        return Answers.scores(data, problem, records.truths(), answers, others, recipe.seed());
    }

    /// What the model tells, with the threshold that is best for these answers to the validation
    /// records where the recipe asks for that.
    private Problem told(double[][] answers) {
        return task.problem() instanceof ProblemRecipe.MultiLabel several
                        && several.threshold() == null
                ? new Problem.MultiLabel(
                        model.problem().labels(),
                        Answers.bestThreshold(validation.truths(), answers))
                : model.problem();
    }

    /// What always answers alike, and does best on the training records.
    private SequencedMap<String, double[][]> constant(Records records) {
        var problem = model.problem();
        var answer = Answers.constant(problem, training.truths());
        var others = new LinkedHashMap<String, double[][]>();
        others.put(Answers.constantName(problem), Answers.always(answer, records.records().size()));
        return others;
    }

    @Override
    public String chosenBy() {
        return chosenBy(recipe, usual(task.problem())).score();
    }

    /// What tells the best weights where the recipe does not say.
    static Metric usual(ProblemRecipe problem) {
        return switch (problem) {
            case ProblemRecipe.SingleLabel _ -> Metric.ACCURACY;
            case ProblemRecipe.MultiLabel _ -> Metric.MICRO_F1;
            case ProblemRecipe.Regression _ -> Metric.LOSS;
        };
    }

    /// What tells the best weights of classification, of texts or pictures, and token labelling.
    ///
    /// @param labels that are told
    static Metric chosenBy(FinetuneRecipe recipe, List<String> labels) {
        return chosenBy(
                recipe,
                switch (recipe.task()) {
                    case TaskRecipe.Classification task -> usual(task.problem());
                    case TaskRecipe.ImageClassification task -> usual(task.problem());
                    case TaskRecipe.TokenLabelling _ -> Metric.ofTags(Entities.areTags(labels));
                    default -> Metric.ACCURACY;
                });
    }

    /// What tells the best weights; `usual` where the recipe does not say.
    static Metric chosenBy(FinetuneRecipe recipe, Metric usual) {
        var stopping = recipe.training().earlyStopping();
        return stopping == null ? usual : stopping.metric();
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    @Override
    public List<Score> finish() {
        watcher.said("fitting a bag of words to compare with");
        var bag = BagOfWords.fit(model.problem(), training.records(), training.truths());
        var answers = Answers.of(model, validation.read());
        if (told(answers) instanceof Problem.MultiLabel several) {
            model.threshold(several.threshold());
        }
        var all = new ArrayList<>(finalScores("validation", validation, answers, bag));
        if (test != null) {
            all.addAll(finalScores("test", test, Answers.of(model, test.read()), bag));
        }
        return all;
    }

    /// With a bag of words beside it.
    private List<Score> finalScores(
            String data, Records records, double[][] answers, BagOfWords bag) {
        var others = constant(records);
        others.put("bag-of-words", bag.answers(records.records()));
        Answers.remarks(model.problem(), records.truths(), answers, others)
                .forEach(remark -> watcher.said(data + ": " + remark));
        return scores(data, records, model.problem(), answers, others);
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        writeModel(folder, recipe, model, config, lora);
        tokenizer.save(folder);
    }

    /// Whether a run leaves its updates by themselves, and does not add them into the model's
    /// weights, as the recipe may ask, and as is done where none could read them by themselves.
    static boolean leavesAdapter(FinetuneRecipe recipe) {
        return recipe.adapter() instanceof AdapterRecipe.Lora lora
                && !lora.merge()
                && !recipe.task().ofPictures()
                && recipe.model() instanceof ModelRecipe.Saved;
    }

    /// Writes all weights of `model`, its adapter alone, or both as one, as the recipe has it.
    static void writeModel(
            Path folder,
            FinetuneRecipe recipe,
            Module model,
            ObjectNode config,
            Lora.@Nullable Settings lora)
            throws IOException {
        if (lora == null) {
            HuggingFace.write(folder, model, config);
        } else if (leavesAdapter(recipe) && recipe.model() instanceof ModelRecipe.Saved saved) {
            HuggingFace.writeAdapter(folder, model, config, lora, saved.path().toString());
        } else {
            HuggingFace.writeMerged(folder, model, config);
        }
    }

    @Override
    public JsonNode dataPassport() {
        var json = passport.deepCopy();
        counts(json, "training", training);
        counts(json, "validation", validation);
        if (test == null) {
            json.putNull("test-records");
        } else {
            counts(json, "test", test);
        }
        return json;
    }

    private static void counts(ObjectNode json, String name, Records records) {
        json.put(name + "-records", records.records().size());
        json.put(name + "-truncated", records.truncated());
        json.put(name + "-windowed", records.windowed());
        json.put(name + "-windows", records.windows());
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        var shown = test == null ? validation : test;
        var name = test == null ? "validation" : "test";
        RunReports.finetuning(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                Answers.judge(model.problem(), shown.truths(), Answers.of(model, shown.read())),
                forgetting.outcome(),
                List.of(),
                dataPassport());
    }
}
