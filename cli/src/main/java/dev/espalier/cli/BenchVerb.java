package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.model.Gpt2Config;
import dev.espalier.plan.Machine;
import dev.espalier.plan.TrainingBench;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.ObjectiveRecipe;
import dev.espalier.recipe.PretrainRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TokenizerRecipe;
import dev.espalier.recipe.TrainingRecipe.Precision;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "bench",
        description = "Measures how fast this machine multiplies and trains.",
        footer = {
            "",
            "Without a recipe: GPT-2 of 124 M parameters, 4 sequences of 256 tokens a step.",
            "Example: espalier bench --json"
        })
final class BenchVerb implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(
            paramLabel = "RECIPE",
            arity = "0..1",
            description = "A pre-training recipe with a new model.")
    private @Nullable Path recipe;

    @Option(
            names = "--set",
            paramLabel = "PATH=VALUE",
            description = "Overrides a value of the recipe. Repeatable.")
    private List<String> overrides = new ArrayList<>();

    @Option(names = "--steps", description = "Steps to make (default: ${DEFAULT-VALUE}).")
    private int steps = 7;

    @Option(names = "--precision", description = "auto, fp32 or bf16 (default: auto).")
    private Precision precision = Precision.AUTO;

    BenchVerb(Main.Context context) {
        this.context = context;
    }

    /// The shape of a step.
    private record Shape(Gpt2Config model, int batch, int length) {}

    @Override
    public Integer call() {
        if (steps < 1) {
            throw EspalierException.usage("--steps must be at least 1");
        }
        var console = context.console();
        var shape =
                recipe == null
                        ? new Shape(Gpt2Config.of(50257, 1024, 768, 12, 12, 0), 4, 256)
                        : shape(recipe);
        var bf16 = precision == Precision.BF16 || precision == Precision.AUTO && Machine.hasBf16();
        var result =
                TrainingBench.run(
                        shape.model(), shape.batch(), shape.length(), steps, bf16, console::note);
        console.result(
                String.format(
                        Locale.ROOT,
                        """
                        processor        %s, %d threads, allocator: %s
                        precision        %s
                        model            GPT-2 of %,d parameters, %d x %d tokens a step
                        training         %,.0f tokens/s, %.0f GFLOP/s by 6N + 12LDT
                        matrix products  %.0f GFLOP/s (2048 x 2048, before and after)
                        share            %.0f %%
                        memory           %.2f GiB at the peak, %.2f GiB by the formula\
                        """,
                        result.processor(),
                        result.threads(),
                        result.allocator(),
                        result.precision(),
                        result.parameters(),
                        result.batch(),
                        result.length(),
                        result.tokensPerSecond(),
                        result.trainingGflops(),
                        result.matmulGflops(),
                        100 * result.matmulShare(),
                        result.peakMemoryBytes() / 0x1p30,
                        result.predictedMemoryBytes() / 0x1p30),
                result);
        return 0;
    }

    private Shape shape(Path file) {
        if (!(Recipes.read(file, overrides) instanceof PretrainRecipe r)
                || !(r.model() instanceof ModelRecipe.Gpt2 g)
                || !(r.objective() instanceof ObjectiveRecipe.Causal causal)) {
            throw EspalierException.usage(
                    file + ": bench needs a pre-training recipe with a new GPT-2");
        }
        var vocabulary =
                switch (r.tokenizer()) {
                    case TokenizerRecipe.Bpe bpe -> bpe.vocabulary();
                    case TokenizerRecipe.Saved saved ->
                            dev.espalier.tokenize.Tokenizers.read(saved.path()).vocabularySize();
                    // The vocabulary of characters depends on the text; that of English is near
                    // 100.
                    case TokenizerRecipe.Characters _ -> 100;
                    case null -> throw EspalierException.usage(file + ": bench needs a tokenizer");
                };
        var length = causal.length() == null ? g.context() : causal.length();
        var micro = r.training().microBatch();
        return new Shape(
                Gpt2Config.of(
                                vocabulary,
                                g.context(),
                                g.width(),
                                g.layers(),
                                g.heads(),
                                g.dropout())
                        .withActivation(g.activation().inConfig()),
                micro == null ? r.training().batch() : micro,
                length);
    }
}
