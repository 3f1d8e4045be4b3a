package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Picture;
import dev.espalier.image.Image;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Problem;
import dev.espalier.model.Segformer;
import dev.espalier.model.SegformerConfig;
import dev.espalier.model.Segmenter;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.model.VitMae;
import dev.espalier.model.VitMaeConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import dev.espalier.torch.TorchException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.JsonNodeFactory;

class PictureModelsTest {
    private static final VitConfig SHAPE = VitConfig.of(8, 4, 8, 1, 2, 0);

    @TempDir Path folder;

    /// A whole classifier, to be spoilt.
    private Path classifier() throws IOException {
        var to = Files.createDirectories(folder.resolve("vit"));
        var model = new Vit(SHAPE, new Problem.SingleLabel(List.of("a", "b"))).initialize(1);
        HuggingFace.write(to, model, JsonNodeFactory.instance.objectNode());
        Preprocessor.vit(8, 8).write(to);
        model.free();
        return to;
    }

    private static void refused(Path model, Consumer<Path> load, String message) {
        assertThatThrownBy(() -> load.accept(model))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(message);
    }

    @Test
    void weightsOfWhatIsRefusedAreFreed() throws IOException {
        var read = new ArrayList<Vit>();
        assertThatThrownBy(() ->
                        PictureModels.load(
                                classifier(),
                                Vit.class,
                                "be here",
                                (vit, preprocessor, config) -> {
                                    read.add(vit);
                                    throw EspalierException.data("no");
                                }))
                .hasMessage("no");
        for (var weight : read.getFirst().parameters().values()) {
            // A tensor that was freed has no address.
            assertThatThrownBy(weight.value()::shape).isInstanceOf(NullPointerException.class);
        }
    }

    @Test
    void whatCannotBeUsedIsRefused() throws IOException {
        var model = classifier();
        refused(model, ObjectDetector::load, "was not fine-tuned to tell things in pictures");
        refused(model, PictureSegmenter::load, "was not fine-tuned to tell classes of pixels");
        var reading = model.resolve(Preprocessor.FILE);
        var right = Files.readString(reading);
        Files.writeString(reading, "{\"do_solarize\": true, \"do_normalize\": false}");
        refused(model, PictureClassifier::load, "`do_solarize` is not known");
        Files.writeString(reading, right);
        var config = model.resolve("config.json");
        Files.writeString(
                config,
                Files.readString(config).replaceFirst("\\{", "{\"espalier\": {\"commonest\": 3},"));
        refused(model, PictureClassifier::load, "espalier.commonest of config.json is 3");
        // Another head's labels are none of this model's.
        Files.writeString(config, Files.readString(config).replace(": 3}", ": [\"c\"]}"));
        PictureClassifier.load(model).close();
        // A weight of another shape is found when some have been copied.
        Files.writeString(
                config,
                Files.readString(config)
                        .replaceFirst("\"intermediate_size\": \\d+", "\"intermediate_size\": 9"));
        refused(model, PictureClassifier::load, "config.json asks for [9, 8]");
    }

    @Test
    void aViTThatWasNeverFineTunedIsRefused() throws IOException {
        var mae = new VitMae(VitMaeConfig.of(SHAPE, 8, 1, 2)).initialize(1);
        HuggingFace.write(folder, mae, JsonNodeFactory.instance.objectNode());
        refused(folder, PictureClassifier::load, "was not fine-tuned to tell labels of pictures");
    }

    @Test
    void whatCutsPicturesTellsNoPlaces() throws IOException {
        var yolos = new Yolos(YolosConfig.of(SHAPE, 2), List.of("cat")).initialize(1);
        HuggingFace.write(folder, yolos, JsonNodeFactory.instance.objectNode());
        Files.writeString(
                folder.resolve(Preprocessor.FILE),
                "{\"size\": 9, \"do_center_crop\": true, \"crop_size\": 8, \"do_normalize\": false}");
        refused(
                folder,
                ObjectDetector::load,
                "preprocessor_config.json: `do_center_crop` is true, so that a picture's edges are not seen");
    }

    /// The library's processors have these means where a folder does not tell them.
    @ParameterizedTest
    @CsvSource({
        "vit, ViTImageProcessor, 0.5",
        "vit_mae, ViTImageProcessor, 0.485",
        "yolos, YolosImageProcessor, 0.485",
        "segformer, SegformerImageProcessor, 0.485"
    })
    void whatAFolderDoesNotTellIsAsTheFamilyHasIt(String type, String processor, double red)
            throws IOException {
        Files.writeString(
                folder.resolve("config.json"), "{\"model_type\": \"%s\"}".formatted(type));
        var preprocessor = PictureClassifier.preprocessor(folder, 24, 32);
        assertThat(preprocessor.processor()).isEqualTo(processor);
        assertThat(preprocessor.mean().getFirst()).isEqualTo(red);
        assertThat(preprocessor.fixed()).isEqualTo(new Preprocessor.Size.Exact(24, 32));
    }

