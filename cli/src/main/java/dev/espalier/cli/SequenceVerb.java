package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.study.Sequence;
import dev.espalier.study.SequencePage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "sequence",
        description = {
            "Teaches one model several tasks in turn, by each of several defences against forgetting:",
            "the matrix of what it knows of each task after each, and backward and forward transfer.",
            "Goes on where it was stopped."
        },
        footer = {
            "",
            "The recipes fine-tune for classification or token labelling; the first one's model is where it begins.",
            "Example: espalier sequence recipes/finetune/classification-toy.yaml recipes/finetune/token-labelling-toy.yaml --defences none,l2-sp"
        })
final class SequenceVerb implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(
            paramLabel = "RECIPE",
            arity = "2..*",
            description = "The tasks, in the order in which they are learnt.")
    private List<Path> recipes = List.of();

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of all recipes. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--defences",
            split = ",",
            description =
                    "Defences to compare: none, wise-ft, fewer-layers, lora, lower-rate, layer-decay, l2-sp, replay, ewc, lwf (default: none).")
    private List<String> defences = List.of("none");

    @Option(names = "--seeds", description = "Runs of each (default: ${DEFAULT-VALUE}).")
    private int seeds = 1;

    @Option(
            names = "--general",
            paramLabel = "FILE",
            description = "General text whose perplexity is measured beside, a file or a glob.")
    private @Nullable String general;

    @Option(
            names = "--replay",
            paramLabel = "FILE",
            description = "General text for the defences replay and ewc.")
    private @Nullable String replay;

    @Option(
            names = "--budget",
            paramLabel = "SHARE",
            description =
                    "How much worse whatever was learnt may become in each task (default: none).")
    private @Nullable Double budget;

    @Option(
            names = "--output",
            paramLabel = "FOLDER",
            description = "Where it is kept (default: runs/sequence-NAMES).")
    private @Nullable Path output;

    SequenceVerb(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        if (seeds < 1 || (budget != null && !(budget >= 0))) {
            throw EspalierException.usage("--seeds: 1 or more; --budget: 0 or more");
        }
        var tasks = new ArrayList<FinetuneRecipe>();
        for (var file : recipes) {
            if (!(Recipes.read(Given.file(file), overrides) instanceof FinetuneRecipe task)) {
                throw EspalierException.usage(file + ": sequence needs recipes with a task");
            }
            tasks.add(task);
        }
        var console = context.console();
        var names = tasks.stream().map(FinetuneRecipe::name).collect(Collectors.joining("-"));
        var study =
                new Sequence(
                        tasks,
                        new Sequence.Settings(
                                defences.stream().distinct().toList(),
                                seeds,
                                general,
                                replay,
                                budget),
                        output == null ? Path.of("runs", "sequence-" + names) : output,
                        History.ofUser(),
                        context.stop().watcher(console));
        var result = study.run();
        AtomicFiles.write(study.folder().resolve("sequence.json"), Json.pretty(result));
        var report = study.folder().resolve("report.html");
        SequencePage.write(report, result);
        console.result(SequencePage.text(result) + "\nreport  " + report, result);
        return 0;
    }
}
