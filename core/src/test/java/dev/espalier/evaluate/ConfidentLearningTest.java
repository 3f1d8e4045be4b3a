package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ConfidentLearningTest {
    /// Of which label each kind of record is given which, row by row: a known share is wrong.
    private static final double[][] GIVEN = {{0.9, 0.1, 0}, {0.05, 0.8, 0.15}, {0, 0.02, 0.98}};

    /// A model that knows what labels a kind of record is given, but for some noise (the
    /// "diffracted ideal" probabilities of the paper's theorem 2).
    @Test
    void knownErrorsAreCounted() {
        var n = 9000;
        var rng = Rng.at(1);
        var truth = new int[n];
        var given = new int[n];
        var told = new double[n][3];
        var wrong = 0;
        for (var i = 0; i < n; i++) {
            truth[i] = i % 3;
            var u = rng.uniform();
            given[i] = u < GIVEN[truth[i]][0] ? 0 : u < 1 - GIVEN[truth[i]][2] ? 1 : 2;
            wrong += given[i] == truth[i] ? 0 : 1;
            for (var j = 0; j < 3; j++) {
                told[i][j] = GIVEN[truth[i]][j] + 0.01 * (rng.uniform() - 0.5);
            }
        }
        var found = ConfidentLearning.of(given, told);
        assertThat(found.wrong()).isCloseTo(wrong / (double) n, within(0.005));
        assertThat(found.suspects())
                .hasSizeBetween((int) (0.95 * wrong), (int) (1.05 * wrong))
                .allMatch(i -> given[i] != truth[i]);
    }

    /// Four records by hand: t₀ = (0.9 + 0.5 + 0.1) / 3 = 0.5 and t₁ = 0.8.
    @Test
    void whatIsLikelyEnoughIsLikeItsOwn() {
        var given = new int[] {0, 0, 0, 1};
        var told = new double[][] {{0.9, 0.1}, {0.5, 0.5}, {0.1, 0.9}, {0.2, 0.8}};
        var found = ConfidentLearning.of(given, told);
        assertThat(found.suspects()).containsExactly(2);
        assertThat(found.wrong()).isEqualTo(0.25);
        // A label that nothing bears is not told of any, and records that are like nothing count
        // for neither side.
        var third =
                IntStream.range(0, 4)
                        .mapToObj(i -> new double[] {told[i][0] / 2, told[i][1] / 2, 0.5})
                        .toArray(double[][]::new);
        assertThat(ConfidentLearning.of(given, third)).isEqualTo(found);
    }
}
