package dev.espalier.study;

import dev.espalier.evaluate.Interval;
import dev.espalier.plan.Machine;
import dev.espalier.report.Block;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.Numbers;
import dev.espalier.report.Report;
import dev.espalier.report.TextTable;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What [Sequence] found, as tables for a terminal and as a page.
public final class SequencePage {
    private SequencePage() {}

    public static String text(Sequence.Result r) {
        var out = new StringBuilder();
        for (var outcome : r.outcomes()) {
            append(out, matrix(r, outcome));
            outcome.beyond().forEach(where -> out.append(where).append('\n'));
        }
        append(out, transfer(r));
        if (!r.versus().isEmpty()) {
            append(out, versus(r));
        }
        return out.toString().stripTrailing();
    }

    private static void append(StringBuilder out, Block.Table table) {
        out.append(table.caption()).append('\n');
        out.append(TextTable.render(table.columns(), table.rows())).append('\n');
    }

    /// Writes the page, and beside it `tasks.svg`, what each defence knows of the tasks learnt so
    /// far.
    public static void write(Path file, Sequence.Result r) {
        var sections = new ArrayList<Report.Section>();
        var known =
                new Block.LineChart(
                        "Mean score of the tasks learnt so far",
                        "A point a task that was learnt; the means over the seeds",
                        "tasks learnt",
                        "score, %",
                        false,
                        false,
                        r.outcomes().stream().map(SequencePage::known).toList());
        if (known.series().stream().anyMatch(s -> !s.points().isEmpty())) {
            HtmlReport.writeChart(file.resolveSibling("tasks.svg"), known);
        }
        var tables = new ArrayList<Block>(List.of(known, transfer(r)));
        if (!r.versus().isEmpty()) {
            tables.add(versus(r));
        }
        sections.add(new Report.Section("Transfer", tables));
        for (var outcome : r.outcomes()) {
            var blocks = new ArrayList<Block>();
            outcome.beyond().forEach(where -> blocks.add(new Block.Paragraph(where)));
            blocks.add(
                    new Block.LineChart(
                            "Each task's score over the sequence",
                            "A point a task that was learnt, 0 before the first: there, and just before a task itself is learnt, by a new head on the model as it is",
                            "tasks learnt",
                            "score, %",
                            false,
                            false,
                            series(r, outcome)));
            blocks.add(matrix(r, outcome));
            sections.add(new Report.Section(outcome.defence(), blocks));
        }
        HtmlReport.write(
                file,
                new Report(
                        String.join(", then ", r.tasks()),
                        "Sequence of tasks, "
                                + LocalDate.now(ZoneId.systemDefault())
                                + ", "
                                + Machine.processor(),
                        "",
                        List.of(),
                        sections));
    }

    private static Block.Series known(Sequence.Outcome outcome) {
        var points = new ArrayList<Block.Point>();
        for (var i = 0; i < outcome.scores().size(); i++) {
            var learnt =
                    outcome.scores().get(i).subList(0, i + 1).stream()
                            .filter(Objects::nonNull)
                            .mapToDouble(score -> 100 * score.value())
                            .toArray();
            if (learnt.length == i + 1) {
                points.add(new Block.Point(i + 1, Arrays.stream(learnt).average().orElseThrow()));
            }
        }
        return new Block.Series(outcome.defence(), points);
    }

    private static List<Block.Series> series(Sequence.Result r, Sequence.Outcome outcome) {
        var all = new ArrayList<Block.Series>();
        for (var j = 0; j < r.tasks().size(); j++) {
            var points = new ArrayList<Block.Point>();
            add(points, 0, outcome.before().get(j));
            for (var i = 0; i < r.tasks().size(); i++) {
                add(points, i + 1, outcome.scores().get(i).get(j));
            }
            all.add(new Block.Series(r.tasks().get(j), points));
        }
        return all;
    }

    private static void add(List<Block.Point> points, int x, @Nullable Interval score) {
        if (score != null) {
            points.add(
                    new Block.Point(x, 100 * score.value(), 100 * score.low(), 100 * score.high()));
        }
    }

    private static Block.Table matrix(Sequence.Result r, Sequence.Outcome outcome) {
        var columns = new ArrayList<String>();
        columns.add("after");
        for (var j = 0; j < r.tasks().size(); j++) {
            columns.add(r.tasks().get(j) + ", " + r.metrics().get(j));
        }
        var rows = new ArrayList<List<String>>();
        rows.add(row("none, new heads", outcome.before()));
        for (var i = 0; i < r.tasks().size(); i++) {
            rows.add(row(r.tasks().get(i), outcome.scores().get(i)));
        }
        return new Block.Table(
                outcome.defence()
                        + ": the score on each task; right of the diagonal by a new head on the model as it is",
                columns,
                rows);
    }

    private static List<String> row(String name, List<@Nullable Interval> scores) {
        var row = new ArrayList<String>();
        row.add(name);
        scores.forEach(s -> row.add(s == null ? "–" : Numbers.percent(s)));
        return row;
    }

    private static Block.Table transfer(Sequence.Result r) {
        var general = r.outcomes().stream().anyMatch(o -> o.generalRise() != null);
        var columns =
                new ArrayList<>(
                        List.of(
                                "defence",
                                "average at the end, %",
                                "backward, points",
                                "forward, points",
                                "training"));
        if (general) {
            columns.add("rise of the general text's perplexity, %");
        }
        var rows = new ArrayList<List<String>>();
        for (var o : r.outcomes()) {
            var row =
                    new ArrayList<>(
                            List.of(
                                    o.defence(),
                                    o.average() == null
                                            ? "ended early, see above"
                                            : hundred(o.average()),
                                    o.backward() == null ? "–" : hundred(o.backward()),
                                    o.forward() == null ? "–" : hundred(o.forward()),
                                    Numbers.duration(o.seconds())));
            if (general) {
                row.add(o.generalRise() == null ? "–" : hundred(o.generalRise()));
            }
            rows.add(row);
        }
        return new Block.Table(
                "Transfer (Lopez-Paz and Ranzato 2017), with 95 %% intervals over the records, as if unpaired%s"
                        .formatted(r.seeds() > 1 ? ", and over %d seeds".formatted(r.seeds()) : ""),
                columns,
                rows);
    }

    private static Block.Table versus(Sequence.Result r) {
        return new Block.Table(
                "The average at the end beside that of %s, as if the records were others; p by Holm over all"
                        .formatted(r.outcomes().getFirst().defence()),
                List.of("defence", "by, points", "p, Holm"),
                r.versus().stream()
                        .map(v ->
                                List.of(
                                        v.defence(),
                                        hundred(v.difference()),
                                        Numbers.fixed(v.holm(), 4)))
                        .toList());
    }

    private static String hundred(Interval share) {
        return Numbers.range(
                new Interval(100 * share.value(), 100 * share.low(), 100 * share.high()), 1);
    }
}
