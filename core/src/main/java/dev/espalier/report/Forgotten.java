package dev.espalier.report;

import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.report.RunReport.Evaluation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// What a model forgot while it was fine-tuned.
///
/// @param budget the share by which it may become worse, or null
public record Forgotten(List<Kept> kept, @Nullable Double budget) {
    public Forgotten {
        kept = List.copyOf(kept);
    }

    /// What one figure was and is.
    ///
    /// @param name what was measured, as scores have it
    /// @param metric the figure
    /// @param change relative where less is better, else the difference
    public record Kept(
            String name,
            String metric,
            boolean lessIsBetter,
            Interval before,
            Interval after,
            Interval change) {
        /// By which share `value` is worse than before; below 0 where it is better.
        public double worse(double value) {
            var difference = lessIsBetter ? value - before.value() : before.value() - value;
            return before.value() == 0 ? 0 : difference / before.value();
        }

        private Optional<Double> worse(List<Score> scores) {
            return scores.stream()
                    .filter(s -> s.data().equals(name) && s.metric().equals(metric))
                    .findFirst()
                    .map(s -> worse(s.value()));
        }
    }

    /// A point of the frontier: what was learnt, and at which price.
    ///
    /// @param worse the share by which what suffered most is worse
    public record Learnt(double value, double worse) {}

    /// What each evaluation reached by `metric` of the validation records, and forgot.
    public List<Learnt> course(List<Evaluation> evaluations, String metric) {
        var course = new ArrayList<Learnt>();
        for (var evaluation : evaluations) {
            var value =
                    evaluation.scores().stream()
                            .filter(s -> s.data().equals("validation") && s.metric().equals(metric))
                            .findFirst();
            var worse =
                    kept.stream()
                            .map(k -> k.worse(evaluation.scores()))
                            .flatMap(Optional::stream)
                            .max(Double::compare);
            if (value.isPresent() && worse.isPresent()) {
                course.add(new Learnt(value.get().value(), worse.get()));
            }
        }
        return course;
    }

    /// By which share what suffered most is worse than before, by the scores of a run.
    ///
    /// @param prefix before the name of what was measured: empty, or that of a mixture of weights
    /// @param suffix behind it: `-after`, or empty of a mixture
    public static Optional<Double> worse(List<Score> scores, String prefix, String suffix) {
        // What a task's test tells must decide nothing.
        return scores.stream()
                .filter(s -> !isOfTest(s, scores))
                .flatMap(change -> {
                    var metric =
                            change.metric().equals("perplexity-rise")
                                    ? "perplexity"
                                    : change.metric().endsWith(CHANGE)
                                            ? change.metric()
                                                    .substring(
                                                            0,
                                                            change.metric().length()
                                                                    - CHANGE.length())
                                            : "";
                    var was = Score.find(scores, change.data() + "-before", metric);
                    var is = Score.find(scores, prefix + change.data() + suffix, metric);
                    if (was.isEmpty() || is.isEmpty()) {
                        return java.util.stream.Stream.of();
                    }
                    var less = metric.equals("perplexity") || metric.equals("loss");
                    var before = was.get().interval();
                    return java.util.stream.Stream.of(
                            new Kept("", metric, less, before, before, before)
                                    .worse(is.get().value()));
                })
                .max(Double::compare);
    }

    private static final String CHANGE = "-change";
    private static final String TEST = "-test";

    /// Whether it is of a task's test, which stands beside the same of its validation records: a
    /// task or a text may have a name of that ending too.
    private static boolean isOfTest(Score change, List<Score> scores) {
        var data = change.data();
        return data.endsWith(TEST)
                && change.metric().endsWith(CHANGE)
                && Score.find(
                                scores,
                                data.substring(0, data.length() - TEST.length()),
                                change.metric())
                        .isPresent();
    }

    /// The points that no other one beats in both: the frontier, from the least forgotten on.
    public static List<Learnt> frontier(List<Learnt> points) {
        var sorted = new ArrayList<>(points);
        sorted.sort(
                java.util.Comparator.comparingDouble(Learnt::worse)
                        .thenComparing(
                                java.util.Comparator.comparingDouble(Learnt::value).reversed()));
        var best = new ArrayList<Learnt>();
        for (var point : sorted) {
            if (best.isEmpty() || point.value() > best.getLast().value()) {
                best.add(point);
            }
        }
        return best;
    }

    /// Points as a picture has them, in percent where the values are shares.
    public static Block.Series series(String name, List<Learnt> points, double scale) {
        return new Block.Series(
                name,
                points.stream()
                        .sorted(java.util.Comparator.comparingDouble(Learnt::worse))
                        .map(p -> new Block.Point(100 * p.worse(), scale * p.value()))
                        .toList());
    }

    /// @param metric of the validation records that tells what was learnt
    /// @param named the metric, for a person
    /// @param isShare whether it is told in percent
    Report.Section section(
            List<Evaluation> evaluations, String metric, String named, boolean isShare) {
        var blocks = new ArrayList<Block>();
        blocks.add(table());
        var curves = new ArrayList<Block.Series>();
        for (var k : kept) {
            var points = new ArrayList<Block.Point>();
            points.add(new Block.Point(0, 0));
            for (var evaluation : evaluations) {
                k.worse(evaluation.scores())
                        .ifPresent(w -> points.add(new Block.Point(evaluation.step(), 100 * w)));
            }
            curves.add(new Block.Series(k.name(), points));
        }
        blocks.add(
                new Block.LineChart(
                        "Forgetting over training",
                        "By which share each figure is worse than before: a perplexity higher, a score lower",
                        "step",
                        "worse, %",
                        false,
                        true,
                        curves));
        var course = course(evaluations, metric);
        if (!course.isEmpty()) {
            var scale = isShare ? 100 : 1;
            blocks.add(
                    new Block.LineChart(
                            "Learning against forgetting",
                            "A point an evaluation; higher is better learnt, further left less forgotten"
                                    + (budget == null
                                            ? ""
                                            : "; the budget is " + Numbers.percent(budget)),
                            "forgotten, %",
                            "validation " + named + (isShare ? ", %" : ""),
                            false,
                            false,
                            List.of(
                                    series("evaluations", course, scale),
                                    series("frontier", frontier(course), scale))));
        }
        return new Report.Section("What it forgot", blocks);
    }

    private Block table() {
        var rows = new ArrayList<List<String>>();
        for (var k : kept) {
            rows.add(
                    List.of(
                            k.name(),
                            RunReport.metricName(k.metric()),
                            shown(k, k.before().value()),
                            shown(k, k.after().value()),
                            percent(k.change().value())
                                    + " ("
                                    + percent(k.change().low())
                                    + " to "
                                    + percent(k.change().high())
                                    + ")"));
        }
        return new Block.Table(
                "Before and after fine-tuning; of a perplexity the relative change, of a score the difference, each with its 95 % interval",
                List.of("what", "metric", "before", "after", "change"), rows);
    }

    private static String shown(Kept k, double value) {
        return k.lessIsBetter() ? Numbers.fixed(value, 2) : Numbers.percent(value);
    }

    private static String percent(double share) {
        return (share >= 0 ? "+" : "") + Numbers.percent(share);
    }
}
