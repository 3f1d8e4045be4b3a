package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.SafeTensors;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MaskTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("espalier.goldens")).resolve("image_processing");

    /// The reference reduces labels, too: 0 becomes 255, and all others are one less.
    @ParameterizedTest
    @ValueSource(strings = {"down", "up"})
    void resizesAsTheReference(String name) {
        try (var goldens = SafeTensors.open(GOLDENS.resolve("golden.safetensors"))) {
            var entry = ResamplingTest.golden(goldens, name + ".seg");
            var mask =
                    new Mask(
                            (int) entry.shape()[1],
                            (int) entry.shape()[0],
                            entry.data().toArray(ValueLayout.JAVA_BYTE));
            var expected =
                    ResamplingTest.golden(goldens, name + ".segformer_labels")
                            .data()
                            .toArray(ValueLayout.JAVA_LONG_UNALIGNED);
            var preprocessor = Preprocessor.read(GOLDENS.resolve("segformer"));
            var resized = preprocessor.resize(mask);
            for (var i = 0; i < expected.length; i++) {
                assertThat(resized.classes()[i] & 0xFF).isEqualTo((int) expected[i]);
            }
        }
    }
}
