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
        var areas = new ShownImage.Areas(mask, List.of("none", "cell", "absent"));
        var image = decoded(Drawing.png(new ShownImage(BLACK, List.of(), areas, "")));
        assertThat(isBlack(image, 1, 1)).isFalse();
        assertThat(isBlack(image, 4, 1)).isTrue();
        assertThat(isBlack(image, 7, 1)).isTrue();
    }

    /// An empty square and a red one, with names behind them.
    @Test
    void theClassesThatAreThereStandBelowThePicture() {
        var classes = new byte[64 * 32];
        classes[0] = 1;
        classes[1] = (byte) Mask.IGNORED;
        var mask = new Mask(64, 32, classes);
        var names = List.of("n", "c", "absent");
        var areas = new ShownImage.Areas(mask, names);
        var image = decoded(Drawing.png(new ShownImage(BLACK, List.of(), areas, "")));
        assertThat(image.height()).isEqualTo(96 + 18);
        var white = 0;
        var coloured = 0;
        for (var x = 0; x < image.width(); x++) {
            var sum = image.at(x, 105, 0) + image.at(x, 105, 1) + image.at(x, 105, 2);
            white += sum == 3 * 255 ? 1 : 0;
            // The hue of class 1: blue.
            coloured += image.at(x, 105, 2) > 200 && image.at(x, 105, 0) < 100 ? 1 : 0;
        }
        assertThat(isBlack(image, 6, 105)).isFalse();
        assertThat(white).isGreaterThan(100);
        assertThat(coloured).isBetween(8, 12);
        // A name that needs a line of its own has one.
        var many = new ShownImage.Areas(mask, List.of("a name that is long", "another, as long"));
        assertThat(decoded(Drawing.png(new ShownImage(BLACK, List.of(), many, ""))).height())
                .isBetween(96 + 18, 96 + 36);
    }

    @Test
    void aLargePictureIsShrunkForAPageAndDrawnInWhole() {
        var large = new Image(2000, 1000, new byte[3 * 2000 * 1000]);
        var marks = List.of(new ShownImage.Mark(new Box(500, 250, 1500, 750), "a", 1));
        var shown = new ShownImage(large, marks, null, "");
        var page = decoded(Drawing.png(shown));
        assertThat(page.width()).isEqualTo(640);
        assertThat(page.height()).isEqualTo(320);
        assertThat(isBlack(page, 160, 200)).isFalse();
        assertThat(isBlack(page, 480, 200)).isFalse();
        assertThat(isBlack(page, 320, 200)).isTrue();
        var sheet = decoded(Drawing.sheet(List.of(shown, shown), 2));
        assertThat(sheet.width()).isEqualTo(12 + 2 * (640 + 12));
        var whole = decoded(Drawing.whole(shown));
        assertThat(whole.width()).isEqualTo(2000);
        assertThat(whole.height()).isEqualTo(1000);
        // A line three times as wide as on a page.
        for (var x = 498; x <= 501; x++) {
            assertThat(isBlack(whole, x, 600)).as("column " + x).isFalse();
        }
        assertThat(isBlack(whole, 490, 600)).isTrue();
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
