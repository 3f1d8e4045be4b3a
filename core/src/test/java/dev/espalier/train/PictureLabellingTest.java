package dev.espalier.train;

import static dev.espalier.train.PictureRuns.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Image;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Problem;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.PictureClassifier;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Whole runs on pictures at a tiny size.
class PictureLabellingTest {
    private static final int SIDE = 10;

    @TempDir Path folder;

    /// Stripes that lie or stand.
    @BeforeEach
    void writePictures() throws IOException {
        for (var i = 0; i < 48; i++) {
            var label = i % 2 == 0 ? "lying" : "standing";
            write(folder.resolve("train").resolve(label).resolve(i + ".png"), i, i % 2 == 0);
            write(folder.resolve("test").resolve(label).resolve(i + ".png"), 100 + i, i % 2 == 0);
        }
    }

    private static void write(Path file, int seed, boolean lying) throws IOException {
        var rng = Rng.at(seed);
        var phase = rng.nextInt(4);
        PictureRuns.write(
                file,
                SIDE,
                SIDE,
                (x, y) -> {
                    var bright = ((lying ? y : x) + phase) % 4 < 2;
                    return 0x10101 * ((bright ? 190 : 40) + rng.nextInt(30));
                });
    }

    private Run.Result run(String name, String train, String model, String more) {
        return prepared(name, train, model, more).train(figures -> {});
    }

    private Run prepared(String name, String train, String model, String more) {
        return new Run(
                Recipes.parse(
                        """
                        name: %s
                        output: %s
                        data: {train: %s, test: %s}
                        model: %s
                        task:
                          type: image-classification
                          augment: {mix-up: 0.2, scale: [0.9, 1.2]}
                        training:
                          for: 60 steps
                          batch: 12
                          optimizer: {type: adamw, rate: 3e-3}
                          early-stopping: none
                        evaluate: {every: 30 steps}
                        save: {every: 30 steps}
                        %s
                        """
                                .formatted(
                                        name,
                                        folder.resolve(name),
                                        folder.resolve(train),
                                        folder.resolve("test"),
                                        model,
                                        more),
                        "x"));
    }

    private static double accuracy(Run.Result result) {
        return value(result.scores(), "accuracy");
    }

    private static final String VIT =
            "{type: vit, image: 8, patch: 2, width: 16, layers: 2, heads: 2}";

    /// Several plans are made in one process, that of an adapter after that of all weights.
    @Test
    void whatStepsTakeIsKnownAfterLargerOnes() {
        try (var scope = new Scope()) {
            assertThat(Tensor.full(1, 96L << 20).count()).isEqualTo(96L << 20);
        }
        var before = Torch.peakResidentBytes();
        var peak =
                prepared("planned", "train", VIT, "")
                        .measured(3, 0, new Watcher() {}, (_, found) -> found.peakMemory());
        assertThat(peak > 0).isEqualTo(Files.isWritable(Path.of("/proc/self/clear_refs")));
        assertThat(peak).isLessThanOrEqualTo(Math.max(0, before - (128L << 20)));
    }

    @Test
    void aNewModelLearnsIsReadAgainAndLearnsOtherLabels() throws IOException {
        var result = run("stripes", "train", VIT, "");
        assertThat(accuracy(result)).isGreaterThan(0.9);
        assertThat(result.folder().resolve("report.html"))
                .content()
                .contains("Best and worst cases", "src=\"data:image/png;base64,", "told: lying ");
        var file = folder.resolve("test/lying/0.png");
        var records = ImageReader.folders(folder.resolve("test"), Ledger.strict());
        try (var classifier = PictureClassifier.load(result.model())) {
            var told =
                    classifier
                            .predict(List.of(new dev.espalier.data.Picture.InFile(file)))
                            .getFirst();
            assertThat(told.labels()).containsExactly("lying");
            assertThat(told.probabilities().values().stream().mapToDouble(p -> p).sum())
                    .isCloseTo(1, org.assertj.core.data.Offset.offset(1e-6));
            for (var score : classifier.evaluate("test", records, 1).scores()) {
                assertThat(value(result.scores(), score.metric()))
                        .as(score.metric())
                        .isEqualTo(score.value());
            }
        }
        assertThat(Preprocessor.read(result.model())).isEqualTo(Preprocessor.vit(8, 8));
        var seen = (Vit) HuggingFace.readVision(result.model(), null).model();
        var attention =
                PictureClassifier.attention(
                        seen, Preprocessor.vit(8, 8), records.getFirst().picture());
        assertThat(attention.width()).isEqualTo(SIDE);

        // The same labels keep the head: frozen, it need learn nothing.
        var again =
                run("again", "train", "{path: %s}".formatted(result.model()), "adapter: frozen");
        assertThat(accuracy(again)).isGreaterThan(0.9);

        // Others start a new one.
        Files.move(folder.resolve("train/lying"), folder.resolve("train/flat"));
        Files.move(folder.resolve("test/lying"), folder.resolve("test/flat"));
        var other = run("other", "train", "{path: %s}".formatted(result.model()), "");
        assertThat(HuggingFace.readVision(other.model(), null).model().labels())
                .containsExactly("flat", "standing");
        assertThat(accuracy(other)).isGreaterThan(0.9);
    }

