package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.MaskSource;
import dev.espalier.data.Picture;
import dev.espalier.image.Image;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Preprocessor.Size;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class PictureSegmenterTest {
    /// Grey and what is left of it, of each pixel by itself.
    private static float[] pointwise(Image image) {
        var pixels = image.width() * image.height();
        var scores = new float[2 * pixels];
        for (var at = 0; at < pixels; at++) {
            scores[at] = image.at(at % image.width(), at / image.width(), 0) / 255f;
            scores[pixels + at] = 1 - scores[at];
        }
        return scores;
    }

    @Test
    void windowsPutTogetherTellOfAPixelWhatIsToldOfItAlone() {
        for (var size : new int[][] {{70, 45}, {20, 45}, {32, 32}, {33, 9}}) {
            var image = noise(size[0], size[1]);
            for (var overlap : new double[] {0, 0.25, 0.5, 0.9}) {
                var told = together(image, new Size.Exact(24, 32), overlap);
                assertThat(told).containsExactly(pointwise(image), Offset.offset(1e-5f));
            }
        }
    }

    private static float[] together(Image image, Size.Exact size, double overlap) {
        int width = image.width(), pixels = width * image.height();
        var told = new float[2 * pixels];
        PictureSegmenter.together(
                image,
                size,
                overlap,
                2,
                PictureSegmenterTest::pointwise,
                (from, count, part) -> {
                    for (var i = 0; i < part.length; i++) {
                        var at = from * width + i % (count * width);
                        told[i / (count * width) * pixels + at] += part[i];
                    }
                });
        return told;
    }

    /// Of millions, of which AssertJ would look for each among all.
    private static void requireSame(float[] told, float[] expected) {
        assertThat(told).hasSameSizeAs(expected);
        var most = 0f;
        for (var i = 0; i < told.length; i++) {
            most = Math.max(most, Math.abs(told[i] - expected[i]));
        }
        assertThat(most).isLessThan(1e-5f);
    }

    @Test
    void manyRowsOfAWindowAreTakenByAndBy() {
        var image = noise(1500, 1600);
        requireSame(together(image, new Size.Exact(1500, 1500), 0.5), pointwise(image));
    }

    /// By a model of which the head's biases alone are left.
    @Test
    void windowsOfAModelThatSeesNothingTellWhatThePictureTells() {
        var model = new Unet(new UnetConfig(3, 16, 8, 2), List.of("a", "b")).initialize(1);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.startsWith("classifier.")) {
                        var values = new float[(int) p.value().count()];
                        values[0] = name.endsWith("bias") ? 1 : 0;
                        p.value().segment().copyFrom(MemorySegment.ofArray(values));
                    }
                });
        var image = new Image(40, 25, new byte[3 * 40 * 25]);
        var preprocessor = Preprocessor.imageNet("SegformerImageProcessor", 16, 16);
        try (var windowed = new PictureSegmenter(model, preprocessor, 0.5, null, null)) {
            var whole = new PictureSegmenter(model, preprocessor, null, null, null);
            assertThat(windowed.segment(image).scores())
                    .containsExactly(whole.segment(image).scores(), Offset.offset(1e-6f));
        }
    }

    private static Image noise(int width, int height) {
        var rgb = new byte[3 * width * height];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i * 2654435761L >>> 7);
        }
        return new Image(width, height, rgb);
    }

    /// 2 x 1500 x 1500 scores do not exist at once.
    @Test
    void aLargePictureIsToldByAndByAsItIsAtOnce() {
        var model = new Unet(new UnetConfig(3, 16, 8, 2), List.of("a", "b")).initialize(1);
        var image = noise(1500, 1500);
        var preprocessor = Preprocessor.imageNet("SegformerImageProcessor", 32, 48);
        try (var segmenter = new PictureSegmenter(model, preprocessor, null, null, null)) {
            var told = segmenter.segment(image);
            var read = PictureClassifier.pixels(preprocessor, image, "");
            try (var scope = new Scope()) {
                var expected =
                        Torch.noGrad(() ->
                                model.scores(Pixels.stacked(List.of(read)))
                                        .bilinear(1500, 1500)
                                        .softmax(1)
                                        .floats());
                requireSame(told.scores(), expected);
            }
            var picture = new Picture.Held(image, "large");
            assertThat(segmenter.mask(picture).classes()).isEqualTo(told.mask().classes());
            // The loss is that of the probability of each pixel's own class.
            var truth = new byte[1500 * 1500];
            var loss = 0.0;
            for (var at = 0; at < truth.length; at++) {
                truth[at] = (byte) (at % 3 == 2 ? Mask.IGNORED : at % 3);
                loss -= at % 3 == 2 ? 0 : Math.log(told.scores()[at % 3 * truth.length + at]);
            }
            var record =
                    new LabelledImage(
                            picture,
                            List.of(),
                            List.of(),
                            new MaskSource.Held(new Mask(1500, 1500, truth)),
                            List.of());
            assertThat(segmenter.evaluate("test", List.of(record), 1).scores().getFirst().value())
                    .isCloseTo(loss / (1500 * 1000), Offset.offset(1e-4));
        }
    }

    @Test
    void scoresThatHaveNoRoomAreRefusedBeforeTheyAreTold() {
        PictureSegmenter.requireRoom("", 10, 1000, 1000, 80_000_000);
        assertThatThrownBy(() -> PictureSegmenter.requireRoom("a.png", 10, 1000, 1001, 80_000_000))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "a.png: 1,000 x 1,001 pixels of 10 classes have 10,010,000 scores, and there is room for 10,000,000; tell a smaller picture, or give Java more memory (ESPALIER_HEAP)");
        // More than an array holds, whatever the memory.
        assertThatThrownBy(() -> PictureSegmenter.requireRoom("", 150, 8000, 8000, Long.MAX_VALUE))
                .isInstanceOf(EspalierException.class);
    }

    @Test
    void windowsCoverAPictureAndOverlap() {
        for (var length : new int[] {1, 32, 33, 63, 64, 65, 200, 1001}) {
            for (var overlap : new double[] {0, 0.25, 0.5, 0.9}) {
                var places = PictureSegmenter.places(length, 32, overlap);
                assertThat(places.getFirst()).isZero();
                assertThat(places.getLast()).isEqualTo(Math.max(0, length - 32));
                for (var i = 1; i < places.size(); i++) {
                    assertThat(places.get(i) - places.get(i - 1))
                            .isBetween(1, Math.max(1, (int) (32 * (1 - overlap))));
                }
            }
        }
    }
}
