package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

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

class PlanVerbTest {
    @TempDir Path temp;
    private Path recipe;
    private int code;

    @BeforeEach
    void write() throws IOException {
        recipe = temp.resolve("small.yaml");
        Files.writeString(
                temp.resolve("prose.txt"), "The miller sold the flour on Monday.\n\n".repeat(200));
        Files.writeString(
                recipe,
                """
                name: small
                output: %s/run
                data: {sources: [{type: text, path: %s/prose.txt}], validation: 10%%}
                tokenizer: {type: characters}
                model: {type: gpt2, layers: 2, heads: 2, width: 32, context: 32}
                objective: {type: causal}
                training: {for: 3 epochs, batch: 4, precision: fp32}
                """
                        .formatted(temp, temp));
    }

    private String run(String... args) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        code =
                new Main(new PrintStream(out, true, StandardCharsets.UTF_8), errors, false)
                        .run(stop, List.of(args));
        stop.finished();
        return code == 0
                ? out.toString(StandardCharsets.UTF_8)
                : err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void aRecipeIsPlannedByItsDataAndFirstStepsAndItsFolderIsLeftAlone() {
        var page = temp.resolve("plan.html");
        var out = run("plan", recipe.toString(), "--json", "--html", page.toString());
        assertThat(code).as(out).isZero();
        var plan = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(plan.at("/work/epochs").asDouble()).isBetween(2.9, 3.1);
        assertThat(plan.at("/work/data-tokens").asDouble()).isBetween(5000.0, 9000.0);
        assertThat(plan.at("/machines/0/machine").asString()).isEqualTo("here");
        assertThat(plan.at("/machines/0/basis").asString()).contains("measured now");
        assertThat(plan.at("/machines/0/seconds").asDouble()).isPositive();
        assertThat(page).content().contains("<svg").contains("activations");
        assertThat(temp.resolve("run")).doesNotExist();
        // Now the step is known, and need not be measured.
        var again = run("plan", recipe.toString(), "--no-measure", "--set", "training.for=7 steps");
        assertThat(code).isZero();
        assertThat(again).contains("nothing was measured");
    }

    @Test
    void withoutDataOrRecipeTheNumbersAreEnough() throws IOException {
        Files.delete(temp.resolve("prose.txt"));
        var out = run("plan", recipe.toString());
        assertThat(code).as(out).isZero();
        assertThat(out).contains("no step was measured").contains("prose.txt");
        assertThat(run("plan", "--parameters", "85M", "--vocabulary", "50257", "--tokens", "2G"))
                .contains("124\u202f439\u202f808");
        assertThat(run("plan", "--hours", "24", "--memory", "16", "--on", "a100"))
                .contains("the next larger one breaks the time");
        run("plan");
        assertThat(code).isEqualTo(2);
        run("plan", "--hours", "-1");
        assertThat(code).isEqualTo(2);
        assertThat(run("plan", "--money", "10")).contains("neither a price nor the watts");
        assertThat(code).isEqualTo(2);
    }

    /// What would be of no account is refused in a line, and what can be of account is.
    @Test
    void noOptionIsIgnored() {
        assertThat(run("plan", "--parameters=85M", "--set=model.layers=3", "--set=name=narrow"))
                .contains("narrow: gpt2");
        assertThat(code).isZero();
        var page = "--html=" + temp.resolve("x.html");
        var asked = recipe.toString();
        for (var line :
                List.of(
                        List.of("plan", "--hours=1", "--on=a100", page),
                        List.of("plan", "--hours=1", "--set=name=x"),
                        List.of("plan", "--hours=1", "--tokens=1M"),
                        List.of("plan", "--hours=1", asked),
                        List.of("plan", asked, "--tokens=1M"),
                        List.of("plan", asked, "--on=a100"),
                        List.of("plan", asked, "--context=64"),
                        List.of("plan", asked, "--vocabulary=64"),
                        List.of("plan", "--parameters=85M", "--on=a100"),
                        List.of("plan", "--parameters=85M", "--context=0"),
                        List.of("plan", "--table", asked))) {
            var said = run(line.toArray(String[]::new));
            assertThat(code).as("%s: %s", line, said).isEqualTo(2);
            assertThat(said.strip()).contains("--").hasLineCount(1);
        }
        assertThat(temp.resolve("x.html")).doesNotExist();
    }

