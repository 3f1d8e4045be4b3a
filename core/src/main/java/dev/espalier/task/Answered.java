package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.data.Conversation;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.Dialogue;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A conversation as tokens, of which the assistant's are to be told.
///
/// @param ids all tokens
/// @param told whether each is to be told: an answer's, and the token that ends it
/// @param forgotten how many of the conversation's first messages are left out
/// @param where it stands
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Answered(int[] ids, boolean[] told, int forgotten, String where) {
    /// What becomes of a conversation that is longer than the model may see.
    public enum Longer {
        REFUSE,
        FORGET,
        LEAVE_OUT,
        /// It forgets, and is left out where that is not enough.
        FORGET_OR_LEAVE_OUT
    }

    /// How conversations become tokens.
    ///
    /// @param length the most tokens
    public record Settings(
            ChatTemplate template,
            Tokenizer tokenizer,
            Dialogue.Which which,
            int length,
            Longer longer) {}

    /// The tokens to be told.
    public long count() {
        return IntStream.range(0, told.length).filter(i -> told[i]).count();
    }

    /// It as text, with what is to be told.
    ExampleText.Field field(String name, Tokenizer tokenizer) {
        return ExampleText.field(name, tokenizer, ids, i -> told[i] ? Mark.TARGET : Mark.READ);
    }

    /// `conversation` as tokens; null where it is left out for its length. A conversation that is
    /// to forget loses its oldest turns, whole, but never its last question and answer.
    ///
    /// @throws EspalierException (DATA) if it cannot be trained, see [Dialogue#of], or is too long
    public static @Nullable Answered of(Conversation conversation, Settings s) {
        try {
            return withinLength(conversation, s);
        } catch (EspalierException e) {
            throw new EspalierException(e.kind(), conversation.where() + ": " + e.getMessage(), e);
        }
    }

    private static @Nullable Answered withinLength(Conversation conversation, Settings s) {
        List<Message> messages = conversation.messages();
        var forgotten = 0;
        while (true) {
            var dialogue = Dialogue.of(s.template(), s.tokenizer(), messages, s.which());
            if (dialogue.ids().length <= s.length()) {
                var told = new boolean[dialogue.ids().length];
                dialogue.answers().forEach(a -> Arrays.fill(told, a.from(), a.to(), true));
                if (told[0]) {
                    throw EspalierException.data(
                            "nothing stands before the answer's first token, so that it could not be told");
                }
                return new Answered(dialogue.ids(), told, forgotten, conversation.where());
            }
            if (s.longer() == Longer.LEAVE_OUT) {
                return null;
            }
            var shorter = s.longer() == Longer.REFUSE ? null : withoutOldestTurn(messages);
            if (shorter == null && s.longer() == Longer.FORGET_OR_LEAVE_OUT) {
                return null;
            }
            if (shorter == null) {
                throw EspalierException.data(
                        "%,d tokens%s are more than the %,d that the model may see, and an answer is not cut; in a recipe `longer: leave-out` leaves such records out%s"
                                .formatted(
                                        dialogue.ids().length,
                                        s.longer() == Longer.FORGET
                                                ? " of the last question and answer alone"
                                                : "",
                                        s.length(),
                                        s.longer() == Longer.REFUSE
                                                ? ", `longer: forget` their oldest turns"
                                                : ""));
            }
            forgotten += messages.size() - shorter.size();
            messages = shorter;
        }
    }

    /// Without what was said before the second question; null where there is no second one before
    /// the last answer.
    private static @Nullable List<Message> withoutOldestTurn(List<Message> messages) {
        var kept = new ArrayList<Message>();
        var from = 0;
        while (from < messages.size() && messages.get(from).role().equals(ChatTemplate.SYSTEM)) {
            kept.add(messages.get(from++));
        }
        var second =
                IntStream.range(from + 1, messages.size())
                        .filter(i ->
                                messages.get(i).role().equals(ChatTemplate.USER)
                                        && messages.get(i - 1)
                                                .role()
                                                .equals(ChatTemplate.ASSISTANT))
                        .findFirst();
        if (second.isEmpty()
                || messages.subList(second.getAsInt(), messages.size()).stream()
                        .noneMatch(m -> m.role().equals(ChatTemplate.ASSISTANT))) {
            return null;
        }
        kept.addAll(messages.subList(second.getAsInt(), messages.size()));
        return kept;
    }

    /// Puts examples into rows of at most `length` tokens that the model reads at once, each into
    /// the first of the last rows in which it fits: a function of their lengths alone.
    ///
    /// @return the places of the examples of each row
    public static List<int[]> packed(int[] lengths, int length) {
        var open = 64;
        var rows = new ArrayList<List<Integer>>();
        var room = new ArrayList<Integer>();
        for (var i = 0; i < lengths.length; i++) {
            var row = Math.max(0, rows.size() - open);
            while (row < rows.size() && room.get(row) < lengths[i]) {
                row++;
            }
            if (row == rows.size()) {
                rows.add(new ArrayList<>());
                room.add(length);
            }
            rows.get(row).add(i);
            room.set(row, room.get(row) - lengths[i]);
        }
        return rows.stream()
                .map(row -> row.stream().mapToInt(Integer::intValue).toArray())
                .toList();
    }
}
