package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Batches;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.TextLoss;
import dev.espalier.model.Family;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.RunReport;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to classify texts, with what that makes it forget.
final class Finetuning implements Job {
    private final FinetuneRecipe recipe;
    private final Tokenizer tokenizer;
    private final SequenceClassifier model;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final Records training;
    private final Records validation;
    private final @Nullable Records test;
    private final ClassificationLearner learner;
    private final @Nullable GeneralText general;
    private final @Nullable TextLoss generalBefore;
    private @Nullable TextLoss generalNow;
    private final ObjectNode passport;

    /// Records as the model sees them.
    ///
    /// @param truncated how many texts were longer than the model sees and were cut
    record Records(List<LabelledText> records, List<int[]> texts, int[] labels, long truncated) {}

    private Finetuning(
            FinetuneRecipe recipe,
            Tokenizer tokenizer,
            SequenceClassifier model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            Records training,
            Records validation,
            @Nullable Records test,
            ClassificationLearner learner,
            @Nullable GeneralText general,
            ObjectNode passport) {
        this.recipe = recipe;
        this.tokenizer = tokenizer;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.training = training;
        this.validation = validation;
        this.test = test;
        this.learner = learner;
        this.general = general;
        this.passport = passport;
        generalBefore = general == null ? null : general.loss(model.decoder(), bf16());
    }

    static Job prepare(FinetuneRecipe recipe, Path folder, Watcher watcher) {
        return switch (recipe.task()) {
            case TaskRecipe.Classification task -> prepare(recipe, task, folder, watcher);
            case TaskRecipe.TokenLabelling task -> Labelling.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Instruction task -> Instruction.prepare(recipe, task, folder, watcher);
            case TaskRecipe.SequenceToSequence task ->
                    Rewriting.prepare(recipe, task, folder, watcher);
            case TaskRecipe.Preference task -> Preferring.prepare(recipe, task, folder, watcher);
        };
    }

