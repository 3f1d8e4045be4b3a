package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Texts and figures are those of sacreBLEU's README and tests.
class BleuTest {
    private static final List<String> WRITTEN =
            List.of(
                    "The dog bit the man.",
                    "It wasn't surprising.",
                    "The man had just bitten him.");
    private static final List<List<String>> REFERENCES =
            List.of(
                    List.of("The dog bit the man.", "The dog had bit the man."),
                    List.of("It was not unexpected.", "No one was surprised."),
                    List.of("The man bit him first.", "The man had bitten the dog."));

    @ParameterizedTest
    @CsvSource({"WMT_13A, 48.530827", "NONE, 49.1919566"})
    void manyTextsWithTwoReferences(Bleu.Tokens tokens, double score) {
        assertThat(new Bleu(tokens).score(WRITTEN, REFERENCES)).isCloseTo(score, within(1e-6));
    }

    @ParameterizedTest
    @CsvSource({"WMT_13A, 8.493", "NONE, 7.347", "CHARACTERS, 40.8759"})
    void aSentenceIsSmoothed(Bleu.Tokens tokens, double score) {
        var reference = "producţia de zahăr brut se exprimă în zahăr alb;";
        var written = "Producția de zahăr primă va fi exprimată în ceea ce privește zahărul alb;";
        assertThat(new Bleu(tokens).sentence(written, List.of(reference)))
                .isCloseTo(score, within(1e-3));
    }

    @Test
    void countsGiveTheScore() {
        assertThat(Bleu.score(new double[] {11, 11, 9, 7, 5, 3, 10, 8, 6, 4}, false))
                .isCloseTo(83.75922397, within(1e-6));
        assertThat(
                        new Bleu(Bleu.Tokens.NONE)
                                .counts(
                                        "am I am a character sequence",
                                        List.of("I am a symbol string sequence a a")))
                .containsExactly(6, 8, 4, 2, 1, 0, 6, 5, 4, 3);
    }

    @Test
    void shortTextsCountAsLongAsTheyAre() {
        var bleu = new Bleu(Bleu.Tokens.NONE);
        assertThat(bleu.sentence("test", List.of("a test"))).isCloseTo(36.787944, within(1e-6));
        assertThat(bleu.sentence("a test", List.of("a test"))).isCloseTo(100, within(1e-9));
        assertThat(bleu.score(List.of("a test"), List.of(List.of("a test")))).isZero();
    }

    @ParameterizedTest
    @EnumSource(Bleu.Tokens.class)
    void nothingInCommonOrNothingAtAllIsZero(Bleu.Tokens tokens) {
        var bleu = new Bleu(tokens);
        assertThat(bleu.sentence("wqz", List.of("okay"))).isZero();
        assertThat(bleu.score(List.of("", "", ""), REFERENCES)).isZero();
        assertThat(bleu.sentence("", List.of("okay"))).isZero();
    }

    @Test
    void punctuationIsPartedFromWordsAndNotWithinNumbers() {
        var bleu = new Bleu(Bleu.Tokens.WMT_13A);
        assertThat(bleu.words("Hello, world! It's 1,000.50 of 7-up (or 3-4) &quot;A&amp;B&quot; "))
                .containsExactly(
                        "Hello",
                        ",",
                        "world",
                        "!",
                        "It's",
                        "1,000.50",
                        "of",
                        "7",
                        "-",
                        "up",
                        "(",
                        "or",
                        "3",
                        "-",
                        "4",
                        ")",
                        "\"",
                        "A",
                        "&",
                        "B",
                        "\"");
        assertThat(bleu.words("in 2020.\u00a0End-\nless text<skipped>. "))
                .containsExactly("in", "2020", ".", "Endless", "text", ".");
        assertThat(new Bleu(Bleu.Tokens.CHARACTERS).words(" 日本 \ud83d\ude00")).hasSize(3);
    }

    @Test
    void theOrderOfTextsChangesNothingAndARightTextOnlyHelps() {
        var bleu = new Bleu(Bleu.Tokens.WMT_13A);
        var score = bleu.score(WRITTEN, REFERENCES);
        assertThat(bleu.score(WRITTEN.reversed(), REFERENCES.reversed()))
                .isCloseTo(score, within(1e-9));
        var more = IntStream.range(0, 3).mapToObj(i -> REFERENCES.get(i).getFirst()).toList();
        assertThat(bleu.score(more, REFERENCES)).isCloseTo(100, within(1e-9));
        assertThat(bleu.score(List.of(WRITTEN.get(0), WRITTEN.get(1), more.get(2)), REFERENCES))
                .isGreaterThan(score);
    }
}
