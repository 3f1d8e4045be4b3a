package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// How a conversation is told to a model that was trained on conversations. The templates of
/// Hugging Face models are programs (Jinja); a few well-known ones are recognised and written by
/// our own code, others are refused.
///
/// @param format how turns are told apart
/// @param system what the template says for the system when the conversation does not; null for
///   nothing
public record ChatTemplate(Format format, @Nullable String system) {
    /// The known formats.
    public enum Format {
        /// `<|im_start|>role`, newline, content, `<|im_end|>`, newline.
        CHATML,
        /// `<|start_header_id|>role<|end_header_id|>`, two newlines, trimmed content, `<|eot_id|>`;
        /// before all `<|begin_of_text|>`.
        LLAMA_3,
        /// `<|role|>`, newline, content, the token that ends a text, newline.
        ZEPHYR,
        /// `User: content` and `Assistant: content` on lines of their own, for models that know no
        /// conversations; the system's text stands before them.
        PLAIN;

        /// The name on the command line.
        public String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        /// The format of that name.
        public static Format of(String label) {
            return Arrays.stream(values())
                    .filter(format -> format.label().equals(label))
                    .findFirst()
                    .orElseThrow(() ->
                            EspalierException.usage(
                                    "the chat template '%s' is not known; allowed: %s"
                                            .formatted(label, labels())));
        }

        private static String labels() {
            return Arrays.stream(values()).map(Format::label).collect(Collectors.joining(", "));
        }
    }

    /// Who speaks.
    public enum Role {
        /// Says how the assistant is to behave.
        SYSTEM,
        USER,
        ASSISTANT;

        private String lower() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// One turn of a conversation.
    public record Message(Role role, String content) {}

    private static final String CONFIG = "tokenizer_config.json";
    private static final String FILE = "chat_template.jinja";

    /// The system's text that a ChatML template brings along, literally.
    private static final Pattern DEFAULT_SYSTEM =
            Pattern.compile("<\\|im_start\\|>system(?:\\n|\\\\n)([^<{}'\"]+)<\\|im_end\\|>");

    /// The template of the tokenizer in `folder`, from `chat_template.jinja` or
    /// `tokenizer_config.json`; empty if it has none.
    ///
    /// @throws EspalierException if it is none of the known ones
    public static Optional<ChatTemplate> read(Path folder) {
        var file = folder.resolve(FILE);
        var config = folder.resolve(CONFIG);
        if (Files.isRegularFile(file)) {
            try {
                return Optional.of(recognise(file + "", Files.readString(file)));
            } catch (IOException e) {
                throw EspalierException.data(
                        file + ": cannot be read as UTF-8 text (" + e.getMessage() + ")", e);
            }
        }
        if (!Files.isRegularFile(config)) {
            return Optional.empty();
        }
        var template = Json.read(config).path("chat_template");
        if (template.isArray()) {
            // A list of named templates, of which this one is for plain conversations.
            template =
                    template.valueStream()
                            .filter(t -> t.path("name").asString("").equals("default"))
                            .findFirst()
                            .<JsonNode>map(t -> t.path("template"))
                            .orElseThrow(() -> unknown(config + "", "without 'default'"));
        }
        if (template.isMissingNode() || template.isNull()) {
            return Optional.empty();
        }
        return Optional.of(recognise(config + ": chat_template", template.asString("")));
    }

    private static ChatTemplate recognise(String place, String jinja) {
        if (jinja.contains("<|im_start|>") && jinja.contains("<|im_end|>")) {
            var system = DEFAULT_SYSTEM.matcher(jinja);
            return new ChatTemplate(
                    Format.CHATML, system.find() ? system.group(1).replace("\\n", "\n") : null);
        }
        // Later releases of Llama 3 tell the date, too.
        if (jinja.contains("<|start_header_id|>")
                && jinja.contains("<|eot_id|>")
                && !jinja.contains("date_string")) {
            return new ChatTemplate(Format.LLAMA_3, null);
        }
        if (jinja.contains("<|user|>")
                && jinja.contains("<|assistant|>")
                && (jinja.contains("eos_token") || jinja.contains("</s>"))) {
            return new ChatTemplate(Format.ZEPHYR, null);
        }
        throw unknown(
                place, "'%s'".formatted(jinja.substring(0, Math.min(60, jinja.length())).strip()));
    }

