package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyResumeTest {
    @TempDir Path temp;

    @Test
    void aKilledRunEqualsOneThatNeverStopped() throws IOException {
        var corpus =
                Files.writeString(
                        temp.resolve("corpus.txt"),
                        "the old miller carried a sack of grain to the village. ".repeat(100));
        var recipe =
                Files.writeString(
                        temp.resolve("recipe.yaml"),
                        """
                        name: tiny
                        data:
                          sources: [{type: text, path: "%s"}]
                          validation: 20%%
                        tokenizer: {type: characters}
                        model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 16, dropout: 0.1}
                        objective: {type: causal}
                        training:
                          for: 40 steps
                          batch: 2
                        evaluate: {every: 10 steps}
                        save: {every: 5 steps}
                        output: "%s"
                        """
                                .formatted(corpus, temp.resolve("run")));
        verify(recipe, 2, "metrics.jsonl (40 steps)");
        assertThat(temp.resolve("run.verify")).doesNotExist();
    }

    @Test
    void soDoesFineTuning() throws IOException {
        var model = TinyModel.write(temp.resolve("model"), List.of());
        var records = new StringBuilder("text,label\n");
        for (var i = 0; i < 40; i++) {
            var label = i % 2 == 0 ? "place" : "person";
            records.append("the ").append(label).append(" of ").append((char) ('a' + i % 26));
            records.append(',').append(label).append('\n');
        }
        var data = Files.writeString(temp.resolve("labelled.csv"), records);
        var recipe =
                Files.writeString(
                        temp.resolve("recipe.yaml"),
                        """
                        name: tiny
                        data: {train: "%s", validation-share: 25%%}
                        model: {path: "%s"}
                        task: {type: classification, text: text, label: label}
                        adapter: {type: lora, rank: 2, alpha: 4, targets: attention}
                        training: {for: 30 steps, batch: 4}
                        evaluate: {every: 10 steps}
                        save: {every: 5 steps}
                        output: "%s"
                        """
                                .formatted(data, model, temp.resolve("run")));
        verify(recipe, 1, "metrics.jsonl (30 steps)");
    }

    private static void verify(Path recipe, int kills, String compared) {
        var out = new ByteArrayOutputStream();
        var errors = new PrintStream(out, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        var code =
                new Main(errors, errors, false)
                        .run(
                                stop,
                                List.of("verify-resume", recipe.toString(), "--kills", kills + ""));
        stop.finished();
        assertThat(code).as(out.toString(StandardCharsets.UTF_8)).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("killed " + kills + " times", compared, "equal, bit for bit");
    }

    @Test
    void aDifferenceIsFound() throws IOException {
        for (var run : List.of("a", "b")) {
            var folder = temp.resolve(run);
            Files.createDirectories(folder.resolve("model"));
            Files.writeString(folder.resolve("model/model.safetensors"), "weights of " + run);
            Files.writeString(folder.resolve("evaluation.json"), "[]");
            Files.writeString(
                    folder.resolve("metrics.jsonl"),
                    "{\"step\":1,\"loss\":1.5,\"seconds\":%s}\n".formatted(run.hashCode()));
        }
        var found = RunDifferences.between(temp.resolve("a"), temp.resolve("b")).found();
        assertThat(found).hasSize(2);
        assertThat(found.get(0)).contains("model/model.safetensors", "byte 11");
        assertThat(found.get(1)).startsWith("checkpoints: ");
    }
}
