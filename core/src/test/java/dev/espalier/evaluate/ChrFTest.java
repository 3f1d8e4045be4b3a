package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Texts and figures are those of sacreBLEU's tests, and of the Hugging Face library's page on the
/// metric, which runs sacreBLEU.
class ChrFTest {
    private static final List<String> WRITTEN =
            List.of(
                    "The relationship between cats and dogs is not exactly friendly.",
                    "a good bookshop is just a genteel black hole that knows how to read.");
    private static final List<List<String>> REFERENCES =
            List.of(
                    List.of("The relationship between dogs and cats is not exactly friendly."),
                    List.of(
                            "A good bookshop is just a genteel Black Hole that knows how to read."));

    @Test
    void manyTextsByCharactersAndWithWords() {
        assertThat(ChrF.CHARACTERS.score(WRITTEN, REFERENCES))
                .isCloseTo(84.64214891738334, within(1e-9));
        assertThat(ChrF.WITH_WORDS.score(WRITTEN, REFERENCES))
                .isCloseTo(82.87263732906315, within(1e-9));
        var small = List.of(WRITTEN.get(0).toLowerCase(java.util.Locale.ROOT), WRITTEN.get(1));
        var smallReferences =
                REFERENCES.stream()
                        .map(r -> List.of(r.getFirst().toLowerCase(java.util.Locale.ROOT)))
                        .toList();
        assertThat(ChrF.WITH_WORDS.score(small, smallReferences))
                .isCloseTo(92.12853119829202, within(1e-9));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a | a | 100",
                "'' | reference | 0",
                "a b c | a b c | 100",
                "a b c | abc | 100",
                "aa | ab | 25",
                "source | '' | 0",
                "abcdefg | hijklmnop | 0",
                "Niemand hat die Absicht, eine Mauer zu errichten"
                        + "| Niemand hat die Absicht, eine Mauer zu errichten | 100",
                "' Die    Beziehung zwischen  Obama und Netanjahu ist nicht gerade  freundlich. '"
                        + "| Das Verhältnis zwischen Obama und Netanyahu ist nicht gerade"
                        + " freundschaftlich. | 64.130269831561459",
                "' risk assessment must be made of those who are qualified and expertise in the"
                        + " sector - these are the scientists .'"
                        + "| risk assessment has to be undertaken by those who are qualified and"
                        + " expert in that area - that is the scientists . | 63.361730303214769"
            })
    void oneText(String written, String reference, double score) {
        // The old tests weigh recall three times as much.
        var chrF = new ChrF(6, 0, 3);
        assertThat(chrF.sentence(written, List.of(reference))).isCloseTo(score, within(1e-9));
        assertThat(chrF.score(List.of(written), List.of(List.of(reference))))
                .isCloseTo(score, within(1e-9));
    }

    @Test
    void countsOfAllTextsAreAddedUp() {
        assertThat(new ChrF(6, 0, 3).score(List.of("a", "b"), List.of(List.of("a"), List.of("c"))))
                .isCloseTo(50, within(1e-9));
    }

    @Test
    void ofSeveralReferencesTheNearestCounts() {
        var far = "Der Hund schläft.";
        var near = "The relationship between dogs and cats is friendly.";
        var score = ChrF.WITH_WORDS.sentence(WRITTEN.get(0), List.of(near));
        assertThat(ChrF.WITH_WORDS.sentence(WRITTEN.get(0), List.of(far, near))).isEqualTo(score);
        assertThat(ChrF.WITH_WORDS.sentence(WRITTEN.get(0), List.of(far))).isLessThan(score);
    }

    @Test
    void marksArePartedFromWordsInChrFPlusPlusAlone() {
        var one = new ChrF(1, 1, 2);
        assertThat(one.counts("(hi) ,", List.of("(hi) !"))).containsExactly(5, 5, 4, 3, 3, 2);
        assertThat(one.counts("(hi) ,", List.of("(hi !"))).containsExactly(5, 4, 3, 3, 3, 0);
        assertThat(one.counts("'t \ud83d\ude00 .", List.of("' t .")))
                .containsExactly(4, 3, 3, 4, 3, 3);
    }
}
