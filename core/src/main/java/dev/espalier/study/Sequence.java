package dev.espalier.study;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ProblemRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.train.Defences;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/// One model that learns several tasks in turn, with each of several defences: what it still knows
/// of the earlier ones, and what these brought for the later ones.
///
/// Each task has a head of its own, which is kept beside the model and asked again after each later
/// task; `docs/decisions/131-sequences-of-tasks.md` says what that makes of the figures. What is
/// done is kept, with a hash of all that went into it.
public final class Sequence {
    private static final String KEY = "sequence.key";

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
    ///   head, or of the next one by a new head; null of those after it
    /// @param average over the tasks at the end
    /// @param generalRise of the general text's perplexity over the whole sequence, the mean over
    ///   the seeds; null where it was not measured
    /// @param seconds of training, the mean over the seeds
    public record Outcome(
            String defence,
            List<@Nullable Interval> before,
            List<List<@Nullable Interval>> scores,
            Interval average,
            Interval backward,
            Interval forward,
            @Nullable Double generalRise,
            double seconds) {
        public Outcome {
            // Null stands for what was not measured, which List.copyOf would refuse.
            before = new ArrayList<>(before);
            scores = List.copyOf(scores);
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
    private final Watcher watcher;
    private int made;
    private int kept;

    /// @param tasks in the order in which they are learnt; the first one's model is where it begins
    /// @throws EspalierException if one is of another kind
    public Sequence(List<FinetuneRecipe> tasks, Settings settings, Path output, Watcher watcher) {
        this.tasks = List.copyOf(tasks);
        this.settings = settings;
        this.output = output;
        this.watcher = watcher;
        if (tasks.size() < 2) {
            throw EspalierException.usage("sequence: needs the recipes of two tasks or more");
        }
        var names = new HashSet<String>();
        for (var task : tasks) {
            metric(task);
            if (!names.add(task.name())) {
                throw EspalierException.usage(
                        "name: `%s` stands twice; each task needs a name of its own"
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
    private record Line(
            List<@Nullable Score> before,
            List<List<@Nullable Score>> scores,
            @Nullable Double generalRise,
            double seconds) {
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
                made,
                kept);
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
            var run = learn(defence, i, model, earlier, seed);
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
        return new Line(before, rows, rise, seconds);
    }

    /// Learns the i-th task on `model`, and asks the earlier ones again.
    private Path learn(String defence, int i, Path model, List<Path> earlier, int seed) {
        var task = tasks.get(i);
        // Where nothing is measured nothing is defended: all defences begin with one run.
        var guarded = i > 0 || settings.general() != null;
        var folder =
                output.resolve(seed + "-" + (guarded ? defence : "first")).resolve(task.name());
        var overrides = new ArrayList<>(common(task, model, folder, seed));
        if (guarded) {
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
        make(task, overrides, folder, model);
        return folder;
    }

    /// A new head on a body that stays as it is: what the body already knows of the task.
    private Path probe(FinetuneRecipe task, Path model, String of, int seed) {
        var folder = output.resolve(seed + "-probes").resolve(of + "-" + task.name());
        var overrides = new ArrayList<>(common(task, model, folder, seed));
        overrides.add("forgetting=none");
        overrides.add("adapter={type: frozen}");
        overrides.add("training.optimizer.rate=" + PROBE_RATE * task.training().optimizer().rate());
        make(task, overrides, folder, model);
        return folder;
    }

    private static List<String> common(FinetuneRecipe task, Path model, Path folder, int seed) {
        return List.of(
                "output=" + folder,
                "model={path: " + Json.line(model.toString()) + "}",
                "tokenizer=auto",
                "seed=" + (seed == 1 ? task.seed() : Rng.seed(task.seed(), 400, seed) % 1_000_007));
    }

    private void make(FinetuneRecipe task, List<String> overrides, Path folder, Path model) {
        var recipe = output.resolve("recipes").resolve(task.name() + ".yaml");
        AtomicFiles.write(recipe, Recipes.write(task));
        var key = key(task, overrides, model);
        var file = folder.resolve(KEY);
        if (Files.isRegularFile(file) && Files.isDirectory(folder.resolve("model"))) {
            try {
                if (Files.readString(file).equals(key)) {
                    kept++;
                    return;
                }
            } catch (IOException e) {
                throw AtomicFiles.failure(file, e);
            }
            watcher.said(folder + ": what went into it has changed; made again");
        }
        AtomicFiles.delete(folder);
        watcher.said(output.relativize(folder).toString());
        var unused = new Run(Recipes.read(recipe, overrides)).train(watcher.quiet(), false);
        AtomicFiles.delete(folder.resolve("checkpoints"));
        AtomicFiles.write(file, key);
        made++;
    }

    private String key(FinetuneRecipe task, List<String> overrides, Path model) {
        var inputs = new StringBuilder(Recipes.write(task)).append(String.join("\n", overrides));
        for (var data :
                new Path[] {task.data().train(), task.data().validation(), task.data().test()}) {
            inputs.append('\n').append(data == null ? "" : AtomicFiles.sha256(data));
        }
        // Earlier tasks are asked again by their tests.
        tasks.forEach(t -> inputs.append(hash(t.data().test())));
        inputs.append(hash(text(settings.general()))).append(hash(text(settings.replay())));
        inputs.append(hash(model.resolve("tokenizer.json")));
        inputs.append('\n').append(AtomicFiles.sha256(model.resolve("config.json")));
        try (var files = Files.list(model)) {
            files.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .forEach(f -> inputs.append(AtomicFiles.sha256(f)));
        } catch (IOException e) {
            throw AtomicFiles.failure(model, e);
        }
        return HexFormat.of()
                .formatHex(AtomicFiles.sha256(inputs.toString().getBytes(StandardCharsets.UTF_8)));
    }

    private static @Nullable Path text(@Nullable String path) {
        return path == null ? null : Path.of(path);
    }

    /// Of a file; of what is none, such as a glob, nothing.
    private static String hash(@Nullable Path file) {
        return file != null && Files.isRegularFile(file) ? AtomicFiles.sha256(file) : "";
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
        var last = scores.getLast();
        var before = row(lines.stream().map(Line::before).toList());
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
                over(lines, Line::seconds).value());
    }

    private static Interval known(List<@Nullable Interval> row, int at) {
        return Objects.requireNonNull(row.get(at));
    }

    /// Of one seed the intervals over the records, of several those over the seeds.
    private static List<@Nullable Interval> row(List<List<@Nullable Score>> seeds) {
        var row = new ArrayList<@Nullable Interval>();
        for (var j = 0; j < seeds.getFirst().size(); j++) {
            var at = j;
            var first = seeds.getFirst().get(at);
            row.add(
                    first == null
                            ? null
                            : seeds.size() == 1
                                    ? first.interval()
                                    : Interval.mean(
                                            seeds.stream()
                                                    .mapToDouble(s ->
                                                            Objects.requireNonNull(s.get(at))
                                                                    .value())
                                                    .toArray()));
        }
        return row;
    }

    private static Interval over(List<Line> lines, ToDoubleFunction<Line> value) {
        return Interval.mean(lines.stream().mapToDouble(value).toArray());
    }
}
