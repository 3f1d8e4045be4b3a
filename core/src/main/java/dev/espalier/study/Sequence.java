package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import dev.espalier.corpus.FileSource;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Paired;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.train.Defences;
import dev.espalier.train.KeptRuns;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// One model that learns several tasks in turn, with each of several defences: what it still knows
/// of the earlier ones, and what these brought for the later ones.
///
/// Each task has a head of its own, which is kept beside the model and asked again after each later
/// task; `docs/decisions/131-sequences-of-tasks.md` says what that makes of the figures. What is
/// done is kept, see [KeptRuns].
public final class Sequence {
    /// What trains the head alone takes larger steps; as [Compare]'s.
    private static final double PROBE_RATE = 3;

    /// @param defences by their names, see [Defences]
    /// @param general text whose perplexity is measured too; null for none
    /// @param replay text for the defences that need some; null for none
    /// @param budget see `forgetting.budget`; null for none
    public record Settings(
            List<String> defences,
            int seeds,
            @Nullable String general,
            @Nullable String replay,
            @Nullable Double budget) {
        public Settings {
            defences = List.copyOf(defences);
        }
    }

    /// What came of a defence.
    ///
    /// @param before of each task the score by a new head on the model before any was learnt
    /// @param scores a row for each task that was learnt, of each task the score then: by its own
    ///   head, or of the next one by a new head; null of those after it, and of all from where the
    ///   defence went beyond the budget
    /// @param average over the tasks at the end; null, as are `backward` and `forward`, where the
    ///   defence went beyond the budget with one of the seeds
    /// @param generalRise of the general text's perplexity over the whole sequence, see
    ///   [Compare#rise]; null where it was not measured
    /// @param seconds of training, the mean over the seeds
    /// @param beyond where it went beyond the budget, or training ended for its loss, so that
    ///   nothing was left to go on with
    public record Outcome(
            String defence,
            List<@Nullable Interval> before,
            List<List<@Nullable Interval>> scores,
            @Nullable Interval average,
            @Nullable Interval backward,
            @Nullable Interval forward,
            @Nullable Interval generalRise,
            double seconds,
            List<String> beyond) {
        public Outcome {
            // Null stands for what was not measured, which List.copyOf would refuse.
            before = new ArrayList<>(before);
            scores = List.copyOf(scores);
            beyond = List.copyOf(beyond);
        }
    }

    /// A defence beside the first: by how much the average over the tasks at the end is higher.
    ///
    /// @param difference over test records and seeds; each seed by itself, the records as if they
    ///   were others, which makes it wider than it is
    /// @param holm the chance of a difference at least as far from 0, for all defences at once
    public record Versus(String defence, Interval difference, double holm) {}

    /// @param metrics that each task is judged by
    /// @param versus of each defence but the first, where neither went beyond the budget
    public record Result(
            List<String> tasks,
            List<String> metrics,
            int seeds,
            List<Outcome> outcomes,
            List<Versus> versus,
            int made,
            int kept) {}

    private final List<FinetuneRecipe> tasks;
    private final Settings settings;
    private final Path output;
    private final KeptRuns runs;

    /// One whose runs are none of a history's.
    public Sequence(List<FinetuneRecipe> tasks, Settings settings, Path output, Watcher watcher) {
        this(tasks, settings, output, History.NONE, watcher);
    }

    /// @param tasks in the order in which they are learnt; the first one's model is where it begins
    /// @param history is told what each run took, and what had been foreseen of it
    /// @throws EspalierException if one is of another kind
    public Sequence(
            List<FinetuneRecipe> tasks,
            Settings settings,
            Path output,
            History history,
            Watcher watcher) {
        this.tasks = List.copyOf(tasks);
        this.settings = settings;
        this.output = output;
        runs = new KeptRuns(watcher, history);
        // What is not there is said now, not when its turn comes.
        for (var text : Arrays.asList(settings.general(), settings.replay())) {
            if (text != null) {
                var unused = FileSource.text(text).files();
            }
        }
        if (tasks.size() < 2) {
            throw EspalierException.usage("sequence: needs the recipes of two tasks or more");
        }
        var names = new HashSet<>(ForgettingRecipe.TAKEN);
        for (var task : tasks) {
            metric(task);
            if (!names.add(task.name()) || !names.add(task.name() + "-test")) {
                throw EspalierException.usage(
                        "name: `%s` stands twice, or for figures of something else; each task needs a name of its own"
                                .formatted(task.name()));
            }
            for (var defence : settings.defences()) {
                var unused = Defences.overrides(defence, task, settings.replay());
                if (defence.equals("lwf") && !(task.task() instanceof TaskRecipe.Classification)) {
                    throw EspalierException.usage(
                            "--defences: lwf is for classification, which %s is not"
                                    .formatted(task.name()));
                }
            }
        }
        if (!(tasks.getFirst().model() instanceof ModelRecipe.Saved)) {
            throw EspalierException.usage(
                    "model: the first task needs the `path` of a pre-trained one");
        }
    }

