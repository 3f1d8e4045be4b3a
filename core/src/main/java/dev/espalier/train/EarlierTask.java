package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Entities;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.model.Vit;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.Answers;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.TokenLabeller;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/// A task that an earlier run taught, asked of another model's body by the head that the run left:
/// its recipe says where the records are and how they are read. That tells something only of models
/// which began with what that run left; of another body the head makes nothing.
final class EarlierTask {
    private EarlierTask() {}

    /// The task of the run in `folder`, measured now.
    ///
    /// @param body that the head is put on; nothing of it changes
    /// @param naming what the figures are to be called, by the run's name
    /// @throws EspalierException if the run is of another kind, or does not fit the model
    static KeptScores of(
            Path folder, LanguageModel body, Tokenizer tokenizer, UnaryOperator<String> naming) {
        var recipe = recipe(folder);
        var model = folder.resolve("model");
        requireSame(tokenizer, model);
        var name = naming.apply(recipe.name());
        return switch (recipe.task()) {
            case TaskRecipe.Classification task -> {
                var head = HuggingFace.readClassifierOn(body, model);
                yield new KeptScores(
                        name,
                        metric(head.problem()),
                        head.problem() instanceof Problem.Regression,
                        classification(recipe, task, head, tokenizer));
            }
            case TaskRecipe.TokenLabelling task -> {
                var head = HuggingFace.readTokenClassifierOn(body, model);
                yield new KeptScores(
                        name,
                        Metric.ofTags(Entities.areTags(head.labels())).score(),
                        false,
                        labelling(recipe, task, head, tokenizer));
            }
            default -> throw refused(folder, "classification, token-labelling");
        };
    }

    /// As above, of pictures, which are read as the run read them.
    static KeptScores of(Path folder, Vit body, UnaryOperator<String> naming) {
        var recipe = recipe(folder);
        if (!(recipe.task() instanceof TaskRecipe.ImageClassification task)) {
            throw refused(folder, "image-classification");
        }
        var model = folder.resolve("model");
        var head = HuggingFace.readVitOn(body, model);
        return new KeptScores(
                naming.apply(recipe.name()),
                metric(head.problem()),
                false,
                pictures(recipe, task, head, model));
    }

    private static FinetuneRecipe recipe(Path folder) {
        var file = folder.resolve("recipe.yaml");
        if (!Files.isRegularFile(file) || !Files.isDirectory(folder.resolve("model"))) {
            throw EspalierException.usage(
                    "forgetting.measure.tasks: %s is the folder of no finished run; recipe.yaml and model are needed"
                            .formatted(folder));
        }
        if (!(Recipes.read(file) instanceof FinetuneRecipe recipe)) {
            throw refused(folder, "one that fine-tuned");
        }
        return recipe;
    }

    private static EspalierException refused(Path folder, String allowed) {
        return EspalierException.usage(
                "forgetting.measure.tasks: the run in %s is of another kind; allowed: %s"
                        .formatted(folder, allowed));
    }

    private static String metric(Problem problem) {
        return switch (problem) {
            case Problem.SingleLabel _ -> "accuracy";
            case Problem.MultiLabel _ -> "micro-f1";
            case Problem.Regression _ -> "loss";
        };
    }

    /// Tokens that were added since do not stand in the earlier task's texts.
    private static void requireSame(Tokenizer tokenizer, Path model) {
        var other = Tokenizers.read(model);
        var same = other.vocabularySize() <= tokenizer.vocabularySize();
        for (var id = 0; same && id < other.vocabularySize(); id++) {
            same = other.token(id).equals(tokenizer.token(id));
        }
        if (!same) {
            throw EspalierException.data(
                    "%s: has another tokenizer than the model, so that its head fits nothing here"
                            .formatted(model));
        }
    }

