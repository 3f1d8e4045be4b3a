package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.TaggedText;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Entities;
import dev.espalier.evaluate.Score;
import dev.espalier.model.TokenClassifier;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.Answers;
import dev.espalier.task.Commonest;
import dev.espalier.task.TaggedTokens;
import dev.espalier.task.TokenLabelBatch;
import dev.espalier.task.TokenLabeller;
import dev.espalier.tokenize.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Fine-tuning a model to tag the words of texts.
final class Labelling implements Job {
    private final FinetuneRecipe recipe;
    private final Tokenizer tokenizer;
    private final TokenClassifier model;
    private final ObjectNode config;
    private final Lora.@Nullable Settings lora;
    private final Records train;
    private final Records validation;
    private final @Nullable Records test;
    private final ObjectNode passport;
    private final int majority;
    private final ExamplesByLength learner;
    private final Learner defended;
    private final Forgetting forgetting;

    /// Texts as the model reads them.
    private record Records(List<List<TaggedTokens>> read, TokenLabeller.Truth truth) {
        static Records of(
                TokenClassifier model, Tokenizer tokenizer, List<TaggedText> texts, int maxLength) {
            return new Records(
                    TokenLabeller.read(model, tokenizer, texts, maxLength),
                    TokenLabeller.Truth.of(texts, model.labels()));
        }

        long cut() {
            return read.stream().mapToLong(TokenLabeller::cut).sum();
        }

        int words() {
            return truth.classes().stream().mapToInt(c -> c.length).sum();
        }

        int unknown() {
            return truth.unknown().values().stream().mapToInt(n -> n).sum();
        }
    }

    private Labelling(
            FinetuneRecipe recipe,
            Tokenizer tokenizer,
            TokenClassifier model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            Records train,
            Records validation,
            @Nullable Records test,
            ObjectNode passport,
            int majority,
            ExamplesByLength learner,
            int microBatch) {
        this.recipe = recipe;
        this.tokenizer = tokenizer;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.train = train;
        this.validation = validation;
        this.test = test;
        this.passport = passport;
        this.majority = majority;
        this.learner = learner;
        defended =
                Defending.of(
                        recipe,
                        Replaying.of(recipe, learner, model.body(), tokenizer, microBatch),
                        model.body(),
                        tokenizer,
                        microBatch,
                        null);
        forgetting =
                Forgetting.of(recipe.forgetting(), model.body(), tokenizer, bf16(), recipe.seed());
    }

    /// Those of the training file; its records that are kept back may have some that the others
    /// lack, such as `I-LOC` where all other places are single words.
    ///
    /// @param split whether the validation records are such
    private static List<String> tags(TextData.Labelled<TaggedText> data, boolean split) {
        var file = new ArrayList<>(data.train());
        if (split) {
            file.addAll(data.validation());
        }
        return file.stream().flatMap(t -> t.tags().stream()).distinct().sorted().toList();
    }

    private static void report(Watcher watcher, String name, Records records, int maxLength) {
        if (records.cut() > 0) {
            watcher.said(
                    "%s: %,d of %,d words are longer than %d tokens and are told by their first ones"
                            .formatted(name, records.cut(), records.words(), maxLength));
        }
        if (records.unknown() > 0) {
            watcher.said(name + ": " + records.truth().aboutUnknown());
        }
    }

