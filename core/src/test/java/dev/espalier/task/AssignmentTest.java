package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AssignmentTest {
    /// The least cost of giving each of the rows from `row` on a column of its own.
    private static double least(double[][] costs, int row, boolean[] taken) {
        if (row == costs.length) {
            return 0;
        }
        var least = Double.POSITIVE_INFINITY;
        for (var c = 0; c < taken.length; c++) {
            if (!taken[c]) {
                taken[c] = true;
                least = Math.min(least, costs[row][c] + least(costs, row + 1, taken));
                taken[c] = false;
            }
        }
        return least;
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 5", "5, 1", "4, 4", "5, 7", "7, 5", "6, 6"})
    void noOtherCostsLess(int rows, int columns) {
        for (var seed = 0; seed < 20; seed++) {
            var rng = Rng.at(seed, rows, columns);
            var costs = new double[rows][columns];
            for (var row : costs) {
                // Ties, too.
                Arrays.setAll(row, c -> seed(rng) ? rng.below(4) - 1 : rng.uniform());
            }
            var assigned = Assignment.of(costs);
            var taken = new boolean[columns];
            var cost = 0.0;
            var count = 0;
            for (var r = 0; r < rows; r++) {
                if (assigned[r] >= 0) {
                    assertThat(taken[assigned[r]]).isFalse();
                    taken[assigned[r]] = true;
                    cost += costs[r][assigned[r]];
                    count++;
                }
            }
            assertThat(count).isEqualTo(Math.min(rows, columns));
            var turned = new double[columns][rows];
            for (var r = 0; r < rows; r++) {
                for (var c = 0; c < columns; c++) {
                    turned[c][r] = costs[r][c];
                }
            }
            assertThat(cost)
                    .isCloseTo(
                            rows <= columns
                                    ? least(costs, 0, new boolean[columns])
                                    : least(turned, 0, new boolean[rows]),
                            within(1e-9));
        }
    }

    private static boolean seed(Rng rng) {
        return rng.nextLong() < 0;
    }

    @Test
    void nothingToDoIsDoneByNobody() {
        assertThat(Assignment.of(new double[0][0])).isEmpty();
        assertThat(Assignment.of(new double[3][0])).containsExactly(-1, -1, -1);
    }
}
