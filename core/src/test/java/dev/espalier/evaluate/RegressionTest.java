package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import org.junit.jupiter.api.Test;

class RegressionTest {
    /// The example in scikit-learn's documentation of `mean_squared_error` and
    /// `mean_absolute_error`.
    @Test
    void knownErrors() {
        var scores =
                new Regression(new double[] {3, -0.5, 2, 7}, new double[] {2.5, 0, 2, 8})
                        .scores("test", 1);
        assertThat(scores)
                .extracting(Score::metric)
                .containsExactly("mse", "mae", "pearson", "spearman");
        assertThat(scores.get(0).value()).isCloseTo(0.375, within(1e-12));
        assertThat(scores.get(1).value()).isCloseTo(0.5, within(1e-12));
        assertThat(scores.get(3).value()).isCloseTo(1, within(1e-12));
    }

    /// The ten pairs of intelligence and hours before a screen of the textbook example, whose rank
    /// correlation is -29 / 165.
    @Test
    void knownRankCorrelation() {
        var x = new double[] {106, 100, 86, 101, 99, 103, 97, 113, 112, 110};
        var y = new double[] {7, 27, 2, 50, 28, 29, 20, 12, 6, 17};
        var scores = new Regression(x, y).scores("test", 1);
        assertThat(scores.get(3).value()).isCloseTo(-29 / 165.0, within(1e-12));
        // tanh(artanh r ± 1.96 √((1 + r² / 2) / 7)), by hand
        assertThat(scores.get(3).low()).isCloseTo(-0.7278, within(1e-4));
        assertThat(scores.get(3).high()).isCloseTo(0.5145, within(1e-4));
    }

    @Test
    void equalValuesShareTheirRanks() {
        assertThat(Regression.ranks(new double[] {3, 1, 3, 2})).containsExactly(3.5, 1, 3.5, 2);
        assertThat(Regression.correlation(new double[] {1, 1}, new double[] {1, 2})).isZero();
    }

    @Test
    void whatIsTheSameThroughoutHasNoCorrelation() {
        var same = new double[] {2, 2, 2};
        var different = new double[] {1, 2, 3};
        for (var numbers :
                List.of(new Regression(different, same), new Regression(same, different))) {
            assertThat(numbers.scores("t", 1))
                    .extracting(Score::metric)
                    .containsExactly("mse", "mae");
        }
    }

    @Test
    void fishersInterval() {
        // r = 0.5 of 30: artanh 0.5493, half width 1.96 / √27 = 0.3772
        var interval = Interval.correlation(0.5, 30, 1);
        assertThat(interval.low()).isCloseTo(0.1704, within(1e-4));
        assertThat(interval.high()).isCloseTo(0.7290, within(1e-4));
        assertThat(Interval.correlation(1, 30, 1)).isEqualTo(new Interval(1, 1, 1));
        assertThat(Interval.correlation(0.5, 3, 1)).isEqualTo(new Interval(0.5, -1, 1));
    }

    /// Normal pairs with ρ = 0.6: Pearson's is ρ, Spearman's 6 / π · asin(ρ / 2).
    @Test
    void correlationsAreCovered() {
        int pearson = 0, spearman = 0, trials = 600;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(3, trial);
            var x = new double[60];
            var y = new double[60];
            for (var i = 0; i < x.length; i++) {
                x[i] = rng.nextGaussian();
                y[i] = 0.6 * x[i] + 0.8 * rng.nextGaussian();
            }
            var scores = new Regression(x, y).scores("x", 1);
            pearson += scores.get(2).interval().excludes(0.6) ? 0 : 1;
            spearman += scores.get(3).interval().excludes(6 / Math.PI * Math.asin(0.3)) ? 0 : 1;
        }
        assertThat((double) pearson / trials).isBetween(0.93, 0.97);
        assertThat((double) spearman / trials).isBetween(0.925, 0.975);
    }

    @Test
    void nonsenseIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Regression(new double[0], new double[0]));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Regression(new double[1], new double[2]));
    }
}
