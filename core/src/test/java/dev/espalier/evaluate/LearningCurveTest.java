package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.evaluate.LearningCurve.Point;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

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

    @Test
    void theTruthLiesMostlyWithinTheInterval() {
        var within = 0;
        var trials = 40;
        var truth = 0.1 + 1.2 / 64;
        for (var trial = 0; trial < trials; trial++) {
            var told = LearningCurve.foresee(points(5, 0.02, trial), 4096, trial);
            within += told.low() <= truth && truth <= told.high() ? 1 : 0;
        }
        // Resampling five points is a little too sure of itself.
        assertThat(within / (double) trials).isGreaterThan(0.75);
    }
}
