package dev.espalier.report;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import org.junit.jupiter.api.Test;

class AxisTest {
    @Test
    void ticksAreNiceAndHoldTheRange() {
        var rng = Rng.at(3);
        for (var trial = 0; trial < 2000; trial++) {
            var low = rng.nextGaussian() * Math.pow(10, rng.nextInt(12) - 6);
            var high = low + Math.pow(10, rng.nextInt(12) - 6) * rng.nextDouble();
            var axis = Axis.linear(low, high, 5, 0, 100);
            assertThat(axis.ticks()).hasSizeBetween(2, 9);
            assertThat(axis.pixel(low)).isBetween(-1e-3, 100.001);
            assertThat(axis.pixel(high)).isBetween(-1e-3, 100.001);
            assertThat(axis.ticks()).isSorted();
        }
        assertThat(Axis.linear(0.13, 0.97, 5, 0, 1).ticks().stream().map(t -> "%.1f".formatted(t)))
                .containsExactly("0.0", "0.2", "0.4", "0.6", "0.8", "1.0");
    }

    @Test
    void degenerateRangesAreDrawn() {
        assertThat(Axis.linear(5, 5, 5, 0, 100).pixel(5)).isBetween(0.0, 100.0);
        assertThat(Axis.linear(0, 0, 5, 0, 100).pixel(0)).isBetween(0.0, 100.0);
        assertThat(Axis.log(8, 8, 0, 100).pixel(8)).isBetween(49.9, 50.1);
    }

    @Test
    void logarithmicTicks() {
        assertThat(Axis.log(10, 1000, 0, 100).ticks())
                .containsExactly(10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0);
        assertThat(Axis.log(1, 1e6, 0, 100).ticks()).hasSize(7);
        var small = Axis.log(0.02, 2, 0, 100);
        assertThat(small.ticks().stream().map(small::label))
                .containsExactly("0.02", "0.05", "0.1", "0.2", "0.5", "1", "2");
    }
}
