package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class WrittenTextsTest {
    private static final WrittenTexts TEXTS =
            new WrittenTexts(
                    List.of("the cat sat on the mat", "a dog barks", "nothing", "it rains today"),
                    List.of(
                            List.of("the cat sat on the mat"),
                            List.of("two dogs bark", "a dog barked"),
                            List.of("something else"),
                            List.of("it rained today")));

    @Test
    void everyMetricIsThatOfItsClassWithAnIntervalAroundIt() {
        var scores = TEXTS.scores("test", "", WrittenTexts.Settings.USUAL, 1);
        var byName = scores.stream().collect(Collectors.toMap(Score::metric, Score::value));
        assertThat(byName.keySet())
                .containsExactlyInAnyOrder(
                        "exact-match",
                        "character-error-rate",
                        "word-error-rate",
                        "bleu",
                        "chrf",
                        "chrf-plus-plus",
                        "rouge-1",
                        "rouge-2",
                        "rouge-l",
                        "rouge-lsum");
        assertThat(byName.get("exact-match")).isEqualTo(0.25);
        assertThat(byName.get("word-error-rate")).isCloseTo(4 / 14.0, within(1e-12));
        assertThat(byName.get("bleu"))
                .isEqualTo(
                        new Bleu(Bleu.Tokens.WMT_13A).score(TEXTS.written(), TEXTS.references()));
        assertThat(byName.get("chrf"))
                .isEqualTo(ChrF.CHARACTERS.score(TEXTS.written(), TEXTS.references()));
        assertThat(byName.get("rouge-1")).isCloseTo((1 + 2 / 3.0 + 0 + 2 / 3.0) / 4, within(1e-12));
        assertThat(scores)
                .allMatch(s -> s.low() <= s.value() && s.value() <= s.high() && s.n() == 4)
                .allMatch(s -> s.data().equals("test"));
        assertThat(TEXTS.scores("test", "", WrittenTexts.Settings.USUAL, 1)).isEqualTo(scores);
    }

    @Test
    void stemsAndWordsAreAsChosen() {
        var settings = new WrittenTexts.Settings(Bleu.Tokens.CHARACTERS, true);
        var scores = TEXTS.scores("test", "copy-", settings, 1);
        assertThat(scores).allMatch(s -> s.metric().startsWith("copy-"));
        var byName = scores.stream().collect(Collectors.toMap(Score::metric, Score::value));
        // bark, barks and barked are one stem, and so are rains and rained.
        assertThat(byName.get("copy-rouge-1")).isCloseTo(0.75, within(1e-12));
        assertThat(byName.get("copy-bleu"))
                .isEqualTo(
                        new Bleu(Bleu.Tokens.CHARACTERS)
                                .score(TEXTS.written(), TEXTS.references()));
    }

    @Test
    void theMeanOverWritersHasAnIntervalOverTexts() {
        var wrong = new WrittenTexts(java.util.Collections.nCopies(4, "no"), TEXTS.references());
        for (var metric : List.of("exact-match", "chrf")) {
            var sums = TEXTS.sums(metric, WrittenTexts.Settings.USUAL);
            var none = wrong.sums(metric, WrittenTexts.Settings.USUAL);
            var both = WrittenTexts.interval(metric, List.of(sums, none), 1);
            assertThat(both.value())
                    .as(metric)
                    .isCloseTo(
                            (sums.value() + none.value()) / 2,
                            within(metric.equals("chrf") ? 1e-9 : 0.13));
            assertThat(both.margin()).as(metric).isPositive();
        }
        // Where nothing is right there is a width still.
        var none = List.of(wrong.sums("exact-match", WrittenTexts.Settings.USUAL));
        assertThat(WrittenTexts.interval("exact-match", none, 1).high()).isGreaterThan(0.4);
    }

    @Test
    void theBestComesFirst() {
        assertThat(TEXTS.bestFirst().getFirst()).isZero();
        assertThat(TEXTS.bestFirst().getLast()).isEqualTo(2);
    }
}
