package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import org.junit.jupiter.api.Test;

class KeptScoresTest {
    /// Three pairs of one paradigm, of which one is lost, and one of another: their accuracy falls
    /// from 1/2 to 1/3, while a fourth of the pairs is lost.
    @Test
    void theChangeIsThatOfTheFigureAlsoWhereRecordsCountUnequally() {
        var weights = new double[] {1 / 3.0, 1 / 3.0, 1 / 3.0, 1};
        var told =
                new ArrayDeque<>(
                        List.of(
                                told(0.5, new double[] {1, 1, 1, 0}, weights),
                                told(1 / 3.0, new double[] {0, 1, 1, 0}, weights)));
        var measures = new LinkedHashMap<String, KeptScores.Measure>();
        measures.put("", data -> told.removeFirst());
        var kept = new KeptScores("pairs", "accuracy", false, measures);
        assertThat(Score.find(kept.finish(), "pairs", "accuracy-change").orElseThrow())
                .satisfies(change -> {
                    assertThat(change.value()).isCloseTo(1 / 3.0 - 0.5, within(1e-12));
                    assertThat(change.low()).isLessThan(change.value());
                    assertThat(change.high()).isGreaterThan(change.value());
                });
    }

    private static KeptScores.Told told(double accuracy, double[] each, double[] weights) {
        var score = Score.of("", "accuracy", new Interval(accuracy, 0, 1), each.length);
        return new KeptScores.Told(List.of(score), each, weights);
    }
}
