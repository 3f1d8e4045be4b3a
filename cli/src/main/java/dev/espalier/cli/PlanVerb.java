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
    private static final int VOCABULARY = 32_000;
    private static final int CONTEXT = 1024;

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

    @Option(names = "--tokens", description = "Tokens that --parameters are trained on.")
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
                    "The machine of the table for --hours, --money and --memory (default: "
                            + Hardware.HERE
                            + ").")
    private @Nullable String machine;

    @Option(
            names = "--vocabulary",
            description =
                    "Tokens of the vocabulary of a model without a recipe (default: "
                            + VOCABULARY
                            + ").")
    private @Nullable Integer vocabulary;

    @Option(names = "--context", description = "Tokens of its inputs (default: " + CONTEXT + ").")
    private @Nullable Integer context;

    PlanVerb(Main.Context context) {
        this.main = context;
    }

    @Override
    public Integer call() {
        var console = main.console();
        requireTogether();
        if (table) {
            console.print(Hardware.builtInText());
            return 0;
        }
        var machines = hardware.read();
        if (hasBudget()) {
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

    private boolean hasBudget() {
        return hours != null || money != null || memory != null;
    }

    /// Refuses what would be of no account beside the rest.
    private void requireTogether() {
        refuse(
                table
                        && (recipe != null
                                || parameters != null
                                || hasBudget()
                                || html != null
                                || vocabulary != null
                                || context != null
                                || !overrides.isEmpty()),
                "--table: prints the table and plans nothing; leave out the rest");
        refuse(
                hasBudget() && (recipe != null || parameters != null),
                "--hours, --money and --memory look for a model; leave out the recipe and --parameters");
        refuse(
                recipe != null && parameters != null,
                "a recipe and --parameters: one of them is planned");
        refuse(
                hasBudget() && html != null,
                "--html: a budget has no page; plan the model that it pays for by --parameters");
        refuse(
                hasBudget() && !overrides.isEmpty(),
                "--set: there is no recipe beside --hours, --money and --memory");
        refuse(
                tokens != null && parameters == null,
                "--tokens: is of --parameters; of a recipe it is --set \"training.for=… tokens\"");
        refuse(
                machine != null && !hasBudget(),
                "--on: is of --hours, --money and --memory; a plan tells all machines of the table");
        refuse(
                recipe != null && (vocabulary != null || context != null),
                "--vocabulary and --context: a recipe has its own");
    }

    private static void refuse(boolean holds, String why) {
        if (holds) {
            throw EspalierException.usage(why);
        }
    }

    private Recipe recipe() {
        if (recipe != null) {
            return Recipes.read(Given.file(recipe), overrides);
        }
        if (parameters == null) {
            throw EspalierException.usage(
                    "plan needs a recipe, or --parameters, or a budget of --hours, --money or --memory");
        }
        refuse(
                parameters < 1 || tokens != null && tokens < 1,
                "--parameters and --tokens: 1 or more is needed");
        var model = Anatomy.near(parameters, vocabulary(), context());
        return Recipes.parse(
                """
                data: {sources: [{type: text, path: none}]}
                tokenizer: {type: bpe, vocabulary: %d}
                model: {type: gpt2, layers: %d, heads: %d, width: %d, context: %d}
                objective: {type: causal}
                training: {for: %d tokens}
                """
                        .formatted(
                                vocabulary(),
                                model.layers(),
                                model.heads(),
                                model.width(),
                                context(),
                                tokens == null ? 20 * model.parameterCount() : tokens),
                "gpt2-" + parameters,
                overrides);
    }

    private int vocabulary() {
        return atLeastOne(vocabulary, VOCABULARY);
    }

    private int context() {
        return atLeastOne(context, CONTEXT);
    }

    private static int atLeastOne(@Nullable Integer asked, int usual) {
        refuse(asked != null && asked < 1, "--vocabulary and --context: 1 or more is needed");
        return asked == null ? usual : asked;
    }

    private void largest(Console console, Hardware machines) {
        var limits = new Double[] {hours, money, memory};
        for (var limit : limits) {
            if (limit != null && !(limit > 0)) {
                throw EspalierException.usage(
                        "--hours, --money and --memory: a number above 0 is needed");
            }
        }
        var on = machine == null ? Hardware.HERE : machine;
        var found =
                Planning.largest(
                        new Largest.Budget(
                                hours == null ? null : Double.valueOf(3600 * hours),
                                money,
                                memory == null ? null : Long.valueOf((long) (memory * 0x1p30))),
                        on,
                        vocabulary(),
                        context(),
                        machines,
                        History.ofUser());
        if (money != null && found.price() == null) {
            throw EspalierException.usage(
                    "--money: the table has neither a price nor the watts of '%s'; see --table and --hardware"
                            .formatted(on));
        }
        console.result(PlanPage.text(found, on, machines.currency()), found);
    }
}
