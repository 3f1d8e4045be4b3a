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
import dev.espalier.recipe.TaskRecipe;
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
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Runs with one defence after the other, from the cheapest on, until one stays within the budget
/// and has learnt as much as without any: its validation score is not below the lower end of the
/// undefended one's interval. Each is a run of its own in `tries/`, see [KeptRuns]; what the chosen
/// one left becomes the run's.
final class CheapestDefence {
    private static final String WISE_FT = "wise-ft";
    private static final String PASSPORT = "passport.json";
    private static final String SECONDS = "training-seconds";
    private static final String FLOPS = "flops";
    private static final String DEFENCE = "defence";
    private static final String TRIES = "tries";
    private final FinetuneRecipe recipe;
    private final Cheapest ways;
    private final double budget;
    private final KeptRuns runs;
    private final Watcher watcher;
    private final Metric metric;

    /// What came of one defence.
    ///
    /// @param score of the validation records; of a run that ended beyond the budget, before
    ///   anything within it, that of its last evaluation
    /// @param worse the share by which what suffered most is worse
    /// @param flops operations of its training; null where the program that made it did not tell
    /// @param learnt whether more than the head was, unlike by the weights of before and by a run
    ///   that was refused
    /// @param note why the run ended beyond the budget or for its loss, or was refused, or what is
    ///   to be known of it
    record Try(
            String name,
            @Nullable Score score,
            @Nullable Double worse,
            double seconds,
            @Nullable Double flops,
            boolean learnt,
            @Nullable String note) {
        boolean isWithin(double budget) {
            return score != null && worse != null && worse <= budget;
        }
    }

    CheapestDefence(FinetuneRecipe recipe, Cheapest ways, History history, Watcher watcher) {
        this.recipe = recipe;
        this.ways = ways;
        this.watcher = watcher;
        runs = new KeptRuns(watcher, watcher, history);
        budget = Objects.requireNonNull(Objects.requireNonNull(recipe.forgetting()).budget());
        // Which tags there are is not known yet.
        metric = Finetuning.chosenBy(recipe, List.of());
    }

    /// What tells the best.
    private Optional<Score> score(List<Score> scores, String data) {
        // Tags that are of no entities have no F1.
        return Score.find(scores, data, metric.score())
                .or(() -> Score.find(scores, data, Metric.ACCURACY.score()));
    }

    /// Higher is better.
    private double value(double score) {
        return metric == Metric.LOSS ? -score : score;
    }

    Run.Result train(RunFolder folder, boolean resume) {
        if (!resume && holds(folder.path().resolve(TRIES))) {
            throw EspalierException.usage(
                    folder.path()
                            + " holds a run already; go on with --resume, or choose another output");
        }
        if (Files.exists(folder.model())) {
            if (!resume || !isWhole(folder)) {
                throw EspalierException.usage(folder.path() + " holds a finished run already");
            }
            return finished(folder);
        }
        folder.begin();
        AtomicFiles.write(folder.recipe(), Recipes.write(recipe));
        var tries = new ArrayList<Try>();
        // It trains as the recipe says: where it is refused, so is the recipe.
        tries.add(tried(WISE_FT, folder));
        var undefended = score(scores(folder, WISE_FT), "alpha-1.0-validation").orElse(null);
        var enough =
                undefended == null
                        ? Double.POSITIVE_INFINITY
                        : value(metric == Metric.LOSS ? undefended.high() : undefended.low());
        var left = ways.tries().stream().sorted().distinct().toList();
        for (var i = 0; i < left.size() && !isEnough(tries.getLast(), enough); i++) {
            var way = left.get(i);
            if (isThere(way)) {
                tries.add(triedIfPossible(name(way), folder));
            }
        }
        var within =
                tries.stream()
                        .filter(t -> t.isWithin(budget))
                        .max(Comparator.comparingDouble(t -> rank(t, enough)));
        if (within.isEmpty()) {
            if (tries.stream().allMatch(t -> t.worse() == null)) {
                throw EspalierException.data(
                        "no try left a figure; %s: %s"
                                .formatted(tries.getFirst().name(), tries.getFirst().note()));
            }
            // What was learnt and forgotten is worth seeing all the same.
            report(folder, null, tries);
            throw EspalierException.check(
                    "no defence stays within forgetting.budget of %s; see %s"
                            .formatted(Numbers.percent(budget), folder.report()));
        }
        var chosen = within.get();
        watcher.said("the defence that is kept: " + chosen.name() + remark(chosen));
        return settle(folder, chosen, tries);
    }

