package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class StopTest {
    @TempDir Path temp;

    @Test
    @DisabledOnOs(OS.WINDOWS) // which has no signal that a process can answer
    void aTerminatedRunSavesAndExitsWith130() throws Exception {
        Files.writeString(temp.resolve("prose.txt"), "The hens laid well this week.\n".repeat(300));
        var recipe = temp.resolve("endless.yaml");
        Files.writeString(
                recipe,
                """
                name: endless
                output: %s/run
                data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                tokenizer: {type: bpe, vocabulary: 280}
                model: {type: gpt2, layers: 1, heads: 2, width: 16, context: 16}
                objective: {type: causal}
                training: {for: 1M steps, batch: 2, precision: fp32}
                evaluate: {every: 100k steps}
                save: {every: 100k steps}
                """
                        .formatted(temp, temp));
        var run =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Main.class.getName(),
                                "pretrain",
                                recipe.toString())
                        .start();
        // Its first line of progress comes only after ten seconds.
        var journal = temp.resolve("run/metrics.jsonl");
        try (var err = run.errorReader()) {
            while (run.isAlive() && !(Files.exists(journal) && Files.size(journal) > 0)) {
                Thread.sleep(20);
            }
            assertThat(journal).isNotEmptyFile();
            run.toHandle().destroy(); // unlike the process's own, this leaves the streams open
            assertThat(err.readAllLines())
                    .anyMatch(said -> said.contains("stopping after this step"))
                    .anyMatch(said -> said.contains("a checkpoint is saved"));
            assertThat(run.waitFor(1, TimeUnit.MINUTES)).isTrue();
        } finally {
            run.destroyForcibly();
        }
        assertThat(run.exitValue()).isEqualTo(130);
        var steps = Files.readAllLines(journal).size();
        assertThat(temp.resolve("run/checkpoints/step-%06d/resume/trainer.json".formatted(steps)))
                .exists();
    }
}
