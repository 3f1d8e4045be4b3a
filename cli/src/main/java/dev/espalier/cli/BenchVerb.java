package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TrainingRecipe.Precision;
import dev.espalier.train.Planning;
import dev.espalier.train.RecipeBench;
import dev.espalier.train.TrainingBench;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "bench",
        description = {
            "Measures how fast this machine multiplies and trains a recipe's model,",
            "or how fast a model tells or continues the texts of a file, or tells the pictures that it names."
        },
        footer = {
            "",
            "Without a recipe: GPT-2 of 124 M parameters, 4 sequences of 256 tokens a step.",
            "Examples: espalier bench --json",
            "          espalier bench runs/reviews/model --file reviews.txt"
        })
final class BenchVerb implements Callable<Integer> {
    private static final int STEPS = 7;

    private final Main.Context context;

    @Parameters(
            paramLabel = "RECIPE|MODEL",
            arity = "0..1",
            description =
                    "A causal pre-training recipe with a new model, whose data are not read; any other recipe, whose"
                            + " data are; or the folder of a model.")
    private @Nullable Path subject;

    @Mixin private TextLines lines = new TextLines("text");

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description =
                    "Overrides a value of the recipe, or of the model that is measured without one. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(
            names = "--steps",
            paramLabel = "N",
            description = "Steps of training to make (default: " + STEPS + ").")
    private @Nullable Integer steps;

    @Option(
            names = "--precision",
            description =
                    "Of a recipe fp32 or bf16 (default: its own), of a model that goes on with texts"
                            + " fp32 or fp16, for one text (default: fp32).")
    private @Nullable Wanted precision;

    private enum Wanted {
        FP32,
        FP16,
        BF16,
        AUTO
    }

    /// GPT-2 at its published smallest size.
    private static final String GPT2 =
            """
            name: gpt2-124m
            data: {sources: [{type: text, path: none}]}
            tokenizer: {type: bpe, vocabulary: 50257}
            model: {type: gpt2, layers: 12, heads: 12, width: 768, context: 1024, dropout: 0}
            objective: {type: causal, length: 256}
            training: {for: 1000 steps, batch: 4, micro-batch: 4}
            """;

    BenchVerb(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var count = steps == null ? STEPS : steps;
        if (count < 1) {
            throw EspalierException.usage("--steps must be at least 1");
        }
        var console = context.console();
        if (subject != null && Files.isDirectory(subject)) {
            if (precision != null && precision != Wanted.FP32 && precision != Wanted.FP16) {
                throw EspalierException.usage("a model is measured in fp32 or fp16");
            }
            if (!overrides.isEmpty()) {
                throw EspalierException.usage(
                        "--set is for recipes, not for the folder of a model");
            }
            if (steps != null) {
                throw EspalierException.usage(
                        "--steps is for training, which the folder of a model is not measured by");
            }
            InferenceBench.run(console, subject, lines, precision == Wanted.FP16);
            return 0;
        }
        if (precision == Wanted.FP16) {
            throw EspalierException.usage("a recipe is trained in fp32 or bf16");
        }
        var recipe =
                subject == null
                        ? Recipes.parse(GPT2, "gpt2-124m", overrides())
                        : Recipes.read(Given.file(subject), overrides());
        if (!(recipe instanceof PretrainRecipe read)
                || !(read.objective() instanceof ObjectiveRecipe.Causal)) {
            onItsData(console, RecipeBench.run(recipe, count, console::note));
            return 0;
        }
        var wanted =
                precision == null
                        ? read.training().precision()
                        : Precision.valueOf(precision.name());
        var bf16 = wanted == Precision.BF16 || wanted == Precision.AUTO && Machine.hasBf16();
        var result = TrainingBench.run(read, Planning.vocabulary(read), count, bf16, console::note);
        console.result(
                String.format(
                        Locale.ROOT,
                        """
                        processor        %s, %d threads, allocator: %s
                        precision        %s
                        model            %s of %,d parameters, %d x %d tokens a step, %d sequences at once
                        training         %,.0f tokens/s, %.0f GFLOP/s by 6N + 12LDT
                        matrix products  %.0f GFLOP/s (2048 x 2048, before and after)
                        share            %.0f %%
                        memory           %.2f GiB at the peak, %.2f GiB by the formula\
                        """,
                        result.processor(),
                        result.threads(),
                        result.allocator(),
                        result.precision(),
                        result.model(),
                        result.parameters(),
                        result.batch(),
                        result.length(),
                        result.microBatch(),
                        result.tokensPerSecond(),
                        result.trainingGflops(),
                        result.matmulGflops(),
                        100 * result.matmulShare(),
                        result.peakMemoryBytes() / 0x1p30,
                        result.predictedMemoryBytes() / 0x1p30),
                result);
        return 0;
    }

    private List<String> overrides() {
        var all = new ArrayList<>(overrides);
        if (precision != null) {
            all.add("training.precision=" + precision.name().toLowerCase(Locale.ROOT));
        }
        return all;
    }

    private static void onItsData(Console console, RecipeBench.Result result) {
        var unit = result.unit() + "/s";
        console.result(
                String.format(
                        Locale.ROOT,
                        """
                        processor        %s, %d threads
                        precision        %s
                        model            %s of %,d parameters, batches of %d
                        training         %,.1f %s, %.1f GFLOP/s
                        data ready       %,.1f %s; a step waits for its data %.1f %% of its time
                        making data      %,.1f %s
                        forward          %,.1f %s
                        matrix products  %.0f GFLOP/s (2048 x 2048, before and after)
                        share            %.0f %% training, %.0f %% forward
                        memory           %.2f GiB at the peak\
                        """,
                        result.processor(),
                        result.threads(),
                        result.precision(),
                        result.model(),
                        result.parameters(),
                        result.batch(),
                        result.perSecond(),
                        unit,
                        result.trainingGflops(),
                        result.readyPerSecond(),
                        unit,
                        100 * Math.max(0, 1 - result.perSecond() / result.readyPerSecond()),
                        result.madePerSecond(),
                        unit,
                        result.forwardPerSecond(),
                        unit,
                        result.matmulGflops(),
                        100 * result.matmulShare(),
                        100 * result.forwardShare(),
                        result.peakMemoryBytes() / 0x1p30),
                result);
    }
}