    /// Whether what is settled is there, of this recipe.
    private boolean isWhole(RunFolder folder) {
        return Files.isRegularFile(folder.passport())
                && Files.isRegularFile(folder.evaluation())
                && Files.isRegularFile(folder.recipe())
                && Recipes.write(Recipes.read(folder.recipe())).equals(Recipes.write(recipe));
    }

    /// What was settled before the process ended.
    private Run.Result finished(RunFolder folder) {
        var passport = Json.read(folder.passport());
        var chosen = passport.path(DEFENCE).asString("");
        var place = place(folder, chosen);
        if (Files.isRegularFile(place.resolve("inputs.json"))) {
            Provenance.requireSame(
                    Json.read(place.resolve("inputs.json")),
                    Recipes.read(folder.recipe(), overrides(chosen, place)),
                    place);
        }
        letGo(folder, WISE_FT);
        ways.tries().forEach(way -> letGo(folder, name(way)));
        return result(folder, passport, List.of(Json.read(folder.evaluation(), Score[].class)));
    }

    /// Whether there is text for a way that goes by text.
    private boolean isThere(Way way) {
        return switch (way) {
            case REPLAY, EWC -> ways.corpus() != null;
            case LWF -> recipe.task() instanceof TaskRecipe.Classification;
            default -> true;
        };
    }

    private static boolean holds(Path folder) {
        var inside = folder.toFile().list();
        return inside != null && inside.length > 0;
    }

    private static String remark(Try t) {
        return t.note() == null ? "" : ", " + t.note();
    }

    /// Who is good enough was tried last, and stands before those who are better and dearer. Who
    /// learnt nothing stands behind all others.
    private double rank(Try t, double enough) {
        return isEnough(t, enough)
                ? Double.POSITIVE_INFINITY
                : t.learnt() ? value(score(t).value()) : Double.NEGATIVE_INFINITY;
    }