    @Test
    void picturesOfOneChannelAreRefused() throws IOException {
        var model = classifier();
        var config = model.resolve("config.json");
        Files.writeString(
                config,
                Files.readString(config)
                        .replaceFirst("\"num_channels\": 3", "\"num_channels\": 1"));
        var message =
                config
                        + ": num_channels is 1; allowed: 3, since pictures are read as red, green and blue";
        refused(model, PictureClassifier::load, message);
        refused(
                model,
                it -> HuggingFace.readVit(it, new Problem.SingleLabel(List.of("c", "d")), null),
                message);
    }

    /// Of a pixel less on either side there is no patch, or less than keys are reduced by.
    @Test
    void theLeastSideIsWhatPassesThrough() {
        var segformer =
                SegformerConfig.of(List.of(8, 8, 8, 8), List.of(1, 1, 1, 1), 8, 0).leastSide();
        assertThat(segformer).isEqualTo(29);
        var labels = List.of("a", "b");
        List<VisionModel> models =
                List.of(
                        new Vit(SHAPE, new Problem.SingleLabel(labels)).initialize(1),
                        new Yolos(YolosConfig.of(SHAPE, 2), labels).initialize(1),
                        new Unet(new UnetConfig(3, 32, 8, 4), labels).initialize(1),
                        new Segformer(
                                        SegformerConfig.of(
                                                List.of(8, 8, 8, 8), List.of(1, 1, 1, 1), 8, 0),
                                        labels)
                                .initialize(1));
        for (var model : models) {
            var least = model.leastSide();
            tell(model, least, least + 5);
            tell(model, least + 5, least);
            assertThatThrownBy(() -> tell(model, least - 1, least + 5))
                    .as(model.family().architecture())
                    .isInstanceOf(TorchException.class);
        }
    }

    private static void tell(VisionModel model, int height, int width) {
        try (var scope = new Scope()) {
            var pixels = Tensor.full(0, 1, 3, height, width);
            Torch.noGrad(() ->
                    switch (model) {
                        case Vit vit -> vit.scores(pixels);
                        case Yolos yolos -> yolos.tellOnly(pixels).scores();
                        case Segmenter segmenter -> segmenter.scores(pixels);
                        default -> throw new IllegalArgumentException();
                    });
        }
    }

    @Test
    void aPictureThatIsTooNarrowIsNamed() throws IOException {
        var model = classifier();
        Files.writeString(
                model.resolve(Preprocessor.FILE),
                "{\"size\": {\"shortest_edge\": 8, \"longest_edge\": 16}, \"do_normalize\": false}");
        assertThat(PictureClassifier.fit(model).least()).isEqualTo(4);
        var narrow = new Picture.Held(new Image(4, 40, new byte[3 * 160]), "narrow");
        try (var classifier = PictureClassifier.load(model)) {
            assertThatThrownBy(() -> classifier.predict(List.of(narrow)))
                    .isInstanceOf(EspalierException.class)
                    .hasMessage(
                            "narrow: has 4 x 40 pixels, of which the model reads 2 x 16; it needs 4 at least each way");
        }
    }

    /// Pictures of several sizes cannot share a batch, and all are told in their order.
    @Test
    void picturesMayKeepTheirShape() throws IOException {
        var model = classifier();
        Files.writeString(
                model.resolve(Preprocessor.FILE),
                "{\"size\": {\"shortest_edge\": 8}, \"do_normalize\": false}");
        var pictures = new ArrayList<Picture>();
        for (var i = 0; i < 6; i++) {
            int width = 8 + 4 * (i % 2), height = 8 + 4 * (i % 3);
            var rgb = new byte[3 * width * height];
            for (var at = 0; at < rgb.length; at++) {
                rgb[at] = (byte) (at * (i + 3));
            }
            pictures.add(new Picture.Held(new Image(width, height, rgb), "picture " + i));
        }
        try (var classifier = PictureClassifier.load(model)) {
            var together = classifier.predict(pictures);
            var alone =
                    pictures.stream()
                            .map(picture -> classifier.predict(List.of(picture)).getFirst())
                            .toList();
            assertThat(together).isEqualTo(alone);
            assertThat(IntStream.range(0, 6).mapToObj(i -> together.get(i).probabilities()))
                    .doesNotHaveDuplicates();
        }
    }
}
