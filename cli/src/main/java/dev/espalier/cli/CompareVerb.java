package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Compare;
import dev.espalier.study.ComparePage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "compare",
        description = {
            "Studies which way to go: from scratch, frozen, LoRA, all weights,",
            "pre-trained further, beside a bag of words, over numbers of labels and seeds;",
            "of texts and pictures with one label each, of texts whose words are tagged, and",
            "of texts written from others. Goes on where it was stopped."
        },
        footer = {
            "",
            "Rates are tried at the middle number of labels; other numbers that are asked for later",
            "beside it leave that as it is, so that nothing is made again for them.",
            "The recipe fine-tunes all weights of a model that exists, and names a test;",
            "of a new model only the ways that begin anew are studied.",
            "Example: espalier compare recipes/finetune/classification-toy.yaml --labels 16,64,all --seeds 2"
        })
final class CompareVerb implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(
            paramLabel = "RECIPE",
            description =
                    "A recipe of classification, image-classification, token-labelling or sequence-to-sequence.")
    private Path recipe = Path.of("");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = {"--labels"},
            paramLabel = "N,…",
            description =
                    "Numbers of labelled records, or all. As compare.labels=[…] of the recipe.")
    private @Nullable String labels;

    @Option(names = "--seeds", description = "Draws at each. As compare.seeds.")
    private @Nullable String seeds;

    @Option(
            names = "--arms",
            paramLabel = "ARM,…",
            description =
                    "Ways to compare: majority, copy, bag-of-words, scratch, frozen, lora, full, further. As compare.arms.")
    private @Nullable String arms;

    @Option(
            names = "--rates",
            description = "Learning rates tried for each way, 1 to 3. As compare.rates.")
    private @Nullable String rates;

    @Option(
            names = "--least-steps",
            description =
                    "Steps of each training where the recipe's epochs make fewer. As compare.least-steps.")
    private @Nullable String leastSteps;

    @Option(
            names = "--further-epochs",
            description = "Passes of pre-training further. As compare.further-epochs.")
    private @Nullable String further;

    @Option(
            names = "--text",
            paramLabel = "FILE",
            description =
                    "More of the domain's text to pre-train further on, a file or a glob. As compare.text.")
    private @Nullable String text;

    @Mixin private HardwareTable hardware = new HardwareTable();

    CompareVerb(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var file = Given.file(recipe);
        var changes = new ArrayList<>(overrides);
        if (Recipes.read(file, overrides) instanceof FinetuneRecipe r && r.compare() == null) {
            changes.add("compare={}");
        }
        change(changes, "labels", labels == null ? null : "[" + labels + "]");
        change(changes, "seeds", seeds);
        change(
                changes,
                "arms",
                arms == null ? null : "[" + arms.toLowerCase(Locale.ROOT).replace('_', '-') + "]");
        change(changes, "rates", rates);
        change(changes, "least-steps", leastSteps);
        change(changes, "further-epochs", further);
        change(changes, "text", text == null ? null : Json.line(text));
        if (!(Recipes.read(file, changes) instanceof FinetuneRecipe read)) {
            throw EspalierException.usage(recipe + ": compare needs a recipe with a task");
        }
        var console = context.console();
        var study =
                new Compare(
                        read,
                        Objects.requireNonNull(read.compare()),
                        hardware.read(),
                        History.ofUser(),
                        context.stop().watcher(console));
        var result = study.run();
        AtomicFiles.write(study.folder().resolve("study.json"), Json.pretty(result));
        var report = study.folder().resolve("report.html");
        ComparePage.write(report, result);
        console.result(ComparePage.text(result) + "\nreport  " + report, result);
        return 0;
    }

    private static void change(List<String> changes, String key, @Nullable String value) {
        if (value != null) {
            changes.add("compare." + key + "=" + value);
        }
    }
}
