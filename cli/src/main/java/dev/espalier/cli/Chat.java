package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.generate.Generated;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.Tokenizers;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
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
        name = "chat",
        description = {
            "Keeps a conversation: each line of standard input is a turn, and is answered.",
            "/reset begins anew, /quit or the end of input ends. Turns that no longer fit the model's"
                    + " context are forgotten, the oldest first; when that begins, it is said."
        },
        footerHeading = "%nExample:%n",
        footer = "  espalier chat models/assistant --system \"Answer in one sentence.\"")
final class Chat implements Callable<Integer> {
    private final Main.Context context;

    @Parameters(index = "0", paramLabel = "MODEL", description = "The folder of a language model.")
    private Path model = Path.of("");

    @Option(
            names = "--template",
            paramLabel = "NAME",
            description =
                    "How turns are told apart: chatml, llama-3, zephyr, alpaca, or plain for a model"
                            + " that knows no conversations. Default: the tokenizer's, or plain.")
    private @Nullable String template;

    @Option(
            names = "--system",
            paramLabel = "TEXT",
            description = "How the assistant is to behave. Default: what the template says.")
    private @Nullable String system;

    @Mixin private ToldDate date = new ToldDate();

    @Mixin private GenerationOptions options = new GenerationOptions();

    Chat(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        var decoder = options.adapted(HuggingFace.readDecoder(Given.writer(model)).model());
        try (var _ = options.precision(context.console(), decoder)) {
            var tokenizer = Tokenizers.read(model);
            TextClassifier.checkVocabulary(model, tokenizer, decoder.vocabulary());
            var chosen = date.of(context.console(), template(tokenizer));
            var conversation =
                    new Conversation(
                            context.console(),
                            new Generator(decoder, tokenizer),
                            tokenizer,
                            chosen,
                            config(tokenizer, chosen),
                            system);
            converse(conversation);
        } finally {
            decoder.free();
        }
        return 0;
    }

    private ChatTemplate template(Tokenizer tokenizer) {
        if (template != null) {
            return ChatTemplate.of(ChatTemplate.Known.of(template), tokenizer);
        }
        return options.template(model)
                .orElseGet(() -> {
                    context.console().note(model + ": has no chat template; using plain");
                    return ChatTemplate.of(ChatTemplate.Known.PLAIN, tokenizer);
                });
    }

    /// One answer a turn, which the template's ends and stops end as well.
    private GenerationConfig config(Tokenizer tokenizer, ChatTemplate chosen) {
        var config = options.config(model, tokenizer, GenerationOptions.noMore());
        return config.answering(tokenizer, chosen)
                .with(GenerationOptions.noMore().put("num_return_sequences", 1));
    }

    private void converse(Conversation conversation) {
        var console = context.console();
        var decoder = StandardCharsets.UTF_8.newDecoder();
        try (var lines = new BufferedReader(new InputStreamReader(System.in, decoder))) {
            while (true) {
                console.ask("> ");
                var line = lines.readLine();
                if (line == null || line.strip().equals("/quit")) {
                    return;
                }
                if (line.strip().equals("/reset")) {
                    conversation.reset();
                } else if (line.strip().matches("/[a-z]+")) {
                    console.note("'" + line.strip() + "' is no command; allowed: /reset, /quit");
                } else if (!line.isBlank()) {
                    conversation.turn(line);
                }
            }
        } catch (CharacterCodingException e) {
            throw EspalierException.data("standard input: is not text in UTF-8", e);
        } catch (IOException e) {
            throw EspalierException.data(
                    "standard input: cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// What has been said.
    private static final class Conversation {
        private final Console console;
        private final Generator generator;
        private final Tokenizer tokenizer;
        private final ChatTemplate template;
        private final GenerationConfig config;
        private final @Nullable String system;
        private final List<Message> messages = new ArrayList<>();
        private long turn;
        private int forgotten; // turns

        Conversation(
                Console console,
                Generator generator,
                Tokenizer tokenizer,
                ChatTemplate template,
                GenerationConfig config,
                @Nullable String system) {
            this.console = console;
            this.generator = generator;
            this.tokenizer = tokenizer;
            this.template = template;
            this.config = config;
            this.system = system;
            reset();
        }

        void reset() {
            messages.clear();
            forgotten = 0;
            if (system != null) {
                messages.add(new Message(ChatTemplate.SYSTEM, system));
            }
        }

        /// A turn that cannot be answered is said so and forgotten; the conversation goes on.
        void turn(String line) {
            var before = List.copyOf(messages);
            var forgottenBefore = forgotten;
            messages.add(new Message(ChatTemplate.USER, line));
            Generated answer;
            try {
                answer = answer(prompt());
            } catch (EspalierException e) {
                if (e.kind() != EspalierException.Kind.USAGE) {
                    throw e;
                }
                messages.clear();
                messages.addAll(before);
                forgotten = forgottenBefore;
                console.note(String.valueOf(e.getMessage()));
                return;
            }
            messages.add(new Message(ChatTemplate.ASSISTANT, answer.text()));
        }

        private Generated answer(int[] prompt) {
            // Each turn draws anew, or a question that is asked again would be answered alike.
            var drawn = config.withSeed(Rng.seed(config.sampling().seed(), turn++));
            if (!console.json()) {
                var answer = generator.generate(prompt, drawn, console::print);
                console.print("\n");
                return answer;
            }
            var answer = generator.generate(prompt, drawn, piece -> {});
            var json = new LinkedHashMap<String, Object>();
            json.put("role", "assistant");
            json.put("content", answer.text());
            json.put("tokens", answer.ids().length);
            json.put("ending", answer.ending().word());
            json.put("turns-forgotten", forgotten);
            console.result("", json);
            return answer;
        }

        /// The conversation, without its oldest turns where they leave too little room.
        private int[] prompt() {
            var ids = encoded();
            var first = system == null ? 0 : 1;
            while (messages.size() - first > 1 && generator.room(ids.length) < wanted(ids)) {
                if (forgotten++ == 0) {
                    console.note(
                            "the context is full: from here on the oldest turns are forgotten");
                }
                messages.subList(first, first + 2).clear();
                ids = encoded();
            }
            return ids;
        }

        /// Room for a whole answer, or a quarter of the context.
        private int wanted(int[] ids) {
            var context = ids.length + generator.room(ids.length);
            return Math.min(config.limits().maxNewTokens(), context / 4);
        }

        private int[] encoded() {
            try {
                return template.encode(tokenizer, messages);
            } catch (EspalierException e) {
                throw new EspalierException(EspalierException.Kind.USAGE, e.getMessage() + "", e);
            }
        }
    }
}
