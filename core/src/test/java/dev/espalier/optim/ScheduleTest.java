package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.io.Json;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ScheduleTest {
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));

    @Test
    void cosineRisesToOneAndFallsToItsFloor() {
        var schedule = Schedule.cosine(10, 110, 0.1);
        assertThat(schedule.factor(0)).isCloseTo(1 / 11.0, within(1e-12));
        assertThat(schedule.factor(9)).isCloseTo(10 / 11.0, within(1e-12));
        assertThat(schedule.factor(10)).isEqualTo(1);
        assertThat(schedule.factor(60)).isCloseTo(0.55, within(1e-12));
        assertThat(schedule.factor(110)).isCloseTo(0.1, within(1e-12));
        assertThat(schedule.factor(500)).isCloseTo(0.1, within(1e-12));
    }

    @Test
    void constantStaysAtOneAfterItsWarmup() {
        var schedule = Schedule.constant(4);
        assertThat(schedule.factor(0)).isEqualTo(0.2);
        assertThat(schedule.factor(4)).isEqualTo(1);
        assertThat(schedule.factor(1_000_000)).isEqualTo(1);
        assertThat(Schedule.constant(0).factor(0)).isEqualTo(1);
    }

    /// The library's first step has a rate of zero, ours the second of its rates.
    @ParameterizedTest
    @ValueSource(strings = {"linear_w10_t50", "cosine_w10_t50", "inverse_sqrt_w10", "constant_w10"})
    void agreesWithHuggingFaces(String name) {
        var schedule =
                switch (name) {
                    case "linear_w10_t50" -> Schedule.linear(9, 49, 0);
                    case "cosine_w10_t50" -> Schedule.cosine(9, 49, 0);
                    case "inverse_sqrt_w10" -> Schedule.inverseSquareRoot(9);
                    default -> Schedule.constant(9);
                };
        var golden = Json.read(GOLDENS.resolve("misc/golden.json")).path("lr").path(name);
        var end = name.startsWith("cosine") ? 51 : golden.size(); // its cosine rises again
        for (var step = 1; step < end; step++) {
            assertThat(schedule.factor(step - 1))
                    .as("step %d", step)
                    .isCloseTo(golden.get(step).asDouble(), within(1e-12));
        }
    }

    @Test
    void warmupStableDecayFallsOnlyAtTheEnd() {
        var schedule = Schedule.warmupStableDecay(4, 20, 100, 0.1);
        assertThat(schedule.factor(0)).isEqualTo(0.2);
        assertThat(schedule.factor(4)).isEqualTo(1);
        assertThat(schedule.factor(80)).isEqualTo(1);
        assertThat(schedule.factor(85)).isCloseTo(0.1 + 0.9 * 0.5, within(1e-12));
        assertThat(schedule.factor(100)).isCloseTo(0.1, within(1e-12));
        assertThat(Schedule.warmupStableDecay(10, 50, 20, 0).factor(9))
                .isCloseTo(10 / 11.0, within(1e-12)); // a fall that is longer than the run
    }
}