    /// A second task, of shades, for a model that tells stripes.
    private Run.Result shades(String name, Run.Result first, String more) {
        return new Run(
                        Recipes.parse(
                                """
                                name: %1$s
                                output: %2$s/%1$s
                                data: {train: %2$s/shades, validation-share: 25%%}
                                model: {path: %3$s}
                                task: {type: image-classification}
                                training: {for: 6 steps, batch: 12, optimizer: {type: adamw, rate: 3e-3}, early-stopping: none}
                                evaluate: {every: 3 steps}
                                %4$s
                                """
                                        .formatted(name, folder, first.model(), more),
                                name))
                .train(figures -> {});
    }

    private static double of(Run.Result run, String data, String metric) {
        return Score.find(run.scores(), data, metric)
                .orElseThrow(() -> new AssertionError(data + " " + metric))
                .value();
    }

    @Test
    void anEarlierTaskIsAskedByTheHeadThatItHad() throws IOException {
        for (var i = 0; i < 32; i++) {
            var rng = Rng.at(i);
            var bright = i % 2 == 0;
            PictureRuns.write(
                    folder.resolve("shades").resolve(bright ? "day" : "night").resolve(i + ".png"),
                    SIDE,
                    SIDE,
                    (_, _) -> 0x10101 * ((bright ? 170 : 20) + rng.nextInt(80)));
        }
        var first = run("stripes", "train", VIT, "");
        var tasks = "forgetting: {measure: {tasks: [%s]}%%s}".formatted(first.folder());
        var plain = shades("plain", first, tasks.formatted(""));
        // Before is what the run before left.
        for (var metric : List.of("accuracy", "loss")) {
            assertThat(of(plain, "stripes-before", metric))
                    .isEqualTo(of(first, "validation", metric));
            assertThat(of(plain, "stripes-test-before", metric))
                    .isEqualTo(of(first, "test", metric));
        }
        assertThat(of(plain, "stripes-test", "accuracy-change"))
                .isCloseTo(
                        of(plain, "stripes-test-after", "accuracy")
                                - of(plain, "stripes-test-before", "accuracy"),
                        within(1e-12));
        assertThat(plain.folder().resolve("report.html"))
                .content()
                .contains("Learning against forgetting", "stripes");
        // What holds the weights to where they were holds what they tell.
        var held = shades("held", first, tasks.formatted(", defence: {type: l2-sp, alpha: 100}"));
        var was = of(first, "test", "loss");
        assertThat(Math.abs(of(held, "stripes-test-after", "loss") - was))
                .isLessThan(Math.abs(of(plain, "stripes-test-after", "loss") - was) / 2);
        // What is frozen forgets nothing, and the line of weights begins with those of before.
        var frozen = shades("frozen", first, tasks.formatted("") + "\nadapter: frozen");
        assertThat(of(frozen, "stripes-test-after", "loss")).isEqualTo(was);
        var mixed = shades("mixed", first, tasks.formatted(", defence: {type: wise-ft, steps: 2}"));
        assertThat(of(mixed, "alpha-0.0-stripes", "loss"))
                .isEqualTo(of(first, "validation", "loss"));
        var cheapest =
                shades(
                        "cheapest",
                        first,
                        tasks.formatted(
                                ", budget: 0, defence: {type: cheapest, tries: [fewer-layers, lwf]}"));
        assertThat(cheapest.folder().resolve("tries"))
                .isDirectoryContaining("glob:**/wise-ft")
                .isDirectoryNotContaining("glob:**/lwf");
    }

