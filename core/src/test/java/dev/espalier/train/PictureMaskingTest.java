package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Problem;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

/// Pre-training on pictures without labels at a tiny size.
class PictureMaskingTest {
    private static final Path SHAPES =
            Path.of("../recipes/data/shapes-train-images-idx3-ubyte").toAbsolutePath();

    @TempDir Path folder;

    private static final String NEW =
            "{type: vit-mae, image: 16, patch: 4, width: 16, layers: 2, heads: 2, decoder-width: 16,"
                    + " decoder-layers: 1, decoder-heads: 2}";

    private Recipe recipe(String name, String source, String objective) {
        return recipe(name, source, NEW, objective);
    }

    private Recipe recipe(String name, String source, String model, String objective) {
        return Recipes.parse(
                """
                name: %s
                output: %s
                data: {sources: [%s], validation: 20%%}
                model: %s
                objective: %s
                training:
                  for: 60 steps
                  batch: 16
                  optimizer: {type: adamw, rate: 5e-3}
                  schedule: {type: constant}
                evaluate: {every: 20 steps}
                save: {every: 20 steps}
                """
                        .formatted(name, folder.resolve(name), source, model, objective),
                "x");
    }

    @Test
    void aVitLearnsFromPicturesIsResumedAndTellsLabelsAfterwards() {
        var source = "{type: images, path: %s}".formatted(SHAPES);
        var objective = "{type: masked-image, ratio: 0.6, augment: {}}";
        var recipe = recipe("whole", source, objective);
        var whole = new Run(recipe).train(figures -> {});
        assertThat(whole.scores())
                .singleElement()
                .satisfies(s -> {
                    assertThat(s.metric()).isEqualTo("loss");
                    // One deviation is what who tells each patch's mean is wrong by.
                    assertThat(s.value()).isLessThan(0.95);
                });
        assertThat(whole.folder().resolve("report.html"))
                .content()
                .contains("Best and worst cases", "data:image/png", "error 0.");

        var stopped = recipe("stopped", source, objective);
        StopAfter.run(stopped, 20);
        var resumed = new Run(stopped).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));

        // What it has seen is what a classifier begins with; the decoder and its keys are gone.
        var problem = new Problem.SingleLabel(List.of("a", "b"));
        var loaded = HuggingFace.readVit(whole.model(), problem, null);
        assertThat(loaded.missing())
                .containsExactlyInAnyOrder("classifier.weight", "classifier.bias");
        loaded.model().initializeHead(1);
        HuggingFace.save(folder.resolve("vit"), loaded.model(), loaded.config());
        var config = HuggingFace.config(folder.resolve("vit"));
        assertThat(config.path("model_type").asString()).isEqualTo("vit");
        assertThat(config.has("mask_ratio")).isFalse();
        assertThat(config.has("decoder_hidden_size")).isFalse();
    }

    /// What is hidden is paled, to a fifth of what it differs from grey.
    @Test
    void examplesShowWhatIsHidden() {
        var source = "{type: images, path: %s}".formatted(SHAPES);
        var recipe = recipe("shown", source, "{type: masked-image, ratio: 0.75}");
        var examples = new Run(recipe).examples(0, new Watcher() {});
        assertThat(examples).hasSize(8);
        var seen = 0;
        for (var example : examples) {
            assertThat(example.fields().getFirst().pieces().getFirst().text())
                    .isEqualTo("12 of 16 patches");
            var image = Objects.requireNonNull(example.picture()).image();
            var pale =
                    IntStream.range(0, 16)
                            .filter(p ->
                                    IntStream.range(0, 16)
                                            .map(i ->
                                                    image.at(
                                                            p % 4 * 4 + i % 4,
                                                            p / 4 * 4 + i / 4,
                                                            0))
                                            .allMatch(v -> v >= 101 && v <= 154))
                            .count();
            assertThat(pale).isGreaterThanOrEqualTo(12);
            seen += (int) (16 - pale);
        }
        assertThat(seen).isPositive();
    }

    @Test
    void itEndsWhenItNoLongerImproves() {
        var yaml =
                """
                name: early
                output: %s
                data: {sources: [{type: images, path: %s}], validation: 20%%}
                model: %s
                objective: {type: masked-image}
                training:
                  for: 400 steps
                  batch: 8
                  optimizer: {type: adamw, rate: 5e-2}
                  schedule: {type: constant}
                  early-stopping: {patience: 2}
                evaluate: {every: 2 steps}
                """
                        .formatted(folder.resolve("early"), SHAPES, NEW);
        var losses = new ArrayList<Double>();
        var result =
                new Run(Recipes.parse(yaml, "early"))
                        .train(
                                new Watcher() {
                                    @Override
                                    public void evaluated(long step, List<Score> scores) {
                                        losses.add(scores.getFirst().value());
                                    }
                                },
                                false);
        assertThat(result.stoppedBecause()).startsWith("2 evaluations without an improvement");
        assertThat(result.scores().getFirst().value())
                .isEqualTo(Collections.min(losses))
                .isLessThan(losses.getLast());
    }

    @Test
    void picturesThatTheDecodersGridDoesNotFitAreRefused() throws IOException {
        var mae = new VitMae(VitMaeConfig.of(VitConfig.of(16, 4, 16, 1, 2, 0), 8, 1, 2));
        HuggingFace.write(folder, mae.initialize(1), JsonNodeFactory.instance.objectNode());
        var reading = folder.resolve(Preprocessor.FILE);
        Files.writeString(reading, "{\"size\": {\"shortest_edge\": 16}, \"do_normalize\": false}");
        var source = "{type: images, path: %s}".formatted(SHAPES);
        var recipe = recipe("a", source, "{path: %s}".formatted(folder), "{type: masked-image}");
        assertThatThrownBy(() -> new Run(recipe).train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        reading
                                + ": pictures do not all become the 16 x 16 pixels that this model's"
                                + " patches are hidden of; allowed: `size` with this `height` and"
                                + " `width`");
    }

    @Test
    void textsAndRatiosThatLeaveNothingAreRefused() {
        assertThatThrownBy(() -> recipe("a", "{type: text, path: x.txt}", "{type: masked-image}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("data.sources[0]")
                .hasMessageContaining("{type: images}");
        var source = "{type: images, path: %s}".formatted(SHAPES);
        assertThatThrownBy(() -> recipe("b", source, "{type: causal}"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("masked-image")
                .hasMessageContaining("sees pictures");
        assertThatThrownBy(() ->
                        new Run(recipe("c", source, "{type: masked-image, ratio: 0.99}"))
                                .train(figures -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("objective.ratio");
    }
}
