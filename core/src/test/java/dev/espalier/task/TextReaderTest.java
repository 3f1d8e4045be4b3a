package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.CharacterTokenizer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.node.JsonNodeFactory;

class TextReaderTest {
    private static final List<String> TEXTS = List.of("abcdefghijklmnopqrstuvwxyz \n");
    private static final Tokenizer GPT2 =
            CharacterTokenizer.train(TEXTS, List.of("<|endoftext|>")).plain();
    private static final Tokenizer BERT =
            WordPieceTrainer.train(
                            List.of("a b c d e f g h i j k l m n o p q r s t u v w x y z"),
                            100,
                            1,
                            true,
                            true)
                    .plain();
    private static final Tokenizer ROBERTA =
            BytePairTrainer.train(TEXTS, 300, 2, List.of("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
                    .plain();

    private static String shown(Tokenizer tokenizer, TextReader.Tokens tokens) {
        return String.join(" ", Arrays.stream(tokens.ids()).mapToObj(tokenizer::token).toList());
    }

    @Test
    void pairsStandInTheTokenizersTemplate() {
        var bert = new TextReader(BERT, 32, 0).read("a b", "c").windows().getFirst();
        assertThat(shown(BERT, bert)).isEqualTo("[CLS] a b [SEP] c [SEP]");
        assertThat(bert.types()).containsExactly(0, 0, 0, 0, 1, 1);
        var roberta = new TextReader(ROBERTA, 32, 0).read("a", "c").windows().getFirst();
        assertThat(shown(ROBERTA, roberta)).isEqualTo("<s> a </s> </s> c </s>");
        assertThat(roberta.types()).isNull();
        assertThat(new TextReader(BERT, 32, 0).read("a b", null).windows().getFirst().types())
                .isNull();
    }

    @Test
    void decodersHaveTheirEndOfTextOrALineEndBetweenAPair() {
        var gpt2 = new TextReader(GPT2, 32, 0).read("ab", "c").windows().getFirst();
        assertThat(shown(GPT2, gpt2)).isEqualTo("a b <|endoftext|> c");
        var bare = CharacterTokenizer.train(TEXTS, List.of()).plain();
        var line = new TextReader(bare, 32, 0).read("ab", "c").windows().getFirst();
        assertThat(bare.decode(line.ids())).isEqualTo("ab\nc");
        // Which matters to pairs alone.
        var poor = CharacterTokenizer.train(List.of("abc"), List.of()).plain();
        assertThatThrownBy(() -> new TextReader(poor, 32, 0).require(true))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("no line end");
        assertThat(new TextReader(poor, 32, 0).read("abc", null).windows()).hasSize(1);
    }

    /// As the Hugging Face library's `longest_first`: token by token from the longer one.
    @Test
    void theLongerOfAPairIsCutFirst() {
        var reader = new TextReader(BERT, 9, 0); // room for 6
        var read = reader.read("a b c d e f", "g h");
        assertThat(shown(BERT, read.windows().getFirst()))
                .isEqualTo("[CLS] a b c d [SEP] g h [SEP]");
        assertThat(read.truncated()).isTrue();
        assertThat(reader.cut("a b c d e f", "g h")).containsExactly("e f");
        var both = reader.read("a b c d e f", "g h i j k");
        assertThat(shown(BERT, both.windows().getFirst()))
                .isEqualTo("[CLS] a b c [SEP] g h i [SEP]");
        assertThat(reader.cut("a b c d e f", "g h i j k")).containsExactly("d e f", "j k");
        assertThat(reader.read("a b c", "d e f").truncated()).isFalse();
        assertThat(reader.cut("a b c", "d e f")).isEmpty();
    }

    @Test
    void windowsOverlapAndCoverTheWholeText() {
        for (var stride : List.of(1, 3, 5)) {
            var reader = new TextReader(BERT, 7, stride); // room for 5
            for (var length = 1; length <= 26; length++) {
                var letters = "abcdefghijklmnopqrstuvwxyz".substring(0, length).split("");
                var read = reader.read(String.join(" ", letters), null);
                assertThat(read.truncated()).isFalse();
                var windows = read.windows();
                assertThat(windows).hasSize(length <= 5 ? 1 : Math.ceilDiv(length - 5, stride) + 1);
                for (var w = 0; w < windows.size(); w++) {
                    var from = Math.max(0, Math.min(w * stride, length - 5));
                    var part = List.of(letters).subList(from, Math.min(length, from + 5));
                    assertThat(shown(BERT, windows.get(w)))
                            .isEqualTo("[CLS] " + String.join(" ", part) + " [SEP]");
                }
            }
        }
    }

    @Test
    void windowsOfAPairKeepTheShorterTextWhole() {
        var reader = new TextReader(BERT, 9, 2); // room for 6
        var read = reader.read("x y", "a b c d e f g");
        assertThat(read.windows())
                .extracting(w -> shown(BERT, w))
                .containsExactly(
                        "[CLS] x y [SEP] a b c d [SEP]",
                        "[CLS] x y [SEP] c d e f [SEP]",
                        "[CLS] x y [SEP] d e f g [SEP]");
        assertThat(read.truncated()).isFalse();
        assertThat(read.windows())
                .allSatisfy(w -> assertThat(w.types()).containsExactly(0, 0, 0, 0, 1, 1, 1, 1, 1));
        // Neither leaves room for the other.
        var cut = reader.read("a b c d e f g", "s t u v w x");
        assertThat(shown(BERT, cut.windows().getFirst()))
                .isEqualTo("[CLS] a b c [SEP] s t u [SEP]");
        assertThat(cut.truncated()).isTrue();
        assertThat(reader.cut("a b c d e f g", "s t u v w x")).containsExactly("v w x");
    }

    @Test
    void aTextWithoutTokensIsToldByTheEndOfText() {
        var read = new TextReader(GPT2, 8, 0).read("", null);
        assertThat(shown(GPT2, read.windows().getFirst())).isEqualTo("<|endoftext|>");
        assertThat(shown(BERT, new TextReader(BERT, 8, 2).read("", null).windows().getFirst()))
                .isEqualTo("[CLS] [SEP]");
    }

    @Test
    void howAModelReadsIsKeptWithIt() {
        var config = JsonNodeFactory.instance.objectNode();
        new TextReader(BERT, 9, 2, false).describe(config);
        var again = TextReader.of(BERT, Path.of("model"), config, 512);
        var text = "a b c d e f g h i j";
        assertThat(again.read(text, null).windows()).hasSize(3);
        assertThat(again.read(text, null).windows().getFirst().length()).isEqualTo(9);
        again.require(false);
        assertThatThrownBy(() -> again.require(true)).hasMessageContaining("single texts");
        new TextReader(BERT, 9, 0, true).describe(config);
        var paired = TextReader.of(BERT, Path.of("model"), config, 512);
        paired.require(true);
        assertThatThrownBy(() -> paired.require(false))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("the second text is missing");
        config.removeAll();
        var whole = TextReader.of(BERT, Path.of("model"), config, 512);
        assertThat(whole.read(text, null).windows().getFirst().length()).isEqualTo(12);
        whole.require(true);
        whole.require(false);
        for (var bad : List.of("2", "513", "-1", "1.5", "\"x\"")) {
            config.putObject(HuggingFace.OWN)
                    .set("max_length", dev.espalier.io.Json.mapper().readTree(bad));
            assertThatThrownBy(() -> TextReader.of(BERT, Path.of("model"), config, 512))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("max_length is " + bad)
                    .hasMessageContaining("allowed: 3 to 512");
        }
    }
}
