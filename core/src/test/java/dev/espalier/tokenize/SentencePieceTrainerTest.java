package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

class SentencePieceTrainerTest {
    private static final List<String> T5 = List.of("<pad>", "</s>", "<unk>");
    private static final List<String> LLAMA = List.of("<unk>", "<s>", "</s>");
    private static final List<String> TEXTS =
            IntStream.range(0, 1500).mapToObj(i -> HuggingFaceLibraryTest.string(3, i)).toList();

    @TempDir Path folder;

    private static List<String> names(Tokenizer tokenizer) {
        return IntStream.range(0, tokenizer.vocabularySize()).mapToObj(tokenizer::token).toList();
    }

    private static List<String> tokens(Tokenizer tokenizer, String text) {
        return Arrays.stream(tokenizer.encode(text)).mapToObj(tokenizer::token).toList();
    }

    private static SentencePieceTokenizer unigram(List<String> texts, int size, double coverage) {
        return SentencePieceTrainer.unigram(
                texts, size, coverage, Normalization.NMT_NFKC, false, T5);
    }

    @Test
    void aUnigramModelIsT5s() {
        var tokenizer =
                unigram(List.of("the gardener waters the garden", "a  garden\nis watered"), 60, 1);
        assertThat(names(tokenizer)).startsWith("<pad>", "</s>", "<unk>").contains("\u2581");
        assertThat(tokenizer.decode(tokenizer.encode("  the\tgarden  is\u00a0watered ")))
                .isEqualTo("the garden is watered");
        var ids = tokenizer.encode("the garden");
        assertThat(tokenizer.template().apply(ids)).endsWith(1).hasSize(ids.length + 1);
        assertThat(tokenizer.encode("zzz\u6728q")).contains(2);
        assertThat(tokenizer.specials().padding()).hasValue(0);
        assertThat(tokenizer.specials().unknown()).hasValue(2);
    }

    @Test
    void bytePairsKeepEveryText() {
        var tokenizer = SentencePieceTrainer.bytePairs(TEXTS, 1500, 2, 0.6, LLAMA);
        for (int i = 0; i < 500; i++) {
            var text = HuggingFaceLibraryTest.string(4, i).replace("\u2581", "");
            assertThat(tokenizer.decode(tokenizer.plain().encode(text))).isEqualTo(text);
        }
    }

    @Test
    void digitsAndScriptsStandApart() {
        var text = "in 2024 at 2024. the \u043c\u0438\u0440 2024x, 2024x".repeat(20);
        var pairs = names(SentencePieceTrainer.bytePairs(List.of(text), 400, 1, 1, LLAMA));
        assertThat(pairs.subList(3 + 256, pairs.size()))
                .contains("\u2581at", "\u2581\u043c\u0438\u0440")
                .noneMatch(name -> name.matches(".*[0-9].+|.+[0-9].*|.*[a-z].*[.,].*"));
        var unigram =
                names(
                        SentencePieceTrainer.unigram(
                                List.of(text), 400, 1, Normalization.IDENTITY, true, LLAMA));
        assertThat(unigram.subList(3 + 256, unigram.size()))
                .contains("\u25812024")
                .noneMatch(name -> name.matches(".*[a-z].*[0-9.,].*|.*[0-9.,].*[a-z].*"));
    }

    @Test
    void runsOfSpacesAreTokens() {
        var code = "if x:\n        y = 1\n        z = 2\n".repeat(10);
        var tokenizer = SentencePieceTrainer.bytePairs(List.of(code), 320, 2, 1, LLAMA);
        assertThat(names(tokenizer)).contains("\u2581\u2581\u2581\u2581");
        assertThat(tokenizer.decode(tokenizer.encode(code))).isEqualTo(code);
    }

    @Test
    void theSizeIsKeptAndTheTextsAloneDecide() {
        var tokenizer = unigram(TEXTS, 300, 0.6);
        assertThat(tokenizer.vocabularySize()).isEqualTo(300);
        assertThat(names(unigram(TEXTS.reversed(), 300, 0.6))).isEqualTo(names(tokenizer));
        var pairs = SentencePieceTrainer.bytePairs(TEXTS, 1000, 2, 0.6, LLAMA);
        assertThat(names(SentencePieceTrainer.bytePairs(TEXTS.reversed(), 1000, 2, 0.6, LLAMA)))
                .isEqualTo(names(pairs));
    }

    @Test
    void filesAreReadBackTheSameAndWrittenTheSame() throws Exception {
        for (var tokenizer :
                List.of(
                        unigram(TEXTS, 300, 0.6).withSpecialTokens(List.of("<extra_id_0>")),
                        SentencePieceTrainer.bytePairs(TEXTS, 1000, 2, 0.6, LLAMA))) {
            var first = Files.createTempDirectory(folder, "first");
            var second = Files.createTempDirectory(folder, "second");
            tokenizer.save(first);
            var again = Tokenizers.read(first);
            again.save(second);
            for (var file :
                    List.of("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")) {
                assertThat(second.resolve(file)).hasSameBinaryContentAs(first.resolve(file));
            }
            var text = "Hello, na\u00efve WORLD </s> 123 \u6728";
            assertThat(again.encode(text)).isEqualTo(tokenizer.encode(text));
            assertThat(tokens(again.plain(), text)).doesNotContain("</s>");
        }
    }

    @Test
    void holesStandForNothing() throws Exception {
        SentencePieceTrainer.bytePairs(TEXTS, 1000, 2, 0.6, LLAMA).save(folder);
        var file = folder.resolve("tokenizer.json");
        var json = (ObjectNode) Json.read(file);
        int size = json.get("model").get("vocab").size();
        ((ArrayNode) json.get("added_tokens"))
                .addObject()
                .put("id", size + 4)
                .put("content", "<x>")
                .put("normalized", false);
        Files.writeString(file, json.toString());
        var tokenizer = Tokenizers.read(folder);
        assertThat(tokenizer.vocabularySize()).isEqualTo(size + 5);
        int[] bytes = new int[3];
        for (int i = 0; i < 3; i++) {
            bytes[i] = tokenizer.id(List.of("<0xE2>", "<0x82>", "<0xAC>").get(i)).getAsInt();
        }
        assertThat(
                        tokenizer.decode(
                                new int[] {size, bytes[0], size + 3, bytes[1], bytes[2], size + 4}))
                .isEqualTo("\u20ac<x>");
        assertThat(tokenizer.bytes(size)).isEmpty();
        assertThat(tokenizer.encode("<x>")).endsWith(size + 4);
    }

    @Test
    void whatCannotBeTrainedIsRefused() {
        assertThatThrownBy(() -> unigram(List.of(" \n"), 100, 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("no text");
        assertThatThrownBy(() -> unigram(List.of("abcdef"), 5, 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("at least 10");
        assertThatThrownBy(() ->
                        SentencePieceTrainer.bytePairs(List.of("a"), 400, 1, 1, List.of("</s>")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("<unk>");
    }
}
