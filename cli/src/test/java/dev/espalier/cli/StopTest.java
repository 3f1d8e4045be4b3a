package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class StopTest {
    @TempDir Path temp;

    /// A job that runs until it is asked to stop, and then saves.
    static final class Job {
        public static void main(String[] args) throws IOException {
            var stop = new Stop(System.err);
            var asked = stop.waitForJob("stopping after this step, and saving");
            System.out.println("running");
            while (!asked.getAsBoolean()) {
                Thread.onSpinWait();
            }
            Files.writeString(Path.of(args[0]), "saved");
            stop.finished();
            System.exit(0);
        }
    }

    @Test
    @DisabledOnOs(OS.WINDOWS) // which has no signal that a process can answer
    void aTerminatedJobSavesAndExitsWith130() throws Exception {
        var saved = temp.resolve("saved");
        var job =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Job.class.getName(),
                                saved.toString())
                        .start();
        try (var out = job.inputReader();
                var err = job.errorReader()) {
            assertThat(out.readLine()).isEqualTo("running");
            job.toHandle().destroy(); // unlike the process's own, this leaves the streams open
            assertThat(err.readAllLines()).anyMatch(line -> line.contains("saving"));
            assertThat(job.waitFor(1, TimeUnit.MINUTES)).isTrue();
        } finally {
            job.destroyForcibly();
        }
        assertThat(saved).hasContent("saved");
        assertThat(job.exitValue()).isEqualTo(130);
    }
}
