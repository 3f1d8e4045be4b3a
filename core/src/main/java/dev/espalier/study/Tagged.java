package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.evaluate.Classification;
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
import dev.espalier.task.Answers;
import dev.espalier.task.TokenLabeller;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A tag of each word, judged by F1 of entities, or where the tags are of none by the accuracy of
/// words. A draw is of texts, whatever their words are tagged as.
final class Tagged implements Studied {
    private final FinetuneRecipe recipe;
    private final TaskRecipe.TokenLabelling task;
    private final Parts<TaggedText> parts;
    private final List<String> labels;
    private final boolean ofEntities;

    Tagged(FinetuneRecipe recipe, TaskRecipe.TokenLabelling task) {
        this.recipe = recipe;
        this.task = task;
        parts =
                Parts.of(
                        recipe,
                        (file, _, ledger) ->
                                TaggedReader.read(
                                        file, column(), task.text(), task.spans(), ledger),
                        TaggedText::text,
                        TaggedText::types);
        labels =
                List.copyOf(
                        Stream.of(parts.train(), parts.validation(), parts.test())
                                .flatMap(List::stream)
                                .flatMap(t -> t.tags().stream())
                                .collect(Collectors.toCollection(TreeSet::new)));
        ofEntities = Entities.areTags(labels);
    }

    private String column() {
        return task.column() == null ? "" : task.column();
    }

    @Override
    public String metric() {
        return ofEntities ? "f1" : "accuracy";
    }

    @Override
    public List<String> labels() {
        return labels;
    }

    @Override
    public int records() {
        return parts.train().size();
    }

    @Override
    public int tests() {
        return parts.test().size();
    }

    @Override
    public boolean has(Arm arm) {
        return true;
    }

    @Override
    public Draw drawn(int count, long seed) {
        var order = new ArrayList<>(parts.train());
        Draws.shuffle(order, Rng.at(seed));
        return new Drawn(order.subList(0, Math.min(count, order.size())));
    }

    @Override
    public List<String> overrides() {
        return List.of();
    }

    @Override
    public Stream<String> texts() {
        return parts.train().stream().map(TaggedText::text);
    }

    @Override
    public String asked() {
        return AtomicFiles.sha256(Objects.requireNonNull(recipe.data().test()))
                + Json.line(List.of(column(), task.text(), task.spans(), labels));
    }

    @Override
    public int[] told(Path model) {
        try (var labeller = TokenLabeller.load(model)) {
            return labeller.tags(parts.test()).stream()
                    .flatMap(List::stream)
                    .mapToInt(labels::indexOf)
                    .toArray();
        }
    }

    private Shares shares(int[] answers) {
        var truth = parts.test().stream().map(TaggedText::tags).toList();
        var told = new ArrayList<List<String>>();
        var at = 0;
        for (var tags : truth) {
            told.add(Arrays.stream(answers, at, at + tags.size()).mapToObj(labels::get).toList());
            at += tags.size();
        }
        return ofEntities ? Entities.f1(truth, told) : Shares.ofWords(truth, told);
    }

    @Override
    public double value(int[] answers) {
        return shares(answers).value();
    }

    @Override
    public Interval interval(double mean, List<int[]> seeds) {
        return Shares.interval(seeds.stream().map(this::shares).toList());
    }

    @Override
    public Paired paired(List<int[]> one, List<int[]> two, long seed) {
        return Paired.of(
                one.stream().map(this::shares).toList(),
                two.stream().map(this::shares).toList(),
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

        /// Those whose tags all were drawn, since a run refuses others; in the test they are
        /// missed.
        @Override
        public Content judging() {
            var known =
                    records.stream().flatMap(t -> t.tags().stream()).collect(Collectors.toSet());
            var judging =
                    parts.validation().stream().filter(t -> known.containsAll(t.tags())).toList();
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
        public int[] untrained(Arm arm) {
            var truth =
                    records.stream()
                            .flatMap(t -> t.tags().stream())
                            .mapToInt(labels::indexOf)
                            .toArray();
            if (arm == Arm.BAG_OF_WORDS) {
                return linear(truth);
            }
            var answers = new int[parts.test().stream().mapToInt(TaggedText::words).sum()];
            Arrays.fill(answers, Classification.majority(truth, labels.size()));
            return answers;
        }

        private int[] linear(int[] truth) {
            var bag =
                    BagOfWords.fit(
                            new Problem.SingleLabel(labels),
                            words(records),
                            Arrays.stream(truth)
                                    .mapToObj(label -> new double[] {label})
                                    .toArray(double[][]::new));
            return Answers.likeliest(bag.answers(words(parts.test())));
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
