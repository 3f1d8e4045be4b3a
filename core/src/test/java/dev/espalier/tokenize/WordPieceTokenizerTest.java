package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

class WordPieceTokenizerTest {
    private static final Path UNCASED = Path.of("src/test/resources/tokenizers/bert_uncased/saved");

    @TempDir Path folder;

    private static List<String> tokens(Tokenizer tokenizer, String text) {
        return Arrays.stream(tokenizer.encode(text)).mapToObj(tokenizer::token).toList();
    }

    private Tokenizer of(String... vocabulary) throws IOException {
        Files.writeString(
                folder.resolve("vocab.txt"),
                "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + String.join("\n", vocabulary) + "\n");
        return Tokenizers.read(folder);
    }

    @Test
    void theLongestTokenComesFirst() throws IOException {
        var tokenizer = of("un", "una", "##aff", "##able", "##ffable", "##f");
        assertThat(tokens(tokenizer, "unaffable")).containsExactly("una", "##ffable");
        // Greedy, it does not go back.
        assertThat(tokens(tokenizer, "unaffa")).containsExactly("[UNK]");
        assertThat(tokens(tokenizer, "unaff una")).containsExactly("una", "##f", "##f", "una");
    }

    @Test
    void textIsCleanedAndCutAsBertDoes() throws IOException {
        var tokenizer = of("cafe", "ab", "a", "!", "木", "林", "ss", "i");
        assertThat(tokens(tokenizer, "CAFÉ cafe\u0301")).containsExactly("cafe", "cafe");
        assertThat(tokens(tokenizer, "a\u200bb\u0000 a\tab\u00a0!"))
                .containsExactly("ab", "a", "ab", "!");
        assertThat(tokens(tokenizer, "a木林a!!")).containsExactly("a", "木", "林", "a", "!", "!");
        assertThat(tokens(tokenizer, "İ")).containsExactly("i");
        assertThat(tokens(tokenizer, "a\ud800 a")).containsExactly("a", "a");
    }

    @Test
    void aWordOfMoreThanAHundredCharactersIsUnknown() throws IOException {
        var tokenizer = of("a", "##a");
        assertThat(tokenizer.encode("a".repeat(100))).hasSize(100);
        assertThat(tokens(tokenizer, "a".repeat(101) + " a")).containsExactly("[UNK]", "a");
    }

    @Test
    void placesAreThoseInTheGivenText() throws IOException {
        var tokenizer = of("cafe", "##s", "!", "木", "au");
        var text = "  CAFÉs\u200b! 木AU cafe\u0301s xx";
        var encoding = tokenizer.encodeWithOffsets(text);
        assertThat(
                        IntStream.range(0, encoding.ids().length)
                                .mapToObj(i ->
                                        tokenizer.token(encoding.ids()[i])
                                                + "="
                                                + text.substring(
                                                        encoding.starts()[i], encoding.ends()[i])))
                .containsExactly(
                        "cafe=CAFÉ",
                        "##s=s",
                        "!=!",
                        "木=木",
                        "au=AU",
                        "cafe=cafe",
                        "##s=s",
                        "[UNK]=xx");
    }

    @Test
    void decodingJoinsWordsAndDrawsMarksToThem() throws IOException {
        var tokenizer = of("it", "'", "s", "un", "##able", ",", ".", "so");
        assertThat(tokenizer.decode(tokenizer.encode("it's unable, so.")))
                .isEqualTo("it's unable, so.");
        assertThat(tokenizer.decode(tokenizer.template().apply(tokenizer.encode("so"))))
                .isEqualTo("[CLS] so [SEP]");
        assertThat(new String(tokenizer.bytes(tokenizer.id("##able").orElseThrow())))
                .isEqualTo("able");
        assertThat(new String(tokenizer.bytes(tokenizer.id("so").orElseThrow()))).isEqualTo(" so");
    }

    @Test
    void settingsBesideTheVocabularyCount() throws IOException {
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                """
                {"tokenizer_class": "BertTokenizer", "do_lower_case": false,
                 "tokenize_chinese_chars": false}
                """);
        var tokenizer = of("A", "É", "a木");
        assertThat(tokens(tokenizer, "A É a木 a")).containsExactly("A", "É", "a木", "[UNK]");
    }

