package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.Entities;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.evaluate.Shares;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.task.Answers;
import dev.espalier.task.TokenLabeller;
import dev.espalier.train.TextData;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// A tag of each word, judged by F1 of entities, or where the tags are of none by the accuracy of
/// words. A draw is of texts, whatever their words are tagged as.
final class Tagged implements Studied {
    private final FinetuneRecipe recipe;
    private final TaskRecipe.TokenLabelling task;
    private final Path file;
    private final TextData.Labelled<TaggedText> all;
    private final List<TaggedText> test;
    private final List<String> labels;
    private final boolean ofEntities;

    /// @param file of the test
    Tagged(
            FinetuneRecipe recipe,
            TaskRecipe.TokenLabelling task,
            Path file,
            Path output,
            Watcher watcher) {
        this.recipe = recipe;
        this.task = task;
        this.file = file;
        all = TextData.tagged(recipe.data(), task, recipe.seed(), output, watcher);
        test = Objects.requireNonNull(all.test());
        labels =
                List.copyOf(
                        all.all()
                                .flatMap(t -> t.tags().stream())
                                .collect(Collectors.toCollection(TreeSet::new)));
        ofEntities = Entities.areTags(labels);
    }

    @Override
    public String metric() {
        return Metric.ofTags(ofEntities).score();
    }

    @Override
    public List<String> labels() {
        return labels;
    }

    @Override
    public int records() {
        return all.train().size();
    }

    @Override
    public int tests() {
        return test.size();
    }

    @Override
    public boolean has(Arm arm) {
        return arm != Arm.COPY;
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
        return List.of();
    }

    @Override
    public Stream<String> texts() {
        return all.train().stream().map(TaggedText::text);
    }

    @Override
    public String asked() {
        var column = task.column() == null ? "" : task.column();
        return AtomicFiles.sha256(file)
                + Json.line(List.of(column, task.text(), task.spans(), labels));
    }

    @Override
    public List<String> told(Path model) {
        try (var labeller = TokenLabeller.load(model)) {
            return labeller.tags(test).stream().flatMap(List::stream).toList();
        }
    }

    private Shares shares(List<String> answers) {
        var truth = test.stream().map(TaggedText::tags).toList();
        var told = new ArrayList<List<String>>();
        var at = 0;
        for (var tags : truth) {
            told.add(answers.subList(at, at + tags.size()));
            at += tags.size();
        }
        return ofEntities ? Entities.f1(truth, told) : Shares.ofWords(truth, told);
    }

    @Override
    public double value(List<String> answers) {
        return shares(answers).value();
    }

    @Override
    public Interval interval(double mean, List<List<String>> seeds) {
        return Shares.interval(seeds.stream().map(this::shares).toList());
    }

    @Override
    public Paired paired(List<List<String>> one, List<List<String>> two, long seed) {
        return Paired.of(
                one.stream().map(a -> shares(a).sums()).toList(),
                two.stream().map(a -> shares(a).sums()).toList(),
                seed);
    }

    private final class Drawn implements Draw {
        private final List<TaggedText> records;

        Drawn(List<TaggedText> records) {
            this.records = records;
        }

        @Override
        public int size() {
            return records.size();
        }

        @Override
        public Content training() {
            return new Content(
                    TaggedReader.ending(recipe.data().train()), TaggedReader.lines(records));
        }

        /// Those whose tags all were drawn, since by others nothing can be chosen; in the test they
        /// are missed.
        @Override
        public Content judging() {
            var known =
                    records.stream().flatMap(t -> t.tags().stream()).collect(Collectors.toSet());
            var judging =
                    all.validation().stream().filter(t -> known.containsAll(t.tags())).toList();
            if (judging.isEmpty() || known.size() < 2) {
                throw EspalierException.usage(
                        "--labels: %d texts are too few to train on and to choose by, of %d different tags"
                                .formatted(size(), labels.size()));
            }
            var data = recipe.data();
            return new Content(
                    TaggedReader.ending(
                            data.validation() == null ? data.train() : data.validation()),
                    TaggedReader.lines(judging));
        }

        @Override
        public List<String> untrained(Arm arm) {
            if (arm != Arm.BAG_OF_WORDS) {
                return Draws.commonest(
                        all.train().stream().flatMap(t -> t.tags().stream()),
                        test.stream().mapToInt(TaggedText::words).sum());
            }
            var tags = records.stream().flatMap(t -> t.tags().stream());
            var bag =
                    BagOfWords.fit(
                            new Problem.SingleLabel(labels),
                            words(records),
                            tags.map(tag -> new double[] {labels.indexOf(tag)})
                                    .toArray(double[][]::new));
            return Arrays.stream(Answers.likeliest(bag.answers(words(test))))
                    .mapToObj(labels::get)
                    .toList();
        }
    }

    /// Each word as a text of itself and of its neighbours, marked by where they stand.
    private static List<LabelledText> words(List<TaggedText> texts) {
        var words = new ArrayList<LabelledText>();
        for (var text : texts) {
            for (var w = 0; w < text.words(); w++) {
                words.add(
                        new LabelledText(
                                "is%s before%s behind%s"
                                        .formatted(
                                                word(text, w),
                                                word(text, w - 1),
                                                word(text, w + 1)),
                                "",
                                text.where()));
            }
        }
        return words;
    }

    private static String word(TaggedText text, int at) {
        return at < 0 || at >= text.words()
                ? ""
                : text.text().substring(text.starts()[at], text.ends()[at]);
    }
}
