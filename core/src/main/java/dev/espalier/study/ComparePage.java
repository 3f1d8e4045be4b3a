package dev.espalier.study;

import dev.espalier.evaluate.Interval;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.report.Block;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.Numbers;
import dev.espalier.report.Report;
import dev.espalier.report.RunReport;
import dev.espalier.report.TextTable;
import dev.espalier.study.Compare.Mean;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What [Compare] found, as tables for a terminal and as a page.
public final class ComparePage {
    private static final Interval NONE = new Interval(Double.NaN, Double.NaN, Double.NaN);

    private ComparePage() {}

    /// A table for both, and what is to be said of it.
    ///
    /// @param note may be empty
    private record Part(Block.Table table, String note) {
        Part(Block.Table table) {
            this(table, "");
        }

        List<Block> blocks() {
            return note.isEmpty() ? List.of(table) : List.of(table, new Block.Paragraph(note));
        }
    }

    public static String text(Compare.Result r) {
        var out = new StringBuilder();
        var parts = new ArrayList<>(List.of(reached(r), differences(r), seconds(r)));
        parts.addAll(forgotten(r));
        parts.addAll(others(r));
        for (var part : parts) {
            var table = part.table();
            out.append(table.caption()).append('\n');
            out.append(TextTable.render(table.columns(), table.rows()));
            if (!part.note().isEmpty()) {
                out.append(part.note()).append('\n');
            }
            out.append('\n');
        }
        return out.append(verdict(r)).toString();
    }

    /// Writes the page, and beside it `learning.svg`, its curves over the numbers of labels.
    public static void write(Path file, Compare.Result r) {
        var sections = new ArrayList<Report.Section>();
        var learning =
                new Block.LineChart(
                        title(r) + " over labels",
                        "Bars: 95 %, over seeds and over the test records",
                        "labels",
                        metric(r) + ", %",
                        true,
                        false,
                        series(r, m -> clamped(hundred(m.accuracy()))));
        if (!r.means().isEmpty()) {
            HtmlReport.writeChart(file.resolveSibling("learning.svg"), learning);
        }
        var reached = new ArrayList<Block>(List.of(learning));
        reached.addAll(reached(r).blocks());
        sections.add(new Report.Section(title(r), reached));
        sections.add(new Report.Section("Beyond chance", differences(r).blocks()));
        var costs = new ArrayList<Block>();
        costs.add(
                overCost(
                        r,
                        "seconds of training",
                        "A point a number of labels; pre-training is not among the seconds",
                        "seconds",
                        Compare.Expense::seconds));
        var spread =
                "A point a number of labels; with a %s of pre-training, and all of pre-training further"
                        .formatted(r.tasks() == 1 ? "whole" : "share of 1 in " + r.tasks());
        costs.add(
                overCost(
                        r,
                        "seconds, pre-training's share included",
                        spread,
                        "seconds",
                        Compare.Expense::shared));
        costs.add(
                overCost(
                        r,
                        "operations",
                        spread,
                        "TFLOP",
                        e -> e.operations() == null ? null : e.operations() / 1e12));
        if (r.expenses().stream().anyMatch(e -> e.kilowattHours() != null)) {
            costs.add(overCost(r, "energy", spread, "kWh", Compare.Expense::kilowattHours));
        }
        if (r.expenses().stream().anyMatch(e -> e.price() != null)) {
            costs.add(overCost(r, "money", spread, r.currency(), Compare.Expense::price));
        }
        costs.addAll(seconds(r).blocks());
        sections.add(new Report.Section("Cost", costs));
        var forgotten = new ArrayList<Block>();
        if (r.means().stream().anyMatch(m -> m.rise() != null)) {
            forgotten.add(
                    new Block.LineChart(
                            "Rise of the general text's loss",
                            "From the base model's: 0.05 nats a token are 5 % more perplexity, 0.69 twice as much; bars: 95 %, over seeds",
                            "labels",
                            "nats",
                            true,
                            true,
                            series(r, m -> m.rise() == null ? NONE : m.rise().map(Math::log1p))));
        }
        forgotten(r).forEach(part -> forgotten.addAll(part.blocks()));
        if (!forgotten.isEmpty()) {
            sections.add(new Report.Section("Forgetting", forgotten));
        }
        others(r)
                .forEach(part ->
                        sections.add(new Report.Section(part.table().caption(), part.blocks())));
        HtmlReport.write(
                file,
                new Report(
                        r.name(),
                        "Study, "
                                + LocalDate.now(ZoneId.systemDefault())
                                + ", "
                                + Machine.processor(),
                        verdict(r),
                        List.of(),
                        sections));
    }

