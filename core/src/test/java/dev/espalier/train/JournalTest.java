package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
    @TempDir Path folder;

    private static StepFigures step(long step) {
        var fault = "the loss is NaN in Märchen von früher.txt";
        return new StepFigures(step, 8 * step, 0, 1, Map.of(), 0, 1, step, fault, 1, 0, 1, step);
    }

    /// The disk may fill, or the process be killed, after any byte.
    @Test
    void aLineThatWasCutAnywhereGoes() throws IOException {
        var file = Files.createFile(folder.resolve("metrics.jsonl"));
        try (var journal = Journal.open(file, 0)) {
            journal.add(step(1));
            journal.add(step(2));
        }
        var whole = Files.readAllBytes(file);
        var first = new String(whole, StandardCharsets.UTF_8).indexOf('\n');
        var start =
                new String(whole, StandardCharsets.UTF_8)
                        .substring(0, first + 1)
                        .getBytes(StandardCharsets.UTF_8)
                        .length;
        for (var end = start; end < whole.length - 1; end++) {
            Files.write(file, Arrays.copyOf(whole, end));
            assertThat(Journal.read(file)).containsExactly(step(1));
            Journal.open(file, 2).close();
            assertThat(file).hasBinaryContent(Arrays.copyOf(whole, start));
        }
        Files.write(file, whole);
        assertThat(Journal.read(file)).containsExactly(step(1), step(2));
        Journal.open(file, 1).close();
        assertThat(file).hasBinaryContent(Arrays.copyOf(whole, start));
    }
}
