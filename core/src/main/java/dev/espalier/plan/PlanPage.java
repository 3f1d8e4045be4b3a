package dev.espalier.plan;

import dev.espalier.evaluate.Interval;
import dev.espalier.report.Block;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.Numbers;
import dev.espalier.report.Report;
import dev.espalier.report.TextTable;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A [Plan] for a person: as tables for a terminal, and as a page.
public final class PlanPage {
    private PlanPage() {}

    /// A table under a title, for both.
    private record Part(String title, List<String> columns, List<List<String>> rows) {
        Block.Table block() {
            return new Block.Table(title, columns, rows);
        }
    }

    /// As tables of plain text.
    public static String text(Plan plan, Hardware hardware) {
        var out = new StringBuilder();
        for (var part : parts(plan, hardware)) {
            out.append(part.title()).append('\n');
            out.append(TextTable.render(part.columns(), part.rows())).append('\n');
        }
        plan.notes().forEach(note -> out.append("note: ").append(note).append('\n'));
        return out.toString().stripTrailing();
    }

    /// The largest model for a budget, in a sentence or two.
    public static String text(Largest found, String machine, String currency) {
        var model = found.model();
        return "%s of %s weights: %d layers of width %d, %d heads, %s tokens of vocabulary, context %d%n"
                        .formatted(
                                model.family(),
                                Numbers.compact(model.parameterCount()),
                                model.layers(),
                                model.width(),
                                model.heads(),
                                Numbers.count(model.vocabulary()),
                                model.context())
                + "%s tokens in %s on %s, %s at the peak%s; the next larger one breaks the %s"
                        .formatted(
                                Numbers.compact(found.tokens()),
                                Numbers.duration(found.seconds()),
                                machine,
                                Numbers.bytes(found.memory()),
                                found.price() == null
                                        ? ""
                                        : ", " + fixed(found.price()) + " " + currency,
                                found.limit().isEmpty() ? "table" : found.limit());
    }

    /// Writes the page.
    public static void write(Path file, Plan plan, Hardware hardware) {
        var parts = parts(plan, hardware);
        var here = plan.here();
        var figures =
                List.of(
                        new Report.Figure(
                                "weights", Numbers.compact(plan.parameterCount()), plan.family()),
                        new Report.Figure(
                                "operations", operations(plan.operations().all()), "in all"),
                        new Report.Figure(
                                "memory", Numbers.bytes(plan.peak()), "at the peak, here"),
                        new Report.Figure("time here", duration(here.all()), here.basis()));
        var sections = new ArrayList<Report.Section>();
        sections.add(
                new Report.Section(
                        "Memory",
                        new Block.DotChart(
                                "Memory of a step, MiB",
                                "",
                                "MiB",
                                List.of("as the recipe has it", "recomputed"),
                                memoryRows(plan)),
                        parts.get(1).block()));
        sections.add(new Report.Section("Time on machines", times(plan), parts.get(3).block()));
        sections.add(new Report.Section("The model", parts.get(0).block()));
        sections.add(new Report.Section("The work", parts.get(2).block()));
        if (parts.size() > 4) {
            sections.add(new Report.Section("Predictions so far", parts.get(4).block()));
        }
        if (!plan.notes().isEmpty()) {
            sections.add(
                    new Report.Section(
                            "Notes",
                            plan.notes().stream().<Block>map(Block.Paragraph::new).toList()));
        }
        HtmlReport.write(
                file,
                new Report(
                        plan.name(),
                        "Plan, " + LocalDate.now(ZoneId.systemDefault()),
                        "",
                        figures,
                        sections));
    }

    private static List<Block.Row> memoryRows(Plan plan) {
        var kept = kinds(plan.training());
        var again = kinds(plan.recomputed());
        var rows = new ArrayList<Block.Row>();
        for (var i = 0; i < kept.size(); i++) {
            rows.add(
                    new Block.Row(
                            kept.get(i).name(),
                            List.of(
                                    exactly(kept.get(i).bytes() / 0x1p20),
                                    exactly(again.get(i).bytes() / 0x1p20))));
        }
        return rows;
    }

    private static Block times(Plan plan) {
        return new Block.DotChart(
                "Hours of training",
                "",
                "hours",
                List.of("hours"),
                plan.machines().stream()
                        .filter(m -> m.seconds() != null)
                        .map(m ->
                                new Block.Row(
                                        m.machine(),
                                        List.of(
                                                exactly(
                                                        java.util.Objects.requireNonNull(
                                                                        m.seconds())
                                                                / 3600))))
                        .toList());
    }

    private static Interval exactly(double value) {
        return new Interval(value, value, value);
    }

    private record Kind(String name, long bytes) {}

    private static List<Kind> kinds(Cost.Memory m) {
        return List.of(
                new Kind("weights", m.weights()),
                new Kind("gradients", m.gradients()),
                new Kind("optimizer", m.optimizer()),
                new Kind("activations", m.activations()),
                new Kind("scores", m.logits()),
                new Kind("weights in bf16", m.copies()),
                new Kind("loader", m.loader()),
                new Kind("process", m.process()),
                new Kind("all", m.total()));
    }

    private static List<Part> parts(Plan plan, Hardware hardware) {
        var parts = new ArrayList<Part>();
        parts.add(model(plan));
        parts.add(memory(plan));
        parts.add(work(plan));
        parts.add(machines(plan, hardware));
        if (!plan.accuracy().isEmpty()) {
            parts.add(accuracy(plan));
        }
        return parts;
    }

