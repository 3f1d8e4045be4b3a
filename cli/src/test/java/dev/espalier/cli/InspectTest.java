package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectTest {
    @TempDir Path run;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int inspect(String... more) {
        return inspect(run, false, more);
    }

    private int inspect(Path path, boolean colour, String... more) {
        out.reset();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        var args = new java.util.ArrayList<>(List.of("inspect", path.toString()));
        args.addAll(List.of(more));
        try {
            return new Main(
                            new PrintStream(out, true, StandardCharsets.UTF_8),
                            errors,
                            false,
                            colour)
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

    private Path recipe() throws IOException {
        Files.writeString(run.resolve("a.csv"), "text,label\n" + "one two three,even\n".repeat(9));
        Files.writeString(run.resolve("b.csv"), "text,label\nfour\u0007\u001b[2J,odd\n");
        Files.writeString(
                run.resolve("all.csv"),
                Files.readString(run.resolve("a.csv")) + "four\u0007\u001b[2J,odd\n".repeat(9));
        return Files.writeString(
                run.resolve("recipe.yaml"),
                """
                name: run
                output: %1$s/out
                data: {train: %1$s/all.csv, validation: %1$s/b.csv}
                tokenizer: {type: characters}
                model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 32}
                task: {type: classification, max-length: 7}
                training: {for: 2 epochs, batch: 18}
                """
                        .formatted(run));
    }

    @Test
    void aRecipeShowsWhatItsModelWouldBeTrainedOn() throws IOException {
        assertThat(inspect(recipe(), false, "--examples", "18")).isZero();
        var text = out.toString(StandardCharsets.UTF_8);
        // Text from outside does not steer the terminal.
        assertThat(text)
                .contains("all.csv:2\n  text: one two <cut: three>\n  label: [even]\n")
                .contains("  text: four\\u0007\\u001b[<cut: 2J>\n  label: [odd]\n")
                .doesNotContain("\u001b");
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains("18 of 18 examples of step 0; [to be told]");
        assertThat(run.resolve("out/model")).doesNotExist();
    }

    @Test
    void aRecipeOfPicturesDrawsASheetOfThem() throws IOException {
        var recipe = Path.of("../recipes/finetune/image-classification-toy.yaml");
        var sheet = run.resolve("sheet.png");
        var data = "../recipes/data/shapes-";
        assertThat(
                        inspect(
                                recipe,
                                false,
                                "--sheet=" + sheet,
                                "--set=data.train=" + data + "train-images-idx3-ubyte",
                                "--set=data.test=" + data + "test-images-idx3-ubyte",
                                "--set=training.batch=4"))
                .isZero();
        assertThat(err.toString(StandardCharsets.UTF_8))
                .contains("3 of 4 examples of step 0", sheet + ": a sheet of 4 pictures");
        assertThat(out.toString(StandardCharsets.UTF_8))
                .containsPattern("shapes-train-images-idx3-ubyte#\\d+\n");
        // Four of 16 pixels twelve times as wide, with gaps, each over its caption.
        var drawn = ImageIO.read(sheet.toFile());
        assertThat(drawn.getWidth()).isEqualTo(12 + 4 * (16 * 12 + 12));
        for (var i = 0; i < 4; i++) {
            var colours = new HashSet<Integer>();
            for (var at = 6; at < 16 * 12; at += 12) {
                colours.add(drawn.getRGB(12 + i * (16 * 12 + 12) + at, 12 + at));
            }
            assertThat(colours).as("picture %d", i).hasSizeGreaterThan(2);
        }
    }

    @Test
    void eachKindOfNoiseHasAColourOfItsOwn() throws IOException {
        Files.writeString(run.resolve("prose.txt"), "one two three. four five! ".repeat(90));
        var recipe =
                Files.writeString(
                        run.resolve("masked.yaml"),
                        """
                        name: run
                        output: %1$s/out
                        data: {sources: [{type: text, path: "%1$s/prose.txt"}], validation: 20%%}
                        tokenizer: {type: wordpiece, vocabulary: 60}
                        model: {type: bert, layers: 1, heads: 1, width: 8, context: 32}
                        objective: {type: masked, rate: 50%%, masked: 30%%, random: 40%%}
                        training: {for: 2 steps, batch: 8}
                        """
                                .formatted(run));
        assertThat(inspect(recipe, true, "--examples", "8")).as(err.toString()).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .containsPattern(
                        "\u001b\\[31m\\[MASK]\u001b\\[0m\u001b\\[32m\\([^)]+\\)\u001b\\[0m")
                .containsPattern("\u001b\\[35m[^\u001b\\[]+\u001b\\[0m\u001b\\[32m\\(")
                .containsPattern("\u001b\\[33m[^\u001b\\[]+\u001b\\[0m(?!\u001b\\[32m)");
        Files.writeString(
                recipe,
                Files.readString(recipe)
                        .replaceFirst(
                                "tokenizer: .*",
                                "tokenizer: {type: bpe, vocabulary: 270, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}")
                        .replace("type: bert", "type: bart")
                        .replaceFirst(
                                "objective: .*", "objective: {type: denoising, deletion: 20%}"));
        assertThat(inspect(recipe, true, "--examples", "8")).as(err.toString()).isZero();
        var moved = out.toString(StandardCharsets.UTF_8);
        for (var colour : List.of("31m<mask>", "36m", "2m", "32m")) {
            assertThat(moved).contains("\u001b[" + colour);
        }
        assertThat(moved).doesNotContain("\u001b[33m", "\u001b[35m");
        assertThat(inspect(recipe, false)).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8)).contains("{<mask>}", "<moved: ", "<cut: ");
    }

    @Test
    void onATerminalMarksAreColoursAndForProgramsTheyHaveNames() throws IOException {
        assertThat(inspect(recipe(), true, "--set", "training.batch=4")).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .containsPattern("label: \u001b\\[32m(even|odd)\u001b\\[0m\n")
                .doesNotContain("<cut");
        assertThat(inspect(recipe(), true, "--json", "--step", "1", "--examples", "2")).isZero();
        var lines = out.toString(StandardCharsets.UTF_8).lines().toList();
        assertThat(lines).hasSize(2);
        var label = Json.mapper().readTree(lines.getFirst()).get("fields").get(1);
        assertThat(label.get("name").asString()).isEqualTo("label");
        assertThat(label.get("pieces").get(0).get("mark").asString()).isEqualTo("target");
        assertThat(inspect(recipe(), true, "--step", "-1")).isEqualTo(2);
    }
}
