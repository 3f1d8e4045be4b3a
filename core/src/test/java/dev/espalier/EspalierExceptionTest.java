package dev.espalier;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class EspalierExceptionTest {
    @Test
    void whatAHostileFileSaysNeitherFloodsNorDrivesTheTerminal() {
        var message =
                EspalierException.data("a.csv:1: \u001b[2J\r\ud800" + "x".repeat(9999) + "end");
        assertThat(message)
                .hasMessageStartingWith("a.csv:1: \ufffd[2J\ufffd\ufffdx")
                .hasMessageContaining(" […] ")
                .hasMessageEndingWith("end");
        assertThat(message.getMessage()).hasSizeLessThan(2010);
        assertThat(EspalierException.usage("two\nlines, caf\u00e9 \ud83c\udf33"))
                .hasMessage("two\nlines, caf\u00e9 \ud83c\udf33");
    }
}
