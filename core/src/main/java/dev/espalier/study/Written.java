package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.TextPair;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.evaluate.Sums;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.TextRewriter;
import dev.espalier.train.TextData;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// One text written from another, judged by the figure that the recipe stops early by, or by chrF
/// where that is the loss. A draw is of pairs at random. Test pairs with the same input are one
/// record, with all their targets for right answers.
final class Written implements Studied {
    private final FinetuneRecipe recipe;
    private final TaskRecipe.SequenceToSequence task;
    private final Path file;
    private final TextData.Labelled<TextPair> all;
    private final TextRewriter.Questions test;
    private final Metric metric;

    /// @param file of the test
    Written(
            FinetuneRecipe recipe,
            TaskRecipe.SequenceToSequence task,
            Path file,
            Path output,
            Watcher watcher) {
        this.recipe = recipe;
        this.task = task;
        this.file = file;
        var stopping = recipe.training().earlyStopping();
        metric =
                stopping == null || stopping.metric() == Metric.LOSS
                        ? Metric.CHRF
                        : stopping.metric();
        if (metric == Metric.CHARACTER_ERROR_RATE || metric == Metric.WORD_ERROR_RATE) {
            throw EspalierException.usage(
                    "training.early-stopping.metric: compare judges by it, and by no error rate, which has no end; allowed: exact-match, bleu, chrf, chrf-plus-plus, rouge-1, rouge-2, rouge-l, rouge-lsum, or loss for chrf");
        }
        all = TextData.paired(recipe.data(), task, recipe.seed(), output, watcher);
        test = TextRewriter.Questions.of(Objects.requireNonNull(all.test()));
    }

    @Override
    public String metric() {
        return metric.score();
    }

    @Override
    public List<String> labels() {
        return List.of();
    }

    @Override
    public int records() {
        return all.train().size();
    }

    @Override
    public int tests() {
        return test.inputs().size();
    }

    /// A frozen body leaves the vocabulary's head, which there is where it is not the table that
    /// inputs are read by; both families have it so unless they say otherwise.
    @Override
    public boolean has(Arm arm) {
        return switch (arm) {
            case BAG_OF_WORDS -> false;
            case FROZEN ->
                    recipe.model() instanceof ModelRecipe.Saved saved
                            && !HuggingFace.config(saved.path())
                                    .path("tie_word_embeddings")
                                    .asBoolean(true);
            default -> true;
        };
    }

    @Override
    public Draw drawn(int count, long seed) {
        var order = new ArrayList<>(all.train());
        Draws.shuffle(order, Rng.at(seed));
        return new Drawn(order.subList(0, Math.min(count, order.size())));
    }

    @Override
    public @Nullable Integer balanced() {
        return null;
    }

    @Override
    public List<String> overrides() {
        return List.of("task.input=input", "task.target=target");
    }

    @Override
    public Stream<String> texts() {
        return all.train().stream().map(TextPair::input);
    }

    @Override
    public String asked() {
        return AtomicFiles.sha256(file) + Json.line(List.of(task.input(), task.target()));
    }

    @Override
    public List<String> told(Path model) {
        try (var rewriter = TextRewriter.load(model)) {
            return rewriter.rewrite(test.inputs()).stream()
                    .map(TextRewriter.Written::text)
                    .toList();
        }
    }

    /// BLEU and chrF as shares of the most that they can be.
    private Sums sums(List<String> answers) {
        var sums = test.beside(answers).sums(metric(), TextData.settings(task.metrics()));
        var most =
                switch (metric) {
                    case BLEU, CHRF, CHRF_PLUS_PLUS -> 100;
                    default -> 1;
                };
        return new Sums(sums.rows(), s -> sums.figure().applyAsDouble(s) / most);
    }

    @Override
    public double value(List<String> answers) {
        return sums(answers).value();
    }

    @Override
    public Interval interval(double mean, List<List<String>> seeds) {
        return WrittenTexts.interval(
                metric(), seeds.stream().map(this::sums).toList(), recipe.seed());
    }

    @Override
    public Paired paired(List<List<String>> one, List<List<String>> two, long seed) {
        return Paired.of(
                one.stream().map(this::sums).toList(), two.stream().map(this::sums).toList(), seed);
    }

    private static Content content(List<TextPair> pairs) {
        var lines = new StringBuilder();
        for (var pair : pairs) {
            lines.append(Json.line(new Line(pair.input(), pair.target()))).append('\n');
        }
        return new Content("jsonl", lines);
    }

    private record Line(String input, String target) {}

    private final class Drawn implements Draw {
        private final List<TextPair> records;

        Drawn(List<TextPair> records) {
            this.records = records;
        }

        @Override
        public int size() {
            return records.size();
        }

        @Override
        public Content training() {
            return content(records);
        }

        @Override
        public Content judging() {
            return content(all.validation());
        }

        @Override
        public List<String> untrained(Arm arm) {
            return arm == Arm.COPY
                    ? test.inputs()
                    : Draws.commonest(all.train().stream().map(TextPair::target), tests());
        }
    }
}