    private static List<Block.Series> series(Compare.Result r, Function<Mean, Interval> value) {
        return arms(r).stream()
                .map(arm ->
                        new Block.Series(
                                arm.title(),
                                r.means().stream()
                                        .filter(m -> m.arm() == arm)
                                        .map(m -> new Block.Point(m.labels(), value.apply(m)))
                                        .toList()))
                .toList();
    }

    private static Interval clamped(Interval percent) {
        return new Interval(
                percent.value(), Math.max(0, percent.low()), Math.min(100, percent.high()));
    }

    /// Of an expense, null where it is not known.
    private interface Spent {
        @Nullable Double of(Compare.Expense expense);
    }

    private static Block overCost(
            Compare.Result r, String cost, String note, String unit, Spent spent) {
        var series = new ArrayList<Block.Series>();
        for (var arm : arms(r)) {
            var points = new ArrayList<Block.Point>();
            for (var e : r.expenses()) {
                var known = spent.of(e);
                if (e.arm() == arm && known != null && known > 0) {
                    points.add(
                            new Block.Point(
                                    known,
                                    100
                                            * Compare.find(r.means(), arm, e.labels())
                                                    .orElseThrow()
                                                    .accuracy()
                                                    .value()));
                }
            }
            series.add(new Block.Series(arm.title(), points));
        }
        return new Block.LineChart(
                title(r) + " over " + cost, note, unit, metric(r) + ", %", true, false, series);
    }

    private static String metric(Compare.Result r) {
        return r.metric().equals("f1") ? "F1" : RunReport.metricName(r.metric());
    }

    private static String title(Compare.Result r) {
        return metric(r).substring(0, 1).toUpperCase(Locale.ROOT) + metric(r).substring(1);
    }

    private static List<Arm> arms(Compare.Result r) {
        return Stream.concat(
                        r.means().stream().map(Mean::arm),
                        r.beyond().stream().map(Compare.Beyond::arm))
                .distinct()
                .toList();
    }

    private static List<Integer> counts(Compare.Result r) {
        return Stream.concat(
                        r.means().stream().map(Mean::labels),
                        r.beyond().stream().map(Compare.Beyond::labels))
                .distinct()
                .sorted()
                .toList();
    }

    /// Of each number of labels the way that is best, and which others are no worse beyond chance.
    private static String verdict(Compare.Result r) {
        var said = new StringBuilder();
        for (var count : counts(r)) {
            var best = best(r, m -> m.labels() == count).orElse(null);
            if (best == null) {
                continue;
            }
            var others =
                    r.comparisons().stream()
                            .filter(v -> v.labels() == count && v.better() == best.arm())
                            .toList();
            var near =
                    others.stream()
                            .filter(v -> v.holm() >= Compare.SIGNIFICANT)
                            .map(v -> v.other().title())
                            .toList();
            said.append(
                    "%s labels: %s, %s"
                            .formatted(
                                    Numbers.count(count),
                                    best.arm().title(),
                                    Numbers.percent(best.accuracy().value())));
            said.append(
                    others.isEmpty()
                            ? ". "
                            : near.isEmpty()
                                    ? ", better than all others beyond chance. "
                                    : "; not told apart from it: "
                                            + String.join(", ", near)
                                            + ". ");
            best(r, m -> m.labels() == count && !m.arm().isTrained())
                    .filter(plain -> !isBeaten(r, plain))
                    .ifPresent(plain ->
                            best(r, m -> m.labels() == count && m.arm().isTrained())
                                    .ifPresent(trained ->
                                            said.append(
                                                    (trained.accuracy().value()
                                                                            > plain.accuracy()
                                                                                    .value()
                                                                    ? "Whether to train pays cannot be told: no trained way is better than %s beyond chance. "
                                                                    : "Too few to train on: no trained way is better than %s. ")
                                                            .formatted(plain.arm().title()))));
        }
        if (!r.beyond().isEmpty()) {
            said.append("Beyond the forgetting budget, or ended for its loss: ")
                    .append(
                            r.beyond().stream()
                                    .map(b ->
                                            "%s of %s labels"
                                                    .formatted(
                                                            b.arm().title(),
                                                            Numbers.count(b.labels())))
                                    .collect(Collectors.joining(", ")))
                    .append('.');
        }
        return said.toString().strip();
    }

