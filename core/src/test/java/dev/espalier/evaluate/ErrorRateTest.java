package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The cases are those of jiwer's tests, some of which are Morris et al.'s (2004), and Levenshtein
/// distances known from textbooks.
class ErrorRateTest {
    @ParameterizedTest
    @CsvSource({
        "This is a test, This is a test, 0, 1",
        "'', This is a test, 4, 4",
        "This test, This is a test, 2, 4",
        "X X Y Y, X, 3, 1",
        "X Z, X Y X, 2, 3",
        "Y Z, X, 2, 1",
        "i am a considerably longer and very much incorrect hypothesis,"
                + "i am a short ground truth, 7, 6",
        "i like python what you mean or swallow,"
                + "i like monthy python what do you mean african or european swallow, 4, 12"
    })
    void words(String written, String reference, int errors, int words) {
        assertThat(ErrorRate.WORDS.score(List.of(written), List.of(List.of(reference))))
                .isCloseTo((double) errors / words, within(1e-12));
    }

    @ParameterizedTest
    @CsvSource({
        "kitten, sitting, 3",
        "sunday, saturday, 3",
        "'', abc, 3",
        "a\ud83d\ude00c, abc, 1",
        "intention, execution, 5"
    })
    void characters(String written, String reference, int errors) {
        assertThat(ErrorRate.CHARACTERS.counts(written, List.of(reference)))
                .containsExactly(errors, reference.length());
    }

    @Test
    void errorsOfAllTextsAreAddedUp() {
        assertThat(
                        ErrorRate.WORDS.score(
                                List.of("a b", "c d e f"),
                                List.of(List.of("a x"), List.of("c d e"))))
                .isCloseTo(2 / 5.0, within(1e-12));
    }

    @Test
    void theNearestReferenceCounts() {
        assertThat(ErrorRate.WORDS.counts("a b c", List.of("x y z", "a b c d", "a b")))
                .containsExactly(1, 4);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void distancesAreAMetric(long seed) {
        String a = text(seed, 1), b = text(seed, 2), c = text(seed, 3);
        assertThat(distance(a, b)).isEqualTo(distance(b, a));
        assertThat(distance(a, a)).isZero();
        assertThat(distance(a, c)).isLessThanOrEqualTo(distance(a, b) + distance(b, c));
        assertThat(distance(a, b))
                .isBetween(
                        (double) Math.abs(a.length() - b.length()),
                        (double) Math.max(a.length(), b.length()));
    }

    private static double distance(String a, String b) {
        return ErrorRate.CHARACTERS.counts(a, List.of(b))[0];
    }

    private static String text(long seed, long which) {
        var rng = Rng.at(seed, which);
        return IntStream.range(0, 5 + rng.nextInt(20))
                .mapToObj(i -> "abc".substring(rng.nextInt(3)).substring(0, 1))
                .collect(Collectors.joining());
    }
}
