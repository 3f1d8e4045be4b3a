package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.tokenize.jinja.Jinja;
import dev.espalier.tokenize.jinja.JinjaException;
import dev.espalier.tokenize.jinja.Text;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// How a conversation is told to a model that was trained on conversations: the template in Jinja
/// that lies beside the tokenizer, or one of our own by its name. Immutable, and safe for use by
/// many threads.
///
/// What is said in a conversation is text, whatever it looks like: only what the template itself
/// writes becomes a special token.
public final class ChatTemplate {
    /// The templates that are known by a name.
    public enum Known {
        /// `<|im_start|>role`, newline, content, `<|im_end|>`, newline.
        CHATML(
                """
                {% for message in messages %}
                {{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
                {%- endfor %}
                {% if add_generation_prompt %}
                {{ '<|im_start|>assistant\\n' }}
                {%- endif %}
                """,
                List.of("<|im_start|>", "<|im_end|>")),
        /// `<|start_header_id|>role<|end_header_id|>`, two newlines, trimmed content, `<|eot_id|>`;
        /// before all `<|begin_of_text|>`.
        LLAMA_3(
                """
                {{ '<|begin_of_text|>' }}
                {%- for message in messages %}
                {{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
                {{- message['content'] | trim + '<|eot_id|>' }}
                {%- endfor %}
                {% if add_generation_prompt %}
                {{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
                {%- endif %}
                """,
                List.of(
                        "<|begin_of_text|>",
                        "<|start_header_id|>",
                        "<|end_header_id|>",
                        "<|eot_id|>")),
        /// `<|role|>`, newline, content, the token that ends a text, newline.
        ZEPHYR(
                """
                {% for message in messages %}
                {{ '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}
                {%- endfor %}
                {% if add_generation_prompt %}
                {{ '<|assistant|>\\n' }}
                {%- endif %}
                """,
                List.of()),
        /// `### Instruction:` and `### Response:` over trimmed content, the token that ends a text
        /// behind each response; the system's text stands before them.
        ALPACA(
                """
                {% for message in messages %}
                {% if message['role'] == 'system' %}
                {{ message['content'] | trim + '\\n\\n' }}
                {%- elif message['role'] == 'user' %}
                {{ '### Instruction:\\n' + message['content'] | trim + '\\n\\n' }}
                {%- elif message['role'] == 'assistant' %}
                {{ '### Response:\\n' + message['content'] | trim + eos_token + '\\n\\n' }}
                {%- else %}
                {{ raise_exception("the roles are system, user and assistant") }}
                {%- endif %}
                {% endfor %}
                {% if add_generation_prompt %}
                {{ '### Response:\\n' }}
                {%- endif %}
                """,
                List.of()),
        /// `User: content` and `Assistant: content` on lines of their own, for models that know no
        /// conversations; the system's text stands before them. No token ends an answer, so that
        /// nothing can be trained with it.
        PLAIN(
                """
                {% for message in messages %}
                {% if message['role'] == 'system' %}
                {{ message['content'] | trim + '\\n\\n' }}
                {%- else %}
                {{ message['role'] | title + ': ' + message['content'] | trim + '\\n' }}
                {%- endif %}
                {% endfor %}
                {% if add_generation_prompt %}
                {{ 'Assistant:' }}
                {%- endif %}
                """,
                List.of());

        private final String source;
        private final List<String> tokens;

        Known(String source, List<String> tokens) {
            this.source = source;
            this.tokens = tokens;
        }

        /// The name in recipes and on the command line.
        public String label() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }

        /// The names of all.
        public static String labels() {
            return Arrays.stream(values()).map(Known::label).collect(Collectors.joining(", "));
        }

