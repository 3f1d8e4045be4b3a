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
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConversationReaderTest {
    private static final String RECORDS =
            """
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}

            {"instruction": "Add.", "input": "1 and 2", "output": "3"}
            {"instruction": "Go on.", "input": null, "output": "No.", "system": "Be stubborn.", "id": 7}
            {"prompt": "Why?", "completion": " Because."}
            {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}], "completion": "d"}
            """;

    @TempDir Path folder;

    private static Message message(String role, String content) {
        return new Message(role, content);
    }

    @Test
    void everyFormIsReadWithItsPlace() throws IOException {
        var file = Files.writeString(folder.resolve("a.jsonl"), RECORDS);
        var read = ConversationReader.read(file, Ledger.strict());
        assertThat(read)
                .extracting(Conversation::where)
                .containsExactly(file + ":1", file + ":3", file + ":4", file + ":5", file + ":6");
        assertThat(read)
                .extracting(Conversation::messages)
                .containsExactly(
                        List.of(
                                message("system", "Be brief."),
                                message("user", "Hi"),
                                message("assistant", "Hello.")),
                        List.of(message("user", "Add.\n\n1 and 2"), message("assistant", "3")),
                        List.of(
                                message("system", "Be stubborn."),
                                message("user", "Go on."),
                                message("assistant", "No.")),
                        List.of(message("user", "Why?"), message("assistant", " Because.")),
                        List.of(
                                message("user", "a"),
                                message("assistant", "b"),
                                message("user", "c"),
                                message("assistant", "d")));
    }

    /// As TRL and ShareGPT have them.
    @Test
    void formsOfOthersAreRead() throws IOException {
        var file =
                Files.writeString(
                        folder.resolve("a.jsonl"),
                        """
                        {"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}
                        {"prompt": "a", "completion": [{"role": "assistant", "content": "b"}]}
                        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
                        {"system": "Be brief.", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
                        {"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}
                        {"messages": null, "conversations": null, "instruction": "a", "output": "b"}
                        {"messages": [{"role": "user", "content": "a", "from": "me"}, {"role": "assistant", "content": "b"}]}
                        """);
        var asked = List.of(message("user", "a"), message("assistant", "b"));
        var briefly =
                List.of(
                        message("system", "Be brief."),
                        message("user", "a"),
                        message("assistant", "b"));
        assertThat(ConversationReader.read(file, Ledger.strict()))
                .extracting(Conversation::messages)
                .containsExactly(asked, asked, asked, briefly, briefly, asked, asked);
    }

    @Test
    void listsAndPackedFilesSayTheSame() throws IOException {
        var lines = Files.writeString(folder.resolve("a.jsonl"), RECORDS);
        var list = RECORDS.strip().replaceAll("\n+", ",\n");
        var json = Files.writeString(folder.resolve("a.json"), "[" + list + "]");
        var packed = folder.resolve("a.jsonl.gz");
        try (var out = new GZIPOutputStream(Files.newOutputStream(packed))) {
            Files.copy(lines, out);
        }
        var expected = ConversationReader.read(lines, Ledger.strict());
        for (var file : List.of(json, packed)) {
            assertThat(ConversationReader.read(file, Ledger.strict()))
                    .extracting(Conversation::messages)
                    .isEqualTo(expected.stream().map(Conversation::messages).toList());
        }
        assertThat(ConversationReader.read(json, Ledger.strict()).getLast().where())
                .isEqualTo(json + ":5");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '^',
            value = {
                "{'messages': []} | `messages` must be a list of messages",
                "{'messages': [{'role': 'user'}]} | message 1 of `messages` needs a `role` and a `content`",
                "{'messages': [{'role': 'user', 'content': 'a'}]} | the assistant says nothing",
                "{'messages': [{'role': 'assistant', 'content': ' '}]} | the answer is empty",
                "{'messages': [{'role': 'my user', 'content': 'a'}]} | 'my user' is no word",
                "{'messages': [{'role': 'human', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}]} | the role 'human' is not known; allowed: system, developer, user, assistant, tool",
                "{'messages': [{'role': 'assistant', 'content': 'b'}]} | message 1 is the assistant's and answers nobody",
                "{'messages': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}, {'role': 'assistant', 'content': 'c'}]} | message 3 is the assistant's and follows another",
                "{'prompt': [{'role': 'user', 'content': 'a'}, {'role': 'assistant', 'content': 'b'}], 'completion': 'c'} | message 3 is the assistant's and follows another",
                "{'prompt': 'a', 'completion': [{'role': 'user', 'content': 'b'}]} | the assistant says nothing",
                "{'conversations': [{'from': 'human', 'content': 'a'}]} | message 1 of `conversations` needs a `from` and a `value`",
                "{'conversations': [{'from': 'gpt', 'value': 'a'}]} | message 1 is the assistant's and answers nobody",
                "{'conversations': [{'from': 'bing', 'value': 'a'}]} | the role 'bing' is not known",
                "{'instruction': 'a'} | `output` must be a text",
                "{'instruction': 'a', 'input': 3, 'output': 'b'} | `input` must be a text",
                "{'prompt': 'a', 'completion': ''} | the answer is empty",
                "{'question': 'a', 'answer': 'b'} | there is neither `messages` nor",
                "['a'] | not a JSON object",
                "{'prompt': | not JSON"
            })
    void whatIsWrongIsSaidOfItsRecord(String record, String message) throws IOException {
        var file =
                Files.writeString(
                        folder.resolve("bad.jsonl"), RECORDS + record.replace('\'', '"') + "\n");
        assertThatThrownBy(() -> ConversationReader.read(file, Ledger.strict()))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(file + ":7")
                .hasMessageContaining(message);
    }

    @Test
    void otherFilesAreRefused() throws IOException {
        var csv = Files.writeString(folder.resolve("a.csv"), "prompt,completion\na,b\n");
        assertThatThrownBy(() -> ConversationReader.read(csv, Ledger.strict()))
                .hasMessageContainingAll("a.csv", ".jsonl and .json");
        var object = Files.writeString(folder.resolve("a.json"), "{}");
        assertThatThrownBy(() -> ConversationReader.read(object, Ledger.strict()))
                .hasMessageContainingAll("a.json", "no list of records");
        var empty = Files.writeString(folder.resolve("empty.jsonl"), "\n");
        assertThatThrownBy(() -> ConversationReader.read(empty, Ledger.strict()))
                .hasMessageContainingAll("empty.jsonl", "holds no conversation");
    }
}
