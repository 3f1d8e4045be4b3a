package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class RunLengthsTest {
    /// By the algorithm of COCO's maskApi.c.
    static Stream<Arguments> texts() {
        return Stream.of(
                Arguments.of(4, 4, new int[] {12, 2, 2}, "<22"),
                Arguments.of(118, 1, new int[] {5, 3, 100, 2, 7, 1}, "53T3OSMO"),
                Arguments.of(19, 163, new int[] {0, 40, 3000, 1, 2, 54}, "0X1hm2iNZRMe1"));
    }

    @ParameterizedTest
    @MethodSource("texts")
    void textIsUnpacked(int width, int height, int[] counts, String text) {
        assertThat(RunLengths.parse(width, height, text).counts()).isEqualTo(counts);
    }

    @Test
    void whatIsPackedIsDrawnAgain() {
        for (var seed = 0; seed < 20; seed++) {
            var rng = Rng.at(seed);
            int width = 1 + rng.nextInt(9), height = 1 + rng.nextInt(9);
            var classes = new byte[width * height];
            for (var i = 0; i < classes.length; i++) {
                classes[i] = (byte) rng.nextInt(3);
            }
            var again = new byte[classes.length];
            for (var kind = 0; kind < 3; kind++) {
                var label = (byte) kind;
                var runs = RunLengths.of(new Mask(width, height, classes), kind);
                runs.forEach((x, y) -> again[y * width + x] = label);
                var box = runs.box();
                runs.forEach((x, y) -> {
                    assertThat((double) x).isBetween(box.left(), box.right() - 1);
                    assertThat((double) y).isBetween(box.top(), box.bottom() - 1);
                });
            }
            assertThat(again).isEqualTo(classes);
        }
    }

    @Test
    void boxAndAreaAreOfThePixels() {
        var mask = new Mask(4, 3, new byte[] {0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0});
        var runs = RunLengths.of(mask, 1);
        assertThat(runs.counts()).containsExactly(4, 2, 1, 1, 4);
        assertThat(runs.area()).isEqualTo(3);
        assertThat(runs.box()).isEqualTo(new Box(1, 1, 3, 3));
        assertThat(RunLengths.of(mask, 2).box().area()).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "<21, 15 pixels in all",
        "<2, 14 pixels in all",
        "~, no text of COCO's",
        "' ', no text of COCO's",
        "Q, no text of COCO's",
        "QQQQQQQQQQ1, no text of COCO's",
        "O, run length of -1"
    })
    void whatIsNoneIsRefused(String text, String message) {
        assertThatThrownBy(() -> RunLengths.parse(4, 4, text))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(message);
    }
}
