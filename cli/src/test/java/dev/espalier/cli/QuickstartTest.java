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

class QuickstartTest {
    @TempDir Path temp;

    private int code;

    private String run(String... args) {
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        code = new Main(errors, errors, false).run(stop, List.of(args));
        stop.finished();
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aJdkWithoutSourcesSaysWhereToGetThem() {
        var home = System.getProperty("java.home");
        System.setProperty("java.home", temp.toString());
        try {
            assertThat(run("quickstart", "--output", temp.resolve("out").toString()))
                    .contains("has no lib/src.zip")
                    .contains("adoptium")
                    .contains("another corpus");
        } finally {
            System.setProperty("java.home", home);
        }
        assertThat(code).isEqualTo(3);
        assertThat(temp.resolve("out")).doesNotExist();
    }

    @Test
    void aCorpusWithTooFewLabelsIsRefusedBeforeAnythingIsTrained() throws IOException {
        Files.createDirectories(temp.resolve("texts/only"));
        for (var i = 0; i < 30; i++) {
            Files.writeString(
                    temp.resolve("texts/only/" + i + ".txt"), "one two three four five ".repeat(9));
        }
        var said =
                run(
                        "quickstart",
                        "--corpus",
                        temp.resolve("texts").toString(),
                        "--output",
                        temp.resolve("out").toString());
        assertThat(said).contains("two are needed").doesNotContain("pre-training");
        assertThat(code).isEqualTo(3);
        assertThat(temp.resolve("out")).doesNotExist();
    }
}