    static Job prepare(
            FinetuneRecipe recipe, TaskRecipe.TokenLabelling task, Path folder, Watcher watcher) {
        var data = TextData.tagged(recipe.data(), task, recipe.seed(), folder, watcher);
        var tags = tags(data, recipe.data().validation() == null);
        if (tags.size() < 2) {
            throw EspalierException.data(
                    recipe.data().train()
                            + ": all words have the tag "
                            + tags
                            + "; token labelling needs at least two tags");
        }
        var stopping = recipe.training().earlyStopping();
        if (stopping != null && stopping.metric() == Metric.F1 && !Entities.areTags(tags)) {
            throw EspalierException.usage(
                    "training.early-stopping.metric: f1 counts entities, whose tags are such as B-name, I-name and O; for other tags allowed: loss, accuracy, macro-f1");
        }
        var tokenizer =
                TextData.tokenizer(
                        recipe,
                        data.train().stream()
                                .map(t -> new LabelledText(t.text(), "", t.where()))
                                .toList(),
                        folder,
                        watcher);
        var ready = Models.of(recipe.model(), tokenizer, recipe.seed());
        var model = new TokenClassifier(Forgetting.withHead(recipe, ready), tags);
        model.initializeHead(recipe.seed());
        var maxLength = Finetuning.maxLength(task.maxLength(), model.body(), tokenizer);
        var train = Records.of(model, tokenizer, data.train(), maxLength);
        var validation = Records.of(model, tokenizer, data.validation(), maxLength);
        var test =
                data.test() == null ? null : Records.of(model, tokenizer, data.test(), maxLength);
        report(watcher, "training", train, maxLength);
        report(watcher, "validation", validation, maxLength);
        if (test != null) {
            report(watcher, "test", test, maxLength);
        }
        var majority =
                Classification.majority(
                        train.truth().classes().stream().flatMapToInt(Arrays::stream).toArray(),
                        tags.size());
        ready.config().remove(HuggingFace.OWN);
        Commonest.tell(ready.config(), List.of(tags.get(majority)));
        TokenLabeller.describe(ready.config(), maxLength);
        var lora = Finetuning.adapt(recipe, model, model.body());
        model.trainHead();
        var stretches = new ArrayList<TaggedTokens>();
        var labels = new ArrayList<int[]>();
        for (var i = 0; i < train.read().size(); i++) {
            var classes = train.truth().classes().get(i);
            for (var part : train.read().get(i)) {
                stretches.add(part);
                labels.add(
                        Arrays.copyOfRange(
                                classes, part.firstWord(), part.firstWord() + part.words()));
            }
        }
        var lengths = stretches.stream().mapToInt(s -> s.ids().length).toArray();
        watcher.said(
                "%,d texts in %,d pieces, %d tags"
                        .formatted(data.train().size(), lengths.length, tags.size()));
        var batch = recipe.training().batch();
        var micro = recipe.training().microBatch();
        var longest = Arrays.stream(lengths).max().orElse(1);
        var microBatch =
                micro == null ? CausalLearner.autoMicroBatch(model, batch, longest) : micro;
        var completed = Finetuning.completed(recipe, microBatch);
        var weight = Replaying.taskWeight(recipe);
        return new Labelling(
                completed,
                tokenizer,
                model,
                ready.config(),
                lora,
                train,
                validation,
                test,
                data.passport(),
                majority,
                new ExamplesByLength(
                        model,
                        lengths,
                        batch,
                        microBatch,
                        recipe.seed(),
                        (_, places) ->
                                new TokenLabelBatch(
                                        model,
                                        places.stream().map(stretches::get).toList(),
                                        places.stream().map(labels::get).toList(),
                                        weight,
                                        Run.loss(recipe.training()))),
                microBatch);
    }

    @Override
    public FinetuneRecipe recipe() {
        return recipe;
    }

    @Override
    public Learner learner() {
        return defended;
    }

    @Override
    public List<ExampleText> examples(long step) {
        return Job.examples(learner, step, tokenizer);
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
        return (int) Math.round(learner.meanLength());
    }

    private List<Score> scores(String name, Records records) {
        return TokenLabeller.scores(
                name,
                records.truth(),
                TokenLabeller.probabilities(model, records.read()),
                majority,
                recipe.seed());
    }

    @Override
    public List<Score> validate(long tokens) {
        return scores("validation", validation);
    }

    @Override
    public long validated(long tokens) {
        return validation.read().stream()
                .flatMap(windows -> windows.stream())
                .mapToLong(window -> window.ids().length)
                .sum();
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    @Override
    public String chosenBy() {
        return Finetuning.chosenBy(recipe, model.labels()).score();
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", validation));
        if (test != null) {
            all.addAll(scores("test", test));
        }
        return all;
    }

    @Override
    public void writeModel(Path folder) throws IOException {
        Finetuning.writeModel(folder, recipe, model, config, lora);
        tokenizer.save(folder);
    }

    @Override
    public JsonNode dataPassport() {
        var json = passport.deepCopy();
        counts(json, "training", train);
        counts(json, "validation", validation);
        if (test != null) {
            counts(json, "test", test);
        }
        return json;
    }

    private static void counts(ObjectNode json, String name, Records records) {
        json.put(name + "-words-cut", records.cut());
        json.put(name + "-words-of-unknown-tags", records.unknown());
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
        var truth = shown.truth().classes().stream().flatMapToInt(Arrays::stream).toArray();
        var told =
                TokenLabeller.probabilities(model, shown.read()).stream()
                        .flatMapToInt(p -> Arrays.stream(Answers.likeliest(p)))
                        .toArray();
        RunReports.finetuning(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                new Classification(shown.truth().labels(), truth, told),
                forgetting.outcome(),
                List.of(),
                dataPassport());
    }
}
