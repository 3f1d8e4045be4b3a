package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.MaskSource;
import dev.espalier.image.Decoder;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.ShownImage;
import dev.espalier.io.Json;
import dev.espalier.model.Segformer;
import dev.espalier.model.SegformerConfig;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.PictureSegmenter;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Whole runs of segmentation at a tiny size.
class SegmentingTest {
    private static final String UNET = "{type: unet, image: 32, width: 8, levels: 3}";
    private static final String SEGFORMER =
            "{type: segformer, image: 32, widths: [8, 8, 8, 8], layers: [1, 1, 1, 1],"
                    + " decoder-width: 16, drop-path: 0}";

    @TempDir Path folder;

    /// A bright square upon dark noise; wider than high, so that the two cannot be mistaken.
    @BeforeEach
    void writePictures() throws IOException {
        for (var i = 0; i < 24; i++) {
            write(i < 16 ? "train" : "test", i);
        }
    }

    private void write(String part, int number) throws IOException {
        write(part, number, 48, 40);
    }

    private void write(String part, int number, int width, int height) throws IOException {
        var rng = Rng.at(number);
        int side = 10 + rng.nextInt(10);
        int left = rng.nextInt(width - side), top = rng.nextInt(height - side);
        var picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        var mask = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                var within = x >= left && x < left + side && y >= top && y < top + side;
                var grey = (within ? 180 : 40) + rng.nextInt(40);
                picture.setRGB(x, y, new Color(grey, grey, grey).getRGB());
                mask.getRaster().setSample(x, y, 0, within ? 1 : 0);
            }
        }
        for (var of : new String[] {"images", "masks"}) {
            var file = folder.resolve(part).resolve(of).resolve(number + ".png");
            Files.createDirectories(file.getParent());
            ImageIO.write(of.equals("images") ? picture : mask, "png", file.toFile());
        }
    }

    /// A model that was published for masks whose 0 is nothing, and for pictures in their own
    /// shape.
    private Path published() throws IOException {
        var model = Files.createDirectories(folder.resolve("published"));
        HuggingFace.write(
                model,
                new Unet(new UnetConfig(3, 32, 8, 3), List.of("wall", "sky")).initialize(3),
                JsonNodeFactory.instance.objectNode());
        Files.writeString(
                model.resolve(Preprocessor.FILE),
                """
                {"image_processor_type": "SegformerImageProcessor", "do_reduce_labels": true,
                 "size": {"shortest_edge": 32}, "image_mean": [0.5, 0.5, 0.5],
                 "image_std": [0.5, 0.5, 0.5]}
                """);
        return model;
    }

    @Test
    void aPublishedModelLearnsTheClassesAtHandFromPicturesOfAnyShape() throws IOException {
        for (var i = 30; i < 36; i++) {
            write(i < 34 ? "train" : "test", i, 30, 50);
        }
        var model = "{path: %s}".formatted(published());
        var result = run("own", model, "augment: {flip: both}", 40).train(figures -> {});
        assertThat(iou(result)).isGreaterThan(0.7);
        var written = Preprocessor.read(result.model());
        assertThat(written.reduceLabels()).isFalse();
        assertThat(written.size()).isEqualTo(new Preprocessor.Size.Edge(32, 0));
        try (var segmenter = PictureSegmenter.load(result.model())) {
            assertThat(segmenter.classes().names()).containsExactly("dark", "bright");
            // What it stands beside in the run it stands beside here.
            for (var score : segmenter.evaluate("validation", test().images(), 1).scores()) {
                assertThat(result.scores())
                        .anyMatch(s ->
                                s.metric().equals(score.metric()) && s.value() == score.value());
            }
        }
        assertThatThrownBy(() -> run("windows", model, "windows: 0.5", 1).train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(
                        "windows over a picture are of the size that the model reads");
        var together = recipe("two", model, "", 1, "micro-batch: 2");
        assertThatThrownBy(() -> new Run(together).train(figures -> {}))
                .hasMessageContaining("training.micro-batch: 2 pictures cannot pass through");
    }

    /// A picture that is too small, and changes that leave too little of one.
    @Test
    void whatTheModelDoesNotSeeIsNotAskedOfIt() throws IOException {
        var model = published();
        var reading = (ObjectNode) Json.read(model.resolve(Preprocessor.FILE));
        reading.put("do_resize", false);
        Files.writeString(model.resolve(Preprocessor.FILE), reading.toString());
        for (var i = 0; i < 16; i++) {
            write("train", i, 31, 22);
        }
        for (var part : new String[] {"images", "masks"}) {
            var file = folder.resolve("train").resolve(part).resolve("small.png");
            ImageIO.write(
                    new BufferedImage(48, 3, BufferedImage.TYPE_BYTE_GRAY), "png", file.toFile());
        }
        var said = new ArrayList<String>();
        var examples =
                run("seen", "{path: %s}".formatted(model), "augment: {scale: [10, 10]}", 1)
                        .examples(
                                0,
                                new Watcher() {
                                    @Override
                                    public void said(String line) {
                                        said.add(line);
                                    }
                                });
        assertThat(said).anyMatch(line -> line.contains("1: picture too small for the model"));
        assertThat(examples).hasSize(4);
        // A tenth of them are 3 x 2 pixels, of which this model needs 4 each way.
        for (var example : examples) {
            var image = Objects.requireNonNull(example.picture()).image();
            assertThat(image.width()).isEqualTo(31);
            assertThat(image.height()).isEqualTo(22);
        }
    }

    /// In the masks at hand 255 means nothing, and 0 is a class.
    @Test
    void whatMeantNothingToAPublishedModelIsLearnt() throws IOException {
        var model = published();
        var config = (ObjectNode) Json.read(model.resolve("config.json"));
        config.put("semantic_loss_ignore_index", 0);
        Files.writeString(model.resolve("config.json"), config.toString());
        var result =
                run(
                                "nothing",
                                "{path: %s}".formatted(model),
                                "class-weights: balanced, augment: {scale: [0.5, 1.2]}",
                                40)
                        .train(figures -> {});
        assertThat(iou(result, "dark")).isGreaterThan(0.5);
        assertThat(HuggingFace.config(result.model()).path("semantic_loss_ignore_index").asInt())
                .isEqualTo(Mask.IGNORED);
    }

    @Test
    void whatMasksTaughtAViTIsOfNoUseHere() throws IOException {
        var mae =
                new VitMae(VitMaeConfig.of(VitConfig.of(8, 4, 16, 1, 2, 0), 8, 1, 2)).initialize(7);
        HuggingFace.write(folder, mae, JsonNodeFactory.instance.objectNode());
        assertThatThrownBy(() ->
                        run("mae", "{path: %s}".formatted(folder), "", 1).train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(
                        "model_type 'vit_mae' tells no classes of pixels, and its body is that of no model that does");
    }

    private Run run(String name, String model, String task, int steps) {
        return new Run(recipe(name, model, task, steps));
    }

    private Recipe recipe(String name, String model, String task, int steps) {
        return recipe(name, model, task, steps, "");
    }

    private Recipe recipe(String name, String model, String task, int steps, String more) {
        return Recipes.parse(
                """
                name: %s
                output: %s
                data: {train: %s, validation: %s, test: null}
                model: %s
                task: {type: segmentation, classes: [dark, bright], %s}
                training:
                  for: %d steps
                  batch: 4
                  %s
                  optimizer: {type: adamw, rate: 5e-3}
                  precision: fp32
                  early-stopping: none
                evaluate: {every: 4 steps}
                save: {every: 4 steps, keep: 3}
                """
                        .replace(", test: null", "")
                        .formatted(
                                name,
                                folder.resolve(name),
                                folder.resolve("train"),
                                folder.resolve("test"),
                                model,
                                task,
                                steps,
                                more),
                "x");
    }

    private static double iou(Run.Result result) {
        return iou(result, "bright");
    }

    private static double iou(Run.Result result, String label) {
        return result.scores().stream()
                .filter(s -> s.metric().equals("iou:" + label))
                .findFirst()
                .orElseThrow()
                .value();
    }

    @Test
    void aUnetLearnsInWindowsAndIsReadAgain() {
        var result =
                run(
                                "unet",
                                UNET,
                                "windows: 0.5, loss: {cross-entropy: 1, dice: 1, focal: 1},"
                                        + " class-weights: balanced, augment: {flip: both}",
                                40)
                        .train(figures -> {});
        assertThat(iou(result)).isGreaterThan(0.8);
        assertThat(result.folder().resolve("report.html"))
                .content()
                .contains("What pixels are taken for", "<th scope=\"row\">bright</th>");
        var image = Decoder.read(folder.resolve("test/images/20.png")).image();
        try (var segmenter = PictureSegmenter.load(result.model())) {
            assertThat(segmenter.labels()).containsExactly("dark", "bright");
            var told = segmenter.segment(image).mask();
            assertThat(told.width()).isEqualTo(48);
            var truth = Decoder.numbers(folder.resolve("test/masks/20.png")).classes();
            var wrong = 0;
            for (var i = 0; i < truth.length; i++) {
                wrong += truth[i] == told.classes()[i] ? 0 : 1;
            }
            assertThat(wrong).isLessThan(truth.length / 20);
        }
        // As it tells windows after reading, so it does when trained on.
        var again = run("again", "{path: %s}".formatted(result.model()), "windows: 0.5", 1);
        assertThat(iou(again.train(figures -> {}))).isGreaterThan(0.6);
        assertThat(HuggingFace.config(result.model()).path("espalier").path("windows").asDouble())
                .isEqualTo(0.5);
        // What the first task said of windows does not hold for another one without.
        var whole = run("stretched", "{path: %s}".formatted(result.model()), "", 1);
        assertThat(
                        HuggingFace.config(whole.train(figures -> {}).model())
                                .path("espalier")
                                .has("windows"))
                .isFalse();
    }

    /// What batch norms gather is part of what a checkpoint holds.
    @Test
    void aSegformerThatIsStoppedAndResumedEndsAlike() {
        var changes = "augment: {scale: [0.8, 1.2], cut-mix: 1}";
        var first = run("whole", SEGFORMER, changes, 12).train(figures -> {});
        var stopped = recipe("stopped", SEGFORMER, changes, 12);
        StopAfter.run(stopped, 6);
        var second = new Run(stopped).train(new Watcher() {}, true);
        assertThat(second.scores()).isEqualTo(first.scores());
        assertThat(second.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(first.model().resolve("model.safetensors"));
    }

    /// The head that upsamples, and what its norms gather, are written with the updates.
    @Test
    void updatesAreLeftInTheWeightsThatAreWritten() throws IOException {
        var shape = SegformerConfig.of(List.of(8, 8, 8, 8), List.of(1, 1, 1, 1), 16, 0);
        var base =
                PictureRuns.saved(
                        folder.resolve("base"),
                        new Segformer(shape, List.of("dark", "bright")).initialize(1),
                        Preprocessor.imageNet("SegformerImageProcessor", 32, 32));
        var model = "{path: %s}\nadapter: lora".formatted(base);
        var result = run("lora", model, "", 20).train(figures -> {});
        assertThat(HuggingFace.isAdapter(result.model())).isFalse();
        try (var segmenter = PictureSegmenter.load(result.model())) {
            for (var score : segmenter.evaluate("validation", test().images(), 1).scores()) {
                assertThat(result.scores())
                        .as(score.metric())
                        .anyMatch(s ->
                                s.metric().equals(score.metric())
                                        && Math.abs(s.value() - score.value()) < 1e-3);
            }
        }
    }

    private ImageData test() {
        return ImageReader.read(
                new ImageData.Place(folder.resolve("test"), null),
                new ImageData.Wanted.Masks(new MaskSource.Classes(List.of("dark", "bright"), null)),
                Ledger.strict());
    }

    @Test
    void examplesSayHowMuchOfThemEachClassHas() {
        var examples = run("shown", UNET, "", 1).examples(0, new Watcher() {});
        assertThat(examples).hasSize(4);
        for (var example : examples) {
            var field = example.fields().getFirst();
            assertThat(field.name()).isEqualTo("classes");
            // Squares of 10 to 19 pixels in 48 x 40.
            assertThat(field.pieces().getFirst().text())
                    .matches("dark [89]\\d\\.\\d %, bright [01]?\\d\\.\\d %");
            assertThat(Objects.requireNonNull(example.picture()).areas())
                    .extracting(ShownImage.Areas::names)
                    .isEqualTo(List.of("dark", "bright"));
        }
        assertThat(
                        Segmenting.shares(
                                new Mask(2, 2, new byte[] {1, 1, (byte) Mask.IGNORED, 0}),
                                List.of("dark", "bright")))
                .isEqualTo("dark 25.0 %, bright 50.0 %, (ignored) 25.0 %");
    }

    @Test
    void cocoNamesItsClassesItself() throws IOException {
        var coco = folder.resolve("train.json");
        Files.writeString(coco, "{}");
        assertThatThrownBy(() ->
                        new Run(
                                        Recipes.parse(
                                                """
                                                output: %s
                                                data: {train: %s}
                                                model: %s
                                                task: {type: segmentation, classes: [dark, bright]}
                                                """
                                                        .formatted(
                                                                folder.resolve("coco"), coco, UNET),
                                                "x"))
                                .train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "task.classes: not for %s, since COCO's JSON names its classes itself; allowed: none"
                                .formatted(coco));
    }

    /// Black and white is how most programs draw a mask, and 255 means nothing.
    @Test
    void masksOfOneClassAreRefused() throws IOException {
        for (var part : new String[] {"train", "test"}) {
            for (var file :
                    Objects.requireNonNull(folder.resolve(part + "/masks").toFile().listFiles())) {
                var mask = ImageIO.read(file);
                for (var i = 0; i < mask.getWidth() * mask.getHeight(); i++) {
                    int x = i % mask.getWidth(), y = i / mask.getWidth();
                    mask.getRaster().setSample(x, y, 0, 255 * mask.getRaster().getSample(x, y, 0));
                }
                ImageIO.write(mask, "png", file);
            }
        }
        assertThatThrownBy(() -> run("grey", UNET, "", 1).train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        folder.resolve("train")
                                + ": the masks to train on have no class but `dark`, where two classes are"
                                + " needed; 255 means none: of masks that are black and white, task.colours"
                                + " tells the classes, [\"#000000\", \"#ffffff\"]");
        var colours = "colours: [\"#000000\", \"#ffffff\"]";
        assertThat(run("colours", UNET, colours, 1).examples(0, new Watcher() {})).hasSize(4);
    }

    @Test
    void aPixelOfTwoPicturesHasNoClass() {
        assertThatThrownBy(() -> recipe("mixed", UNET, "augment: {mix-up: 0.2}", 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(
                        "task.augment.mix-up: lets pictures shine through each other, where a pixel"
                                + " has no one class; allowed: 0");
    }

    @Test
    void aClassThatIsNoneIsNamed() {
        assertThatThrownBy(() -> run("one", UNET, "classes: [dark]", 1).train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("classes");
        assertThatThrownBy(() ->
                        run("two", UNET, "colours: [\"#000000\", \"#ffffff\"]", 1)
                                .train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("broken mask");
    }

    @Test
    void whatBeginsHereIsNotFrozen() {
        var lora = UNET + "\nadapter: {type: lora}";
        assertThatThrownBy(() -> recipe("lora", lora, "", 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("adapter: lora keeps a body as it is that begins here");
    }
}
