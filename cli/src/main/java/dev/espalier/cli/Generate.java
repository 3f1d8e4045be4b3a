package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Beams;
import dev.espalier.generate.Generated;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.model.Decoder;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "generate",
        description = {
            "Goes on writing texts: an argument, the lines of a file, or those of standard input.",
            "A model with an encoder answers each text, instead of going on with it.",
            "What no option says, the model's generation_config.json does.",
            "The same model, prompt, options and seed write the same text."
        },
        footerHeading = "%nExample:%n",
        footer = "  espalier generate runs/java-prose/model \"Returns the\" --temperature 0.7")
final class Generate implements Callable<Integer> {
    /// Sequences or beams that are written together.
    private static final int ROWS = 16;

    private final Main.Context context;

    @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a language model.")
    private Path model = Path.of("");

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "PROMPT",
            description = "The text to go on from; \"\" for the beginning of a text.")
    private @Nullable String prompt;

    @Mixin private TextLines lines = new TextLines("prompt");

    @Mixin private GenerationOptions options = new GenerationOptions();

    @Option(
            names = "--sequences",
            paramLabel = "N",
            description = "Texts to write for each prompt. Default: the model's, or 1.")
    private @Nullable Integer sequences;

    @Option(
            names = "--beams",
            paramLabel = "N",
            description =
                    "Follow the N most probable texts instead of drawing (beam search). Default: the"
                            + " model's, or 1.")
    private @Nullable Integer beams;

    @Option(
            names = "--length-penalty",
            paramLabel = "P",
            description = "Beams: above 0 favours long texts, below 0 short ones. Default: 1.")
    private @Nullable Double lengthPenalty;

    @Option(
            names = "--early-stopping",
            paramLabel = "WHEN",
            description =
                    "Beams: end as soon as enough texts are finished (yes), when better ones are"
                            + " unlikely (no), or impossible (never). Default: no.")
    private Beams.@Nullable EarlyStopping earlyStopping;

    Generate(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var writer = options.adapted(HuggingFace.readWriter(model, null).model());
        try {
            var tokenizer = Tokenizers.read(model);
            TextClassifier.checkVocabulary(model, tokenizer, writer.vocabulary());
            var config = options.config(model, tokenizer, more());
            var generator = new Generator(writer, tokenizer);
            var console = context.console();
            var chunk = Math.max(1, ROWS / Math.max(config.sequences(), config.beams().count()));
            if (prompt != null && config.sequences() == 1 && !console.json()) {
                lines.refuseFile();
                stream(console, generator, prompt, writer instanceof Decoder, config);
                return 0;
            }
            try (var progress = console.progress("generate", 0, "tokens")) {
                var batches =
                        new Batches(
                                console, generator, writer instanceof Decoder, config, progress);
                lines.forEach(prompt == null ? List.of() : List.of(prompt), chunk, batches::write);
            }
        } finally {
            writer.free();
        }
        return 0;
    }

    private ObjectNode more() {
        var json = GenerationOptions.noMore();
        json.put("num_return_sequences", sequences);
        json.put("num_beams", beams);
        json.put("length_penalty", lengthPenalty);
        if (earlyStopping != null) {
            switch (earlyStopping) {
                case YES -> json.put("early_stopping", true);
                case NO -> json.put("early_stopping", false);
                case NEVER -> json.put("early_stopping", "never");
            }
        }
        return json;
    }

    /// @param repeated whether the text goes on with the prompt, which stands before it then
    private static void stream(
            Console console,
            Generator generator,
            String prompt,
            boolean repeated,
            GenerationConfig config) {
        // The prompt appears with the first words, so that a refused one leaves no output.
        var begun = new boolean[] {!repeated};
        generator.generate(
                prompt,
                config,
                piece -> {
                    console.print(begun[0] ? piece : prompt + piece);
                    begun[0] = true;
                });
        console.print(begun[0] ? "\n" : prompt + "\n");
    }

    /// Prompts that come in chunks.
    private static final class Batches {
        private final Console console;
        private final Generator generator;
        private final boolean repeated;
        private final GenerationConfig config;
        private final Progress progress;
        private long tokens;
        private long done;

        Batches(
                Console console,
                Generator generator,
                boolean repeated,
                GenerationConfig config,
                Progress progress) {
            this.console = console;
            this.generator = generator;
            this.repeated = repeated;
            this.config = config;
            this.progress = progress;
        }

        void write(long first, List<String> prompts) {
            List<List<Generated>> written;
            try {
                written = generator.generate(prompts, at(first), this::wrote);
            } catch (EspalierException e) {
                throw new EspalierException(
                        e.kind(),
                        "prompts %d to %d: %s"
                                .formatted(first, first + prompts.size() - 1, e.getMessage()),
                        e);
            }
            done += prompts.size();
            wrote(0);
            for (var i = 0; i < prompts.size(); i++) {
                for (var sequence = 0; sequence < written.get(i).size(); sequence++) {
                    print(prompts.get(i), sequence, written.get(i).get(sequence));
                }
            }
        }

        /// Each chunk of prompts draws from streams of its own.
        private GenerationConfig at(long first) {
            return first == 1 ? config : config.withSeed(Rng.seed(config.sampling().seed(), first));
        }

        private void wrote(int more) {
            tokens += more;
            progress.at(tokens, "%d prompts done".formatted(done));
        }

        private void print(String prompt, int sequence, Generated written) {
            var json = new LinkedHashMap<String, Object>();
            json.put("prompt", prompt);
            if (config.sequences() > 1) {
                json.put("sequence", sequence);
            }
            json.put("text", written.text());
            json.put("tokens", written.ids().length);
            json.put("ending", written.ending());
            if (written.score() != null) {
                json.put("score", written.score());
            }
            console.result((repeated ? prompt : "") + written.text() + "\n", json);
        }
    }
}
