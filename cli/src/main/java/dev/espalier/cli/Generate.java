package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Beams;
import dev.espalier.generate.Generated;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.model.Decoder;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.Tokenizer;
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
import tools.jackson.databind.node.ObjectNode;

@Command(
        name = "generate",
        description = {
            "Goes on writing texts: an argument, the lines of a file, or those of standard input.",
            "A model with an encoder answers each text, instead of going on with it, and so does one"
                    + " with a chat template, which is asked by that template.",
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

    @Mixin private ToldDate date = new ToldDate();

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

    @Option(
            names = "--raw",
            description = "Go on with the text as it stands, though the model has a chat template.")
    private boolean raw;

    Generate(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var writer = options.adapted(HuggingFace.readWriter(Given.writer(model), null).model());
        var console = context.console();
        try (var _ = options.precision(console, writer)) {
            var tokenizer = Tokenizers.read(model);
            TextClassifier.checkVocabulary(model, tokenizer, writer.vocabulary());
            var template =
                    raw || !(writer instanceof Decoder)
                            ? null
                            : options.template(model).map(t -> date.of(console, t)).orElse(null);
            var config = options.config(model, tokenizer, more());
            if (template == null) {
                date.refuse();
            } else {
                console.note(
                        "asked by the chat template of %s; --raw goes on with plain text"
                                .formatted(template.name()));
                config = config.answering(tokenizer, template);
            }
            var writing =
                    new Writing(
                            new Generator(writer, tokenizer),
                            tokenizer,
                            template,
                            writer instanceof Decoder && template == null);
            var chunk = Math.max(1, ROWS / Math.max(config.sequences(), config.beams().count()));
            if (prompt != null && config.sequences() == 1 && !console.json()) {
                lines.refuseFile();
                writing.stream(console, prompt, config);
                return 0;
            }
            try (var progress = console.progress("generate", 0, 0, "tokens")) {
                var batches = new Batches(console, writing, config, progress);
                lines.forEach(prompt == null ? List.of() : List.of(prompt), chunk, batches::write);
                batches.refusals.end();
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

    /// How prompts become texts.
    ///
    /// @param template how the model is asked, or null where it goes on with the prompt
    /// @param repeated whether the prompt stands before the text that goes on with it
    private record Writing(
            Generator generator,
            Tokenizer tokenizer,
            @Nullable ChatTemplate template,
            boolean repeated) {
        int[] ids(String prompt) {
            return template == null
                    ? generator.ids(prompt)
                    : template.encode(
                            tokenizer,
                            List.of(new ChatTemplate.Message(ChatTemplate.USER, prompt)));
        }

        void stream(Console console, String prompt, GenerationConfig config) {
            // The prompt appears with the first words, so that a refused one leaves no output.
            var begun = new boolean[] {!repeated};
            generator.generate(
                    ids(prompt),
                    config,
                    piece -> {
                        console.print(begun[0] ? piece : prompt + piece);
                        begun[0] = true;
                    });
            console.print(begun[0] ? "\n" : prompt + "\n");
        }
    }

    /// Prompts that come in chunks.
    private static final class Batches {
        private final Console console;
        private final Writing writing;
        private final GenerationConfig config;
        private final Progress progress;
        private final Refusals refusals;
        private long tokens;
        private long done;

        Batches(Console console, Writing writing, GenerationConfig config, Progress progress) {
            this.console = console;
            this.writing = writing;
            this.config = config;
            this.progress = progress;
            refusals = new Refusals(console, "prompt", "a text");
        }

        /// Writes after each prompt but those that cannot be gone on with.
        void write(long first, List<String> prompts) {
            var ids = new ArrayList<int[]>();
            for (var i = 0; i < prompts.size(); i++) {
                try {
                    var read = writing.ids(prompts.get(i));
                    writing.generator().check(read);
                    ids.add(read);
                } catch (EspalierException e) {
                    // Each draws by its number, so those behind are written apart.
                    write(first, prompts, i, ids);
                    ids.clear();
                    refusals.refuse(first + i, prompts.get(i), e);
                }
            }
            write(first, prompts, prompts.size(), ids);
            refusals.taken(prompts.size());
        }

        /// @param ids of the prompts that end before the one at `end`
        private void write(long first, List<String> prompts, int end, List<int[]> ids) {
            var from = end - ids.size();
            var written =
                    writing.generator().generateAfter(ids, first - 1 + from, config, this::wrote);
            done += ids.size();
            wrote(0);
            for (var i = 0; i < written.size(); i++) {
                for (var sequence = 0; sequence < written.get(i).size(); sequence++) {
                    print(prompts.get(from + i), sequence, written.get(i).get(sequence));
                }
            }
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
            json.put("ending", written.ending().word());
            if (written.score() != null) {
                json.put("score", written.score());
            }
            console.result((writing.repeated() ? prompt : "") + written.text() + "\n", json);
        }
    }
}
