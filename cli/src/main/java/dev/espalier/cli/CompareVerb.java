package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Compare;
import dev.espalier.study.Compare.Arm;
import dev.espalier.study.ComparePage;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "compare",
        description = {
            "Studies which way to go: from scratch, frozen, LoRA, all weights, pre-trained further,",
            "beside a bag of words, over numbers of labels and seeds. Goes on where it was stopped."
        },
        footer = {
            "",
            "The recipe fine-tunes all weights of a model that exists, and names a test.",
            "Example: espalier compare recipes/finetune/classification-toy.yaml --labels 16,64,all --seeds 2"
        })
final class CompareVerb implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(paramLabel = "RECIPE", description = "A recipe of classification.")
    private Path recipe = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--labels",
            split = ",",
            description = "Numbers of labels, or all (default: ${DEFAULT-VALUE}).")
    private List<String> labels = List.of("16", "64", "256", "1024", "all");

    @Option(names = "--seeds", description = "Draws at each (default: ${DEFAULT-VALUE}).")
    private int seeds = 3;

    @Option(
            names = "--arms",
            split = ",",
            description = "Ways to compare: ${COMPLETION-CANDIDATES} (default: all).")
    private List<Arm> arms = List.of(Arm.values());

    @Option(
            names = "--rates",
            description = "Learning rates tried for each way, 1 to 3 (default: ${DEFAULT-VALUE}).")
    private int rates = 3;

    @Option(
            names = "--least-steps",
            description =
                    "Steps of each training where the recipe's epochs make fewer (default:"
                            + " ${DEFAULT-VALUE}).")
    private int leastSteps = 100;

    @Option(
            names = "--further-epochs",
            description = "Passes of pre-training further (default: ${DEFAULT-VALUE}).")
    private double further = 3;

    @Option(
            names = "--text",
            paramLabel = "FILE",
            description = "More of the domain's text to pre-train further on, a file or a glob.")
    private @Nullable Path text;

    CompareVerb(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        if (!(Recipes.read(Given.file(recipe), overrides) instanceof FinetuneRecipe read)) {
            throw EspalierException.usage(recipe + ": compare needs a recipe with a task");
        }
        if (seeds < 1 || rates < 1 || rates > 3 || leastSteps < 1 || !(further > 0)) {
            throw EspalierException.usage(
                    "--seeds, --least-steps: 1 or more; --rates: 1 to 3; --further-epochs: above 0");
        }
        var console = context.console();
        var stop = context.stop();
        var unused = stop.waitForJob(() -> console.note("stopping after this step, and saving"));
        var study =
                new Compare(
                        read,
                        new Compare.Settings(
                                arms,
                                labels.stream().map(CompareVerb::count).distinct().toList(),
                                seeds,
                                rates,
                                leastSteps,
                                further),
                        text,
                        new Watcher() {
                            @Override
                            public void said(String line) {
                                console.note(line);
                            }

                            @Override
                            public boolean stop() {
                                return stop.getAsBoolean();
                            }
                        });
        var result = study.run();
        AtomicFiles.write(study.folder().resolve("study.json"), Json.pretty(result));
        var report = study.folder().resolve("report.html");
        ComparePage.write(report, result);
        console.result(ComparePage.text(result) + "\nreport  " + report, result);
        return 0;
    }

    private static int count(String text) {
        if (text.equals("all")) {
            return 0;
        }
        var number = dev.espalier.recipe.Numbers.whole(text, Integer.MAX_VALUE);
        if (number == null || number < 2) {
            throw EspalierException.usage(
                    "--labels: '" + text + "' is neither a whole number from 2 on nor all");
        }
        return (int) (long) number;
    }
}
