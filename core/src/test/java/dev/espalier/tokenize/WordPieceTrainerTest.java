package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WordPieceTrainerTest {
    private static List<String> names(Tokenizer tokenizer) {
        return IntStream.range(0, tokenizer.vocabularySize()).mapToObj(tokenizer::token).toList();
    }

    @Test
    void theMostFrequentPairsAreJoined() {
        var tokenizer =
                WordPieceTrainer.train(
                        List.of("low low low low LOWER lower newest newest", "newest newest wid"),
                        40,
                        2,
                        true,
                        true);
        // lo 6 times, then low; ne 4 times, est 4 times; d and i stand there once.
        assertThat(names(tokenizer))
                .startsWith("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "l", "n", "##e")
                .contains("low", "lower", "newest")
                .doesNotContain("w", "##i", "##d");
        assertThat(names(tokenizer).indexOf("low")).isLessThan(names(tokenizer).indexOf("newest"));
        assertThat(tokenizer.decode(tokenizer.encode("Lower newest"))).isEqualTo("lower newest");
        assertThat(tokenizer.encode("wid")).containsExactly(1);
        assertThat(tokenizer.template().apply(tokenizer.encode("low")))
                .containsExactly(2, tokenizer.id("low").orElseThrow(), 3);
    }

    @Test
    void theSizeIsKeptAndTheTextAloneDecides() {
        var texts =
                IntStream.range(0, 500).mapToObj(i -> HuggingFaceLibraryTest.string(3, i)).toList();
        var tokenizer = WordPieceTrainer.train(texts, 300, 1, false, false);
        assertThat(tokenizer.vocabularySize()).isEqualTo(300);
        var again = WordPieceTrainer.train(texts.reversed(), 300, 1, false, false);
        assertThat(names(again)).isEqualTo(names(tokenizer));
        assertThat(names(tokenizer)).doesNotHaveDuplicates();
    }

    @Test
    void nothingToLearnFromIsRefused() {
        assertThatThrownBy(() -> WordPieceTrainer.train(List.of(" \n", ""), 100, 1, true, true))
                .isInstanceOf(EspalierException.class);
        assertThatThrownBy(() -> WordPieceTrainer.train(List.of("a"), 10, 1, true, true))
                .isInstanceOf(EspalierException.class);
    }
}
