package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.corpus.FileSource;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ForgettingRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.train.Defences;
import dev.espalier.train.KeptRuns;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
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
    /// @param generalRise of the general text's perplexity over the whole sequence, the mean over
    ///   the seeds; null where it was not measured
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
            @Nullable Double generalRise,
            double seconds,
            List<String> beyond) {
        public Outcome {
            // Null stands for what was not measured, which List.copyOf would refuse.
            before = new ArrayList<>(before);
            scores = List.copyOf(scores);
            beyond = List.copyOf(beyond);
        }
    }

    /// @param metrics that each task is judged by
    public record Result(
            List<String> tasks,
            List<String> metrics,
            int seeds,
            List<Outcome> outcomes,
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
            return Transfer.of(scores.stream().map(Line::values).toList(), values(before));
        }

        static List<@Nullable Double> values(List<@Nullable Score> row) {
            var values = new ArrayList<@Nullable Double>();
            row.forEach(s -> values.add(s == null ? null : Double.valueOf(s.value())));
            return values;
        }
    }

    /// Makes what is not made, and sums up.
    public Result run() {
        var outcomes = new ArrayList<Outcome>();
        for (var defence : settings.defences()) {
            var lines = new ArrayList<Line>();
            for (var seed = 1; seed <= settings.seeds(); seed++) {
                lines.add(line(defence, seed));
            }
            outcomes.add(outcome(defence, lines));
        }
        return new Result(
                tasks.stream().map(FinetuneRecipe::name).toList(),
                tasks.stream().map(Sequence::metric).toList(),
                settings.seeds(),
                outcomes,
                runs.made(),
                runs.kept());
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
        return make(task, overrides, folder);
    }

    /// A new head on a body that stays as it is: what the body already knows of the task.
    private Path probe(FinetuneRecipe task, Path model, String of, int seed) {
        var folder = output.resolve(seed + "-probes").resolve(of + "-" + task.name());
        var overrides = new ArrayList<>(common(task, model, folder, seed));
        overrides.add("forgetting=none");
        overrides.add("adapter={type: frozen}");
        overrides.add("training.optimizer.rate=" + PROBE_RATE * task.training().optimizer().rate());
        var unused = make(task, overrides, folder);
        return folder;
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

    private @Nullable String make(FinetuneRecipe task, List<String> overrides, Path folder) {
        var recipe = output.resolve("recipes").resolve(task.name() + ".yaml");
        AtomicFiles.write(recipe, Recipes.write(task));
        return runs.of(
                        output.relativize(folder).toString(),
                        Recipes.read(recipe, overrides),
                        "",
                        Left.class,
                        _ -> new Left(null),
                        (_, why) -> new Left(why))
                .beyond();
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
        var seconds = over(lines, Line::seconds).value();
        if (!beyond.isEmpty()) {
            // Of the seeds that were left alone nothing is to be told: they are the lucky ones.
            return new Outcome(defence, before, scores, null, null, null, null, seconds, beyond);
        }
        var last = scores.getLast();
        var one = lines.size() == 1;
        var back = new ArrayList<Interval>();
        var forward = new ArrayList<Interval>();
        for (var i = 0; i < tasks.size(); i++) {
            if (i < tasks.size() - 1) {
                back.add(known(last, i).minus(known(scores.get(i), i)));
            }
            if (i > 0) {
                forward.add(known(scores.get(i - 1), i).minus(known(before, i)));
            }
        }
        return new Outcome(
                defence,
                before,
                scores,
                one
                        ? Interval.mean(last.stream().map(Objects::requireNonNull).toList())
                        : over(lines, l -> l.transfer().average()),
                one ? Interval.mean(back) : over(lines, l -> l.transfer().backward()),
                one ? Interval.mean(forward) : over(lines, l -> l.transfer().forward()),
                lines.getFirst().generalRise() == null
                        ? null
                        : Double.valueOf(
                                over(lines, l -> Objects.requireNonNull(l.generalRise())).value()),
                seconds,
                List.of());
    }

    private static Interval known(List<@Nullable Interval> row, int at) {
        return Objects.requireNonNull(row.get(at));
    }

    /// Of one seed the intervals over the records, of several those over the seeds.
    private static List<@Nullable Interval> row(List<List<@Nullable Score>> seeds) {
        var row = new ArrayList<@Nullable Interval>();
        for (var j = 0; j < seeds.getFirst().size(); j++) {
            var at = j;
            var known = seeds.stream().map(s -> s.get(at)).filter(Objects::nonNull).toList();
            row.add(
                    known.size() < seeds.size()
                            ? null
                            : known.size() == 1
                                    ? known.getFirst().interval()
                                    : Interval.mean(
                                            known.stream().mapToDouble(Score::value).toArray()));
        }
        return row;
    }

    private static Interval over(List<Line> lines, ToDoubleFunction<Line> value) {
        return Interval.mean(lines.stream().mapToDouble(value).toArray());
    }
}