    /// What the data hold needs no model to be counted, and with it all else is known.
    @Test
    void dataAreCountedWithoutAMeasurement() throws IOException {
        var base = TinyModel.write(temp.resolve("base"), List.of());
        Files.writeString(
                temp.resolve("train.csv"),
                "text,label\n"
                        + "they sold herring,sea\nthey baked bread,mill\nnets,sea\n".repeat(30));
        var tuning = temp.resolve("tuning.yaml");
        Files.writeString(
                tuning,
                """
                name: tuning
                output: %s/tuned
                data: {train: %s/train.csv}
                model: {path: %s}
                task: {type: classification}
                adapter: {type: lora}
                training: {for: 2 epochs, batch: 4, precision: fp32}
                """
                        .formatted(temp, temp, base));
        for (var asked : List.of(recipe, tuning)) {
            var plans =
                    List.of("--measure", "--no-measure").stream()
                            .map(how -> run("plan", asked.toString(), how, "--json"))
                            .map(out -> Json.mapper().readTree(out.lines().toList().getLast()))
                            .toList();
            assertThat(plans.getLast().path("work")).isEqualTo(plans.getFirst().path("work"));
            assertThat(plans.getLast().at("/work/data-tokens").asDouble()).isPositive();
            assertThat(plans.getLast().at("/machines/1/seconds").asDouble()).isPositive();
            // Of texts their mean length is known alone, which matters in so small a model.
            assertThat(plans.getLast().at("/operations/all").asDouble())
                    .isCloseTo(
                            plans.getFirst().at("/operations/all").asDouble(),
                            withinPercentage(20));
        }
    }

    /// A table of prices that leaves this machine out says nothing against planning on it.
    @Test
    void aTableMayLackThisMachine() throws IOException {
        var table = temp.resolve("machines.json");
        Files.writeString(
                table, "{\"dated\": \"2026-01-31\", \"currency\": \"EUR\", \"machines\": []}");
        var page = temp.resolve("plan.html");
        var out =
                run(
                        "plan",
                        recipe.toString(),
                        "--no-measure",
                        "--hardware=" + table,
                        "--html=" + page);
        assertThat(code).as(out).isZero();
        assertThat(page).content().contains("time here");
    }

    /// The memory that there is bounds a model that is trained here.
    @Test
    void hereIsBoundedByItsMemory() {
        assertThat(run("plan", "--hours", "1e9")).contains("the next larger one breaks the memory");
    }

    /// Without its pictures, what the recipe alone tells is told.
    @Test
    void recipesOfPicturesArePlannedWithoutTheirData() {
        for (var recipe : List.of("image-classification-toy", "segmentation-toy")) {
            var out = run("plan", "../recipes/finetune/" + recipe + ".yaml");
            assertThat(code).as(out).isZero();
            assertThat(out)
                    .contains("no step was measured: recipes/data/")
                    .contains("operations an image")
                    .doesNotContain("of these attention", "written");
        }
    }

    /// Of pictures the model is made and some steps tell what they take; its weights are its own.
    @Test
    void recipesOfPicturesArePlannedToo() {
        var data = "../recipes/data/";
        var out =
                run(
                        "plan",
                        "../recipes/finetune/image-classification-toy.yaml",
                        "--set=data.train=" + data + "shapes-train-images-idx3-ubyte",
                        "--set=data.test=" + data + "shapes-test-images-idx3-ubyte",
                        "--json");
        assertThat(code).as(out).isZero();
        var plan = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(plan.path("family").asString()).isEqualTo("vit");
        var parts = plan.path("parameters");
        assertThat(parts.path("vit.encoder").asLong()).isPositive();
        assertThat(plan.path("trained").asLong())
                .isEqualTo(parts.properties().stream().mapToLong(e -> e.getValue().asLong()).sum());
        assertThat(plan.at("/training/weights").asLong())
                .isEqualTo(4 * plan.path("trained").asLong());
        assertThat(plan.at("/machines/0/seconds").asDouble()).isPositive();
        assertThat(plan.at("/operations/per-token").asDouble()).isPositive();
        assertThat(plan.at("/work/unit").asString()).isEqualTo("images");
        // Unmeasured, it knows all but the time and the activations.
        out =
                run(
                        "plan",
                        "../recipes/finetune/segmentation-toy.yaml",
                        "--set=data.train=" + data + "ponds/train",
                        "--set=data.test=" + data + "ponds/test",
                        "--no-measure",
                        "--json");
        assertThat(code).as(out).isZero();
        plan = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(plan.at("/training/weights").asLong()).isPositive();
        assertThat(plan.at("/training/activations").asLong()).isZero();
        out =
                run(
                        "plan",
                        "../recipes/finetune/segmentation-toy.yaml",
                        "--set=data.train=" + data + "ponds/train",
                        "--set=data.test=" + data + "ponds/test",
                        "--no-measure");
        assertThat(out)
                .contains("images a step", "operations an image", "images/s")
                .doesNotContain("tokens");
    }
}
