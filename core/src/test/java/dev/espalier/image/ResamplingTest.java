package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.SafeTensors;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ResamplingTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("espalier.goldens")).resolve("image_processing");

    static SafeTensors.Entry golden(SafeTensors goldens, String name) {
        return goldens.find(name).orElseThrow();
    }

    static Image image(SafeTensors.Entry entry) {
        var shape = entry.shape();
        return new Image(
                (int) shape[1], (int) shape[0], entry.data().toArray(ValueLayout.JAVA_BYTE));
    }

    /// To the bit, where a difference of one level would do.
    @ParameterizedTest
    @CsvSource({
        "down, NEAREST", "down, BILINEAR", "down, BICUBIC",
        "up, NEAREST", "up, BILINEAR", "up, BICUBIC"
    })
    void resizesAsPillowDoes(String name, Resampling resampling) {
        try (var goldens = SafeTensors.open(GOLDENS.resolve("golden.safetensors"))) {
            var image = image(golden(goldens, name + ".image_hwc"));
            var kind = resampling.name().toLowerCase(Locale.ROOT);
            var expected = image(golden(goldens, name + ".pil_" + kind + "_16x16_hwc"));
            assertThat(resampling.resize(image, 16, 16).rgb()).isEqualTo(expected.rgb());
        }
    }

    @ParameterizedTest
    @EnumSource(Resampling.class)
    void oneColourStaysWhatItIs(Resampling resampling) {
        var rgb = new byte[3 * 7 * 5];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (200 + i % 3);
        }
        var image = new Image(7, 5, rgb);
        for (var size : new int[] {1, 3, 7, 20}) {
            var resized = resampling.resize(image, size, 2 * size);
            for (var y = 0; y < 2 * size; y++) {
                for (var x = 0; x < size; x++) {
                    assertThat(resized.at(x, y, 0)).isEqualTo(200);
                    assertThat(resized.at(x, y, 2)).isEqualTo(202);
                }
            }
        }
    }

    @Test
    void theSameSizeIsTheSamePicture() {
        var image = new Image(1, 1, new byte[3]);
        assertThat(Resampling.BICUBIC.resize(image, 1, 1)).isSameAs(image);
    }
}
