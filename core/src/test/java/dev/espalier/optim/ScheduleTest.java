package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScheduleTest {
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
}