    private static String metric(FinetuneRecipe task) {
        return switch (task.task()) {
            case TaskRecipe.Classification c ->
                    switch (c.problem()) {
                        case ProblemRecipe.SingleLabel _ -> "accuracy";
                        case ProblemRecipe.MultiLabel _ -> "micro-f1";
                        case ProblemRecipe.Regression _ ->
                                throw EspalierException.usage(
                                        "%s: task.problem: the transfer of scores is measured, and a number has none"
                                                .formatted(task.name()));
                    };
            // Tags of entities have the latter.
            case TaskRecipe.TokenLabelling _ -> "f1";
            default ->
                    throw EspalierException.usage(
                            "%s: task: a sequence is of classification and token-labelling"
                                    .formatted(task.name()));
        };
    }

    private Path base() {
        return ((ModelRecipe.Saved) tasks.getFirst().model()).path();
    }

    public Path folder() {
        return output;
    }

    /// What one seed of a defence gave.
    ///
    /// @param beyond where it went beyond the budget; null where it did not
    private record Line(
            List<@Nullable Score> before,
            List<List<@Nullable Score>> scores,
            @Nullable Double generalRise,
            double seconds,
            @Nullable String beyond) {
        Transfer transfer() {
            return Transfer.of(scores.stream().map(Line::intervals).toList(), intervals(before));
        }

        private static List<@Nullable Interval> intervals(List<@Nullable Score> row) {
            var intervals = new ArrayList<@Nullable Interval>();
            row.forEach(s -> intervals.add(s == null ? null : s.interval()));
            return intervals;
        }
    }

    /// Makes what is not made, and sums up.
    public Result run() {
        check();
        var outcomes = new ArrayList<Outcome>();
        var averages = new LinkedHashMap<String, List<Interval>>();
        for (var defence : settings.defences()) {
            var lines = new ArrayList<Line>();
            for (var seed = 1; seed <= settings.seeds(); seed++) {
                lines.add(line(defence, seed));
            }
            outcomes.add(outcome(defence, lines));
            if (lines.stream().allMatch(l -> l.beyond() == null)) {
                averages.put(defence, lines.stream().map(l -> l.transfer().average()).toList());
            }
        }
        return new Result(
                tasks.stream().map(FinetuneRecipe::name).toList(),
                tasks.stream().map(Sequence::metric).toList(),
                settings.seeds(),
                outcomes,
                versus(averages),
                runs.made(),
                runs.kept());
    }

    /// What cannot be done is said before anything is.
    private void check() {
        for (var i = 0; i < tasks.size(); i++) {
            var task = tasks.get(i);
            for (var defence : settings.defences()) {
                var earlier = tasks.subList(0, i).stream().map(t -> learnt(defence, 1, t)).toList();
                var unused = learning(defence, i, learnt(defence, 1, task), base(), earlier, 1);
            }
            var probe = probing(task, base(), probeFolder("base", task, 1), 1);
            if (!task.training().byWeights()) {
                continue;
            }
            try {
                new Run(probe).check();
            } catch (EspalierException e) {
                if (e.kind() != Kind.USAGE) {
                    throw e;
                }
                throw EspalierException.usage(
                        "%s: what the model knows of a task is told by training its head alone; %s"
                                .formatted(task.name(), e.getMessage()));
            }
        }
    }

    private List<Versus> versus(SequencedMap<String, List<Interval>> averages) {
        var first = averages.get(settings.defences().getFirst());
        if (first == null) {
            return List.of();
        }
        var names = averages.keySet().stream().skip(1).toList();
        var found =
                names.stream()
                        .map(name -> {
                            var other = Objects.requireNonNull(averages.get(name));
                            var seeds = new double[other.size()];
                            Arrays.setAll(seeds, s -> other.get(s).value() - first.get(s).value());
                            return Paired.of(records(other).minus(records(first))).overSeeds(seeds);
                        })
                        .toList();
        var holm = Paired.holm(found.stream().mapToDouble(Paired::p).toArray());
        return IntStream.range(0, names.size())
                .mapToObj(i -> new Versus(names.get(i), found.get(i).difference(), holm[i]))
                .toList();
    }

