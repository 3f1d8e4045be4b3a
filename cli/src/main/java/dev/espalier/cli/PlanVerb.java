package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Largest;
import dev.espalier.plan.PlanPage;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.train.Planning;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "plan",
        description =
                "Tells what a recipe's run needs before it begins: weights, operations, memory, time, money.",
        footer = {
            "",
            "Without its data, or with --no-measure, times are those of machines' rates alone.",
            "Examples: espalier plan recipes/pretrain/gpt2-toy.yaml",
            "          espalier plan recipe.yaml --hardware prices.json --html plan.html",
            "          espalier plan --hours 24 --memory 16 --on rtx-4090"
        })
final class PlanVerb implements Callable<Integer> {
    private final Main.Context main;

    @Parameters(paramLabel = "RECIPE", arity = "0..1", description = "The recipe, a YAML file.")
    private @Nullable Path recipe;

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--no-measure",
            negatable = true,
            description = "Leaves out the few steps that time is told from.")
    private boolean measure = true;

    @Mixin private HardwareTable hardware = new HardwareTable();

    @Option(
            names = "--table",
            description = "Prints the table of machines and prices that is built in, to be edited.")
    private boolean table;

    @Option(
            names = "--html",
            paramLabel = "FILE",
            description = "Writes the plan as a page with pictures, too.")
    private @Nullable Path html;

    @Option(
            names = "--parameters",
            description =
                    "Instead of a recipe: plans a GPT-2 of about so many weights beside its tables.")
    private @Nullable Long parameters;

    @Option(names = "--tokens", description = "Tokens that --parameters is trained on.")
    private @Nullable Long tokens;

    @Option(
            names = "--hours",
            description = "Instead of a recipe: the largest model that so many hours train.")
    private @Nullable Double hours;

    @Option(names = "--money", description = "The largest model that so much money trains.")
    private @Nullable Double money;

    @Option(
            names = "--memory",
            paramLabel = "GIB",
            description = "The largest model that so many GiB train.")
    private @Nullable Double memory;

    @Option(
            names = "--on",
            paramLabel = "MACHINE",
            description =
                    "The machine of the table for --hours, --money and --memory (default: ${DEFAULT-VALUE}).")
    private String machine = Hardware.HERE;

    @Option(
            names = "--vocabulary",
            description = "Tokens of such a model's vocabulary (default: ${DEFAULT-VALUE}).")
    private int vocabulary = 32_000;

    @Option(names = "--context", description = "Tokens of its inputs (default: ${DEFAULT-VALUE}).")
    private int context = 1024;

    PlanVerb(Main.Context context) {
        this.main = context;
    }

    @Override
    public Integer call() {
        var console = main.console();
        if (table) {
            console.print(Hardware.builtInText());
            return 0;
        }
        var machines = hardware.read();
        if (hours != null || money != null || memory != null) {
            largest(console, machines);
            return 0;
        }
        var plan =
                Planning.plan(
                        recipe(),
                        measure && recipe != null,
                        machines,
                        History.ofUser(),
                        new Watcher() {
                            @Override
                            public void said(String line) {
                                console.note(line);
                            }
                        });
        if (html != null) {
            PlanPage.write(html, plan, machines);
        }
        console.result(PlanPage.text(plan, machines), plan);
        return 0;
    }

    private Recipe recipe() {
        if (recipe != null && parameters != null) {
            throw EspalierException.usage("a recipe and --parameters: one of them is planned");
        }
        if (recipe != null) {
            return Recipes.read(Given.file(recipe), overrides);
        }
        if (parameters == null || parameters < 1 || context < 1 || vocabulary < 1) {
            throw EspalierException.usage(
                    "plan needs a recipe, or --parameters, or a budget of --hours, --money or --memory");
        }
        var model = Anatomy.near(parameters, vocabulary, context);
        return Recipes.parse(
                """
                data: {sources: [{type: text, path: none}]}
                tokenizer: {type: bpe, vocabulary: %d}
                model: {type: gpt2, layers: %d, heads: %d, width: %d, context: %d}
                objective: {type: causal}
                training: {for: %d tokens}
                """
                        .formatted(
                                vocabulary,
                                model.layers(),
                                model.heads(),
                                model.width(),
                                context,
                                tokens == null ? 20 * model.parameterCount() : tokens),
                "gpt2-" + parameters);
    }

    private void largest(Console console, Hardware machines) {
        if (recipe != null || parameters != null) {
            throw EspalierException.usage(
                    "--hours, --money and --memory look for a model; leave out the recipe and --parameters");
        }
        var limits = new Double[] {hours, money, memory};
        for (var limit : limits) {
            if (limit != null && !(limit > 0)) {
                throw EspalierException.usage(
                        "--hours, --money and --memory: a number above 0 is needed");
            }
        }
        if (vocabulary < 1 || context < 1) {
            throw EspalierException.usage("--vocabulary and --context: 1 or more is needed");
        }
        var found =
                Planning.largest(
                        new Largest.Budget(
                                hours == null ? null : Double.valueOf(3600 * hours),
                                money,
                                memory == null ? null : Long.valueOf((long) (memory * 0x1p30))),
                        machine,
                        vocabulary,
                        context,
                        machines,
                        History.ofUser());
        if (money != null && found.price() == null) {
            throw EspalierException.usage(
                    "--money: the table has neither a price nor the watts of '%s'; see --table and --hardware"
                            .formatted(machine));
        }
        console.result(PlanPage.text(found, machine, machines.currency()), found);
    }
}
