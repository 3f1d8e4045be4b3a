package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreprocessorTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("espalier.goldens")).resolve("image_processing");

    @TempDir Path folder;

    @ParameterizedTest
    @CsvSource({"down, vit", "up, vit", "down, segformer", "up, segformer"})
    void picturesBecomeTheNumbersOfTheReference(String name, String kind) {
        var preprocessor = Preprocessor.read(GOLDENS.resolve(kind));
        try (var goldens = SafeTensors.open(GOLDENS.resolve("golden.safetensors"))) {
            var image = ResamplingTest.image(ResamplingTest.golden(goldens, name + ".image_hwc"));
            var values = preprocessor.normalize(preprocessor.resize(image));
            var expected =
                    ResamplingTest.golden(goldens, name + "." + kind)
                            .data()
                            .toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
            assertThat(values).hasSameSizeAs(expected);
            for (var i = 0; i < values.length; i++) {
                assertThat(values[i]).isCloseTo(expected[i], within(1e-6f));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"vit", "segformer"})
    void whatIsReadIsWrittenAgain(String kind) throws IOException {
        var preprocessor = Preprocessor.read(GOLDENS.resolve(kind));
        preprocessor.write(folder);
        assertThat(Preprocessor.read(folder)).isEqualTo(preprocessor);
        var written = Json.read(folder.resolve(Preprocessor.FILE));
        var reference = Json.read(GOLDENS.resolve(kind).resolve(Preprocessor.FILE));
        for (var key : reference.propertyNames()) {
            if (!key.equals("_valid_processor_keys")) {
                assertThat(written.path(key)).as(key).isEqualTo(reference.path(key));
            }
        }
        assertThat(preprocessor.reduceLabels()).isEqualTo(kind.equals("segformer"));
    }

    private Preprocessor read(String json) throws IOException {
        Files.writeString(folder.resolve(Preprocessor.FILE), json);
        return Preprocessor.read(folder);
    }

    private static Image wide() {
        var rgb = new byte[3 * 90 * 30];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 3 % 90);
        }
        return new Image(90, 30, rgb);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"size\": {\"shortest_edge\": 20}, IM} | 60 | 20",
                "{\"size\": {\"shortest_edge\": 20, \"longest_edge\": 45}, IM} | 45 | 15",
                "{\"size\": 20, \"max_size\": 45, IM} | 45 | 15",
                "{\"size\": 20, IM} | 20 | 20",
                "{\"size\": {\"shortest_edge\": 20}, \"max_size\": 45, IM} | 60 | 20",
                "{\"size\": {\"height\": 9, \"width\": 7}, \"default_to_square\": false, IM} | 7 | 9",
                "{\"size\": 20, \"default_to_square\": false, IM} | 60 | 20",
                "{\"do_resize\": false, \"size\": 20, IM} | 90 | 30",
                "{\"size\": {\"shortest_edge\": 30}, \"do_center_crop\": true, \"crop_size\": 20,"
                        + " IM} | 20 | 20"
            })
    void sizesAreThoseAskedFor(String json, int width, int height) throws IOException {
        var preprocessor =
                read(
                        json.replace(
                                "IM",
                                "\"image_mean\": [0.5, 0.5, 0.5], \"image_std\": [0.5, 0.5, 0.5]"));
        var resized = preprocessor.resize(wide());
        assertThat(resized.width()).isEqualTo(width);
        assertThat(resized.height()).isEqualTo(height);
    }

    @ParameterizedTest
    @CsvSource({
        "YolosImageProcessor, 640, 480, 672, 512",
        "YolosFeatureExtractor, 480, 640, 512, 672",
        "YolosImageProcessorFast, 1000, 200, 864, 160",
        "YolosImageProcessor, 1000, 10, 864, 9",
        "DetrImageProcessor, 640, 480, 682, 512",
        "DetrImageProcessor, 1000, 200, 864, 173"
    })
    void yolosReadsMultiplesOfSixteen(
            String processor, int width, int height, int seenWidth, int seenHeight)
            throws IOException {
        var preprocessor =
                read(
                        """
                        {"feature_extractor_type": "%s", "size": 512, "max_size": 864,
                         "do_normalize": false}
                        """
                                .formatted(processor));
        assertThat(preprocessor.seen(width, height))
                .isEqualTo(new Preprocessor.Size.Exact(seenHeight, seenWidth));
    }

    /// All keys are there, and what is not asked for is null.
    @Test
    void whatAFastProcessorWritesIsRead() throws IOException {
        var preprocessor =
                read(
                        """
                        {"crop_size": null, "data_format": "channels_first",
                         "default_to_square": true, "device": null, "disable_grouping": null,
                         "do_center_crop": null, "do_convert_rgb": null, "do_normalize": true,
                         "do_pad": null, "do_rescale": true, "do_resize": true,
                         "image_mean": [0.5, 0.5, 0.5],
                         "image_processor_type": "ViTImageProcessorFast",
                         "image_std": [0.5, 0.5, 0.5], "input_data_format": null,
                         "pad_size": null, "resample": 2, "rescale_factor": 0.00392156862745098,
                         "return_tensors": null, "size": {"height": 224, "width": 224},
                         "what_comes_next": null}
                        """);
        assertThat(preprocessor)
                .isEqualTo(Preprocessor.vit(224, 224).named("ViTImageProcessorFast"));
    }

    @Test
    void theMiddleIsCut() throws IOException {
        var preprocessor =
                read(
                        """
                        {"do_resize": false, "do_center_crop": true,
                         "crop_size": {"height": 40, "width": 20},
                         "do_normalize": false, "do_rescale": false}
                        """);
        var cut = preprocessor.resize(wide());
        assertThat(cut.at(0, 4, 0)).isZero();
        assertThat(cut.at(0, 5, 0)).isEqualTo(35);
        assertThat(cut.at(19, 34, 0)).isEqualTo(54);
        assertThat(cut.at(19, 35, 0)).isZero();
        assertThat(preprocessor.normalize(cut)[5 * 20]).isEqualTo(35f);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"size\": 4, \"image_mean\": [0, 0], \"image_std\": [1, 1, 1]} | `image_mean` is"
                        + " [0,0]; allowed: three numbers",
                "{\"size\": 4, \"image_mean\": [0, 0, 0], \"image_std\": [1, 0, 1]} | `image_std`"
                        + " is [1,0,1]; allowed: three numbers above 0",
                "{\"size\": 0, \"do_normalize\": false} | `size` is 0; allowed: sides of 1 to 16384"
                        + " pixels",
                "{\"size\": {\"edge\": 4}, \"do_normalize\": false} | `size` is {\"edge\":4};"
                        + " allowed: a number, `height` and `width`, or `shortest_edge`",
                "{\"resample\": 1, \"do_normalize\": false} | `resample` is 1; allowed: 0"
                        + " (nearest), 2 (bilinear), 3 (bicubic)",
                "{\"do_resize\": \"yes\"} | `do_resize` is \"yes\"; allowed: true, false",
                "{\"do_solarize\": true, \"do_normalize\": false} | `do_solarize` is not known;"
                        + " allowed: _valid"
            })
    void whatIsNotKnownIsRefusedByName(String json, String message) {
        assertThatThrownBy(() -> read(json))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(Preprocessor.FILE + ": " + message);
    }
}
