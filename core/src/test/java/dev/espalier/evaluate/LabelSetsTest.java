package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import org.junit.jupiter.api.Test;

class LabelSetsTest {
    private static final List<String> LABELS = List.of("a", "b", "c", "never");

    /// h = 2, 1, 0; told 3, 2, 1; true 2, 2, 2.
    private final LabelSets sets =
            new LabelSets(
                    LABELS,
                    new int[][] {{0, 1}, {0}, {2}, {1, 2}, {}},
                    new int[][] {{0, 1}, {0}, {1}, {0}, {2}});

    private double value(String metric) {
        return java.util.stream.Stream.concat(
                        sets.scores("test", 1).stream(), sets.labelScores("test").stream())
                .filter(s -> s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void knownFigures() {
        assertThat(value("micro-precision")).isCloseTo(3 / 6.0, within(1e-12));
        assertThat(value("micro-recall")).isCloseTo(3 / 6.0, within(1e-12));
        assertThat(value("micro-f1")).isCloseTo(0.5, within(1e-12));
        assertThat(value("f1:a")).isCloseTo(4 / 5.0, within(1e-12));
        assertThat(value("f1:b")).isCloseTo(2 / 4.0, within(1e-12));
        assertThat(value("f1:c")).isZero();
        // The label that is neither true nor told anywhere is left out.
        assertThat(value("macro-f1")).isCloseTo((0.8 + 0.5) / 3, within(1e-12));
        assertThat(value("macro-precision")).isCloseTo((2 / 3.0 + 0.5) / 3, within(1e-12));
        assertThat(value("macro-recall")).isCloseTo((1 + 0.5) / 3, within(1e-12));
        assertThat(value("precision:a")).isCloseTo(2 / 3.0, within(1e-12));
        assertThat(value("recall:b")).isCloseTo(0.5, within(1e-12));
        // The first two records; of the last a label too many is told.
        assertThat(value("subset-accuracy")).isEqualTo(0.4);
        assertThat(sets.each().get(2)).isEqualTo(new LabelSets.OfLabel("c", 0, 0, 0, 2));
        assertThat(sets.labelScores("test")).noneMatch(s -> s.metric().endsWith("never"));
    }

    @Test
    void intervalsHoldTheirValueAndRepeat() {
        assertThat(sets.scores("test", 3))
                .allSatisfy(s -> assertThat(s.value()).isBetween(s.low(), s.high()))
                .isEqualTo(sets.scores("test", 3));
    }

    /// 95 % of the bootstrap's intervals hold what is true of the source of the records.
    @Test
    void microF1IsCovered() {
        var covered = 0;
        for (var trial = 0; trial < 120; trial++) {
            var rng = Rng.at(9, trial);
            var truth = new int[150][];
            var told = new int[150][];
            for (var i = 0; i < truth.length; i++) {
                var label = rng.nextInt(3);
                truth[i] = new int[] {label};
                told[i] = rng.nextDouble() < 0.7 ? truth[i] : new int[] {};
            }
            // Precision 1 and recall 0.7.
            var interval = new LabelSets(LABELS, truth, told).scores("x", trial).getFirst();
            covered += interval.interval().excludes(1.4 / 1.7) ? 0 : 1;
        }
        assertThat(covered / 120.0).isBetween(0.89, 0.99);
    }

    @Test
    void theBestConstantAnswerIsTheMostFrequentLabels() {
        // a alone: 2·4 / (5 + 7); a and b: 2·6 / (10 + 7); all: 2·7 / (15 + 7).
        var truth = new int[][] {{0}, {0, 1}, {0, 1}, {0, 2}, {}};
        assertThat(LabelSets.constant(truth, 3)).containsExactly(0, 1);
        assertThat(LabelSets.constant(new int[][] {{2}, {}}, 3)).containsExactly(2);
        assertThat(LabelSets.constant(new int[][] {{}, {}}, 3)).isEmpty();
    }

    @Test
    void nonsenseIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LabelSets(LABELS, new int[0][], new int[0][]));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new LabelSets(LABELS, new int[1][], new int[2][]));
    }
}
