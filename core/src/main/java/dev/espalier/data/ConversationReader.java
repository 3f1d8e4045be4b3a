package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Records;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Reads conversations from JSON records, each in one of these forms:
///
/// - `{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}`
/// - `{"instruction": "…", "input": "…", "output": "…", "system": "…"}`, as the Alpaca data are
///   (Taori et al. 2023): the user says the instruction and, after an empty line, the input, which
///   may be empty or missing as the system's words may, and the assistant says the output
/// - `{"prompt": "…", "completion": "…"}`; both may be lists of messages
/// - `{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}`, as
///   ShareGPT's are; `system` beside it is what the system says before them
///
/// Broken records are set aside in the ledger.
public final class ConversationReader {
    /// A template writes any role down, but a model is asked by these alone.
    private static final List<String> ROLES =
            List.of(
                    ChatTemplate.SYSTEM,
                    "developer",
                    ChatTemplate.USER,
                    ChatTemplate.ASSISTANT,
                    "tool");

    private ConversationReader() {}

    /// The conversations of `file` in order.
    ///
    /// @throws EspalierException (DATA) if it cannot be read, or holds none
    public static List<Conversation> read(Path file, Ledger ledger) {
        var conversations = new ArrayList<Conversation>();
        Records.read(
                file,
                ledger,
                (record, at) -> {
                    var where = file + ":" + at;
                    try {
                        var messages = messages(record);
                        requireTurns(messages);
                        if (messages.stream()
                                .noneMatch(m -> m.role().equals(ChatTemplate.ASSISTANT))) {
                            throw new Broken("no answer", "the assistant says nothing");
                        }
                        conversations.add(new Conversation(messages, where));
                        ledger.keep();
                    } catch (Broken e) {
                        ledger.reject(file, at, e.reason, e.detail);
                    }
                });
        if (conversations.isEmpty()) {
            throw EspalierException.data(file + ": holds no conversation" + ledger.leftOut());
        }
        return List.copyOf(conversations);
    }

    /// A record that is set aside.
    static final class Broken extends Exception {
        private static final long serialVersionUID = 1;
        final String reason;
        final String detail;

        Broken(String reason, String detail) {
            super(detail);
            this.reason = reason;
            this.detail = detail;
        }
    }

    private static List<Message> messages(JsonNode record) throws Broken {
        if (record.hasNonNull("messages")) {
            return messages(record, "messages");
        }
        if (record.hasNonNull("conversations")) {
            var messages = system(record);
            messages.addAll(messages(record, "conversations"));
            return messages;
        }
        if (record.has("instruction")) {
            var messages = instruction(record);
            messages.add(answer(text(record, "output", null)));
            return messages;
        }
        if (record.has("prompt")) {
            var messages = prompt(record);
            if (record.path("completion").isArray()) {
                messages.addAll(messages(record, "completion"));
            } else {
                messages.add(answer(text(record, "completion", null)));
            }
            return messages;
        }
        throw new Broken(
                "missing field",
                "there is neither `messages` nor `conversations` nor `instruction` with `output` nor `prompt` with `completion`");
    }

    /// The `instruction` of a record with its `input` and `system`.
    static List<Message> instruction(JsonNode record) throws Broken {
        var messages = system(record);
        var instruction = text(record, "instruction", null);
        var input = text(record, "input", "");
        messages.add(
                new Message(
                        ChatTemplate.USER,
                        input.isBlank() ? instruction : instruction + "\n\n" + input));
        return messages;
    }

    /// What the `system` of a record says, if there is one.
    private static List<Message> system(JsonNode record) throws Broken {
        var messages = new ArrayList<Message>();
        var system = text(record, "system", "");
        if (!system.isBlank()) {
            messages.add(new Message(ChatTemplate.SYSTEM, system));
        }
        return messages;
    }

    /// The `prompt` of a record, a text or a list of messages.
    static List<Message> prompt(JsonNode record) throws Broken {
        return record.path("prompt").isArray()
                ? messages(record, "prompt")
                : new ArrayList<>(
                        List.of(new Message(ChatTemplate.USER, text(record, "prompt", null))));
    }

    /// Each answer of the assistant answers somebody else.
    static void requireTurns(List<Message> messages) throws Broken {
        for (var i = 0; i < messages.size(); i++) {
            if (messages.get(i).role().equals(ChatTemplate.ASSISTANT)
                    && (i == 0 || messages.get(i - 1).role().equals(ChatTemplate.ASSISTANT))) {
                throw new Broken(
                        "bad turn",
                        "message %d is the assistant's and %s"
                                .formatted(
                                        i + 1,
                                        i == 0
                                                ? "answers nobody"
                                                : "follows another one of its own"));
            }
        }
    }

    static Message answer(String content) throws Broken {
        if (content.isBlank()) {
            throw new Broken("empty answer", "the answer is empty");
        }
        return new Message(ChatTemplate.ASSISTANT, content);
    }

    static String text(JsonNode record, String key, @Nullable String otherwise) throws Broken {
        var value = record.path(key);
        if (value.isString()) {
            return value.asString();
        }
        if (otherwise != null && (value.isMissingNode() || value.isNull())) {
            return otherwise;
        }
        throw new Broken("missing field", "`" + key + "` must be a text");
    }

    /// The messages of a list under `key`, ShareGPT's too.
    static List<Message> messages(JsonNode record, String key) throws Broken {
        var messages = new ArrayList<Message>();
        if (!record.path(key).isArray() || record.path(key).isEmpty()) {
            throw new Broken("missing field", "`" + key + "` must be a list of messages");
        }
        for (var item : record.path(key)) {
            var shared = item.has("from") && !item.has("role");
            var said = item.path(shared ? "from" : "role");
            var words = item.path(shared ? "value" : "content");
            if (!said.isString() || !words.isString()) {
                throw new Broken(
                        "bad message",
                        "message %d of `%s` needs a `%s` and a `%s`, both texts"
                                .formatted(
                                        messages.size() + 1,
                                        key,
                                        shared ? "from" : "role",
                                        shared ? "value" : "content"));
            }
            try {
                var role =
                        !shared
                                ? said.asString()
                                : switch (said.asString()) {
                                    case "human" -> ChatTemplate.USER;
                                    case "gpt" -> ChatTemplate.ASSISTANT;
                                    default -> said.asString();
                                };
                var content = words.asString();
                var message = new Message(role, content);
                if (!ROLES.contains(role)) {
                    throw new Broken(
                            "bad role",
                            "message %d of `%s`: the role '%s' is not known; allowed: %s"
                                    .formatted(
                                            messages.size() + 1,
                                            key,
                                            role,
                                            String.join(", ", ROLES)));
                }
                messages.add(role.equals(ChatTemplate.ASSISTANT) ? answer(content) : message);
            } catch (EspalierException e) {
                throw new Broken("bad message", String.valueOf(e.getMessage()));
            }
        }
        return messages;
    }
}
