package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Records;
import dev.espalier.data.ConversationReader.Broken;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// Reads pairs of answers from JSON records, each in one of these forms:
///
/// - `{"prompt": "…", "chosen": "…", "rejected": "…"}`; the prompt may be a list of messages
/// - `{"instruction": "…", "input": "…", "system": "…", "chosen": "…", "rejected": "…"}`, as
///   [ConversationReader] reads instructions
/// - `{"chosen": [messages], "rejected": [messages]}`, which differ in the last message alone;
///   where they begin with the assistant's they stand behind the `prompt`
///
/// Broken records are set aside in the ledger.
public final class PreferenceReader {
    private PreferenceReader() {}

    /// The pairs of `file` in order.
    ///
    /// @throws EspalierException (DATA) if it cannot be read, or holds none
    public static List<Preference> read(Path file, Ledger ledger) {
        var pairs = new ArrayList<Preference>();
        Records.read(
                file,
                ledger,
                (record, at) -> {
                    try {
                        pairs.add(pair(record, file + ":" + at));
                        ledger.keep();
                    } catch (Broken e) {
                        ledger.reject(file, at, e.reason, e.detail);
                    }
                });
        if (pairs.isEmpty()) {
            throw EspalierException.data(file + ": holds no pair of answers" + ledger.leftOut());
        }
        return List.copyOf(pairs);
    }

    private static Preference pair(JsonNode record, String where) throws Broken {
        if (record.path("chosen").isArray() && record.path("rejected").isArray()) {
            var chosen = answered(record, "chosen");
            var rejected = answered(record, "rejected");
            var prompt = chosen.subList(0, chosen.size() - 1);
            if (!prompt.equals(rejected.subList(0, rejected.size() - 1))) {
                throw new Broken(
                        "two prompts",
                        "`chosen` and `rejected` differ before their last messages, so that they answer"
                                + " different conversations");
            }
            return pair(prompt, chosen.getLast().content(), rejected.getLast().content(), where);
        }
        List<Message> prompt;
        if (record.has("prompt")) {
            prompt = ConversationReader.prompt(record);
        } else if (record.has("instruction")) {
            prompt = ConversationReader.instruction(record);
        } else {
            throw new Broken(
                    "missing field",
                    "there is neither a `prompt` nor an `instruction`, nor are `chosen` and `rejected` lists"
                            + " of messages");
        }
        return pair(
                prompt,
                ConversationReader.answer(ConversationReader.text(record, "chosen", null))
                        .content(),
                ConversationReader.answer(ConversationReader.text(record, "rejected", null))
                        .content(),
                where);
    }

    private static List<Message> answered(JsonNode record, String key) throws Broken {
        var messages = ConversationReader.messages(record, key);
        if (messages.getFirst().role().equals(ChatTemplate.ASSISTANT) && record.has("prompt")) {
            messages.addAll(0, ConversationReader.prompt(record));
        }
        if (messages.size() < 2 || !messages.getLast().role().equals(ChatTemplate.ASSISTANT)) {
            throw new Broken(
                    "no answer",
                    "`%s` must end with a message of the assistant, behind at least one other"
                            .formatted(key));
        }
        return messages;
    }

    private static Preference pair(
            List<Message> prompt, String chosen, String rejected, String where) throws Broken {
        var preference = new Preference(prompt, chosen, rejected, where);
        ConversationReader.requireTurns(preference.answered(chosen).messages());
        if (chosen.strip().equals(rejected.strip())) {
            throw new Broken(
                    "equal answers",
                    "`chosen` and `rejected` are the same, so that there is nothing to prefer");
        }
        return preference;
    }
}