        /// The template of that name.
        public static Known of(String label) {
            return Arrays.stream(values())
                    .filter(known -> known.label().equals(label))
                    .findFirst()
                    .orElseThrow(() ->
                            EspalierException.usage(
                                    "the chat template '%s' is not known; allowed: %s"
                                            .formatted(label, labels())));
        }
    }

    /// Says how the assistant is to behave.
    public static final String SYSTEM = "system";

    public static final String USER = "user";
    public static final String ASSISTANT = "assistant";

    /// One turn of a conversation.
    ///
    /// @param role who speaks: [#SYSTEM], [#USER], [#ASSISTANT] or what else the template knows
    public record Message(String role, String content) {
        public Message {
            // A role stands in the template's own words, so that it must not spell a token.
            if (!role.matches("[A-Za-z0-9_-]{1,64}")) {
                throw EspalierException.data(
                        "the role '%s' is no word of letters, digits, '_' and '-'".formatted(role));
            }
        }
    }

    private static final String CONFIG = "tokenizer_config.json";
    private static final String FILE = "chat_template.jinja";
    private static final String KEY = "chat_template";

    /// The key under which stands what the library has no key for.
    private static final String OWN = "espalier";

    private static final String DATE = "date";

    /// What a template calls to be told the date.
    private static final String TODAY = "strftime_now";

    private final String name;
    private final String source;
    private final Jinja jinja;
    private final List<String> stops;
    private final @Nullable LocalDate date;

    private ChatTemplate(
            String name, String source, Jinja jinja, List<String> stops, @Nullable LocalDate date) {
        this.name = name;
        this.source = source;
        this.jinja = jinja;
        this.stops = stops;
        this.date = date;
    }

    /// The template that `source` is.
    ///
    /// @param name what messages call it
    /// @throws EspalierException (DATA) if it is broken, or needs what is not known
    public static ChatTemplate parse(String name, String source) {
        try {
            return new ChatTemplate(name, source, Jinja.parse(source), List.of(), null);
        } catch (JinjaException e) {
            throw EspalierException.data(
                    "%s: the chat template cannot be read: %s".formatted(name, e.getMessage()), e);
        }
    }

    /// The template of that name.
    ///
    /// @throws EspalierException (USAGE) if the tokenizer lacks a token that it needs
    public static ChatTemplate of(Known known, Tokenizer tokenizer) {
        for (var token : known.tokens) {
            if (!isSpecial(tokenizer, token)) {
                throw lacks(known, "special token " + token);
            }
        }
        if (known.source.contains("eos_token") && tokenizer.specials().endOfText().isEmpty()) {
            throw lacks(known, "token that ends a text");
        }
        return new ChatTemplate(
                known.label(),
                known.source,
                Jinja.parse(known.source),
                known == Known.PLAIN ? List.of("\nUser:") : List.of(),
                null);
    }

    private static boolean isSpecial(Tokenizer tokenizer, String token) {
        var id = tokenizer.id(token);
        return id.isPresent() && tokenizer.isSpecial(id.getAsInt());
    }

    private static EspalierException lacks(Known known, String what) {
        return EspalierException.usage(
                "the chat template %s needs a %s, which the tokenizer lacks"
                        .formatted(known.label(), what));
    }

    /// The template of the tokenizer in `folder`, from `chat_template.jinja` or
    /// `tokenizer_config.json`, whichever is there first, on the date that it was written with;
    /// empty if it has none.
    ///
    /// @throws EspalierException (DATA) if it is broken, or needs what is not known
    public static Optional<ChatTemplate> read(Path folder) {
        var config = folder.resolve(CONFIG);
        var json =
                Files.isRegularFile(config) ? Json.read(config) : Json.mapper().createObjectNode();
        var inFile = inFile(folder);
        var source = inFile == null ? inConfig(config, json.path(KEY)) : inFile;
        if (source == null) {
            return Optional.empty();
        }
        var from = inFile == null ? config + ": " + KEY : folder.resolve(FILE).toString();
        return Optional.of(parse(from, source).on(date(config, json.path(OWN).path(DATE))));
    }

    private static @Nullable LocalDate date(Path config, JsonNode date) {
        if (date.isMissingNode()) {
            return null;
        }
        try {
            return LocalDate.parse(date.asString(""));
        } catch (DateTimeParseException e) {
            throw EspalierException.data(
                    "%s: %s.%s is %s; it must be a date such as 2026-01-31"
                            .formatted(config, OWN, DATE, date),
                    e);
        }
    }

    /// As [#read], where all that reads the folder must see the same template.
    ///
    /// @throws EspalierException (DATA) if the folder holds two that differ
    public static Optional<ChatTemplate> readOnly(Path folder) {
        var config = folder.resolve(CONFIG);
        var inFile = inFile(folder);
        if (inFile != null && Files.isRegularFile(config)) {
            var inConfig = inConfig(config, Json.read(config).path(KEY));
            if (inConfig != null && !inConfig.equals(inFile)) {
                throw EspalierException.data(
                        "%s: %s and %s hold different chat templates, so that training and inference"
                                        .formatted(folder, FILE, CONFIG)
                                + " could take one each; remove the wrong one, or name the template to"
                                + " train with");
            }
        }
        return read(folder);
    }

    private static @Nullable String inFile(Path folder) {
        var file = folder.resolve(FILE);
        try {
            return Files.isRegularFile(file) ? Files.readString(file) : null;
        } catch (IOException e) {
            throw EspalierException.data(
                    file + ": cannot be read as UTF-8 text (" + e.getMessage() + ")", e);
        }
    }

    /// A list of named templates has one for plain conversations.
    private static @Nullable String inConfig(Path config, JsonNode template) {
        if (template.isArray()) {
            return template.valueStream()
                    .filter(t -> t.path("name").asString("").equals("default"))
                    .findFirst()
                    .map(t -> t.path("template").asString(""))
                    .orElseThrow(() ->
                            EspalierException.data(
                                    config + ": none of the chat templates is named 'default'"));
        }
        if (template.isMissingNode() || template.isNull()) {
            return null;
        }
        if (!template.isString()) {
            throw EspalierException.data(
                    "%s: %s is neither a string nor a list of named templates"
                            .formatted(config, KEY));
        }
        return template.asString();
    }

    /// Writes this template into the tokenizer's files in `folder`, for libraries of every age,
    /// with the date that it tells: a model that was trained on one is asked on the same.
    public void write(Path folder) {
        AtomicFiles.write(folder.resolve(FILE), source);
        var config = folder.resolve(CONFIG);
        var json =
                Files.isRegularFile(config)
                        ? (ObjectNode) Json.read(config)
                        : Json.mapper().createObjectNode();
        json.remove(OWN);
        if (date != null) {
            json.putObject(OWN).put(DATE, date.toString());
        }
        TokenizerFiles.write(config, json.put(KEY, source));
    }

    /// The same, which tells this date where it asks for one (`strftime_now`). Without a date the
    /// function is not there, and templates write what they have instead.
    public ChatTemplate on(@Nullable LocalDate day) {
        return new ChatTemplate(name, source, jinja, stops, day);
    }

    /// The date that it tells, if any.
    public Optional<LocalDate> date() {
        return Optional.ofNullable(date);
    }

    /// What messages call it: a file, or its name.
    public String name() {
        return name;
    }

    /// The template in Jinja.
    public String source() {
        return source;
    }

    /// The strings before which the assistant's turn ends.
    public List<String> stops() {
        return stops;
    }

    /// The text of `conversation`. The content of its i-th message has the origin i.
    ///
    /// @param asks whether the assistant is to go on
    /// @throws EspalierException (DATA) if the template fails, or refuses the conversation
    Jinja.Rendering render(Tokenizer tokenizer, List<Message> conversation, boolean asks) {
        var variables = new LinkedHashMap<String, @Nullable Object>();
        variables.put("tools", null);
        variables.put("documents", null);
        for (var role : SpecialTokens.Role.values()) {
            var id = tokenizer.specials().id(role);
            if (id.isPresent()) {
                variables.put(role.key, Text.of(tokenizer.token(id.getAsInt())));
            }
        }
        var messages = new ArrayList<Map<String, Object>>();
        for (var i = 0; i < conversation.size(); i++) {
            var message = new LinkedHashMap<String, Object>();
            message.put("role", Text.of(conversation.get(i).role()));
            message.put("content", Text.given(conversation.get(i).content(), i));
            messages.add(message);
        }
        variables.put("messages", messages);
        variables.put("add_generation_prompt", asks);
        if (date != null) {
            var day = date;
            variables.put(
                    TODAY,
                    (Jinja.Function)
                            arguments ->
                                    Text.of(
                                            written(
                                                    day,
                                                    arguments.isEmpty()
                                                            ? ""
                                                            : arguments.getFirst().toString())));
        }
        try {
            return jinja.render(variables);
        } catch (JinjaException e) {
            throw EspalierException.data(
                    e.isRefusal()
                            ? "the chat template of %s refuses the conversation: %s"
                                    .formatted(name, e.getMessage())
                            : "the chat template of %s fails: %s%s"
                                    .formatted(name, e.getMessage(), missingDate()),
                    e);
        }
    }

    private String missingDate() {
        return date == null && source.contains(TODAY)
                ? "; it asks for a date, which `--date` gives, and `task.date` in a recipe"
                : "";
    }

    /// `day` in the form that C's `strftime` gives it.
    private static String written(LocalDate day, String format) {
        var out = new StringBuilder();
        for (var i = 0; i < format.length(); i++) {
            var c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            var directive = format.charAt(++i);
            var pattern =
                    switch (directive) {
                        case 'd' -> "dd";
                        case 'e' -> "ppd";
                        case 'm' -> "MM";
                        case 'b', 'h' -> "MMM";
                        case 'B' -> "MMMM";
                        case 'y' -> "uu";
                        case 'Y' -> "uuuu";
                        case 'a' -> "EEE";
                        case 'A' -> "EEEE";
                        case 'j' -> "DDD";
                        case 'F' -> "uuuu-MM-dd";
                        case 'H', 'M', 'S' -> "'00'";
                        case '%' -> "'%'";
                        default ->
                                throw EspalierException.data(
                                        "the chat template asks for the date in the form '%"
                                                + directive
                                                + "', which is not known");
                    };
            out.append(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(day));
        }
        return out.toString();
    }

    /// The tokens of `conversation` up to where the assistant is to go on: what [Dialogue] has
    /// before an answer.
    ///
    /// @throws EspalierException (DATA) if the template fails, or refuses the conversation
    public int[] encode(Tokenizer tokenizer, List<Message> conversation) {
        return Dialogue.prompt(this, tokenizer, conversation);
    }

    /// The ids that end the assistant's turn, beside those that end a text: the special token that
    /// the template writes behind an answer, if it writes one.
    public Set<Integer> ends(Tokenizer tokenizer) {
        return Dialogue.stop(this, tokenizer).stream().boxed().collect(Collectors.toSet());
    }
}