    private Line line(String defence, int seed) {
        var before = new ArrayList<@Nullable Score>();
        var rows = new ArrayList<List<@Nullable Score>>();
        for (var task : tasks) {
            before.add(own(task, probe(task, base(), "base", seed)));
        }
        var model = base();
        var earlier = new ArrayList<Path>();
        var seconds = 0.0;
        Double rise = null;
        for (var i = 0; i < tasks.size(); i++) {
            var task = tasks.get(i);
            var run = learnt(defence, seed, task);
            var beyond = learn(defence, i, run, model, earlier, seed);
            if (beyond != null) {
                while (rows.size() < tasks.size()) {
                    rows.add(Collections.nCopies(tasks.size(), null));
                }
                return new Line(
                        before,
                        rows,
                        null,
                        seconds,
                        (settings.seeds() == 1 ? "" : "seed " + seed + ", ")
                                + task.name()
                                + ": "
                                + beyond);
            }
            var scores = scores(run);
            var row = new ArrayList<@Nullable Score>();
            for (var j = 0; j < tasks.size(); j++) {
                var other = tasks.get(j);
                row.add(
                        j < i
                                ? after(other, scores)
                                : j == i
                                        ? own(task, run)
                                        : j == i + 1
                                                ? own(
                                                        other,
                                                        probe(
                                                                other,
                                                                run.resolve("model"),
                                                                defence + "-after-" + task.name(),
                                                                seed))
                                                : null);
            }
            rows.add(row);
            seconds +=
                    Json.read(run.resolve("passport.json")).at("/cost/training-seconds").asDouble();
            var was = Score.find(scores, "general-before", "perplexity").orElse(null);
            var is = Score.find(scores, "general-after", "perplexity").orElse(null);
            if (was != null && is != null) {
                rise = ((rise == null ? 0 : rise) + 1) * is.value() / was.value() - 1;
            }
            earlier.add(run);
            model = run.resolve("model");
        }
        return new Line(before, rows, rise, seconds, null);
    }

    /// Where nothing is measured nothing is defended: all defences begin with one run.
    private boolean isGuarded(FinetuneRecipe task) {
        return task != tasks.getFirst() || settings.general() != null;
    }

    private Path learnt(String defence, int seed, FinetuneRecipe task) {
        return output.resolve(seed + "-" + (isGuarded(task) ? defence : "first"))
                .resolve(task.name());
    }

    /// Learns the i-th task on `model`, and asks the earlier ones again. Gives why nothing came of
    /// it, null where something did.
    private @Nullable String learn(
            String defence, int i, Path folder, Path model, List<Path> earlier, int seed) {
        return runs.of(
                        output.relativize(folder).toString(),
                        learning(defence, i, folder, model, earlier, seed),
                        "",
                        Left.class,
                        _ -> new Left(null),
                        (_, why) -> new Left(why))
                .beyond();
    }

    private Recipe learning(
            String defence, int i, Path folder, Path model, List<Path> earlier, int seed) {
        var task = tasks.get(i);
        var overrides = new ArrayList<>(common(task, model, folder, seed));
        if (isGuarded(task)) {
            var measure = new ArrayList<String>();
            if (settings.general() != null) {
                measure.add("corpus: " + Json.line(settings.general()));
            }
            measure.add("head: " + Json.line(base().toString()));
            measure.add(
                    "tasks: [%s]"
                            .formatted(
                                    String.join(
                                            ", ",
                                            earlier.stream()
                                                    .map(p -> Json.line(p.toString()))
                                                    .toList())));
            overrides.add(
                    "forgetting={measure: {%s}, budget: %s}"
                            .formatted(
                                    String.join(", ", measure),
                                    settings.budget() == null ? "none" : settings.budget()));
            overrides.addAll(Defences.overrides(defence, task, settings.replay()));
        } else {
            overrides.add("forgetting=none");
        }
        return read(task, overrides);
    }

    /// A new head on a body that stays as it is: what the body already knows of the task.
    private Path probe(FinetuneRecipe task, Path model, String of, int seed) {
        var folder = probeFolder(of, task, seed);
        runs.of(
                output.relativize(folder).toString(),
                probing(task, model, folder, seed),
                "",
                Left.class,
                _ -> new Left(null));
        return folder;
    }

    private Path probeFolder(String of, FinetuneRecipe task, int seed) {
        return output.resolve(seed + "-probes").resolve(of + "-" + task.name());
    }

    private Recipe probing(FinetuneRecipe task, Path model, Path folder, int seed) {
        var overrides = new ArrayList<>(common(task, model, folder, seed));
        overrides.add("forgetting=none");
        overrides.add("adapter={type: frozen}");
        overrides.add("training.optimizer.rate=" + PROBE_RATE * task.training().optimizer().rate());
        return read(task, overrides);
    }

