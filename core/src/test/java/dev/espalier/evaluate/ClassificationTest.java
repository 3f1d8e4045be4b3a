package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import org.junit.jupiter.api.Test;

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
        assertThat(classification.labelScores("test", 1))
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