    @Test
    void whatOfForgettingIsOfTextsIsRefused() throws IOException {
        var text = folder.resolve("text");
        Files.createDirectories(text.resolve("model"));
        Files.writeString(
                text.resolve("recipe.yaml"),
                "name: text\ndata: {train: a.csv}\nmodel: {path: none}\ntask: {type: classification}\n");
        assertThatThrownBy(() ->
                        run(
                                "words",
                                "train",
                                VIT,
                                "forgetting: {measure: {tasks: [%s]}}".formatted(text)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("forgetting.measure.tasks")
                .hasMessageContaining("allowed: image-classification");
        assertThatThrownBy(() ->
                        run(
                                "words",
                                "train",
                                VIT,
                                "forgetting: {measure: {corpus: a.txt}, defence: {type: replay, corpus: a.txt}}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("forgetting.measure: is of texts")
                .hasMessageContaining("forgetting.defence: is for texts")
                .hasMessageContaining("allowed: none, l2-sp, wise-ft, cheapest");
        assertThatThrownBy(() ->
                        Recipes.parse(
                                """
                                data: {train: a.json}
                                model: {path: none}
                                task: {type: object-detection}
                                forgetting: {measure: {tasks: [runs/a]}}
                                """,
                                "boxes"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("image-classification");
    }

    /// An adapter has no place for the head, nor for what is read with it.
    @Test
    void updatesAreLeftInTheWeightsThatAreWritten() throws IOException {
        var said = new ArrayList<String>();
        var shape = VitConfig.of(8, 2, 16, 2, 2, 0);
        var base =
                PictureRuns.saved(
                        folder.resolve("base"),
                        new Vit(shape, new Problem.SingleLabel(List.of("lying", "standing")))
                                .initialize(1),
                        Preprocessor.vit(8, 8));
        var result =
                prepared("lora", "train", "{path: %s}".formatted(base), "adapter: lora")
                        .train(
                                new Watcher() {
                                    @Override
                                    public void said(String line) {
                                        said.add(line);
                                    }
                                },
                                false);
        assertThat(said)
                .anyMatch(line -> line.contains("the updates added into the model's weights"));
        assertThat(HuggingFace.isAdapter(result.model())).isFalse();
        var records = ImageReader.folders(folder.resolve("test"), Ledger.strict());
        try (var classifier = PictureClassifier.load(result.model())) {
            for (var score : classifier.evaluate("test", records, 1).scores()) {
                assertThat(score.value())
                        .as(score.metric())
                        .isCloseTo(value(result.scores(), score.metric()), within(1e-5));
            }
        }
    }

    @Test
    void examplesAreShownAsTheModelSeesThem() {
        var examples = prepared("stripes", "train", VIT, "").examples(3, new Watcher() {});
        assertThat(examples).hasSize(12);
        for (var example : examples) {
            var picture = Objects.requireNonNull(example.picture());
            assertThat(picture.image().width()).isEqualTo(8);
            assertThat(picture.caption()).containsAnyOf("lying", "standing");
            // Grey from 40 to 220, and what is around a picture.
            for (var v : picture.image().rgb()) {
                assertThat(v & 0xFF).isBetween(39, 221);
            }
        }
    }

    @Test
    void aLabelThatIsNotLearntIsNamed() throws IOException {
        Files.move(folder.resolve("test/lying"), folder.resolve("test/oblique"));
        assertThatThrownBy(() -> run("stripes", "train", VIT, ""))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("oblique")
                .hasMessageContaining("[lying, standing]");
    }

    @Test
    void oneLabelIsNothingToTellApart() throws IOException {
        Files.move(folder.resolve("train/lying"), folder.resolve("lying"));
        assertThatThrownBy(() -> run("stripes", "train", VIT, ""))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("nothing to tell apart");
    }

    @Test
    void whatIsNoPictureIsRefused() {
        assertThatThrownBy(() -> run("stripes", "train/lying/0.png", VIT, ""))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("0.png");
    }

    @Test
    void picturesOfAnySizeShareABatch() {
        var small = new Image(3, 2, new byte[18]);
        var large = new Image(20, 30, new byte[1800]);
        var preprocessor = Preprocessor.vit(8, 8);
        for (var image : List.of(small, large)) {
            var pixels = PictureClassifier.pixels(preprocessor, image, "here");
            assertThat(pixels.height()).isEqualTo(8);
            assertThat(pixels.values()).containsOnly(-1f);
        }
        assertThat(
                        new LabelledImage(
                                        new dev.espalier.data.Picture.Held(small, "here"),
                                        List.of("a"))
                                .where())
                .isEqualTo("here");
    }
}
