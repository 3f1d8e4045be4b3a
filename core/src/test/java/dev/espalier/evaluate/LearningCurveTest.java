package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.evaluate.LearningCurve.Point;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LearningCurveTest {
    private static final List<Integer> COUNTS = List.of(16, 64, 256, 1024);

    /// Points on 0.1 + 1.2 n^-0.5, each drawn `seeds` times with noise.
    private static List<Point> points(int seeds, double noise, long seed) {
        var rng = Rng.at(seed);
        var points = new ArrayList<Point>();
        for (var n : COUNTS) {
            for (var s = 0; s < seeds; s++) {
                points.add(new Point(n, 0.1 + 1.2 / Math.sqrt(n) + noise * rng.nextGaussian()));
            }
        }
        return points;
    }

    /// 1.2 n^-0.5 falls by 1.1 points from 1024 to 2048 labels, and by 0.8 from there on.
    @Test
    void doublingIsWorthItUntilItBringsLess() {
        var curve = new LearningCurve(0.1, 1.2, 0.5);
        assertThat(curve.worthwhile(16, 0.01)).isEqualTo(2048);
        assertThat(curve.worthwhile(4096, 0.01)).isEqualTo(4096);
    }

    @Test
    void theLawThatMadeThePointsIsFound() {
        var curve = LearningCurve.fit(points(1, 0, 1));
        assertThat(curve.exponent()).isCloseTo(0.5, within(1e-9));
        assertThat(curve.floor()).isCloseTo(0.1, within(1e-9));
        assertThat(curve.scale()).isCloseTo(1.2, within(1e-9));
        // An error that does not fall has no slope, one that would fall below 0 no floor.
        var flat = LearningCurve.fit(COUNTS.stream().map(n -> new Point(n, 0.3)).toList());
        assertThat(flat.error(1e6)).isCloseTo(0.3, within(1e-9));
        var steep = LearningCurve.fit(COUNTS.stream().map(n -> new Point(n, 8.0 / n)).toList());
        assertThat(steep.floor()).isCloseTo(0, within(1e-9));
        assertThatThrownBy(() -> LearningCurve.fit(points(1, 0, 1).subList(0, 2)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    /// Of many studies of two or three seeds, whose noise is known, 95 % of the intervals hold the
    /// truth, also where the noise falls with the error, and what is then measured.
    @ParameterizedTest
    @CsvSource({
        "2, 0.1, 1.2, 0.5, false",
        "2, 0.05, 2, 0.3, true",
        "3, 0.3, 0.6, 0.4, true",
    })
    void nineteenOfTwentyIntervalsHoldTheTruth(
            int seeds, double floor, double scale, double exponent, boolean relative) {
        var law = new LearningCurve(floor, scale, exponent);
        double most = 1024, trials = 100, worth = law.worthwhile(most, 0.01);
        int within = 0, told = 0, labels = 0;
        for (var trial = 0; trial < trials; trial++) {
            var rng = Rng.at(trial, seeds);
            var points = new ArrayList<Point>();
            for (var n : COUNTS) {
                for (var s = 0; s < seeds; s++) {
                    points.add(new Point(n, measured(law, n, relative, rng)));
                }
            }
            within += holds(LearningCurve.foresee(points, 4 * most, 0, trial), law.error(4 * most));
            var then = 0.0;
            for (var s = 0; s < seeds; s++) {
                then += measured(law, 4 * most, relative, rng) / seeds;
            }
            told += holds(LearningCurve.foresee(points, 4 * most, seeds, trial), then);
            labels += holds(LearningCurve.worthwhile(points, most, 0.01, trial), worth);
        }
        assertThat(within / trials).isGreaterThanOrEqualTo(0.93);
        assertThat(told / trials).isGreaterThanOrEqualTo(0.93);
        assertThat(labels / trials).isGreaterThanOrEqualTo(0.93);
    }

    private static double measured(LearningCurve law, double n, boolean relative, Rng rng) {
        return law.error(n) + (relative ? 0.06 * law.error(n) : 0.02) * rng.nextGaussian();
    }

    private static int holds(Interval told, double truth) {
        return told.excludes(truth) ? 0 : 1;
    }

    @Test
    void asManyPointsAsParametersTellNothingOfTheNoise() {
        var told = LearningCurve.foresee(points(1, 0.02, 1).subList(0, 3), 4096, 0, 1);
        assertThat(told.margin()).isInfinite();
    }
}
