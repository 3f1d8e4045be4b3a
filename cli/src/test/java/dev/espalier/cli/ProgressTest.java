package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.cli.Progress.Style;
import dev.espalier.io.Json;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProgressTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private long nanos;

    private Progress progress(Style style, long from, long total) {
        var stream = new PrintStream(err, true, StandardCharsets.UTF_8);
        return new Progress(
                new Screen(stream, stream), style, "training", from, total, "steps", () -> nanos);
    }

    private String work(Style style, long total) {
        try (var progress = progress(style, 0, total)) {
            for (int step = 1; step <= 100; step++) {
                nanos += 500_000_000;
                progress.at(step, "loss 3.2");
            }
        }
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aTerminalSeesOneLineWrittenOver() {
        var text = work(Style.BAR, 200);
        assertThat(text.chars().filter(c -> c == 10)).hasSize(1);
        assertThat(ScreenTest.seen(text))
                .isEqualTo("training [#####-----] 50% 100 steps, 2/s, 50s left, loss 3.2\n");
    }

    @Test
    void aFileSeesALineEveryTenSeconds() {
        var text = work(Style.LINES, 200);
        assertThat(text.lines()).hasSize(5);
        assertThat(text).startsWith("training 10% 20 steps, 2/s, 1m30s left, loss 3.2");
    }

    @Test
    void whatWasDoneBeforeIsNoWorkOfNow() {
        try (var progress = progress(Style.LINES, 1000, 1100)) {
            for (int step = 1001; step <= 1010; step++) {
                nanos += 1_000_000_000;
                progress.at(step, "");
            }
            nanos += 10_000_000_000L;
        }
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualTo("training 91% 1.0k steps, 1/s, 1m30s left\n");
    }

    @Test
    void aProgramSeesJson() {
        var text = work(Style.JSON, 0);
        assertThat(text.lines()).hasSize(50);
        var last = Json.mapper().readTree(text.lines().toList().getLast());
        assertThat(last.get("done").asInt()).isEqualTo(100);
        assertThat(last.get("per-second").asDouble()).isEqualTo(2);
        assertThat(last.has("seconds-left")).isFalse();
    }

    @Test
    void quietIsQuiet() {
        assertThat(work(Style.NONE, 200)).isEmpty();
    }

    @Test
    void whatTheLastLineLeftOutIsShownAtTheEnd() {
        try (var progress = progress(Style.LINES, 0, 3)) {
            progress.at(3, "");
        }
        assertThat(err.toString(StandardCharsets.UTF_8)).startsWith("training 100% 3 steps");
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "0.5, 0.50",
        "7.44, 7.4",
        "831, 831",
        "999.7, 1.0k",
        "12345, 12k",
        "3.4e6, 3.4M",
        "1.25e9, 1.3G"
    })
    void countsAreShort(double count, String text) {
        assertThat(Progress.count(count)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"0, 0s", "59, 59s", "65, 1m05s", "7500, 2h05m"})
    void timesAreShort(long seconds, String text) {
        assertThat(Progress.time(seconds)).isEqualTo(text);
    }
}
