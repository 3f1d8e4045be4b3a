package dev.espalier.data;

import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Two answers to the same conversation, one of which somebody preferred.
///
/// @param prompt what was said before
/// @param where it stands: `file:line`
public record Preference(List<Message> prompt, String chosen, String rejected, String where) {
    public Preference {
        prompt = List.copyOf(prompt);
    }

    /// What was said before, as one text.
    public String asked() {
        return prompt.stream()
                .map(m -> m.role() + ": " + m.content())
                .collect(Collectors.joining("\n"));
    }

    /// The prompt with an answer.
    public Conversation answered(String answer) {
        var messages =
                Stream.concat(
                        prompt.stream(), Stream.of(new Message(ChatTemplate.ASSISTANT, answer)));
        return new Conversation(messages.toList(), where);
    }
}
