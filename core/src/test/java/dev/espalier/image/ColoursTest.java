package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ColoursTest {
    private static Image pixels(int... samples) {
        var rgb = new byte[samples.length];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) samples[i];
        }
        return new Image(samples.length / 3, 1, rgb);
    }

    private static int[] samples(Image image) {
        var samples = new int[image.rgb().length];
        for (var i = 0; i < samples.length; i++) {
            samples[i] = image.rgb()[i] & 0xFF;
        }
        return samples;
    }

    @Test
    void brightnessMultiplies() {
        assertThat(samples(Colours.brightness(pixels(0, 100, 200), 1.5)))
                .containsExactly(0, 150, 255);
    }

    /// The grey of (100, 100, 100) is 100, of (200, 200, 200) 200; the mean is 150.
    @Test
    void contrastIsAboutTheMeanGrey() {
        assertThat(samples(Colours.contrast(pixels(100, 100, 100, 200, 200, 200), 0.5)))
                .containsExactly(125, 125, 125, 175, 175, 175);
        assertThat(samples(Colours.contrast(pixels(100, 100, 100, 200, 200, 200), 3)))
                .containsExactly(0, 0, 0, 255, 255, 255);
    }

    /// The luma of (255, 0, 0) is 0.299 · 255 = 76.
    @Test
    void saturationIsAboutThePixelsGrey() {
        assertThat(samples(Colours.saturation(pixels(255, 0, 0), 0))).containsExactly(76, 76, 76);
        assertThat(samples(Colours.saturation(pixels(255, 0, 0), 0.5)))
                .containsExactly(166, 38, 38);
    }

    @ParameterizedTest
    @CsvSource({
        "200, 100, 100, 0.3333333333333333, 100, 200, 100",
        "200, 100, 100, -0.3333333333333333, 100, 100, 200",
        "200, 100, 100, 0.5, 100, 200, 200",
        "200, 100, 100, 0.16666666666666666, 200, 200, 100",
        "80, 80, 80, 0.4, 80, 80, 80",
        "10, 20, 30, 1, 10, 20, 30"
    })
    void hueIsTurned(int r, int g, int b, double turns, int toR, int toG, int toB) {
        assertThat(samples(Colours.hue(pixels(r, g, b), turns))).containsExactly(toR, toG, toB);
    }

    @Test
    void levelsAreChangedAsTheirNamesSay() {
        var image = pixels(10, 0, 255, 60, 0, 128, 110, 0, 127);
        assertThat(samples(Colours.solarized(image, 100)))
                .containsExactly(10, 0, 0, 60, 0, 127, 145, 0, 128);
        assertThat(samples(Colours.posterized(image, 2)))
                .containsExactly(0, 0, 192, 0, 0, 128, 64, 0, 64);
        assertThat(samples(Colours.stretched(image)))
                .containsExactly(0, 0, 255, 127, 0, 1, 255, 0, 0);
    }

    @Test
    void equalizedLevelsAreSpread() {
        var rgb = new byte[3 * 4096];
        for (var i = 0; i < rgb.length; i++) {
            // 0 to 15, each as often as any other.
            rgb[i] = (byte) (i / 3 % 16);
        }
        var spread = Colours.equalized(new Image(4096, 1, rgb));
        for (var x = 1; x < 16; x++) {
            assertThat(spread.at(x, 0, 0) - spread.at(x - 1, 0, 0)).isBetween(16, 35);
        }
    }

    @Test
    void sharpeningActsAgainstTheNeighbourhood() {
        var rgb = new byte[3 * 9];
        rgb[3 * 4] = 13;
        var image = new Image(3, 3, rgb);
        // The mean with a weight of 5 in the middle is 5.
        assertThat(Colours.sharpened(image, 0).at(1, 1, 0)).isEqualTo(5);
        assertThat(Colours.sharpened(image, 2).at(1, 1, 0)).isEqualTo(21);
        assertThat(Colours.sharpened(image, 1).rgb()).isEqualTo(rgb);
    }

    @Test
    void jitterStaysWithinItsBounds() {
        var image = new Sample(0, pixels(100, 100, 100), List.of(), null);
        var least = 255;
        var most = 0;
        for (var i = 0; i < 500; i++) {
            var v = Colours.jitter(0.4, 0, 0, 0.5).apply(image, Rng.at(i)).image().at(0, 0, 1);
            least = Math.min(least, v);
            most = Math.max(most, v);
        }
        assertThat(least).isBetween(60, 62);
        assertThat(most).isBetween(138, 140);
    }

    @Test
    void everyDrawnChangeKeepsTheSize() {
        var rgb = new byte[3 * 20 * 10];
        Rng.at(1).nextBytes(rgb);
        var mask = Mask.of(20, 10, 1);
        var plain = new Sample(0, new Image(20, 10, rgb), List.of(), mask);
        var boxed =
                new Sample(
                        0, plain.image(), List.of(new Region(new Box(5, 2, 15, 8), "thing")), mask);
        var changed = 0;
        for (var i = 0; i < 300; i++) {
            for (var sample : List.of(plain, boxed)) {
                var result = new RandAugment(1, 9).apply(sample, Rng.at(i));
                assertThat(result.image().width()).isEqualTo(20);
                assertThat(result.image().height()).isEqualTo(10);
                changed += Arrays.equals(result.image().rgb(), rgb) ? 0 : 1;
            }
        }
        assertThat(changed).isGreaterThan(450);
    }

    @Test
    void aMagnitudeOfNothingChangesLittle() {
        var image = pixels(10, 20, 30, 40, 50, 60);
        var sample = new Sample(0, image, List.of(), null);
        var same = 0;
        for (var i = 0; i < 140; i++) {
            var result = new RandAugment(1, 0).apply(sample, Rng.at(i)).image();
            same += Arrays.equals(result.rgb(), image.rgb()) ? 1 : 0;
        }
        // All but the two that stretch and equalize, which have no strength.
        assertThat(same).isBetween(105, 135);
    }
}
