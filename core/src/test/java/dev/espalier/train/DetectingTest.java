package dev.espalier.train;

import static dev.espalier.train.PictureRuns.value;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.evaluate.Detections;
import dev.espalier.image.Preprocessor;
import dev.espalier.io.Json;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.nn.Parameter;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.ObjectDetector;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DetectingTest {
    private static final int SIDE = 16;

    @TempDir Path folder;

    @BeforeEach
    void data() throws IOException {
        pictures("boxes.json", 0, 24);
        pictures("test.json", 24, 32);
    }

    /// A red or a blue square in each picture, whose corners lie on a grid of 4.
    private void pictures(String file, int from, int to) throws IOException {
        var images = new ArrayList<String>();
        var boxes = new ArrayList<String>();
        for (var i = from; i < to; i++) {
            var rng = Rng.at(i);
            int kind = rng.nextInt(2), left = 4 * rng.nextInt(3), top = 4 * rng.nextInt(3);
            PictureRuns.write(
                    folder.resolve(i + ".png"),
                    SIDE,
                    SIDE,
                    (x, y) -> {
                        var inside = x >= left && x < left + 8 && y >= top && y < top + 8;
                        return !inside ? 0x909090 : kind == 0 ? 0xFF0000 : 0x0000FF;
                    });
            images.add("{\"id\": %d, \"file_name\": \"%d.png\"}".formatted(i, i));
            boxes.add(
                    "{\"id\": %d, \"image_id\": %d, \"category_id\": %d, \"bbox\": [%d, %d, 8, 8]}"
                            .formatted(i, i, kind, left, top));
        }
        Files.writeString(
                folder.resolve(file),
                """
                {"images": %s, "annotations": %s,
                 "categories": [{"id": 0, "name": "red"}, {"id": 1, "name": "blue"}]}
                """
                        .formatted(images, boxes));
    }

    private Run run(String model) {
        return new Run(Recipes.parse(recipe(model), "x"));
    }

    private String recipe(String model) {
        return """
        name: squares
        output: %s
        data: {train: %s, validation-share: 25%%, test: %s}
        model: %s
        task: {type: object-detection, augment: {flip: both}}
        training:
          for: 60 steps
          batch: 8
          micro-batch: 8
          optimizer: {type: adamw, rate: 2e-3}
          clip: 1
          early-stopping: none
        evaluate: {every: 60 steps}
        save: {every: 60 steps}
        """
                .formatted(
                        folder.resolve("run"),
                        folder.resolve("boxes.json"),
                        folder.resolve("test.json"),
                        model);
    }

    private static final String YOLOS =
            "{type: yolos, image: [16, 16], patch: 4, width: 32, layers: 3, heads: 2, detections: 2}";

    @Test
    void aNewModelLearnsWhatIsWhereAndIsReadAgain() throws IOException {
        var losses = new ArrayList<Double>();
        var result = run(YOLOS).train(figures -> losses.add(figures.loss()));
        assertThat(losses.getLast()).isLessThan(0.8 * losses.getFirst());
        assertThat(result.folder().resolve("report.html"))
                .content()
                .contains(
                        "Best and worst cases",
                        "data:image/png",
                        "map 50:red",
                        "What things are taken for",
                        "<th scope=\"row\">nothing</th>");
        readsAlike(result, 0);
        // What was learnt is where the next run starts; other kinds would start a new head.
        var model = "{path: %s}".formatted(result.model());
        var again = run(model).examples(0, new Watcher() {});
        var shown = Objects.requireNonNull(again.getFirst().picture());
        assertThat(shown.marks()).hasSize(1);
        assertThat(shown.marks().getFirst().box().area()).isCloseTo(64, within(1e-6));
        assertThatThrownBy(() ->
                        run("{path: %s, detections: 3}".formatted(result.model()))
                                .examples(0, new Watcher() {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("model.detections: ")
                .hasMessageEndingWith("holds a yolos, which has tokens of its own; allowed: auto");
        // Pictures that keep their shape cannot share a batch.
        Files.writeString(
                result.model().resolve(Preprocessor.FILE),
                "{\"size\": {\"shortest_edge\": 16}, \"do_normalize\": false}");
        assertThatThrownBy(() -> run(model).examples(0, new Watcher() {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("training.micro-batch: 8 pictures cannot pass through");
    }

    /// What a run leaves is read again and tells the test pictures with the run's scores.
    private void readsAlike(Run.Result result, double offset) {
        var test =
                ImageReader.read(
                                new ImageData.Place(folder.resolve("test.json"), null),
                                new ImageData.Wanted.Boxes(),
                                Ledger.strict())
                        .images();
        try (var detector = ObjectDetector.load(result.model())) {
            assertThat(detector.labels()).containsExactly("red", "blue");
            var seen = detector.detect(test.stream().map(LabelledImage::picture).toList());
            for (var each : seen) {
                assertThat(each).hasSize(2);
                assertThat(each.getFirst().score()).isGreaterThanOrEqualTo(each.getLast().score());
            }
            var scores =
                    new Detections(
                                    detector.labels(),
                                    test.stream().map(LabelledImage::regions).toList(),
                                    seen)
                            .scores("test", 1);
            for (var metric : List.of("map", "map-50", "recall-100")) {
                assertThat(value(scores, metric))
                        .isCloseTo(value(result.scores(), metric), within(offset));
            }
        }
    }

    /// The heads are written with the updates.
    @Test
    void updatesAreLeftInTheWeightsThatAreWritten() throws IOException {
        var shape = YolosConfig.of(VitConfig.of(16, 4, 32, 3, 2, 0), 2);
        var base =
                PictureRuns.saved(
                        folder.resolve("base"),
                        new Yolos(shape, List.of("red", "blue")).initialize(1),
                        Preprocessor.imageNet("YolosImageProcessor", 16, 16));
        var result = run("{path: %s}\nadapter: lora".formatted(base)).train(_ -> {});
        assertThat(HuggingFace.isAdapter(result.model())).isFalse();
        assertThat(value(result.scores(), "recall-100")).isPositive();
        readsAlike(result, 1e-3);
    }

    private static final VitMae MAE =
            new VitMae(VitMaeConfig.of(VitConfig.of(16, 4, 16, 1, 2, 0), 8, 1, 2)).initialize(7);

    private Path eye() throws IOException {
        return PictureRuns.saved(
                folder.resolve("eye"), MAE, Preprocessor.imageNet("ViTImageProcessor", 16, 16));
    }

    @ParameterizedTest
    @ValueSource(strings = {"lora", "frozen"})
    void whatAViTLacksIsTrainedWhateverIsFrozen(String adapter) throws IOException {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                recipe("{path: %s}".formatted(eye())) + "adapter: " + adapter, "x");
        var model = Vision.detector(recipe.model(), List.of("red", "blue"), 1);
        Vision.adapt(recipe, model);
        assertThat(model.model().config().detections()).isEqualTo(100);
        assertThat(model.model().parameters())
                .allSatisfy((path, parameter) ->
                        assertThat(parameter.trained())
                                .as(path)
                                .isEqualTo(
                                        model.model().isHead(path)
                                                || path.contains(".lora_")
                                                || path.endsWith(".detection_tokens")
                                                || path.endsWith("position_embeddings")));
    }

    @Test
    void itBeginsWithWhatMasksTaughtAViT() throws IOException {
        var eye = eye();
        var recipe =
                recipe("{path: %s, detections: 3}".formatted(eye))
                        .replace("rate: 2e-3", "rate: 1e-12")
                        .replace("60 steps", "1 steps");
        var result = new Run(Recipes.parse(recipe, "x")).train(_ -> {});
        var loaded = HuggingFace.readYolos(result.model(), List.of("red", "blue"), null);
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.model().config().detections()).isEqualTo(3);
        var learnt = loaded.model().parameters();
        MAE.parameters()
                .forEach((name, parameter) -> {
                    if (name.startsWith("vit.")) {
                        var began = parameter.value().floats();
                        // Behind the positions of the patches stand those of the things.
                        assertThat(Arrays.copyOf(floats(learnt, name), began.length))
                                .as(name)
                                .usingComparatorWithPrecision(1e-6f)
                                .containsExactly(began);
                    }
                });
        assertThat(floats(learnt, "vit.embeddings.position_embeddings")).hasSize((1 + 16 + 3) * 16);
        assertThat(Preprocessor.read(result.model()).mean())
                .isEqualTo(Preprocessor.read(eye).mean());
        assertThat(Files.readString(result.folder().resolve("passport.json")))
                .contains("parent-model");
    }

    /// What knows nothing yet learns as fast as the head, in the midst of what has learnt.
    @Test
    void aLayerDecayHoldsBackOnlyWhatHasLearnt() throws IOException {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                recipe("{path: %s, detections: 3}".formatted(eye()))
                                        .replace("60 steps", "1 steps")
                                        .replace(
                                                "clip: 1",
                                                "layer-decay: 0.1\n  schedule: {type: constant}"),
                                "x");
        var labels = List.of("red", "blue");
        var before = Vision.detector(recipe.model(), labels, recipe.seed()).model().parameters();
        var result = new Run(recipe).train(_ -> {});
        var after = HuggingFace.readYolos(result.model(), labels, null).model().parameters();
        var head = moved(before, after, "bbox_predictor.layers.2.bias");
        assertThat(head).isPositive();
        assertThat(moved(before, after, "vit.embeddings.detection_tokens") / head)
                .isCloseTo(1, within(0.05));
        assertThat(moved(before, after, "vit.embeddings.cls_token") / head)
                .isCloseTo(0.01, within(0.005));
    }

    private static double moved(
            Map<String, Parameter> before, Map<String, Parameter> after, String name) {
        var from = floats(before, name);
        var to = floats(after, name);
        return IntStream.range(0, from.length)
                .mapToDouble(i -> Math.abs(to[i] - from[i]))
                .max()
                .orElseThrow();
    }

    private static float[] floats(Map<String, Parameter> parameters, String name) {
        return Objects.requireNonNull(parameters.get(name)).value().floats();
    }

    /// How pictures are made ready belongs to a model too. A run of before it was noted goes on.
    @Test
    void itGoesOnOnlyWithThePreprocessorThatItBeganWith() throws IOException {
        var file = eye().resolve(Preprocessor.FILE);
        var recipe =
                Recipes.parse(
                        recipe("{path: %s, detections: 3}".formatted(file.getParent()))
                                .replace("60 steps", "1 steps"),
                        "x");
        var noted = new Run(recipe).train(_ -> {}).folder().resolve("inputs.json");
        Files.writeString(file, "\n", java.nio.file.StandardOpenOption.APPEND);
        assertThatThrownBy(() -> new Run(recipe).train(new Watcher() {}, true))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(file + ": has changed since the run began with it");
        var inputs = Json.read(noted);
        var files = (tools.jackson.databind.node.ArrayNode) inputs.at("/parent-model/files");
        files.remove(files.size() - 1);
        assertThat(files.toString())
                .contains("model.safetensors")
                .doesNotContain(Preprocessor.FILE);
        Files.writeString(noted, Json.pretty(inputs));
        assertThat(new Run(recipe).train(new Watcher() {}, true).model()).isDirectory();
    }

    @Test
    void whatIsForBoxesIsSaid() {
        assertThatThrownBy(() ->
                        run("{type: vit, image: 16, patch: 4, width: 32, layers: 1, heads: 2}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("model: cannot do this; allowed: yolos, or a path");
        assertThatThrownBy(() -> run(YOLOS.replace("[16, 16]", "[16, 18]")))
                .hasMessageContaining("4 does not divide the picture's 18 pixels");
        assertThatThrownBy(() -> run(YOLOS.replace("[16, 16]", "[16]")))
                .hasMessageContaining("are not height and width");
        assertThatThrownBy(() -> run(YOLOS + "\nadapter: frozen"))
                .hasMessageContaining(
                        "adapter: frozen keeps a body as it is that begins here and has seen"
                                + " nothing; allowed: none, or a path under model");
    }
}
