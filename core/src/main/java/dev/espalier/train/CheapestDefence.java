package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.checkpoint.RunFolder;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe.Cheapest;
import dev.espalier.recipe.ForgettingRecipe.DefenceRecipe.Cheapest.Way;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TrainingRecipe.Metric;
import dev.espalier.report.Block;
import dev.espalier.report.Forgotten;
import dev.espalier.report.Forgotten.Learnt;
import dev.espalier.report.HtmlReport;
import dev.espalier.report.Numbers;
import dev.espalier.report.Report;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Runs with one defence after the other, from the cheapest on, until one stays within the budget
/// and has learnt as much as without any: its validation score is not below the lower end of the
/// undefended one's interval. Each is a run of its own in `tries/`; what the chosen one left
/// becomes the run's.
final class CheapestDefence {
    private static final String WISE_FT = "wise-ft";
    private static final String PASSPORT = "passport.json";
    private final FinetuneRecipe recipe;
    private final Cheapest ways;
    private final double budget;
    private final History history;
    private final Watcher watcher;
    private final Metric metric;

    /// What came of one defence.
    ///
    /// @param score of the validation records; null where the run had to end before one within the
    ///   budget
    /// @param worse the share by which what suffered most is worse
    record Try(
            String name,
            @Nullable Score score,
            @Nullable Double worse,
            double seconds,
            @Nullable String note) {
        boolean isWithin(double budget) {
            return score != null && worse != null && worse <= budget;
        }
    }

    CheapestDefence(FinetuneRecipe recipe, Cheapest ways, History history, Watcher watcher) {
        this.recipe = recipe;
        this.ways = ways;
        this.history = history;
        this.watcher = watcher;
        budget = Objects.requireNonNull(Objects.requireNonNull(recipe.forgetting()).budget());
        metric = Finetuning.chosenBy(recipe);
    }