    private static Part model(Plan plan) {
        var rows = new ArrayList<List<String>>();
        plan.parameters().forEach((part, count) -> rows.add(List.of(part, Numbers.count(count))));
        rows.add(List.of("all", Numbers.count(plan.parameterCount())));
        rows.add(List.of("trained", Numbers.count(plan.trained())));
        return new Part(plan.name() + ": " + plan.family(), List.of("weights", "count"), rows);
    }

    private static Part memory(Plan plan) {
        var kept = kinds(plan.training());
        var again = kinds(plan.recomputed());
        var use =
                List.of(
                        new Kind("weights", plan.inference().weights()),
                        new Kind("keys and values", plan.inference().cache()),
                        new Kind("process", plan.inference().process()),
                        new Kind("all", plan.inference().total()));
        var rows = new ArrayList<List<String>>();
        for (var i = 0; i < kept.size(); i++) {
            rows.add(
                    List.of(
                            kept.get(i).name(),
                            Numbers.bytes(kept.get(i).bytes()),
                            Numbers.bytes(again.get(i).bytes()),
                            using(use, kept.get(i).name())));
        }
        rows.add(List.of("keys and values", "", "", Numbers.bytes(plan.inference().cache())));
        if (plan.peak() > plan.training().total()) {
            rows.add(List.of("seen on this machine", Numbers.bytes(plan.peak()), "", ""));
        }
        return new Part("Memory", List.of("kind", "training", "with recomputation", "use"), rows);
    }

    private static String using(List<Kind> kinds, String name) {
        return kinds.stream()
                .filter(k -> k.name().equals(name))
                .findFirst()
                .map(k -> Numbers.bytes(k.bytes()))
                .orElse("");
    }

    private static Part work(Plan plan) {
        var work = plan.work();
        var unit = work.unit();
        var each = unit.equals("images") ? "an image" : "a token";
        var rows = new ArrayList<List<String>>();
        rows.add(List.of("steps", count(work.steps())));
        rows.add(List.of(unit + " a step", count(work.tokensPerStep())));
        if (work.replayed() > 0) {
            rows.add(List.of("of these replayed", count(work.replayed())));
        }
        rows.add(List.of(unit + " in all", count(work.tokens())));
        rows.add(List.of(unit + " that the data hold", count(work.dataTokens())));
        rows.add(List.of("passes over the data", fixed(work.epochs())));
        var deserved = plan.deserved();
        if (deserved != null) {
            rows.add(
                    List.of(
                            "tokens that the size deserves (Chinchilla)",
                            count(deserved.tokens())));
            rows.add(List.of("passes that these would be", fixed(deserved.epochs())));
            rows.add(List.of("worth of these, in new tokens", count(deserved.worth())));
            rows.add(List.of("worth of the run's, in new tokens", count(deserved.worthOfRun())));
        }
        rows.add(List.of("operations " + each, operations(plan.operations().perToken())));
        if (plan.operations().attention() != null) {
            rows.add(List.of("of these attention", operations(plan.operations().attention())));
        }
        if (plan.operations().perTokenWritten() != null) {
            rows.add(
                    List.of(
                            "operations " + each + " written",
                            operations(plan.operations().perTokenWritten())));
        }
        if (work.before() > 0) {
            rows.add(List.of("operations before the first step", operations(work.before())));
        }
        rows.add(List.of("operations in all", operations(plan.operations().all())));
        var evaluation = work.evaluation();
        rows.add(List.of("evaluations", evaluation == null ? "–" : count(evaluation.times())));
        if (evaluation != null) {
            rows.add(List.of(unit + " of one", count(evaluation.tokens())));
            rows.add(List.of("operations of all of them", operations(evaluation.operations())));
        }
        return new Part("The work", List.of("what", "how much"), rows);
    }

    private static Part machines(Plan plan, Hardware hardware) {
        return new Part(
                "Machines (table of " + hardware.dated() + ")",
                List.of(
                        "machine",
                        "training",
                        "evaluations",
                        plan.work().unit() + "/s",
                        "fits",
                        "kWh",
                        hardware.currency(),
                        "by"),
                plan.machines().stream()
                        .map(m ->
                                List.of(
                                        m.machine(),
                                        duration(m.seconds()),
                                        duration(m.evaluating()),
                                        count(m.tokensPerSecond()),
                                        m.fits() == null ? "–" : m.fits() ? "yes" : "no",
                                        fixed(m.kilowattHours()),
                                        fixed(m.price()),
                                        m.basis()))
                        .toList());
    }

    private static Part accuracy(Plan plan) {
        return new Part(
                "How far off predictions were on this machine",
                List.of("what", "by", "runs", "median", "worst"),
                plan.accuracy().stream()
                        .map(a ->
                                List.of(
                                        a.what(),
                                        a.basis(),
                                        String.valueOf(a.runs()),
                                        Numbers.percent(a.median()),
                                        Numbers.percent(a.worst())))
                        .toList());
    }

    private static String duration(@Nullable Double seconds) {
        return seconds == null ? "–" : Numbers.duration(seconds);
    }

    private static String count(@Nullable Double value) {
        return value == null
                ? "–"
                : value < 1e6 ? Numbers.count(Math.round(value)) : Numbers.compact(value);
    }

    private static String fixed(@Nullable Double value) {
        return value == null ? "–" : Numbers.fixed(value, value < 10 ? 2 : 0);
    }

    private static String operations(@Nullable Double value) {
        return value == null ? "–" : Numbers.operations(value);
    }
}
