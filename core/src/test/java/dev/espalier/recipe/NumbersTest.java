package dev.espalier.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NumbersTest {
    @ParameterizedTest
    @CsvSource({
        "10M, 1e7",
        "10_000, 1e4",
        "16k, 16000",
        "1_000_000, 1e6",
        "1e-3, 0.001",
        "2.5k, 2500",
        "-1, -1",
        "+4, 4",
        ".5, 0.5",
        "1e6, 1e6",
        "3G, 3e9",
        "0, 0"
    })
    void readsNumbers(String text, double value) {
        assertThat(Objects.requireNonNull(Numbers.number(text)).doubleValue()).isEqualTo(value);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", "k", "1__0", "1_", "_1", "0x10", "1,000", "1e", "1e9999", "NaN", "∞", "1 0",
                "1kk", "٣"
            })
    void refusesWhatIsNoNumber(String text) {
        assertThat(Numbers.number(text)).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "2000 steps, 2000 steps",
        "1 step, 1 step",
        "0.5 epochs, 0.5 epochs",
        "50M tokens, 50000000 tokens"
    })
    void writesDurations(String text, String written) {
        assertThat(Numbers.duration(text)).hasToString(written);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0 steps",
                "-1 steps",
                "1.5 steps",
                "steps",
                "1",
                "1 day",
                "1e300 tokens",
                "1 2 steps"
            })
    void refusesWhatIsNoDuration(String text) {
        assertThat(Numbers.duration(text)).isNull();
    }

    @Test
    void anyNumberReadsBackAsItWasWritten() {
        for (var i = 0; i < 20_000; i++) {
            var rng = Rng.at(3, i);
            var number = Double.longBitsToDouble(rng.nextLong());
            if (Double.isFinite(number)) {
                assertThat(Numbers.fraction(Numbers.plain(number))).isEqualTo(number);
            }
            var share = new Share(rng.nextDouble());
            assertThat(Numbers.span(share.toString())).isEqualTo(share);
        }
    }

    @Test
    void durationsBecomeStepsRoundedUp() {
        assertThat(Duration.steps(7).toSteps(10, 100)).isEqualTo(7);
        assertThat(Duration.epochs(1.5).toSteps(10, 100)).isEqualTo(15);
        assertThat(Duration.tokens(101).toSteps(10, 100)).isEqualTo(2);
        assertThat(Duration.tokens(1).toSteps(10, 100)).isEqualTo(1);
    }

    /// An epoch of 14 windows has 14 / 3 steps of 3 windows, and 27 epochs 126.00000000000001.
    @Test
    void roundingAddsNoStep() {
        for (var windows = 1; windows <= 60; windows++) {
            for (var batch = 1; batch <= windows; batch++) {
                for (var epochs = 1; epochs <= 60; epochs++) {
                    assertThat(Duration.epochs(epochs).toSteps(windows / (double) batch, 1))
                            .as("%d windows, batch %d, %d epochs", windows, batch, epochs)
                            .isEqualTo(Math.ceilDiv(windows * epochs, batch));
                }
            }
        }
        assertThat(Duration.epochs(1.1).toSteps(10, 1)).isEqualTo(11);
        assertThat(Duration.epochs(1.0000001).toSteps(10_000, 1)).isEqualTo(10_001);
        assertThat(Duration.steps(1L << 53).toSteps(1, 1)).isEqualTo(1L << 53);
    }
}
