package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.evaluate.Classification;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.io.Json;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import tools.jackson.databind.node.ObjectNode;

/// One label of each record, judged by accuracy. Labels are drawn in equal numbers of each.
///
/// @param truth of the test records
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
record OneLabel<R>(Kind<R> kind, Parts<R> parts, List<String> labels, int[] truth)
        implements Studied {
    /// What differs from texts to pictures.
    interface Kind<R> {
        List<R> read(Path file, ImageData.Part part, Ledger ledger);

        /// Copies of which are one record.
        String content(R record);

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

        /// The places of the labels that a linear model tells, which was fitted to `drawn`.
        int[] linear(List<R> drawn, List<R> test, List<String> labels);

        /// The labels that the model in this folder tells.
        List<String> told(Path model, List<R> test);
    }

    static <R> OneLabel<R> of(FinetuneRecipe recipe, Kind<R> kind) {
        var parts =
                Parts.of(recipe, kind::read, kind::content, record -> List.of(kind.label(record)));
        var labels = List.copyOf(new TreeSet<>(parts.train().stream().map(kind::label).toList()));
        kind.requireKnown(parts.test(), labels);
        kind.requireKnown(parts.validation(), labels);
        return new OneLabel<>(
                kind,
                parts,
                labels,
                parts.test().stream().mapToInt(r -> labels.indexOf(kind.label(r))).toArray());
    }

    @Override
    public String metric() {
        return "accuracy";
    }

    @Override
    public int records() {
        return parts.train().size();
    }

    @Override
    public int tests() {
        return truth.length;
    }

    @Override
    public boolean has(Arm arm) {
        return kind.has(arm);
    }

    @Override
    public Draw drawn(int count, long seed) {
        return new Drawn<>(this, Draws.balanced(parts.train(), kind::label, count, seed));
    }

    @Override
    public List<String> overrides() {
        return kind.overrides();
    }

    @Override
    public Stream<String> texts() {
        return parts.train().stream().flatMap(r -> kind.texts(r).stream());
    }

    @Override
    public String asked() {
        return kind.asked(parts.test(), labels);
    }

    @Override
    public int[] told(Path model) {
        return kind.told(model, parts.test()).stream().mapToInt(labels::indexOf).toArray();
    }

    private Classification judged(int[] answers) {
        return new Classification(labels, truth, answers);
    }

    @Override
    public double value(int[] answers) {
        return judged(answers).accuracy().value();
    }

    @Override
    public Interval interval(double mean, List<int[]> seeds) {
        return Interval.share(Math.round(mean * tests()), tests());
    }

    @Override
    public Paired paired(List<int[]> one, List<int[]> two, long seed) {
        double[] ones = right(one), others = right(two);
        var differences = new double[ones.length];
        Arrays.setAll(differences, i -> ones[i] - others[i]);
        return Paired.of(differences, seed);
    }

    /// The share of the seeds that tell each test record rightly.
    private double[] right(List<int[]> seeds) {
        return Paired.means(
                seeds.stream()
                        .map(answers ->
                                IntStream.range(0, truth.length)
                                        .map(i -> answers[i] == truth[i] ? 1 : 0)
                                        .toArray())
                        .toList());
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
                    of.parts.validation().stream()
                            .filter(r -> known.contains(of.kind.label(r)))
                            .toList();
            if (judging.isEmpty() || known.size() < 2) {
                throw EspalierException.usage(
                        "--labels: %d are too few to train on and to choose by, of %d different labels"
                                .formatted(size(), of.labels.size()));
            }
            return lines(judging);
        }

        @Override
        public int[] untrained(Arm arm) {
            if (arm == Arm.BAG_OF_WORDS) {
                return of.kind.linear(records, of.parts.test(), of.labels);
            }
            var classes =
                    records.stream().mapToInt(r -> of.labels.indexOf(of.kind.label(r))).toArray();
            var answers = new int[of.tests()];
            Arrays.fill(answers, Classification.majority(classes, of.labels.size()));
            return answers;
        }
    }
}
