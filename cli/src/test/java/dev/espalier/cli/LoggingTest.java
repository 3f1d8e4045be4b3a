package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import dev.espalier.io.Json;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class LoggingTest {
    /// What is printed where something in the library logs a warning and a detail.
    private static String logged(boolean debug, boolean json) {
        Logging.configure(debug, false, json);
        var bytes = new ByteArrayOutputStream();
        var before = System.err;
        System.setErr(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        try {
            var context = new LoggerContext();
            context.setMDCAdapter(new LogbackMDCAdapter());
            context.start();
            new Logging().configure(context);
            context.getLogger("dev.espalier.Reader").warn("passed over {}", "\"x\"");
            context.getLogger("dev.espalier.Reader").debug("a detail");
            context.stop();
        } finally {
            System.setErr(before);
            Logging.configure(false, false, false);
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aPersonReadsWarnings() {
        assertThat(logged(false, false)).isEqualTo("WARN: passed over \"x\"\n");
        assertThat(logged(true, false)).contains("passed over", "a detail").hasLineCount(2);
    }

    @Test
    void aProgramReadsJson() {
        var line = logged(false, true);
        assertThat(line).hasLineCount(1);
        var event = Json.mapper().readTree(line);
        assertThat(event.get("event").asString()).isEqualTo("log");
        assertThat(event.get("level").asString()).isEqualTo("warn");
        assertThat(event.get("message").asString()).isEqualTo("passed over \"x\"");
    }
}
