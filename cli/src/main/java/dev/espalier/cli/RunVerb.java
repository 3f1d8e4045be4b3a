package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.Score;
import dev.espalier.objective.ExampleText;
import dev.espalier.plan.History;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.train.Run;
import dev.espalier.train.StepFigures;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// What `pretrain` and `finetune` share: a recipe, its overrides, going on after an interruption.
abstract class RunVerb implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(paramLabel = "RECIPE", description = "The recipe, a YAML file.")
    private Path recipe = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe, such as training.batch=8. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--resume",
            description = "Goes on from the run's last whole checkpoint, if there is one.")
    private boolean resume;

    RunVerb(Main.Context context) {
        this.context = context;
    }

    /// Refuses a recipe of the other kind.
    abstract void check(Recipe recipe);

    @Override
    public Integer call() {
        var read = Recipes.read(Given.file(recipe), overrides);
        check(read);
        var console = context.console();
        Run.Result result;
        try (var progress = new RunProgress(console, context.stop(), read.unit())) {
            result = new Run(read, History.ofUser()).train(progress, resume);
        }
        if (result.stoppedBecause() != null) {
            console.note("ended early: " + result.stoppedBecause());
        }
        if (result.skippedSteps() > 0) {
            console.note(
                    result.skippedSteps()
                            + " steps were skipped for their loss; metrics.jsonl says which and why");
        }
        console.result(text(result), json(result));
        return 0;
    }

    private static String text(Run.Result result) {
        return Scores.table(result.scores())
                + "model   "
                + result.model()
                + "\nreport  "
                + result.folder().resolve("report.html");
    }

    private static Object json(Run.Result result) {
        var json = new LinkedHashMap<String, @Nullable Object>();
        json.put("folder", result.folder().toString());
        json.put("model", result.model().toString());
        json.put("steps", result.progress().step());
        json.put("skipped-steps", result.skippedSteps());
        json.put("tokens", result.progress().tokens());
        json.put("stopped-because", result.stoppedBecause());
        json.put("scores", result.scores());
        json.put("foreseen", result.foreseen());
        return json;
    }

    /// Shows a run's steps as they are made.
    private static final class RunProgress implements Watcher, AutoCloseable {
        private final Console console;
        private final Stop stop;
        private final String unit;
        private @Nullable Progress bar;

        /// @param unit what passes through the model
        RunProgress(Console console, Stop stop, String unit) {
            this.console = console;
            this.stop = stop;
            this.unit = unit;
        }

        @Override
        public void stepped(StepFigures figures, long total) {
            if (bar == null) {
                bar = console.progress("training", figures.step(), total, "steps");
                // Before the first step there is nothing to save.
                var unused =
                        stop.waitForJob(() -> console.note("stopping after this step, and saving"));
            }
            bar.at(
                    figures.step(),
                    String.format(
                            Locale.ROOT,
                            "loss %.4f, %,.0f %s/s",
                            figures.loss(),
                            figures.tokensPerSecond(),
                            unit));
        }

        @Override
        public void evaluated(long step, List<Score> scores) {
            console.note("step " + step + ": " + Scores.line(scores));
        }

        @Override
        public void preflight(List<ExampleText> examples) {
            var shown = new ShownExamples(console.colour());
            console.note("what the model will see, and what of it is trained:");
            examples.forEach(example ->
                    console.aside("example", shown.text(example), ShownExamples.json(example)));
            if (!console.json()) {
                console.note(shown.legend());
            }
        }

        @Override
        public void said(String line) {
            console.note(line);
        }

        @Override
        public boolean stop() {
            return stop.getAsBoolean();
        }

        @Override
        public void close() {
            if (bar != null) {
                bar.close();
            }
        }
    }

    @Command(
            name = "pretrain",
            description = "Trains a model on raw text, as a recipe with an objective says.",
            footer = {"", "Example: espalier pretrain recipes/pretrain/gpt2-toy.yaml"})
    static final class Pretrain extends RunVerb {
        Pretrain(Main.Context context) {
            super(context);
        }

        @Override
        void check(Recipe recipe) {
            if (!(recipe instanceof PretrainRecipe)) {
                throw EspalierException.usage(
                        "this recipe has a task: it is for 'espalier finetune'");
            }
        }
    }

    @Command(
            name = "finetune",
            description = "Trains a model on labelled records, as a recipe with a task says.",
            footer = {"", "Example: espalier finetune recipes/finetune/classification-toy.yaml"})
    static final class Finetune extends RunVerb {
        Finetune(Main.Context context) {
            super(context);
        }

        @Override
        void check(Recipe recipe) {
            if (!(recipe instanceof FinetuneRecipe)) {
                throw EspalierException.usage(
                        "this recipe has an objective: it is for 'espalier pretrain'");
            }
        }
    }
}