    private static SequencedMap<String, KeptScores.Measure> classification(
            FinetuneRecipe recipe,
            TaskRecipe.Classification task,
            SequenceClassifier head,
            Tokenizer tokenizer) {
        var data =
                aside(folder ->
                        TextData.labelled(
                                recipe.data(), task, recipe.seed(), folder, new Watcher() {}));
        var length = Finetuning.maxLength(task.maxLength(), head.body(), tokenizer);
        var reader = Finetuning.reader(task, tokenizer, length);
        var problem = head.problem();
        return each(
                data,
                records -> {
                    var read = Finetuning.Records.of(records, problem, reader);
                    return named ->
                            told(
                                    named,
                                    problem,
                                    read.truths(),
                                    Answers.of(head, read.read()),
                                    recipe.seed());
                });
    }

    private static SequencedMap<String, KeptScores.Measure> pictures(
            FinetuneRecipe recipe, TaskRecipe.ImageClassification task, Vit head, Path model) {
        var preprocessor = PictureClassifier.preprocessor(model, head);
        var data =
                aside(folder ->
                        PictureData.labelled(
                                recipe,
                                PictureClassifier.fit(model),
                                task,
                                folder,
                                new Watcher() {}));
        var problem = head.problem();
        return each(
                data,
                records -> {
                    PictureClassifier.requireKnown(records, problem.labels());
                    var seen = records.stream().map(LabelledImage::picture).toList();
                    var truths =
                            records.stream()
                                    .map(r -> PictureClassifier.truth(problem, r.labels()))
                                    .toArray(double[][]::new);
                    return named ->
                            told(
                                    named,
                                    problem,
                                    truths,
                                    PictureClassifier.answers(head, preprocessor, seen),
                                    recipe.seed());
                });
    }

    /// Of the validation records under no name of its own, and of the test.
    private static <R> SequencedMap<String, KeptScores.Measure> each(
            TextData.Labelled<R> data, Function<List<R>, KeptScores.Measure> of) {
        var measures = new LinkedHashMap<String, KeptScores.Measure>();
        measures.put("", of.apply(data.validation()));
        if (data.test() != null) {
            measures.put("test", of.apply(data.test()));
        }
        return measures;
    }

    private static KeptScores.Told told(
            String named, Problem problem, double[][] truths, double[][] answers, long seed) {
        var scores = Answers.scores(named, problem, truths, answers, new LinkedHashMap<>(), seed);
        return new KeptScores.Told(
                scores.stream().filter(s -> !s.metric().contains(":")).toList(),
                Answers.judge(problem, truths, answers) instanceof Classification one
                        ? one.correct()
                        : new double[0]);
    }

    private static SequencedMap<String, KeptScores.Measure> labelling(
            FinetuneRecipe recipe,
            TaskRecipe.TokenLabelling task,
            TokenClassifier head,
            Tokenizer tokenizer) {
        var data =
                aside(folder ->
                        TextData.tagged(
                                recipe.data(), task, recipe.seed(), folder, new Watcher() {}));
        var length = Finetuning.maxLength(task.maxLength(), head.body(), tokenizer);
        var labels = head.labels();
        var majority =
                Classification.majority(
                        TokenLabeller.Truth.of(data.train(), labels).classes().stream()
                                .flatMapToInt(Arrays::stream)
                                .toArray(),
                        labels.size());
        return each(
                data,
                texts -> {
                    var truth = TokenLabeller.Truth.of(texts, labels);
                    var read = TokenLabeller.read(head, tokenizer, texts, length);
                    return named ->
                            new KeptScores.Told(
                                    TokenLabeller.scores(
                                                    named,
                                                    truth,
                                                    TokenLabeller.probabilities(head, read),
                                                    majority,
                                                    recipe.seed())
                                            .stream()
                                            .filter(s -> !s.metric().contains(":"))
                                            .toList(),
                                    new double[0]);
                });
    }

    private interface Reading<T> {
        T in(Path folder);
    }

    /// What was set aside is told of by the run that learnt from it.
    private static <T> T aside(Reading<T> reading) {
        try {
            var folder = Files.createTempDirectory("espalier-");
            try {
                return reading.in(folder);
            } finally {
                dev.espalier.io.AtomicFiles.deleteTree(folder);
            }
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
