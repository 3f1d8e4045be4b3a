package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.image.Mask;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class SegmentationsTest {
    private static Mask mask(int... classes) {
        var bytes = new byte[classes.length];
        for (var i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) classes[i];
        }
        return new Mask(bytes.length, 1, bytes);
    }

    private static double value(List<Score> scores, String metric) {
        return scores.stream()
                .filter(s -> s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    /// Of sky, 3 of 4 told and 1 more; of sea, 1 of 2 told and 1 more.
    @Test
    void countsOverAllPictures() {
        var segmentations = new Segmentations(List.of("sky", "sea", "land"));
        segmentations.add(mask(0, 0, 0, 255), mask(0, 0, 1, 1));
        segmentations.add(mask(0, 1, 1), mask(0, 1, 0));
        var scores = segmentations.scores("test", 1);
        assertThat(value(scores, "pixel-accuracy")).isCloseTo(4 / 6.0, within(1e-12));
        // 3 / (4 + 4 - 3) and 1 / (2 + 2 - 1); of land there is none.
        assertThat(value(scores, "mean-iou")).isCloseTo((3 / 5.0 + 1 / 3.0) / 2, within(1e-12));
        assertThat(value(scores, "mean-dice")).isCloseTo((6 / 8.0 + 2 / 4.0) / 2, within(1e-12));
        var each = segmentations.labelScores("test", 1);
        assertThat(value(each, "iou:sky")).isCloseTo(3 / 5.0, within(1e-12));
        assertThat(value(each, "dice:sea")).isCloseTo(2 / 4.0, within(1e-12));
        assertThat(value(each, "accuracy:sky")).isCloseTo(3 / 4.0, within(1e-12));
        assertThat(each.stream().map(Score::metric).collect(Collectors.joining()))
                .doesNotContain("land");
        var taken = segmentations.confusion();
        assertThat(taken.count(0, 0)).isEqualTo(3);
        assertThat(taken.count(0, 1)).isEqualTo(1);
        assertThat(taken.count(1, 0)).isEqualTo(1);
        assertThat(taken.count(1, 1)).isEqualTo(1);
        assertThat(taken.total()).isEqualTo(6);
        // Means of 1/3, since sea was told where there is none, and of 1/2.
        assertThat(segmentations.bestFirst()).containsExactly(1, 0);
    }

    @Test
    void intervalsAreOverPictures() {
        var segmentations = new Segmentations(List.of("a", "b"));
        for (var i = 0; i < 30; i++) {
            segmentations.add(mask(0, 0, 1, 1), i % 3 == 0 ? mask(1, 1, 0, 0) : mask(0, 0, 1, 1));
        }
        var accuracy = segmentations.scores("test", 1).getFirst();
        assertThat(accuracy.value()).isCloseTo(2 / 3.0, within(1e-12));
        assertThat(accuracy.low()).isBetween(0.43, 0.55);
        assertThat(accuracy.high()).isBetween(0.77, 0.9);
    }

    @Test
    void whatWasToldButIsNotCounts() {
        var segmentations = new Segmentations(List.of("a", "b"));
        segmentations.add(mask(0, 0), mask(0, 1));
        assertThat(value(segmentations.labelScores("test", 1), "iou:b")).isZero();
        assertThat(value(segmentations.scores("test", 1), "mean-iou"))
                .isCloseTo(0.25, within(1e-12));
    }

    @Test
    void masksAreOfOneSize() {
        assertThatThrownBy(() -> new Segmentations(List.of("a")).add(mask(0), mask(0, 0)))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