    private static Optional<Mean> best(Compare.Result r, Predicate<Mean> among) {
        return r.means().stream()
                .filter(among)
                .max(Comparator.comparingDouble(m -> m.accuracy().value()));
    }

    private static boolean isBeaten(Compare.Result r, Mean plain) {
        return r.comparisons().stream()
                .anyMatch(v ->
                        v.labels() == plain.labels()
                                && v.better().isTrained()
                                && v.other() == plain.arm()
                                && v.holm() < Compare.SIGNIFICANT);
    }

    private static Part reached(Compare.Result r) {
        return new Part(
                new Block.Table(
                        "%s on %s test records".formatted(title(r), Numbers.count(r.testRecords())),
                        header("labels", counts(r)),
                        arms(r).stream()
                                .map(arm -> row(r, arm, m -> Numbers.percent(m.accuracy())))
                                .toList()),
                draws(r));
    }

    /// What was drawn, and what the majority is of.
    private static String draws(Compare.Result r) {
        var counts = counts(r);
        var said =
                r.balanced() == null || counts.isEmpty()
                        ? "Records are drawn at random."
                        : counts.getLast() <= r.balanced()
                                ? "Records are drawn with as many of each label."
                                : "Records are drawn with as many of each label up to %s; beyond, the rarer ones run out, and all records have the labels as they come."
                                        .formatted(Numbers.count(r.balanced()));
        return arms(r).contains(Arm.MAJORITY)
                ? said + " Majority is the commonest answer of all records to train on."
                : said;
    }

    private static Part differences(Compare.Result r) {
        return new Part(
                new Block.Table(
                        "Differences beyond chance (over the test records by a randomization test, over them and other seeds by Student's t; Holm over all)",
                        List.of("labels", "better", "than", "by, points", "p", "p, Holm"),
                        r.comparisons().stream()
                                .filter(v -> v.holm() < Compare.SIGNIFICANT)
                                .map(v ->
                                        List.of(
                                                String.valueOf(v.labels()),
                                                v.better().title(),
                                                v.other().title(),
                                                Numbers.range(hundred(v.difference()), 1),
                                                Numbers.fixed(v.p(), 4),
                                                Numbers.fixed(v.holm(), 4)))
                                .toList()));
    }

    private static Part seconds(Compare.Result r) {
        return new Part(
                new Block.Table(
                        "Seconds of training, the mean",
                        header("labels", counts(r)),
                        arms(r).stream()
                                .map(arm -> row(r, arm, m -> Numbers.fixed(m.seconds(), 1)))
                                .toList()));
    }

    private static List<Part> forgotten(Compare.Result r) {
        var parts = new ArrayList<Part>();
        if (r.means().stream().anyMatch(m -> m.rise() != null)) {
            parts.add(
                    new Part(
                            new Block.Table(
                                    "Rise of the general text's perplexity from the base model's, %",
                                    header("labels", counts(r)),
                                    arms(r).stream()
                                            .map(arm ->
                                                    row(
                                                            r,
                                                            arm,
                                                            m ->
                                                                    m.rise() == null
                                                                            ? "–"
                                                                            : Numbers.range(
                                                                                    hundred(
                                                                                            m
                                                                                                    .rise()),
                                                                                    1)))
                                            .toList()),
                            isKnown(r, m -> m.rise() != null) ? "" : UNKNOWN));
        }
        var others =
                r.means().stream().flatMap(m -> m.changes().keySet().stream()).distinct().toList();
        var rows = new ArrayList<List<String>>();
        var known = true;
        for (var what : others) {
            for (var arm : arms(r)) {
                if (!arm.isPretrained()) {
                    continue;
                }
                var row =
                        new ArrayList<>(
                                row(
                                        r,
                                        arm,
                                        m -> {
                                            var change = m.changes().get(what);
                                            return change == null
                                                    ? "–"
                                                    : Numbers.range(hundred(change), 1);
                                        }));
                row.addFirst(what);
                rows.add(row);
            }
            known &= isKnown(r, m -> m.changes().containsKey(what));
        }
        if (!rows.isEmpty()) {
            var header = new ArrayList<>(header("way", counts(r)));
            header.addFirst("what");
            parts.add(
                    new Part(
                            new Block.Table(
                                    "What else was forgotten since the base model (of shares the change in points, of perplexity and loss in %)",
                                    header, rows),
                            known ? "" : UNKNOWN));
        }
        if (r.furtherRise() != null) {
            parts.add(
                    new Part(
                            new Block.Table(
                                    "What pre-training further forgot, before fine-tuning",
                                    List.of("", "rise of the general text's perplexity"),
                                    List.of(
                                            List.of(
                                                    Arm.FURTHER.title(),
                                                    Numbers.percent(r.furtherRise()))))));
        }
        return parts;
    }

