package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DrawingTest {
    private static final Image BLACK = new Image(64, 32, new byte[3 * 64 * 32]);

    private static Image decoded(byte[] png) {
        return Decoder.decode(png, "drawn").image();
    }

    private static boolean isBlack(Image image, int x, int y) {
        return image.at(x, y, 0) + image.at(x, y, 1) + image.at(x, y, 2) == 0;
    }

    @Test
    void boxesAreDrawnAroundThingsInTheirKindsColour() {
        var marks =
                List.of(
                        new ShownImage.Mark(new Box(20, 14, 30, 20), "a", 0),
                        new ShownImage.Mark(new Box(40, 14, 60, 30), "b", 1));
        var image = decoded(Drawing.png(new ShownImage(BLACK, marks, null, "")));
        // Three times as large.
        assertThat(image.width()).isEqualTo(192);
        assertThat(image.height()).isEqualTo(96);
        assertThat(isBlack(image, 75, 50)).isTrue();
        assertThat(isBlack(image, 10, 80)).isTrue();
        // The left sides, of different hues.
        assertThat(image.at(60, 55, 0)).isGreaterThan(150);
        assertThat(image.at(60, 55, 2)).isLessThan(100);
        assertThat(image.at(120, 60, 2)).isGreaterThan(150);
    }

    @Test
    void masksLieOverThePicture() {
        var classes = new byte[64 * 32];
        classes[0] = 1;
        classes[1] = (byte) Mask.IGNORED;
        var mask = new Mask(64, 32, classes);
        var image = decoded(Drawing.png(new ShownImage(BLACK, List.of(), mask, "")));
        assertThat(isBlack(image, 1, 1)).isFalse();
        assertThat(isBlack(image, 4, 1)).isTrue();
        assertThat(isBlack(image, 7, 1)).isTrue();
    }

    @Test
    void aPictureIsReadAsItWasWritten() {
        var rgb = new byte[3 * 7 * 5];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i * 61);
        }
        var image = decoded(Drawing.png(new Image(7, 5, rgb)));
        assertThat(image.width()).isEqualTo(7);
        assertThat(image.rgb()).isEqualTo(rgb);
    }

    @Test
    void aSheetHasAllPictures() {
        var one = new ShownImage(BLACK, "what it is: a text that is far too long for its picture");
        var image = decoded(Drawing.sheet(Collections.nCopies(5, one), 3));
        assertThat(image.width()).isEqualTo(12 + 3 * (192 + 12));
        assertThat(image.height()).isEqualTo(12 + 2 * (96 + 36));
        for (var i = 0; i < 6; i++) {
            var x = 12 + i % 3 * 204 + 96;
            var y = 12 + i / 3 * 132 + 48;
            assertThat(isBlack(image, x, y)).as("picture " + i).isEqualTo(i < 5);
        }
    }

    @Test
    void marksSayWhatWasSeenAndHowSurely() {
        var seen =
                List.of(
                        new Detection(new Box(0, 0, 1, 1), "cat", 0.756),
                        new Detection(new Box(0, 0, 1, 1), "dog", 0.3));
        assertThat(ShownImage.seen(seen, List.of("dog", "cat"), 0.5))
                .containsExactly(new ShownImage.Mark(new Box(0, 0, 1, 1), "cat 0.76", 1));
        assertThat(
                        ShownImage.marks(
                                List.of(new Region(new Box(0, 0, 1, 1), "dog")),
                                List.of("cat", "dog")))
                .containsExactly(new ShownImage.Mark(new Box(0, 0, 1, 1), "dog", 1));
    }

    @Test
    void aPaletteHoldsNumbersAndShowsColours(@TempDir Path folder) throws IOException {
        var mask = new Mask(3, 1, new byte[] {0, 2, (byte) Mask.IGNORED});
        var file = folder.resolve("mask.png");
        Files.write(file, Drawing.palette(mask));
        assertThat(Decoder.numbers(file).classes()).isEqualTo(mask.classes());
        var seen = Decoder.read(file).image();
        assertThat(seen.at(0, 0, 0) + seen.at(0, 0, 1) + seen.at(0, 0, 2)).isZero();
        assertThat(seen.at(1, 0, 0)).isNotEqualTo(seen.at(1, 0, 1));
        assertThat(seen.at(2, 0, 1)).isEqualTo(255);
    }

    @Test
    void whatMattersMoreIsRedder() {
        var grey = new byte[64];
        Arrays.fill(grey, (byte) 100);
        var heated = Drawing.heated(Image.grey(8, 8, grey), 2, 1, new float[] {0.2f, 0.6f});
        assertThat(heated.at(0, 3, 0)).isEqualTo(100).isEqualTo(heated.at(0, 3, 2));
        assertThat(heated.at(7, 3, 0)).isGreaterThan(170);
        assertThat(heated.at(7, 3, 2)).isEqualTo(50);
        // Where all matters alike, nothing is red.
        var even = Drawing.heated(Image.grey(8, 8, grey), 2, 1, new float[] {1, 1});
        assertThat(even.rgb()).containsOnly(100);
    }
}
