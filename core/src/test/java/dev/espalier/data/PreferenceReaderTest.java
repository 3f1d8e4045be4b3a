package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.tokenize.ChatTemplate.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreferenceReaderTest {
    private static final String RECORDS =
            """
            {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}
            {"instruction": "Add.", "input": "1 and 2", "output": "3", "chosen": "It is 3.", "rejected": "3"}
            {"prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "chosen": "Hi.", "rejected": "Good day to you."}
            {"prompt": "ignored", "chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "c"}]}
            """;

    @TempDir Path folder;

    @Test
    void everyFormIsReadWithItsPlace() throws IOException {
        var file = Files.writeString(folder.resolve("a.jsonl"), RECORDS);
        var read = PreferenceReader.read(file, Ledger.strict());
        assertThat(read)
                .containsExactly(
                        new Preference(
                                List.of(new Message("user", "Why?")),
                                "Because.",
                                "No.",
                                file + ":1"),
                        new Preference(
                                List.of(new Message("user", "Add.\n\n1 and 2")),
                                "It is 3.",
                                "3",
                                file + ":2"),
                        new Preference(
                                List.of(
                                        new Message("system", "Be brief."),
                                        new Message("user", "Hi")),
                                "Hi.",
                                "Good day to you.",
                                file + ":3"),
                        new Preference(List.of(new Message("user", "a")), "b", "c", file + ":4"));
        assertThat(read.get(1).answered("3").messages().getLast())
                .isEqualTo(new Message("assistant", "3"));
    }

    /// As TRL has them where the prompt stands apart.
    @Test
    void answersThatAreMessagesStandBehindThePrompt() throws IOException {
        var answers =
                "\"chosen\": [{\"role\": \"assistant\", \"content\": \"b\"}], \"rejected\": [{\"role\":"
                        + " \"assistant\", \"content\": \"c\"}]}\n";
        var file =
                Files.writeString(
                        folder.resolve("a.jsonl"),
                        "{\"prompt\": [{\"role\": \"user\", \"content\": \"a\"}], "
                                + answers
                                + "{\"prompt\": \"a\", "
                                + answers);
        var prompt = List.of(new Message("user", "a"));
        assertThat(PreferenceReader.read(file, Ledger.strict()))
                .containsExactly(
                        new Preference(prompt, "b", "c", file + ":1"),
                        new Preference(prompt, "b", "c", file + ":2"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "{'prompt': 'a', 'chosen': 'b'} | `rejected` must be a text",
                "{'prompt': 'a', 'chosen': ' ', 'rejected': 'b'} | the answer is empty",
                "{'prompt': 'a', 'chosen': 'b', 'rejected': ' b'} | nothing to prefer",
                "{'chosen': 'a', 'rejected': 'b'} | there is neither a `prompt` nor an `instruction`",
                "{'chosen': [{'role': 'user', 'content': 'a'}], 'rejected': [{'role': 'user', 'content': 'a'}]} | `chosen` must end with a message of the assistant",
                "{'chosen': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}], 'rejected': [{'role': 'user', 'content': 'x'}, {'role': 'assistant', 'content': 'b'}]} | differ before their last messages",
                "{'prompt': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}], 'chosen': 'c', 'rejected': 'd'} | message 3 is the assistant's and follows another",
                "{'chosen': [{'role': 'assistant', 'content': 'a'}], 'rejected': [{'role': 'assistant', 'content': 'b'}]} | behind at least one other",
                "3 | not a JSON object"
            })
    void whatIsWrongIsSaidOfItsRecord(String record, String message) throws IOException {
        var file =
                Files.writeString(
                        folder.resolve("bad.jsonl"), RECORDS + record.replace('\'', '"') + "\n");
        assertThatThrownBy(() -> PreferenceReader.read(file, Ledger.strict()))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(file + ":5")
                .hasMessageContaining(message);
    }

    @Test
    void aFileWithoutPairsIsRefused() throws IOException {
        var file = Files.writeString(folder.resolve("empty.json"), "[]");
        assertThatThrownBy(() -> PreferenceReader.read(file, Ledger.strict()))
                .hasMessageContainingAll("empty.json", "holds no pair of answers");
    }
}
