package dev.espalier.train;

import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.report.Forgotten;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.TreeMap;

/// A task that is still to be done: the scores of an earlier one by the head that it had, or of
/// minimal pairs.
final class KeptScores implements Kept {
    private final String name;
    private final String metric;
    private final boolean lessIsBetter;
    private final SequencedMap<String, Measure> measures;
    private final Map<String, Told> before = new TreeMap<>();
    private final Map<String, Told> last = new TreeMap<>();

    /// What the model makes of some records, under a name for the scores.
    interface Measure {
        Told of(String data);
    }

    /// @param each of each record, by how much it is right; empty where the metric is no mean of
    ///   them
    /// @param weights of the records in that mean
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    record Told(List<Score> scores, double[] each, double[] weights) {
        /// Where each record counts alike.
        Told(List<Score> scores, double[] each) {
            this(scores, each, new double[each.length]);
            Arrays.fill(weights, 1);
        }

        Interval interval(String metric) {
            return scores.stream()
                    .filter(s -> s.metric().equals(metric))
                    .findFirst()
                    .orElseThrow()
                    .interval();
        }
    }

    /// Measures everything before the first step.
    ///
    /// @param name of the figures
    /// @param metric that sums them up
    /// @param measures what is looked at while it trains, under the empty name, and what only at
    ///   the end, under the name of that data
    KeptScores(
            String name,
            String metric,
            boolean lessIsBetter,
            SequencedMap<String, Measure> measures) {
        this.name = name;
        this.metric = metric;
        this.lessIsBetter = lessIsBetter;
        this.measures = measures;
        measures.forEach((part, measure) -> before.put(part, measure.of(full(part) + "-before")));
        last.putAll(before);
    }

    private String full(String part) {
        return part.isEmpty() ? name : name + "-" + part;
    }

    @Override
    public List<Score> measure() {
        var part = measures.firstEntry();
        var told = part.getValue().of(full(part.getKey()));
        last.put(part.getKey(), told);
        return told.scores().stream().filter(s -> !s.metric().contains(":")).toList();
    }

    @Override
    public double worse() {
        var part = measures.firstEntry().getKey();
        var was = told(before, part).interval(metric).value();
        var is = told(last, part).interval(metric).value();
        return was == 0 ? 0 : (lessIsBetter ? is - was : was - is) / was;
    }

    @Override
    public String words() {
        return "the " + metric + " of " + name + (lessIsBetter ? " rose" : " fell");
    }

    @Override
    public List<Score> finish() {
        var all = new ArrayList<Score>();
        measures.forEach((part, measure) -> {
            var told = measure.of(full(part) + "-after");
            last.put(part, told);
            all.addAll(told(before, part).scores());
            all.addAll(told.scores());
            var n = told.scores().getFirst().n();
            all.add(Score.of(full(part), metric + "-change", change(part), n));
        });
        return all;
    }

    private static Told told(Map<String, Told> from, String part) {
        return java.util.Objects.requireNonNull(from.get(part));
    }

    /// Relative where less is better.
    private Interval change(String part) {
        var change = difference(part);
        if (!lessIsBetter) {
            return change;
        }
        var unit = Math.max(1e-12, told(before, part).interval(metric).value());
        return new Interval(change.value() / unit, change.low() / unit, change.high() / unit);
    }

    /// Paired where the metric is a mean over the records, in the same mean.
    private Interval difference(String part) {
        Told was = told(before, part), is = told(last, part);
        if (is.each().length == 0) {
            return is.interval(metric).minus(was.interval(metric));
        }
        var differences = is.each().clone();
        for (var i = 0; i < differences.length; i++) {
            differences[i] = is.weights()[i] * (differences[i] - was.each()[i]);
        }
        return Interval.ratio(differences, is.weights());
    }

    @Override
    public Forgotten.Kept outcome() {
        var part = measures.firstEntry().getKey();
        return new Forgotten.Kept(
                name,
                metric,
                lessIsBetter,
                told(before, part).interval(metric),
                told(last, part).interval(metric),
                change(part));
    }
}
