package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.List;
import org.junit.jupiter.api.Test;

class PairedTest {
    @Test
    void fewDifferencesAreCountedExactly() {
        // Of 16 ways to sign four equal differences two are as far from 0.
        assertThat(Paired.of(new double[] {1, 1, 0, 1, 1}, 1).p()).isEqualTo(2 / 16.0);
        assertThat(Paired.of(new double[] {0.5, -0.5}, 1).p()).isEqualTo(1);
        assertThat(Paired.of(new double[] {0, 0}, 1).p()).isEqualTo(1);
        // 3 - 1 of four: all but the six ways that come to 0.
        assertThat(Paired.of(new double[] {1, 1, 1, -1}, 1).p()).isEqualTo(10 / 16.0);
    }

    @Test
    void chanceIsTakenForMoreOnlyAsOftenAsItMayBe() {
        var rejected = 0;
        var trials = 300;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(trial);
            var differences = new double[40];
            for (var i = 0; i < differences.length; i++) {
                differences[i] = rng.nextGaussian();
            }
            rejected += Paired.of(differences, trial).p() < 0.05 ? 1 : 0;
        }
        // 5 % of the trials, and four deviations.
        assertThat(rejected / (double) trials)
                .isLessThan(0.05 + 4 * Math.sqrt(0.05 * 0.95 / trials));
    }

    @Test
    void aDifferenceIsSeenWithItsSize() {
        var rng = Rng.at(1);
        var differences = new double[400];
        for (var i = 0; i < differences.length; i++) {
            differences[i] = 0.3 + rng.nextGaussian();
        }
        var paired = Paired.of(differences, 1);
        assertThat(paired.p()).isLessThan(0.001);
        assertThat(paired.difference().low()).isPositive();
        assertThat(paired.difference().value()).isCloseTo(0.3, within(0.15));
    }

    @Test
    void holmsValuesAreThoseOfHisProcedure() {
        assertThat(Paired.holm(new double[] {0.01, 0.04, 0.03, 0.005}))
                .containsExactly(new double[] {0.03, 0.06, 0.06, 0.02}, within(1e-12));
        assertThat(Paired.holm(new double[] {0.6, 0.9})).containsExactly(1, 1);
        assertThat(Paired.means(List.of(new int[] {1, 0, 1}, new int[] {1, 0, 0})))
                .containsExactly(1, 0, 0.5);
    }
}