    private static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.Classification task, Path folder, Watcher watcher) {
        var files = TextData.labelled(recipe.data(), task, recipe.seed(), folder, watcher);
        var labels =
                new ArrayList<>(
                        new TreeSet<>(files.train().stream().map(LabelledText::label).toList()));
        if (labels.size() < 2) {
            throw EspalierException.data(
                    recipe.data().train()
                            + ": all records have the label "
                            + labels
                            + "; classification needs at least two labels");
        }
        var tokenizer = TextData.tokenizer(recipe, files.train(), folder, watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        var model = new SequenceClassifier(ready.model(), labels);
        model.initializeHead(recipe.seed());
        if (recipe.model() instanceof ModelRecipe.Saved saved) {
            HuggingFace.readHead(saved.path(), model);
        }
        if (recipe.forgetting() != null) {
            model.decoder();
        }
        var maxLength = maxLength(task.maxLength(), model.body(), tokenizer);
        var train = records(files.train(), labels, tokenizer, maxLength, recipe.data().train());
        var validation =
                records(files.validation(), labels, tokenizer, maxLength, recipe.data().train());
        var test =
                files.test() == null
                        ? null
                        : records(
                                files.test(), labels, tokenizer, maxLength, recipe.data().train());
        report(watcher, "training", train, maxLength);
        report(watcher, "validation", validation, maxLength);
        var lora = adapt(recipe, model, model.body());
        model.trainHead();
        var micro = recipe.training().microBatch();
        var microBatch =
                micro == null
                        ? CausalLearner.autoMicroBatch(model, recipe.training().batch(), maxLength)
                        : micro;
        var completed = completed(recipe, Math.min(microBatch, recipe.training().batch()));
        var learner = learner(completed, task, model, train, tokenizer, microBatch);
        var measured = recipe.forgetting() == null ? null : recipe.forgetting().measure().corpus();
        var general =
                measured == null
                        ? null
                        : TextData.general(measured, tokenizer, model.body().context());
        return new Finetuning(
                completed,
                tokenizer,
                model,
                ready.config(),
                lora,
                train,
                validation,
                test,
                learner,
                general,
                files.passport());
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
        if (records.truncated() > 0) {
            watcher.said(
                    String.format(
                            "%s: %d of %d texts are longer than %d tokens and were cut",
                            name, records.truncated(), records.texts().size(), maxLength));
        }
    }

    static FinetuneRecipe completed(FinetuneRecipe r, int microBatch) {
        return new FinetuneRecipe(
                r.name(),
                r.seed(),
                r.output(),
                r.data(),
                r.tokenizer(),
                r.model(),
                r.task(),
                r.adapter(),
                Run.completed(r.training(), microBatch),
                r.evaluate(),
                r.save(),
                r.forgetting());
    }

    private static Records records(
            List<LabelledText> texts,
            List<String> labels,
            Tokenizer tokenizer,
            int maxLength,
            Path trainFile) {
        var tokens = new ArrayList<int[]>();
        var classes = new int[texts.size()];
        var truncated = 0L;
        for (var i = 0; i < classes.length; i++) {
            var record = texts.get(i);
            classes[i] = labels.indexOf(record.label());
            if (classes[i] < 0) {
                throw EspalierException.data(
                        record.where()
                                + ": the label '"
                                + record.label()
                                + "' does not occur in "
                                + trainFile
                                + "; known labels: "
                                + labels);
            }
            var seen = TextClassifier.tokens(tokenizer, record.text(), maxLength);
            tokens.add(seen.ids());
            truncated += seen.truncated() ? 1 : 0;
        }
        return new Records(texts, tokens, classes, truncated);
    }

    /// Freezes what the recipe does not train, of the body of `model`, and adds adapters.
    static Lora.@Nullable Settings adapt(FinetuneRecipe recipe, Module model, LanguageModel body) {
        return switch (recipe.adapter()) {
            case AdapterRecipe.None _ -> null;
            case AdapterRecipe.Frozen _ -> {
                body.parameters().values().forEach(p -> p.trained(false));
                yield null;
            }
            case AdapterRecipe.Lora l -> {
                var settings =
                        new Lora.Settings(
                                l.rank(),
                                l.alpha(),
                                l.dropout(),
                                targets(l.targets(), body.family()),
                                l.rslora(),
                                l.dora());
                Lora.attach(model, settings, Rng.seed(recipe.seed(), 3));
                yield settings;
            }
        };
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
            Tokenizer tokenizer,
            int microBatch) {
        var batch = recipe.training().batch();
        var lengths = train.texts().stream().mapToInt(t -> t.length).toArray();
        var perEpoch = Math.ceilDiv(lengths.length, batch);
        return new ClassificationLearner(
                model,
                train.texts(),
                train.labels(),
                train.records().stream().map(LabelledText::where).toList(),
                step ->
                        Batches.byLength(lengths, batch, recipe.seed(), step / perEpoch)
                                .get((int) (step % perEpoch)),
                perEpoch,
                microBatch,
                task.classWeights() == TaskRecipe.Classification.ClassWeights.BALANCED
                        ? balanced(train.labels(), model.labels().size())
                        : null,
                task.learnFrom() == TaskRecipe.Classification.LearnFrom.EVERY_TOKEN,
                Run.loss(recipe.training()),
                replay(recipe, model, tokenizer, batch));
    }

    /// The inverse of each class's frequency, 1 on average over the records.
    static float[] balanced(int[] labels, int classes) {
        var counts = new long[classes];
        for (var label : labels) {
            counts[label]++;
        }
        var weights = new float[classes];
        for (var c = 0; c < classes; c++) {
            weights[c] =
                    counts[c] == 0 ? 0 : (float) (labels.length / (double) classes / counts[c]);
        }
        return weights;
    }

    private static ClassificationLearner.@Nullable Replay replay(
            FinetuneRecipe recipe, SequenceClassifier model, Tokenizer tokenizer, int batch) {
        if (recipe.forgetting() == null
                || !(recipe.forgetting().defence()
                        instanceof ForgettingRecipe.DefenceRecipe.Replay replay)) {
            return null;
        }
        var text = TextData.general(replay.corpus(), tokenizer, model.body().context());
        var windows =
                Math.max(1, (int) Math.round(replay.fraction() * batch / (1 - replay.fraction())));
        return new ClassificationLearner.Replay(
                windows, replay.fraction(), TextData.shuffled(text, recipe.seed()));
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return learner;
    }

    @Override
    public Tokenizer tokenizer() {
        return tokenizer;
    }

    /// With what is cut of each text.
    @Override
    public List<ExampleText> examples(long step) {
        var texts =
                training.records().stream()
                        .collect(
                                Collectors.toMap(
                                        LabelledText::where, LabelledText::text, (a, _) -> a));
        var asked = recipe.task() instanceof TaskRecipe.Classification c ? c.maxLength() : null;
        var maxLength = maxLength(asked, model.body(), tokenizer);
        return Job.super.examples(step).stream()
                .map(example -> {
                    var text = texts.get(example.where());
                    var cut = text == null ? "" : TextClassifier.cut(tokenizer, text, maxLength);
                    return cut.isEmpty() ? example : example.cutOf("text", cut);
                })
                .toList();
    }

    @Override
    public double flopsPerToken() {
        var length =
                (int)
                        Math.round(
                                training.texts().stream()
                                        .mapToInt(t -> t.length)
                                        .average()
                                        .orElse(1));
        var head = (double) model.body().vocabulary() * model.body().width();
        return Cost.flopsPerToken(model.body(), length) - 6 * head;
    }

    /// Every metric of the test, with the majority class of the training records beside it.
    private List<Score> scores(String data, Records records) {
        var probabilities = TextClassifier.probabilities(model, records.texts());
        var majority = Classification.majority(training.labels(), model.labels().size());
        return TextClassifier.scores(
                data, model.labels(), records.labels(), probabilities, majority, recipe.seed());
    }

    @Override
    public List<Score> validate(long tokens) {
        var all = new ArrayList<>(scores("validation", validation));
        if (general != null) {
            generalNow = general.loss(model.decoder(), bf16());
            all.addAll(generalNow.scores("general"));
        }
        return all;
    }

    @Override
    public @Nullable Double selection(List<Score> scores) {
        return selection(recipe, scores, Metric.ACCURACY);
    }

    /// The validation's value by which the best weights are told; the higher, the better. Where the
    /// recipe names none it is that of `otherwise`.
    static double selection(FinetuneRecipe recipe, List<Score> scores, Metric otherwise) {
        var stopping = recipe.training().earlyStopping();
        var metric = stopping == null ? otherwise : stopping.metric();
        return switch (metric) {
            case LOSS -> -find(scores, "loss");
            case ACCURACY -> find(scores, "accuracy");
            case MACRO_F1 -> find(scores, "macro-f1");
            case CHARACTER_ERROR_RATE -> -find(scores, "character-error-rate");
            case WORD_ERROR_RATE -> -find(scores, "word-error-rate");
            default -> find(scores, metric.name().toLowerCase(Locale.ROOT).replace('_', '-'));
        };
    }

    private static double find(List<Score> scores, String metric) {
        return scores.stream()
                .filter(s -> s.metric().equals(metric))
                .findFirst()
                .orElseThrow()
                .value();
    }

    @Override
    public @Nullable String verdict(List<Score> scores) {
        if (generalNow == null
                || generalBefore == null
                || recipe.forgetting() == null
                || recipe.forgetting().budget() == null) {
            return null;
        }
        var rise = generalNow.riseSince(generalBefore).value();
        return rise <= recipe.forgetting().budget()
                ? null
                : String.format(
                        java.util.Locale.ROOT,
                        "the general text's perplexity rose by %.1f %%, beyond forgetting.budget of %.1f %%",
                        100 * rise,
                        100 * recipe.forgetting().budget());
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", validation));
        if (test != null) {
            all.addAll(scores("test", test));
        }
        if (general != null && generalBefore != null) {
            var after = general.loss(model.decoder(), bf16());
            generalNow = after;
            all.addAll(generalBefore.scores("general-before"));
            all.addAll(after.scores("general-after"));
            all.add(
                    Score.of(
                            "general",
                            "perplexity-rise",
                            after.riseSince(generalBefore),
                            after.tokens()));
        }
        return all;
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        writeModel(folder, recipe, model, config, lora);
        tokenizer.save(folder);
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
        } else if (recipe.adapter() instanceof AdapterRecipe.Lora l && !l.merge()) {
            var base =
                    recipe.model() instanceof ModelRecipe.Saved saved
                            ? saved.path().toString()
                            : "";
            HuggingFace.writeAdapter(folder, model, config, lora, base);
        } else {
            HuggingFace.writeMerged(folder, model, config);
        }
    }

    @Override
    public JsonNode dataPassport() {
        var json = passport.deepCopy();
        json.put("training-records", training.texts().size());
        json.put("training-truncated", training.truncated());
        json.put("validation-records", validation.texts().size());
        json.put("validation-truncated", validation.truncated());
        json.set(
                "test-records",
                test == null
                        ? JsonNodeFactory.instance.nullNode()
                        : json.numberNode(test.texts().size()));
        return json;
    }

    @Override
    public void report(
            Path file, List<StepFigures> steps, List<Evaluation> evaluations, List<Score> scores) {
        var shown = test == null ? validation : test;
        var result = new Classification(model.labels(), shown.labels(), predicted(shown));
        var name = test == null ? "validation" : "test";
        RunReports.finetuning(
                file,
                recipe,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                result,
                Classification.majority(training.labels(), model.labels().size()),
                forgetting(),
                dataPassport());
    }

    private int[] predicted(Records records) {
        return TextClassifier.likeliest(TextClassifier.probabilities(model, records.texts()));
    }

    private List<RunReport.Forgetting> forgetting() {
        if (generalBefore == null || generalNow == null) {
            return List.of();
        }
        return List.of(
                new RunReport.Forgetting(
                        "before", generalBefore.perplexity(), generalBefore.bitsPerByte(), null),
                new RunReport.Forgetting(
                        "fine-tuned",
                        generalNow.perplexity(),
                        generalNow.bitsPerByte(),
                        generalNow.riseSince(generalBefore)));
    }

    @Override
    public void close() {}
}
