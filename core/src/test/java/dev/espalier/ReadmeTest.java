package dev.espalier;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The README's programs are compiled and run as they stand.
class ReadmeTest {
    private static final Pattern PROGRAM = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @TempDir Path folder;

    private String run(String program) throws Exception {
        var file = Files.writeString(folder.resolve("Snippet.java"), program);
        var process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                                "-Xmx512m",
                                "--enable-native-access=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-cp",
                                System.getProperty("java.class.path"),
                                file.toString())
                        .directory(folder.toFile())
                        .redirectError(folder.resolve("errors.txt").toFile())
                        .start();
        var out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(Files.readString(folder.resolve("errors.txt"))).isZero();
        return out;
    }

    /// What the README takes for granted: a recipe, here of three steps.
    private void writeRecipe() throws IOException {
        var recipe = Path.of("recipes/pretrain/gpt2-toy.yaml");
        var corpus = Path.of("recipes/data/village.txt");
        for (var file : List.of(recipe, corpus)) {
            var copy = folder.resolve(file);
            Files.createDirectories(copy.resolveSibling("."));
            Files.writeString(
                    copy,
                    Files.readString(Path.of("..").resolve(file))
                            .replace("for: 400 steps", "for: 3 steps"));
        }
    }

    /// And a classifier.
    private void writeClassifier(Path body) {
        var decoder = HuggingFace.readDecoder(body);
        var classifier = new SequenceClassifier(decoder.model(), List.of("bad", "good"));
        classifier.initializeHead(1);
        var model = folder.resolve("runs/reviews/model");
        HuggingFace.save(model, classifier, decoder.config());
        Tokenizers.read(body).save(model);
        classifier.free();
    }

    @Test
    void itsProgramsRun() throws Exception {
        var programs =
                PROGRAM.matcher(Files.readString(Path.of("../README.md")))
                        .results()
                        .map(found -> found.group(1))
                        .toList();
        assertThat(programs).hasSize(2);
        writeRecipe();
        var trained = run(programs.get(1));
        assertThat(trained.lines().limit(3)).allMatch(line -> line.matches("[123] \\d\\.\\d+"));
        assertThat(trained.lines().toList().getLast()).isEqualTo("runs/gpt2-toy/model");

        writeClassifier(folder.resolve("runs/gpt2-toy/model"));
        assertThat(run(programs.get(0))).matches("(good|bad) \\{.*good=0\\.\\d+.*}\\R");
    }
}