    private String metricName() {
        return metric.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// Higher is better.
    private double value(double score) {
        return metric == Metric.LOSS ? -score : score;
    }

    Run.Result train(RunFolder folder, boolean resume) {
        if (!resume && Files.exists(folder.path().resolve("tries"))) {
            throw EspalierException.usage(
                    folder.path()
                            + " holds a run already; go on with --resume, or choose another output");
        }
        if (Files.exists(folder.model())) {
            throw EspalierException.usage(folder.path() + " holds a finished run already");
        }
        folder.begin();
        AtomicFiles.write(folder.recipe(), Recipes.write(recipe));
        var tries = new ArrayList<Try>();
        var points = new ArrayList<Block.Series>();
        var all = new ArrayList<Learnt>();
        var free = made(WISE_FT, folder, resume, tries, points, all);
        var undefended =
                free == null
                        ? null
                        : Score.find(free, "alpha-1.0-validation", metricName()).orElse(null);
        var enough =
                undefended == null
                        ? Double.POSITIVE_INFINITY
                        : value(metric == Metric.LOSS ? undefended.high() : undefended.low());
        var left = ways.tries().stream().sorted().distinct().toList();
        for (var i = 0; i < left.size() && !isEnough(tries.getLast(), enough); i++) {
            var way = left.get(i);
            if (ways.corpus() != null || (way != Way.REPLAY && way != Way.EWC)) {
                made(name(way), folder, resume, tries, points, all);
            }
        }
        var within =
                tries.stream()
                        .filter(t -> t.isWithin(budget))
                        .max(Comparator.comparingDouble(t -> rank(t, enough)));
        if (within.isEmpty()) {
            // What was learnt and forgotten is worth seeing all the same.
            report(folder.report(), null, tries, points, all);
            throw EspalierException.check(
                    "no defence stays within forgetting.budget of %s; see %s"
                            .formatted(Numbers.percent(budget), folder.report()));
        }
        var chosen = within.get();
        watcher.said("the defence that is kept: " + chosen.name());
        return settle(folder, chosen, tries, points, all);
    }

    /// Who is good enough was tried last, and stands before those who are better and dearer.
    private double rank(Try t, double enough) {
        return isEnough(t, enough) ? Double.POSITIVE_INFINITY : value(score(t).value());
    }

    private boolean isEnough(Try t, double enough) {
        return t.isWithin(budget) && value(score(t).value()) >= enough;
    }

    private static Score score(Try t) {
        return Objects.requireNonNull(t.score());
    }

    private static String name(Way way) {
        return way.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private List<String> overrides(String name, Path output) {
        var all =
                new ArrayList<>(
                        List.of(
                                "output=" + output,
                                "name=" + recipe.name(),
                                "forgetting.defence={type: none}"));
        all.addAll(Defences.overrides(name, recipe, ways.corpus()));
        return all;
    }

    /// Runs with a defence, or reads what it left; null where nothing was within the budget.
    private @Nullable List<Score> made(
            String name,
            RunFolder folder,
            boolean resume,
            List<Try> tries,
            List<Block.Series> points,
            List<Learnt> all) {
        var output = folder.path().resolve("tries").resolve(name);
        var left = output.resolve("evaluation.json");
        List<Score> scores;
        // The passport is written last.
        if (Files.isRegularFile(left) && Files.isRegularFile(output.resolve(PASSPORT))) {
            scores = List.of(Json.read(left, Score[].class));
        } else {
            watcher.said("trying " + name);
            if (Files.isRegularFile(left)) {
                AtomicFiles.delete(output);
            }
            try {
                scores =
                        new Run(Recipes.read(folder.recipe(), overrides(name, output)), history)
                                .train(watcher, resume)
                                .scores();
            } catch (EspalierException e) {
                if (e.kind() != Kind.CHECK) {
                    throw e;
                }
                watcher.said(name + ": " + e.getMessage());
                tries.add(new Try(name, null, null, 0, e.getMessage()));
                return null;
            }
        }
        var score = Score.find(scores, "validation", metricName()).orElse(null);
        var worse = Forgotten.worse(scores, "", "-after").orElse(null);
        var cost = Json.read(output.resolve(PASSPORT)).path("cost");
        tries.add(new Try(name, score, worse, cost.path("training-seconds").asDouble(), null));
        var found = new ArrayList<Learnt>();
        if (name.equals(WISE_FT)) {
            found.addAll(line(scores));
        } else if (score != null && worse != null) {
            found.add(new Learnt(score.value(), worse));
        }
        all.addAll(found);
        points.add(series(name, found));
        return scores;
    }

    /// The mixtures of weights that `wise-ft` measured.
    private List<Learnt> line(List<Score> scores) {
        var alphas = new TreeSet<String>();
        for (var score : scores) {
            if (score.data().startsWith("alpha-") && score.data().endsWith("-validation")) {
                alphas.add(
                        score.data().substring(0, score.data().length() - "validation".length()));
            }
        }
        var line = new ArrayList<Learnt>();
        for (var alpha : alphas) {
            var value = Score.find(scores, alpha + "validation", metricName()).orElse(null);
            var worse = Forgotten.worse(scores, alpha, "");
            if (value != null && worse.isPresent()) {
                line.add(new Learnt(value.value(), worse.get()));
            }
        }
        return line;
    }

    private Block.Series series(String name, List<Learnt> points) {
        return Forgotten.series(name, points, isShare() ? 100 : 1);
    }

    private boolean isShare() {
        return metric != Metric.LOSS;
    }

    private Run.Result settle(
            RunFolder folder,
            Try chosen,
            List<Try> tries,
            List<Block.Series> points,
            List<Learnt> all) {
        var from = folder.path().resolve("tries").resolve(chosen.name());
        var scores = List.of(Json.read(from.resolve("evaluation.json"), Score[].class));
        try {
            Files.copy(
                    from.resolve("metrics.jsonl"),
                    folder.metrics(),
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw AtomicFiles.failure(folder.path(), e);
        }
        AtomicFiles.write(folder.evaluation(), Json.pretty(scores));
        var passport = (ObjectNode) Json.read(from.resolve("passport.json"));
        passport.put("defence", chosen.name());
        passport.set("tries", Json.mapper().valueToTree(tries));
        AtomicFiles.write(folder.passport(), Json.pretty(passport));
        report(folder.report(), chosen, tries, points, all);
        // Last: with it the run is finished.
        AtomicFiles.writeFolder(folder.model(), aside -> copy(from.resolve("model"), aside));
        for (var t : tries) {
            var left = folder.path().resolve("tries").resolve(t.name());
            for (var part : List.of("checkpoints", "model")) {
                AtomicFiles.delete(left.resolve(part));
            }
        }
        var cost = passport.path("cost");
        return new Run.Result(
                folder.path(),
                folder.model(),
                new Progress(cost.path("steps").asLong(), cost.path("tokens").asLong(), 0),
                cost.path("skipped-steps").asLong(),
                scores,
                passport.path("stopped-because").asString(null),
                null);
    }

    private static void copy(Path from, Path to) throws IOException {
        try (var files = Files.list(from)) {
            for (var file : files.toList()) {
                Files.copy(file, to.resolve(String.valueOf(file.getFileName())));
            }
        }
    }

    private void report(
            Path file,
            @Nullable Try chosen,
            List<Try> tries,
            List<Block.Series> points,
            List<Learnt> all) {
        var rows = new ArrayList<List<String>>();
        for (var t : tries) {
            rows.add(
                    List.of(
                            t.name() + (t == chosen ? ", kept" : ""),
                            t.score() == null
                                    ? "–"
                                    : isShare()
                                            ? Numbers.percent(t.score().interval())
                                            : Numbers.range(t.score().interval(), 3),
                            t.worse() == null ? "–" : Numbers.percent(t.worse()),
                            t.isWithin(budget) ? "yes" : "no",
                            Numbers.duration(t.seconds()),
                            t.note() == null ? "" : t.note()));
        }
        var shown = new ArrayList<>(points);
        shown.add(series("frontier", Forgotten.frontier(all)));
        HtmlReport.write(
                file,
                new Report(
                        recipe.name(),
                        "Defences against forgetting, "
                                + LocalDate.now(ZoneId.systemDefault())
                                + ", "
                                + Machine.processor(),
                        chosen == null
                                ? "No defence stays within the budget of %s."
                                        .formatted(Numbers.percent(budget))
                                : "Kept: %s, whose worst figure is worse by %s, within the budget of %s; its own report is tries/%s/report.html."
                                        .formatted(
                                                chosen.name(),
                                                Numbers.percent(
                                                        Objects.requireNonNull(chosen.worse())),
                                                Numbers.percent(budget),
                                                chosen.name()),
                        List.of(),
                        List.of(
                                new Report.Section(
                                        "Learning against forgetting",
                                        new Block.LineChart(
                                                "What each defence learnt and forgot",
                                                "A point a defence, of wise-ft a point a mixture of the weights before and after; higher is better learnt, further left less forgotten. The budget is "
                                                        + Numbers.percent(budget),
                                                "forgotten, %",
                                                "validation "
                                                        + metricName().replace('-', ' ')
                                                        + (isShare() ? ", %" : ""),
                                                false,
                                                false,
                                                shown),
                                        new Block.Table(
                                                "In the order in which they were tried; what comes after the first that is good enough was not",
                                                List.of(
                                                        "defence",
                                                        "validation",
                                                        "worst figure, worse by",
                                                        "within the budget",
                                                        "training",
                                                        ""),
                                                rows)))));
    }
}