    private static final String UNKNOWN =
            "Of %s dashes stand where it is not known what pre-training further itself forgot; a forgetting budget counts from there then."
                    .formatted(Arm.FURTHER.title());

    /// Whether what was pre-trained further has the figure, wherever it has a mean.
    private static boolean isKnown(Compare.Result r, Predicate<Mean> has) {
        return r.means().stream().filter(m -> m.arm() == Arm.FURTHER).allMatch(has);
    }

    private static List<Part> others(Compare.Result r) {
        var tables = new ArrayList<Part>();
        var counts = counts(r);
        if (!r.beyond().isEmpty()) {
            tables.add(
                    new Part(
                            new Block.Table(
                                    "Beyond the forgetting budget, or ended for its loss, so that no figure is told",
                                    List.of("way", "labels", "seed", "why"),
                                    r.beyond().stream()
                                            .map(b ->
                                                    List.of(
                                                            b.arm().title(),
                                                            String.valueOf(b.labels()),
                                                            String.valueOf(b.seed()),
                                                            b.reason()))
                                            .toList())));
        }
        tables.add(
                new Part(
                        new Block.Table(
                                "Cost of a model with pre-training's share of 1 in %d"
                                        .formatted(r.tasks()),
                                List.of(
                                        "way",
                                        "labels",
                                        "training, s",
                                        "with the share, s",
                                        "operations",
                                        "kWh",
                                        r.currency()),
                                r.expenses().stream()
                                        .map(e ->
                                                List.of(
                                                        e.arm().title(),
                                                        String.valueOf(e.labels()),
                                                        Numbers.fixed(e.seconds(), 1),
                                                        known(e.shared(), 1),
                                                        e.operations() == null
                                                                ? "–"
                                                                : Numbers.operations(
                                                                        e.operations()),
                                                        known(e.kilowattHours(), 6),
                                                        known(e.price(), 6)))
                                        .toList())));
        if (!r.rates().isEmpty()) {
            tables.add(
                    new Part(
                            new Block.Table(
                                    "Learning rates, chosen once for each way",
                                    List.of("way", "rate", "training until chosen, s"),
                                    r.rates().entrySet().stream()
                                            .map(e ->
                                                    List.of(
                                                            e.getKey(),
                                                            String.valueOf(e.getValue()),
                                                            known(r.tuning().get(e.getKey()), 1)))
                                            .toList())));
        }
        if (!r.outlooks().isEmpty()) {
            tables.add(
                    new Part(
                            new Block.Table(
                                    "What more labels would bring (a + b n^-c; a guess beyond what was measured)",
                                    List.of(
                                            "way",
                                            "labels",
                                            metric(r) + " foreseen",
                                            "at the most measured, foreseen",
                                            "measured",
                                            "came as foreseen",
                                            "doubling brings a point up to"),
                                    r.outlooks().stream()
                                            .map(o ->
                                                    List.of(
                                                            o.arm().title(),
                                                            String.valueOf(o.labels()),
                                                            Numbers.range(right(o.error()), 1),
                                                            o.foreseen() == null
                                                                    ? "–"
                                                                    : Numbers.range(
                                                                            right(o.foreseen()), 1),
                                                            Numbers.fixed(
                                                                    100 * (1 - o.measured()), 1),
                                                            o.kept() == null
                                                                    ? "–"
                                                                    : o.kept() ? "yes" : "no",
                                                            worthwhile(o)))
                                            .toList())));
        }
        if (!r.breakEven().isEmpty()) {
            tables.add(
                    new Part(
                            new Block.Table(
                                    "What pre-training saves",
                                    List.of(
                                            "labels, fine-tuned",
                                            "labels, from scratch",
                                            "pre-training's seconds",
                                            "a label saved costs, of so many tasks",
                                            "pays from tasks on"),
                                    r.breakEven().stream()
                                            .filter(Compare.BreakEven::isToldApart)
                                            .map(b ->
                                                    List.of(
                                                            String.valueOf(b.labels()),
                                                            b.labelsScratch() == null
                                                                    ? "more than "
                                                                            + counts.getLast()
                                                                    : String.valueOf(
                                                                            b.labelsScratch()),
                                                            b.seconds() == null
                                                                    ? "–"
                                                                    : Numbers.fixed(b.seconds(), 0),
                                                            perLabel(b, counts.getLast()),
                                                            b.tasks() == null
                                                                    ? "–"
                                                                    : Numbers.compact(b.tasks())))
                                            .toList()),
                            missing(r)));
        }
        return tables;
    }