    private static List<String> common(FinetuneRecipe task, Path model, Path folder, int seed) {
        return List.of(
                "output=" + folder,
                // Where the recipe says how a model that exists is read, it goes on to say so.
                task.model() instanceof ModelRecipe.Saved
                        ? "model.path=" + Json.line(model.toString())
                        : "model={path: " + Json.line(model.toString()) + "}",
                "tokenizer=auto",
                "seed=" + (seed == 1 ? task.seed() : Rng.seed(task.seed(), 400, seed) % 1_000_007));
    }

    /// What came of a run.
    ///
    /// @param beyond why it left nothing within the budget; null where it did
    private record Left(@Nullable String beyond) {}

    private Recipe read(FinetuneRecipe task, List<String> overrides) {
        var recipe = output.resolve("recipes").resolve(task.name() + ".yaml");
        AtomicFiles.write(recipe, Recipes.write(task));
        return Recipes.read(recipe, overrides);
    }

    private static List<Score> scores(Path run) {
        return List.of(Json.read(run.resolve("evaluation.json"), Score[].class));
    }

    /// The score of the task that a run learnt, on its test, or without one on its validation
    /// records.
    private static Score own(FinetuneRecipe task, Path run) {
        return told(scores(run), task.data().test() == null ? "validation" : "test", task);
    }

    private static Score after(FinetuneRecipe task, List<Score> scores) {
        return told(
                scores,
                task.name() + (task.data().test() == null ? "-after" : "-test-after"),
                task);
    }

    /// Tags that are of no entities have no F1.
    private static Score told(List<Score> scores, String data, FinetuneRecipe task) {
        return Score.find(scores, data, metric(task))
                .or(() -> Score.find(scores, data, "accuracy"))
                .orElseThrow();
    }

    private Outcome outcome(String defence, List<Line> lines) {
        var scores = new ArrayList<List<@Nullable Interval>>();
        for (var i = 0; i < tasks.size(); i++) {
            var at = i;
            scores.add(row(lines.stream().map(l -> l.scores().get(at)).toList()));
        }
        var before = row(lines.stream().map(Line::before).toList());
        var beyond = lines.stream().map(Line::beyond).filter(Objects::nonNull).toList();
        var seconds = lines.stream().mapToDouble(Line::seconds).average().orElseThrow();
        if (!beyond.isEmpty()) {
            // Of the seeds that were left alone nothing is to be told: they are the lucky ones.
            return new Outcome(defence, before, scores, null, null, null, null, seconds, beyond);
        }
        var transfers = lines.stream().map(Line::transfer).toList();
        return new Outcome(
                defence,
                before,
                scores,
                over(transfers.stream().map(Transfer::average).toList()),
                over(transfers.stream().map(Transfer::backward).toList()),
                over(transfers.stream().map(Transfer::forward).toList()),
                rise(lines),
                seconds,
                List.of());
    }

    private static @Nullable Interval rise(List<Line> lines) {
        return lines.getFirst().generalRise() == null
                ? null
                : Compare.rise(
                        lines.stream()
                                .mapToDouble(l -> Objects.requireNonNull(l.generalRise()))
                                .toArray());
    }

    private static List<@Nullable Interval> row(List<List<@Nullable Score>> seeds) {
        var row = new ArrayList<@Nullable Interval>();
        for (var j = 0; j < seeds.getFirst().size(); j++) {
            var at = j;
            var known =
                    seeds.stream()
                            .map(s -> s.get(at))
                            .filter(Objects::nonNull)
                            .map(Score::interval)
                            .toList();
            var score = known.size() < seeds.size() ? null : over(known);
            row.add(
                    score == null
                            ? null
                            : new Interval(
                                    score.value(),
                                    Math.max(0, score.low()),
                                    Math.min(1, score.high())));
        }
        return row;
    }

    /// The mean over seeds, with what other seeds and other test records leave open.
    private static Interval over(List<Interval> seeds) {
        return records(seeds).overSeeds(seeds.stream().mapToDouble(Interval::value).toArray());
    }

    /// The mean over seeds as its records have it, which are the same for all.
    private static Interval records(List<Interval> seeds) {
        return new Interval(
                seeds.stream().mapToDouble(Interval::value).average().orElseThrow(),
                seeds.stream().mapToDouble(Interval::low).average().orElseThrow(),
                seeds.stream().mapToDouble(Interval::high).average().orElseThrow());
    }
}