    @Test
    void filesAreReadBackTheSame() throws IOException {
        var tokenizer = (WordPieceTokenizer) Tokenizers.read(UNCASED);
        tokenizer.save(folder);
        var again = Tokenizers.read(folder);
        var list = Files.createDirectory(folder.resolve("list"));
        tokenizer.saveVocabulary(list);
        assertThat(list.resolve("vocab.txt")).hasSameTextualContentAs(UNCASED.resolve("vocab.txt"));
        var text = "Hello, naïve WORLD [MASK] don't 你好";
        for (var other : List.of(again, Tokenizers.read(list))) {
            assertThat(other.encode(text)).isEqualTo(tokenizer.encode(text));
            assertThat(other.specials()).isEqualTo(tokenizer.specials());
            assertThat(other.template().apply(other.encode("a"), other.encode("b")))
                    .isEqualTo(
                            tokenizer
                                    .template()
                                    .apply(tokenizer.encode("a"), tokenizer.encode("b")));
        }
        assertThat(tokens(tokenizer.plain(), "[MASK]")).doesNotContain("[MASK]");
    }

    @Test
    void holesStandForNothing() throws IOException {
        Tokenizers.read(UNCASED).save(folder);
        var json = (ObjectNode) Json.read(folder.resolve("tokenizer.json"));
        var vocabulary = (ObjectNode) json.get("model").get("vocab");
        int size = vocabulary.size();
        vocabulary.put("zebra", size + 2);
        Files.writeString(folder.resolve("tokenizer.json"), json.toString());
        var tokenizer = (WordPieceTokenizer) Tokenizers.read(folder);
        int a = tokenizer.id("a").getAsInt();
        assertThat(tokenizer.encode("a zebra")).containsExactly(a, size + 2);
        assertThat(tokenizer.decode(new int[] {a, size, size + 1, size + 2})).isEqualTo("a zebra");
        assertThat(tokenizer.bytes(size)).isEmpty();
        assertThatThrownBy(() -> tokenizer.saveVocabulary(folder))
                .hasMessage(
                        "token %d would stand in line %d of vocab.txt, where the line tells the id"
                                .formatted(size + 2, size + 1));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"type\":\"BertNormalizer\" | \"type\":\"Lowercase\" | normalizer",
                "\"type\":\"BertPreTokenizer\" | \"type\":\"Whitespace\" | pre_tokenizer",
                "\"unk_token\":\"[UNK]\" | \"unk_token\":\"<unk>\" | unk_token",
                "\"unk_token\":\"[UNK]\" | \"unk_token\":null | unk_token",
                "\"continuing_subword_prefix\":\"##\" | \"continuing_subword_prefix\":\"\" | prefix",
                "\"max_input_chars_per_word\":100 | \"max_input_chars_per_word\":-1 | max_input",
                "\"lowercase\":true | \"lowercase\":3 | lowercase",
                "\"decoder\":{\"type\":\"WordPiece\" | \"decoder\":{\"type\":\"Fuse\" | decoder"
            })
    void whatIsNotSupportedIsRefusedByName(String have, String change, String named)
            throws IOException {
        Tokenizers.read(UNCASED).save(folder);
        var file = folder.resolve("tokenizer.json");
        var json = Files.readString(file).replaceAll("(?<=[,:{])\\s+|\\s+(?=[}\"])", "");
        assertThat(json).contains(have);
        Files.writeString(file, json.replace(have, change));
        assertThatThrownBy(() -> Tokenizers.read(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(named);
    }

    @Test
    void aBrokenVocabularyIsRefused() {
        assertThatThrownBy(() -> of("a", "b", "a"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("lines 6 and 8");
        assertThatThrownBy(
                        () -> {
                            Files.writeString(folder.resolve("vocab.txt"), "a\nb\n");
                            Tokenizers.read(folder);
                        })
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("cls_token");
    }
}
