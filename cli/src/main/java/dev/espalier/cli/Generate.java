package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Generated;
import dev.espalier.generate.Generator;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "generate",
        description = {
            "Goes on writing texts: an argument, the lines of a file, or those of standard input.",
            "The same model, prompt, options and seed write the same text."
        },
        footerHeading = "%nExample:%n",
        footer = "  espalier generate runs/java-prose/model \"Returns the\" --temperature 0.7")
final class Generate implements Callable<Integer> {
    /// Prompts of a file that are written on together.
    private static final int CHUNK = 16;

    private final Main.Context context;

    @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a language model.")
    private Path model = Path.of("");

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "PROMPT",
            description = "The text to go on from; \"\" for the beginning of a text.")
    private @Nullable String prompt;

    @Mixin private TextLines lines = new TextLines();

    @Option(
            names = "--max-new-tokens",
            defaultValue = "100",
            paramLabel = "N",
            description = "Tokens to write at most. Default: ${DEFAULT-VALUE}.")
    private int maxNewTokens;

    @Option(
            names = "--temperature",
            defaultValue = "0.8",
            paramLabel = "T",
            description =
                    "0 takes the best token always; below 1 sharpens, above 1 flattens. Default:"
                            + " ${DEFAULT-VALUE}.")
    private double temperature;

    @Option(
            names = "--top-k",
            defaultValue = "0",
            paramLabel = "K",
            description = "Draw from the K best tokens; 0 for all. Default: ${DEFAULT-VALUE}.")
    private int topK;

    @Option(
            names = "--top-p",
            defaultValue = "1",
            paramLabel = "P",
            description =
                    "Draw from the best tokens that have this probability together. Default:"
                            + " ${DEFAULT-VALUE}.")
    private double topP;

    @Option(
            names = "--seed",
            defaultValue = "1",
            description = "The seed of the draws. Default: ${DEFAULT-VALUE}.")
    private long seed;

    @Option(
            names = "--stop",
            paramLabel = "TEXT",
            description = "End before this text. Repeatable.")
    private List<String> stops = new ArrayList<>();

    Generate(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var sampling = new Sampling(temperature, topK, topP, seed);
        var decoder = HuggingFace.readDecoder(model).model();
        try {
            var tokenizer = Tokenizers.read(model);
            TextClassifier.checkVocabulary(model, tokenizer, decoder.vocabulary());
            var generator = new Generator(decoder, tokenizer);
            var limits = Limits.of(tokenizer, maxNewTokens, stops.toArray(String[]::new));
            var console = context.console();
            lines.forEach(
                    prompt == null ? List.of() : List.of(prompt),
                    CHUNK,
                    (first, prompts) ->
                            write(console, generator, first, prompts, sampling, limits));
        } finally {
            decoder.free();
        }
        return 0;
    }

    private static void write(
            Console console,
            Generator generator,
            long first,
            List<String> prompts,
            Sampling sampling,
            Limits limits) {
        if (prompts.size() == 1 && !console.json()) {
            // The prompt appears with the first words, so that a refused one leaves no output.
            var begun = new boolean[1];
            generator.generate(
                    prompts.getFirst(),
                    at(sampling, first),
                    limits,
                    piece -> {
                        console.print(begun[0] ? piece : prompts.getFirst() + piece);
                        begun[0] = true;
                    });
            console.print(begun[0] ? "\n" : prompts.getFirst() + "\n");
            return;
        }
        List<Generated> written;
        try {
            written = generator.generate(prompts, at(sampling, first), limits);
        } catch (EspalierException e) {
            throw new EspalierException(
                    e.kind(),
                    "prompts %d to %d: %s"
                            .formatted(first, first + prompts.size() - 1, e.getMessage()),
                    e);
        }
        for (var i = 0; i < prompts.size(); i++) {
            var json = new LinkedHashMap<String, Object>();
            json.put("prompt", prompts.get(i));
            json.put("text", written.get(i).text());
            json.put("tokens", written.get(i).ids().length);
            json.put("ending", written.get(i).ending());
            console.result(prompts.get(i) + written.get(i).text() + "\n", json);
        }
    }

    /// Each chunk of prompts draws from streams of its own.
    private static Sampling at(Sampling sampling, long first) {
        return first == 1
                ? sampling
                : new Sampling(
                        sampling.temperature(),
                        sampling.topK(),
                        sampling.topP(),
                        Rng.seed(sampling.seed(), first));
    }
}