    /// Why pre-training is not said to pay, of as many labels as that holds for.
    private static String missing(Compare.Result r) {
        var said = new ArrayList<String>();
        for (var missing : Compare.Missing.values()) {
            var labels =
                    r.breakEven().stream()
                            .filter(b -> b.missing().contains(missing))
                            .map(b -> String.valueOf(b.labels()))
                            .collect(Collectors.joining(", "));
            if (!labels.isEmpty()) {
                said.add(
                        "Of %s labels %s."
                                .formatted(
                                        labels,
                                        switch (missing) {
                                            case NOT_TOLD_APART ->
                                                    "full is not better than scratch beyond chance, and nothing is shown";
                                            case NO_RUN_OF_THE_BASE ->
                                                    "what pre-training cost is not known: the base model has no passport.json beside it";
                                            case NOT_REACHED ->
                                                    "no number that was measured is enough from scratch";
                                            case NO_LABEL_PRICE -> "compare.label-price is missing";
                                            case NO_PRICE_HERE ->
                                                    "the table of machines has neither a price nor the watts of 'here'; see plan --table and --hardware";
                                            case NOTHING_SAVED -> "pre-training saves nothing";
                                        }));
            }
        }
        return String.join(" ", said);
    }

    /// The seconds that a label saved costs where the base serves one task, and ten. Where no
    /// number that was measured is enough from scratch, more are saved than the most.
    private static String perLabel(Compare.BreakEven b, int most) {
        var saved = (b.labelsScratch() == null ? most : b.labelsScratch()) - b.labels();
        var bound = b.labelsScratch() == null ? "at most " : "";
        return b.seconds() == null || saved <= 0
                ? "–"
                : "1: %s%s s, 10: %s%s s"
                        .formatted(
                                bound,
                                Numbers.fixed(b.seconds() / saved, 1),
                                bound,
                                Numbers.fixed(b.seconds() / saved / 10, 1));
    }

    private static String worthwhile(Compare.Outlook o) {
        var told = o.worthwhile();
        return worthwhile(o, told.value())
                + (Double.isFinite(told.margin()) && told.margin() > 0
                        ? " (%s to %s)"
                                .formatted(worthwhile(o, told.low()), worthwhile(o, told.high()))
                        : "");
    }

    private static String worthwhile(Compare.Outlook o, double labels) {
        return labels <= o.heldBack() ? "not worth it" : Numbers.compact(labels);
    }

    private static String known(@Nullable Double value, int decimals) {
        return value == null ? "–" : Numbers.fixed(value, decimals);
    }

    private static List<String> header(String first, List<Integer> counts) {
        var header = new ArrayList<String>();
        header.add(first);
        counts.forEach(count -> header.add(String.valueOf(count)));
        return header;
    }

    private static List<String> row(Compare.Result r, Arm arm, Function<Mean, String> cell) {
        var row = new ArrayList<String>();
        row.add(arm.title());
        for (var count : counts(r)) {
            row.add(Compare.find(r.means(), arm, count).map(cell).orElse("beyond"));
        }
        return row;
    }

    private static Interval hundred(Interval share) {
        return new Interval(100 * share.value(), 100 * share.low(), 100 * share.high());
    }

    /// Of an error in shares, the accuracy in percent.
    private static Interval right(Interval error) {
        return new Interval(
                100 * (1 - error.value()), 100 * (1 - error.high()), 100 * (1 - error.low()));
    }
}
