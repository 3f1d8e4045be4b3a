package dev.espalier.data;

import dev.espalier.tokenize.ChatTemplate.Message;
import java.util.List;
import java.util.stream.Collectors;

/// What was said, turn by turn.
///
/// @param where it stands: `file:line`
public record Conversation(List<Message> messages, String where) {
    public Conversation {
        messages = List.copyOf(messages);
    }

    /// All of it as one text.
    public String text() {
        return messages.stream()
                .map(m -> m.role() + ": " + m.content())
                .collect(Collectors.joining("\n"));
    }
}