    private static EspalierException unknown(String place, String what) {
        return EspalierException.data(
                "%s: the chat template %s is not known; choose the one to use with --template: %s"
                        .formatted(place, what, Format.labels()));
    }

    /// The tokens of `conversation` up to where the assistant is to go on. Special tokens that
    /// stand in its texts are read as plain text, so that nobody speaks for another.
    ///
    /// @throws EspalierException if the tokenizer lacks a token that the format needs
    public int[] encode(Tokenizer tokenizer, List<Message> conversation) {
        var messages = new ArrayList<>(conversation);
        if (system != null && (messages.isEmpty() || messages.getFirst().role() != Role.SYSTEM)) {
            messages.addFirst(new Message(Role.SYSTEM, system));
        }
        var out = new Writer(tokenizer);
        switch (format) {
            case CHATML -> {
                for (var message : messages) {
                    out.token("<|im_start|>").text(message.role().lower() + "\n");
                    out.text(message.content()).token("<|im_end|>").text("\n");
                }
                out.token("<|im_start|>").text("assistant\n");
            }
            case LLAMA_3 -> {
                out.token("<|begin_of_text|>");
                for (var message : messages) {
                    out.header(message.role()).text(message.content().strip()).token("<|eot_id|>");
                }
                out.header(Role.ASSISTANT);
            }
            case ZEPHYR -> {
                for (var message : messages) {
                    out.marker("<|" + message.role().lower() + "|>").text("\n");
                    out.text(message.content()).token(end(tokenizer)).text("\n");
                }
                out.marker("<|assistant|>").text("\n");
            }
            case PLAIN -> {
                for (var message : messages) {
                    var content = message.content().strip();
                    out.text(
                            switch (message.role()) {
                                case SYSTEM -> content + "\n\n";
                                case USER -> "User: " + content + "\n";
                                case ASSISTANT -> "Assistant: " + content + "\n";
                            });
                }
                out.text("Assistant:");
            }
        }
        return out.ids();
    }

    /// The ids that end the assistant's turn, beside those that end a text.
    public Set<Integer> ends(Tokenizer tokenizer) {
        return switch (format) {
            case CHATML -> Set.of(id(tokenizer, "<|im_end|>"));
            case LLAMA_3 -> Set.of(id(tokenizer, "<|eot_id|>"));
            case ZEPHYR -> Set.of(id(tokenizer, end(tokenizer)));
            case PLAIN -> Set.of();
        };
    }

    /// The strings before which the assistant's turn ends.
    public List<String> stops() {
        return format == Format.PLAIN ? List.of("\nUser:") : List.of();
    }

    private String end(Tokenizer tokenizer) {
        var end = tokenizer.specials().endOfText();
        if (end.isEmpty()) {
            throw lacks("token that ends a text");
        }
        return tokenizer.token(end.getAsInt());
    }

    private int id(Tokenizer tokenizer, String token) {
        return tokenizer.id(token).orElseThrow(() -> lacks("token " + token));
    }

    private EspalierException lacks(String what) {
        return EspalierException.usage(
                "the chat template %s needs a %s, which the tokenizer lacks"
                        .formatted(format.label(), what));
    }

    /// Text and special tokens, one after the other. Text between two tokens is encoded as a whole,
    /// since tokens may reach across its parts.
    private final class Writer {
        private final Tokenizer tokenizer;
        private final Tokenizer plain;
        private final StringBuilder text = new StringBuilder();
        private int[] ids = {};

        Writer(Tokenizer tokenizer) {
            this.tokenizer = tokenizer;
            plain = tokenizer.plain();
        }

        Writer text(String more) {
            text.append(more);
            return this;
        }

        Writer token(String token) {
            var id = id(tokenizer, token);
            add(plain.encode(text));
            text.setLength(0);
            add(new int[] {id});
            return this;
        }

        /// A token, or the same as text where the tokenizer has none of that name.
        Writer marker(String token) {
            OptionalInt id = tokenizer.id(token);
            return id.isPresent() ? token(token) : text(token);
        }

        Writer header(Role role) {
            token("<|start_header_id|>").text(role.lower()).token("<|end_header_id|>");
            return text("\n\n");
        }

        int[] ids() {
            add(plain.encode(text));
            text.setLength(0);
            return ids;
        }

        private void add(int[] more) {
            var from = ids.length;
            ids = Arrays.copyOf(ids, from + more.length);
            System.arraycopy(more, 0, ids, from, more.length);
        }
    }
}
