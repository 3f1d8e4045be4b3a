package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClassificationTest {
    private static final List<String> LABELS = List.of("cat", "dog", "owl", "never seen");
    private static final int[] TRUTH = {0, 0, 0, 0, 1, 1, 1, 2, 2, 2};
    private static final int[] PREDICTED = {0, 0, 1, 2, 1, 1, 0, 2, 2, 2};

    private final Classification classification = new Classification(LABELS, TRUTH, PREDICTED);

    @Test
    void knownFigures() {
        var matrix = classification.confusion();
        assertThat(matrix.count(0, 1)).isEqualTo(1);
        assertThat(matrix.accuracy()).isEqualTo(0.7);
        assertThat(matrix.precision(0)).isCloseTo(2.0 / 3, within(1e-12));
        assertThat(matrix.recall(0)).isEqualTo(0.5);
        assertThat(matrix.f1(2)).isCloseTo(6.0 / 7, within(1e-12));
        // (4/7 + 4/6 + 6/7) / 3: the label that nobody has seen is left out.
        assertThat(matrix.macroF1()).isCloseTo(0.6984126984, within(1e-9));
        assertThat(matrix.macroPrecision())
                .isCloseTo((2 / 3.0 + 2 / 3.0 + 3 / 4.0) / 3, within(1e-12));
        assertThat(matrix.macroRecall()).isCloseTo((0.5 + 2 / 3.0 + 1) / 3, within(1e-12));
    }

    @Test
    void scoresHoldTheirValue() {
        assertThat(classification.scores("test", 1))
                .extracting(Score::metric)
                .containsExactly("accuracy", "macro-f1", "macro-precision", "macro-recall");
        assertThat(classification.scores("test", 1))
                .allSatisfy(s -> assertThat(s.value()).isBetween(s.low(), s.high()))
                .isEqualTo(classification.scores("test", 1));
        assertThat(classification.labelScores("test"))
                .extracting(Score::metric)
                .contains("precision:cat", "recall:owl", "f1:dog")
                .noneMatch(metric -> metric.endsWith("never seen"));
    }

    @Test
    void theMajorityStandsBeside() {
        var majority = Classification.majority(new int[] {2, 1, 1, 2, 0}, 4);
        assertThat(majority).isEqualTo(1);
        assertThat(classification.always(majority).accuracy().value()).isEqualTo(0.3);
    }

    @Test
    void pairedComparison() {
        var majority = classification.always(0);
        var comparison = classification.minus(majority);
        assertThat(comparison.gained()).isEqualTo(5);
        assertThat(comparison.lost()).isEqualTo(2);
        assertThat(comparison.difference().value()).isCloseTo(0.3, within(1e-12));
        // 2 (1 + 7 + 21) / 128
        assertThat(comparison.p()).isCloseTo(0.453125, within(1e-12));
        assertThat(classification.minus(classification).p()).isEqualTo(1);
        assertThat(classification.minus(classification).difference().excludes(0)).isFalse();
    }

    @Test
    void pairedDifferencesAreCovered() {
        var covered = 0;
        var trials = 1000;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(5, trial);
            int gained = 0, lost = 0;
            for (var i = 0; i < 200; i++) {
                var u = rng.nextDouble();
                gained += u < 0.15 ? 1 : 0;
                lost += u >= 0.15 && u < 0.25 ? 1 : 0;
            }
            covered += Comparison.of(gained, lost, 200).difference().excludes(0.05) ? 0 : 1;
        }
        assertThat((double) covered / trials).isBetween(0.93, 0.97);
    }

    /// Three labels, told rightly with a chance of `accuracy`, else any of the others.
    private static Classification simulated(int trial, int n, double accuracy) {
        var rng = Rng.at(9, trial);
        int[] truth = new int[n], told = new int[n];
        for (var i = 0; i < n; i++) {
            truth[i] = rng.nextInt(3);
            told[i] = rng.nextDouble() < accuracy ? truth[i] : (truth[i] + 1 + rng.nextInt(2)) % 3;
        }
        return new Classification(List.of("a", "b", "c"), truth, told);
    }

    /// Balanced labels and errors: every metric's true value is the accuracy.
    @ParameterizedTest
    @CsvSource({"60, 0.9", "100, 0.98", "90, 0.6"})
    void allMetricsAreCovered(int n, double accuracy) {
        var trials = 250;
        var covered = new TreeMap<String, Integer>();
        for (var trial = 0; trial < trials; trial++) {
            var result = simulated(trial, n, accuracy);
            for (var score :
                    Stream.concat(
                                    result.scores("test", trial).stream(),
                                    result.labelScores("test").stream())
                            .toList()) {
                covered.merge(
                        score.metric(), score.interval().excludes(accuracy) ? 0 : 1, Integer::sum);
            }
        }
        assertThat(covered).hasSize(13);
        assertThat(covered.values())
                .as(covered.toString())
                .allSatisfy(c -> assertThat((double) c / trials).isBetween(0.91, 1.0));
    }

    @Test
    void whoIsAlwaysRightOrAlwaysWrongIsNotCertainlySo() {
        var truth = new int[] {0, 0, 1, 1, 2, 2};
        for (var told : List.of(truth, new int[] {1, 1, 2, 2, 0, 0})) {
            var right = told == truth;
            var result = new Classification(List.of("a", "b", "c"), truth, told);
            for (var score :
                    Stream.concat(
                                    result.scores("test", 1).stream(),
                                    result.labelScores("test").stream())
                            .toList()) {
                assertThat(score.value()).as(score.metric()).isEqualTo(right ? 1 : 0);
                assertThat(right ? score.high() : score.low()).isEqualTo(score.value());
                assertThat(score.high() - score.low()).as(score.metric()).isGreaterThan(0.2);
            }
        }
        var one = new Classification(List.of("a", "b"), new int[] {0}, new int[] {0});
        assertThat(one.scores("test", 1))
                .allMatch(s -> s.value() == 1 && s.high() == 1 && s.low() < 0.35);
    }

    @Test
    void manyDisagreementsDoNotUnderflow() {
        assertThat(Comparison.of(4000, 4000, 20000).p()).isCloseTo(1, within(0.02));
        assertThat(Comparison.of(4000, 1000, 20000).p()).isBetween(0.0, 1e-100);
    }

    @Test
    void nonsenseIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Classification(LABELS, new int[0], new int[0]));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Classification(LABELS, new int[2], new int[1]));
        var other = new Classification(LABELS, PREDICTED, TRUTH);
        assertThatIllegalArgumentException().isThrownBy(() -> classification.minus(other));
    }
}
