package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.TaggedText;
import dev.espalier.data.LabelledReader;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Entities;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.TokenClassifier;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.task.Answers;
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
        var file = folder.resolve("recipe.yaml");
        var model = folder.resolve("model");
        if (!Files.isRegularFile(file) || !Files.isDirectory(model)) {
            throw EspalierException.usage(
                    "forgetting.measure.tasks: %s is the folder of no finished run; recipe.yaml and model are needed"
                            .formatted(folder));
        }
        if (!(Recipes.read(file) instanceof FinetuneRecipe recipe)) {
            throw refused(file);
        }
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
                        Entities.areTags(head.labels()) ? "f1" : "accuracy",
                        false,
                        labelling(recipe, task, head, tokenizer));
            }
            default -> throw refused(file);
        };
    }

    private static EspalierException refused(Path file) {
        return EspalierException.usage(
                "forgetting.measure.tasks: %s is of another kind; allowed: classification, token-labelling"
                        .formatted(file));
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
        var measures = new LinkedHashMap<String, KeptScores.Measure>();
        var sets = new LinkedHashMap<>(java.util.Map.of("", data.validation()));
        if (data.test() != null) {
            sets.put("test", data.test());
        }
        sets.forEach((part, records) -> {
            if (!(problem instanceof Problem.Regression)) {
                LabelledReader.requireKnown(records, problem.labels());
            }
            var read = Finetuning.Records.of(records, problem, reader);
            measures.put(
                    part,
                    named -> {
                        var answers = Answers.of(head, read.read());
                        var scores =
                                Answers.scores(
                                        named,
                                        problem,
                                        read.truths(),
                                        answers,
                                        new LinkedHashMap<>(),
                                        recipe.seed());
                        return new KeptScores.Told(
                                scores.stream().filter(s -> !s.metric().contains(":")).toList(),
                                Answers.judge(problem, read.truths(), answers)
                                                instanceof Classification one
                                        ? one.correct()
                                        : new double[0]);
                    });
        });
        return measures;
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
                        classes(data.train(), labels).stream()
                                .flatMapToInt(Arrays::stream)
                                .toArray(),
                        labels.size());
        var measures = new LinkedHashMap<String, KeptScores.Measure>();
        var sets = new LinkedHashMap<>(java.util.Map.of("", data.validation()));
        if (data.test() != null) {
            sets.put("test", data.test());
        }
        sets.forEach((part, texts) ->
                measures.put(
                        part,
                        named ->
                                new KeptScores.Told(
                                        TokenLabeller.scores(
                                                        named,
                                                        labels,
                                                        classes(texts, labels),
                                                        TokenLabeller.probabilities(
                                                                head, tokenizer, texts, length),
                                                        majority,
                                                        recipe.seed())
                                                .stream()
                                                .filter(s -> !s.metric().contains(":"))
                                                .toList(),
                                        new double[0])));
        return measures;
    }

    private static List<int[]> classes(List<TaggedText> texts, List<String> labels) {
        return texts.stream()
                .map(t -> t.tags().stream().mapToInt(labels::indexOf).toArray())
                .toList();
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
