package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.io.Json;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.train.TextData;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/// One label of each record, judged by accuracy. Labels are drawn in equal numbers of each.
record OneLabel<R>(
        Kind<R> kind, List<R> train, List<R> validation, List<R> test, List<String> labels)
        implements Studied {
    /// What differs from texts to pictures.
    interface Kind<R> {
        String label(R record);

        /// Refuses records with a label that is not among `labels`.
        void requireKnown(List<R> records, List<String> labels);

        /// A record in a file of JSON lines, but for its label, which [#overrides] names `label`.
        ObjectNode line(R record);

        /// See [Studied#overrides].
        List<String> overrides();

        /// See [Studied#has].
        boolean has(Arm arm);

        /// The texts of a record.
        List<String> texts(R record);

        /// See [Studied#asked].
        String asked(List<R> test, List<String> labels);

        /// The labels that a linear model tells, which was fitted to `drawn`.
        List<String> linear(List<R> drawn, List<R> test, List<String> labels);

        /// The labels that the model in this folder tells.
        List<String> told(Path model, List<R> test);
    }

    /// @param records which have a test
    static <R> OneLabel<R> of(Kind<R> kind, TextData.Labelled<R> records) {
        var test = Objects.requireNonNull(records.test());
        var labels = List.copyOf(new TreeSet<>(records.train().stream().map(kind::label).toList()));
        kind.requireKnown(test, labels);
        kind.requireKnown(records.validation(), labels);
        return new OneLabel<>(kind, records.train(), records.validation(), test, labels);
    }

    @Override
    public String metric() {
        return "accuracy";
    }

    @Override
    public int records() {
        return train.size();
    }

    @Override
    public int tests() {
        return test.size();
    }

    @Override
    public boolean has(Arm arm) {
        return kind.has(arm);
    }

    @Override
    public Draw drawn(int count, long seed) {
        return new Drawn<>(this, Draws.balanced(train, kind::label, count, seed));
    }

    @Override
    public Integer balanced() {
        var records = new TreeMap<String, Integer>();
        train.forEach(r -> records.merge(kind.label(r), 1, Integer::sum));
        return labels.size() * Collections.min(records.values());
    }

    @Override
    public List<String> overrides() {
        return kind.overrides();
    }

    @Override
    public Stream<String> texts() {
        return train.stream().flatMap(r -> kind.texts(r).stream());
    }

    @Override
    public String asked() {
        return kind.asked(test, labels);
    }

    @Override
    public List<String> told(Path model) {
        return kind.told(model, test);
    }

    @Override
    public double value(List<String> answers) {
        return Arrays.stream(right(List.of(answers))).average().orElseThrow();
    }

    @Override
    public Interval interval(double mean, List<List<String>> seeds) {
        return Interval.share(Math.round(mean * tests()), tests());
    }

    @Override
    public Paired paired(List<List<String>> one, List<List<String>> two, long seed) {
        double[] ones = right(one), others = right(two);
        var differences = new double[ones.length];
        Arrays.setAll(differences, i -> ones[i] - others[i]);
        return Paired.of(differences, seed);
    }

    /// The share of the seeds that tell each test record rightly.
    private double[] right(List<List<String>> seeds) {
        var right = new double[tests()];
        for (var i = 0; i < right.length; i++) {
            var label = kind.label(test.get(i));
            for (var answers : seeds) {
                right[i] += answers.get(i).equals(label) ? 1.0 / seeds.size() : 0;
            }
        }
        return right;
    }

    private record Drawn<R>(OneLabel<R> of, List<R> records) implements Draw {
        @Override
        public int size() {
            return records.size();
        }

        @Override
        public Content training() {
            return lines(records);
        }

        private Content lines(List<R> records) {
            var lines = new StringBuilder();
            for (var record : records) {
                var line = of.kind.line(record);
                line.put("label", of.kind.label(record));
                lines.append(Json.line(line)).append('\n');
            }
            return new Content("jsonl", lines);
        }

        /// Those of labels that were drawn, since by others nothing can be chosen; in the test they
        /// are missed.
        @Override
        public Content judging() {
            var known = records.stream().map(of.kind::label).collect(Collectors.toSet());
            var judging =
                    of.validation.stream().filter(r -> known.contains(of.kind.label(r))).toList();
            if (judging.isEmpty() || known.size() < 2) {
                throw EspalierException.usage(
                        "--labels: %d are too few to train on and to choose by, of %d different labels"
                                .formatted(size(), of.labels.size()));
            }
            return lines(judging);
        }

        @Override
        public List<String> untrained(Arm arm) {
            return arm == Arm.BAG_OF_WORDS
                    ? of.kind.linear(records, of.test, of.labels)
                    : Draws.commonest(of.train.stream().map(of.kind::label), of.tests());
        }
    }
}