    private boolean isEnough(Try t, double enough) {
        return t.isWithin(budget) && t.learnt() && value(score(t).value()) >= enough;
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

    /// Runs with a defence, or takes what it left.
    private Try tried(String name, RunFolder folder) {
        return runs.of(
                "trying " + name,
                Recipes.read(folder.recipe(), overrides(name, place(folder, name))),
                "",
                Try.class,
                run -> {
                    var scores = run.scores();
                    // The first of the line has the weights of before.
                    var learnt =
                            !name.equals(WISE_FT)
                                    || line(scores).stream()
                                            .skip(1)
                                            .anyMatch(p -> p.worse() <= budget);
                    var cost = Json.read(run.folder().resolve(PASSPORT)).path("cost");
                    return new Try(
                            name,
                            score(scores, "validation").orElse(null),
                            Forgotten.worse(scores, "", "-after").orElse(null),
                            cost.path(SECONDS).asDouble(),
                            cost.path(FLOPS).asDouble(),
                            learnt,
                            learnt
                                    ? null
                                    : "at 0: the model is the one from before, and only the head has learnt");
                },
                (run, why) -> {
                    var beyond = run.beyond();
                    return new Try(
                            name,
                            beyond == null
                                    ? null
                                    : score(beyond.scores(), "validation").orElse(null),
                            beyond == null ? null : beyond.worse(),
                            run.trainingSeconds(),
                            run.flops(),
                            true,
                            why);
                });
    }

    /// As [#tried]; where the recipe cannot be trained with it, a try that says so.
    private Try triedIfPossible(String name, RunFolder folder) {
        try {
            return tried(name, folder);
        } catch (EspalierException e) {
            if (e.kind() != Kind.USAGE) {
                throw e;
            }
            var why = "not possible: " + e.getMessage();
            watcher.said("trying " + name + ": " + why);
            return new Try(name, null, null, 0, 0.0, false, why);
        }
    }

    private static Path place(RunFolder folder, String name) {
        return folder.path().resolve(TRIES).resolve(name);
    }

    /// What a try left; nothing where it ended beyond the budget.
    private static List<Score> scores(RunFolder folder, String name) {
        var file = place(folder, name).resolve("evaluation.json");
        return Files.isRegularFile(file)
                ? List.of(Json.read(file, Score[].class))
                : List.<Score>of();
    }

    private List<Learnt> points(RunFolder folder, Try t) {
        var line = line(scores(folder, t.name()));
        return !line.isEmpty()
                ? line
                : t.score() == null || t.worse() == null
                        ? List.of()
                        : List.of(new Learnt(t.score().value(), t.worse()));
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
            var value = score(scores, alpha + "validation").orElse(null);
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

    private Run.Result settle(RunFolder folder, Try chosen, List<Try> tries) {
        var from = place(folder, chosen.name());
        var scores = scores(folder, chosen.name());
        try {
            Files.copy(
                    from.resolve("metrics.jsonl"),
                    folder.metrics(),
                    java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw AtomicFiles.failure(folder.path(), e);
        }
        AtomicFiles.write(folder.evaluation(), Json.pretty(scores));
        var passport = (ObjectNode) Json.read(from.resolve(PASSPORT));
        // All of them were made for this model.
        var cost = (ObjectNode) passport.path("cost");
        cost.put(SECONDS, tries.stream().mapToDouble(Try::seconds).sum());
        cost.put(FLOPS, tries.stream().mapToDouble(t -> t.flops() == null ? 0 : t.flops()).sum());
        passport.put(DEFENCE, chosen.name());
        passport.set(TRIES, Json.mapper().valueToTree(tries));
        AtomicFiles.write(folder.passport(), Json.pretty(passport));
        report(folder, chosen, tries);
        // Last: with it the run is finished.
        AtomicFiles.writeFolder(folder.model(), aside -> copy(from.resolve("model"), aside));
        tries.forEach(t -> letGo(folder, t.name()));
        return result(folder, passport, scores);
    }

    private static void letGo(RunFolder folder, String name) {
        AtomicFiles.delete(place(folder, name).resolve("model"));
    }

    private static Run.Result result(RunFolder folder, JsonNode passport, List<Score> scores) {
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

    private void report(RunFolder folder, @Nullable Try chosen, List<Try> tries) {
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
        var shown = new ArrayList<Block.Series>();
        var all = new ArrayList<Learnt>();
        for (var t : tries) {
            var points = points(folder, t);
            all.addAll(points);
            shown.add(
                    series(
                            t.name()
                                    + (t.isWithin(budget)
                                            ? ""
                                            : t.worse() == null
                                                    ? ", without a figure"
                                                    : ", beyond the budget"),
                            points));
        }
        shown.add(series("frontier", Forgotten.frontier(all)));
        HtmlReport.write(
                folder.report(),
                new Report(
                        recipe.name(),
                        "Defences against forgetting, "
                                + LocalDate.now(ZoneId.systemDefault())
                                + ", "
                                + Machine.processor(),
                        chosen == null
                                ? "No defence stays within the budget of %s."
                                        .formatted(Numbers.percent(budget))
                                : "Kept: %s%s. Its worst figure is worse by %s, within the budget of %s; its own report is tries/%s/report.html."
                                        .formatted(
                                                chosen.name(),
                                                remark(chosen),
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
                                                "A point a defence, of wise-ft a point a mixture of the weights before and after, of a run that ended beyond the budget the evaluation at which it did; higher is better learnt, further left less forgotten. The budget is "
                                                        + Numbers.percent(budget),
                                                "forgotten, %",
                                                "validation "
                                                        + tries.stream()
                                                                .map(Try::score)
                                                                .filter(Objects::nonNull)
                                                                .map(Score::metric)
                                                                .findFirst()
                                                                .orElse(metric.score())
                                                                .replace('-', ' ')
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
