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
    private final TextData.Labelled<TaggedText> data;
    private final int maxLength;
    private final int majority;
    private final ExamplesByLength learner;
    private final Learner defended;
    private final Forgetting forgetting;

    private Labelling(
            FinetuneRecipe recipe,
            Tokenizer tokenizer,
            TokenClassifier model,
            ObjectNode config,
            Lora.@Nullable Settings lora,
            TextData.Labelled<TaggedText> data,
            int maxLength,
            ExamplesByLength learner,
            int microBatch) {
        this.recipe = recipe;
        this.tokenizer = tokenizer;
        this.model = model;
        this.config = config;
        this.lora = lora;
        this.data = data;
        this.maxLength = maxLength;
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
        majority = majority(data.train(), model.labels());
    }

    private static int majority(List<TaggedText> texts, List<String> labels) {
        var classes =
                texts.stream()
                        .flatMap(text -> text.tags().stream())
                        .mapToInt(labels::indexOf)
                        .toArray();
        return Classification.majority(classes, labels.size());
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
        var tags = file.stream().flatMap(t -> t.tags().stream()).distinct().sorted().toList();
        data.all().forEach(text -> TokenLabeller.classes(text, tags));
        return tags;
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
        ready.config().remove(HuggingFace.OWN);
        Commonest.tell(
                ready.config(),
                List.of(model.labels().get(majority(data.train(), model.labels()))));
        TokenLabeller.describe(ready.config(), maxLength);
        var lora = Finetuning.adapt(recipe, model, model.body());
        model.trainHead();
        var stretches = new ArrayList<TaggedTokens>();
        var labels = new ArrayList<int[]>();
        for (var text : data.train()) {
            for (var part :
                    TaggedTokens.of(tokenizer, text, maxLength, TokenLabeller.byLast(model))) {
                stretches.add(part);
                labels.add(
                        text
                                .tags()
                                .subList(part.firstWord(), part.firstWord() + part.words())
                                .stream()
                                .mapToInt(tags::indexOf)
                                .toArray());
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
                data,
                maxLength,
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

    private int[] classes(TaggedText text) {
        return TokenLabeller.classes(text, model.labels());
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

    private List<Score> scores(String name, List<TaggedText> texts) {
        return TokenLabeller.scores(
                name,
                model.labels(),
                texts.stream().map(this::classes).toList(),
                TokenLabeller.probabilities(model, tokenizer, texts, maxLength),
                majority,
                recipe.seed());
    }

    @Override
    public List<Score> validate(long tokens) {
        return scores("validation", data.validation());
    }

    @Override
    public Forgetting forgetting() {
        return forgetting;
    }

    @Override
    public @Nullable Double selection(List<Score> scores) {
        // Most words belong to no entity, so that their accuracy hardly tells one model from
        // another.
        var usual = Entities.areTags(model.labels()) ? Metric.F1 : Metric.ACCURACY;
        return Finetuning.selection(recipe, scores, usual);
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<>(scores("validation", data.validation()));
        if (data.test() != null) {
            all.addAll(scores("test", data.test()));
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
        return data.passport();
    }

    @Override
    public void report(
            Path file,
            String ended,
            List<StepFigures> steps,
            List<Evaluation> evaluations,
            List<Score> scores) {
        var name = data.judgedName();
        var shown = data.judged();
        var truth = shown.stream().flatMapToInt(t -> Arrays.stream(classes(t))).toArray();
        var told =
                TokenLabeller.probabilities(model, tokenizer, shown, maxLength).stream()
                        .flatMapToInt(p -> Arrays.stream(Answers.likeliest(p)))
                        .toArray();
        RunReports.finetuning(
                file,
                recipe,
                ended,
                steps,
                evaluations,
                scores.stream().filter(s -> s.data().equals(name)).toList(),
                new Classification(model.labels(), truth, told),
                forgetting.outcome(),
                List.of(),
                dataPassport());
    }
}
