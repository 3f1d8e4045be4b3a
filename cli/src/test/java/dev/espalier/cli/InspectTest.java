package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectTest {
    @TempDir Path run;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int inspect(String... more) {
        out.reset();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop(errors);
        var args = new java.util.ArrayList<>(List.of("inspect", run.toString()));
        args.addAll(List.of(more));
        try {
            return new Main(new PrintStream(out, true, StandardCharsets.UTF_8), errors, false)
                    .run(stop, args);
        } finally {
            stop.finished();
        }
    }

    @BeforeEach
    void aRunThatIsGoingOn() throws IOException {
        Files.writeString(run.resolve("run.lock"), "");
        Files.writeString(
                run.resolve("metrics.jsonl"),
                "{\"step\":7,\"loss\":2.34567891,\"rate\":0.001}\n{\"step\":8,\"lo");
        Files.writeString(
                run.resolve("evaluation.json"),
                "[{\"data\":\"validation\",\"metric\":\"loss\",\"value\":1.5,\"low\":1.25,"
                        + "\"high\":1.75,\"n\":40}]");
    }

    @Test
    void figuresAreReadByPeopleAsATableAndByProgramsAsJson() {
        assertThat(inspect()).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("last-metrics:\n  step: 7\n  loss: 2.346\n")
                .containsPattern("validation +loss +1\\.5000 +\\[1\\.2500, 1\\.7500\\] +n = 40")
                .doesNotContain("{");
        assertThat(inspect("--json")).isZero();
        var json = Json.mapper().readTree(out.toString(StandardCharsets.UTF_8));
        assertThat(json.get("last-metrics").get("loss").asDouble()).isEqualTo(2.34567891);
        assertThat(json.get("evaluation").get(0).get("n").asInt()).isEqualTo(40);
    }

    @Test
    void figuresThatAreNoneAreRefused() throws IOException {
        Files.writeString(run.resolve("metrics.jsonl"), "{]}\n");
        assertThat(inspect()).isEqualTo(3);
        Files.write(run.resolve("metrics.jsonl"), new byte[] {(byte) 0xff, '}'});
        assertThat(inspect()).isEqualTo(3);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains(
                        "metrics.jsonl: its last line is broken (Unexpected close marker ']': expected '}')")
                .contains("metrics.jsonl: cannot be read (")
                .hasLineCount(2);
    }
}
