package dev.espalier.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.image.Box;
import dev.espalier.image.Detection;
import dev.espalier.image.Region;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/// Cases whose values follow from the definition.
class DetectionsTest {
    private static final Offset<Double> EXACT = within(1e-12);

    private static Box box(double left, double top, double width, double height) {
        return new Box(left, top, left + width, top + height);
    }

    private static Region cat(Box box) {
        return new Region(box, "cat");
    }

    private static Detection cat(Box box, double score) {
        return new Detection(box, "cat", score);
    }

    private static double score(String metric, List<Region> truth, List<Detection> seen) {
        return score(metric, List.of("cat"), List.of(truth), List.of(seen));
    }

    private static double score(
            String metric,
            List<String> classes,
            List<List<Region>> truth,
            List<List<Detection>> seen) {
        var detections = new Detections(classes, truth, seen);
        var all = new ArrayList<>(detections.scores("test", 1));
        all.addAll(detections.labelScores("test"));
        return all.stream()
                .filter(s -> s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElse(Double.NaN);
    }

    @Test
    void whatIsSeenAsItIsIsOne() {
        var truth = List.of(cat(box(0, 0, 10, 10)), cat(box(50, 0, 50, 50)));
        var seen = List.of(cat(box(50, 0, 50, 50), 0.3), cat(box(0, 0, 10, 10), 0.9));
        for (var metric :
                List.of("map", "map-50", "map-75", "map-small", "map-medium", "recall-10")) {
            assertThat(score(metric, truth, seen)).as(metric).isCloseTo(1, EXACT);
        }
        // There is nothing large to find.
        assertThat(score("map-large", truth, seen)).isNaN();
        // By one detection, one of two is found.
        assertThat(score("recall-1", truth, seen)).isCloseTo(0.5, EXACT);
    }

    /// A cat taken for a dog, a dog seen twice and one not at all, a cat where nothing is, and what
    /// is seen in a crowd or with little certainty.
    @Test
    void thingsAreTakenForOthersAndForNothing() {
        var truth =
                List.of(
                        cat(box(0, 0, 10, 10)),
                        new Region(box(50, 0, 10, 10), "dog"),
                        new Region(box(80, 0, 10, 10), "dog"),
                        new Region(box(0, 100, 100, 100), "cat", 10_000, true));
        var seen =
                List.of(
                        new Detection(box(0, 0, 10, 9), "dog", 0.9),
                        new Detection(box(50, 0, 10, 10), "dog", 0.8),
                        new Detection(box(51, 0, 10, 10), "dog", 0.7),
                        cat(box(30, 50, 10, 10), 0.6),
                        cat(box(10, 110, 10, 10), 0.6),
                        new Detection(box(80, 0, 10, 10), "dog", 0.4));
        var detections = new Detections(List.of("cat", "dog"), List.of(truth), List.of(seen));
        var taken = detections.confusion(0.5);
        assertThat(taken.labels()).containsExactly("cat", "dog", "nothing");
        var counts = new ArrayList<Long>();
        for (var i = 0; i < 9; i++) {
            counts.add(taken.count(i / 3, i % 3));
        }
        assertThat(counts).containsExactly(0L, 1L, 0L, 0L, 1L, 1L, 1L, 1L, 0L);
    }

    @Test
    void aSurerMistakeHalvesThePrecision() {
        var truth = List.of(cat(box(0, 0, 10, 10)));
        var right = cat(box(0, 0, 10, 10), 0.5);
        assertThat(score("map-50", truth, List.of(cat(box(50, 50, 10, 10), 0.9), right)))
                .isCloseTo(0.5, EXACT);
        // A less sure one changes nothing.
        assertThat(score("map-50", truth, List.of(cat(box(50, 50, 10, 10), 0.1), right)))
                .isCloseTo(1, EXACT);
    }

    /// The second time that a thing is found is a mistake: right, wrong, right of two things.
    @Test
    void aThingIsTakenOnce() {
        var truth = List.of(cat(box(0, 0, 10, 10)), cat(box(50, 0, 10, 10)));
        var seen =
                List.of(
                        cat(box(0, 0, 10, 10), 0.9),
                        cat(box(0, 0, 10, 9), 0.8),
                        cat(box(50, 0, 10, 10), 0.7));
        assertThat(score("map-50", truth, seen)).isCloseTo((51 + 50 * 2 / 3.0) / 101, EXACT);
    }

    /// Precision 1 up to a recall of 1/2, at 51 of the 101 recalls.
    @Test
    void aMissedThingHalvesTheRecall() {
        var truth = List.of(cat(box(0, 0, 10, 10)), cat(box(50, 0, 10, 10)));
        var seen = List.of(cat(box(0, 0, 10, 10), 0.9));
        assertThat(score("map-50", truth, seen)).isCloseTo(51 / 101.0, EXACT);
        assertThat(score("recall-100", truth, seen)).isCloseTo(0.5, EXACT);
    }

    /// Right, wrong, right of two things: precision 1 up to a recall of 1/2, and 2/3 up to 1.
    @Test
    void precisionIsTheBestAtThatRecallOrAHigherOne() {
        var truth = List.of(cat(box(0, 0, 10, 10)), cat(box(50, 0, 10, 10)));
        var seen =
                List.of(
                        cat(box(0, 0, 10, 10), 0.9),
                        cat(box(80, 80, 10, 10), 0.8),
                        cat(box(50, 0, 10, 10), 0.7));
        assertThat(score("map-50", truth, seen)).isCloseTo((51 + 50 * 2 / 3.0) / 101, EXACT);
    }

    /// An overlap of 62 / 100 is enough at 0.5, 0.55 and 0.6, three of the ten thresholds.
    @Test
    void thresholdsAreTen() {
        var truth = List.of(cat(box(0, 0, 10, 10)));
        var seen = List.of(cat(box(0, 0, 10, 6.2), 0.9));
        assertThat(score("map", truth, seen)).isCloseTo(0.3, EXACT);
        assertThat(score("map-50", truth, seen)).isCloseTo(1, EXACT);
        assertThat(score("map-75", truth, seen)).isZero();
        assertThat(score("recall-100", truth, seen)).isCloseTo(0.3, EXACT);
    }

    @Test
    void detectionsOfACrowdCountForNothing() {
        var crowd = new Region(box(0, 0, 100, 100), "cat", 10_000, true);
        var truth = List.of(crowd, cat(box(200, 0, 50, 50)));
        var seen =
                List.of(
                        cat(box(10, 10, 20, 20), 0.9),
                        cat(box(40, 40, 20, 20), 0.8),
                        cat(box(200, 0, 50, 50), 0.7));
        assertThat(score("map", truth, seen)).isCloseTo(1, EXACT);
        // Half outside of the crowd is a mistake at all thresholds above a half.
        var outside = List.of(cat(box(90, 0, 25, 20), 0.9), cat(box(200, 0, 50, 50), 0.7));
        assertThat(score("map-50", truth, outside)).isCloseTo(0.5, EXACT);
    }

    /// However many boxes tell it; what lies in it alone does not.
    @Test
    void aDifficultThingIsNeitherFoundNorMissed() {
        var difficult = new Region(box(0, 0, 100, 100), "cat", 10_000, false, true);
        var truth = List.of(difficult, cat(box(200, 0, 50, 50)));
        var right = cat(box(200, 0, 50, 50), 0.7);
        assertThat(score("map", truth, List.of(right))).isCloseTo(1, EXACT);
        assertThat(score("recall-100", truth, List.of(right))).isCloseTo(1, EXACT);
        var seen = cat(box(0, 0, 100, 100), 0.9);
        assertThat(score("map", truth, List.of(seen, right))).isCloseTo(1, EXACT);
        assertThat(score("map-50", truth, List.of(seen, seen, right))).isCloseTo(1, EXACT);
        assertThat(score("map-50", truth, List.of(cat(box(10, 10, 20, 20), 0.9), right)))
                .isCloseTo(0.5, EXACT);
        // Nor is it told apart from nothing, or drawn among the worst.
        var detections =
                new Detections(
                        List.of("cat"),
                        List.of(List.of(difficult), truth, truth),
                        List.of(List.of(), List.of(seen), List.of(seen, right)));
        var taken = detections.confusion(0.5);
        assertThat(taken.count(0, 0)).isEqualTo(1);
        assertThat(taken.count(0, 1)).isEqualTo(1);
        assertThat(taken.count(1, 0)).isZero();
        assertThat(detections.bestFirst(0.5)).containsExactly(0, 2, 1);
    }

    @Test
    void thingsOfOtherSizesCountForNothing() {
        var truth = List.of(cat(box(0, 0, 20, 20)), cat(box(100, 0, 60, 60)));
        var seen =
                List.of(
                        cat(box(100, 0, 60, 60), 0.9),
                        // Taken by the small thing, which medium ones do not count.
                        cat(box(0, 0, 20, 20), 0.8),
                        // A mistake of small size.
                        cat(box(50, 50, 10, 10), 0.95));
        assertThat(score("map-medium", truth, seen)).isCloseTo(1, EXACT);
        assertThat(score("map-small", truth, seen)).isCloseTo(0.5, EXACT);
        // All of either size are found, however many mistakes there are.
        assertThat(score("recall-small", truth, seen)).isCloseTo(1, EXACT);
        assertThat(score("recall-medium", truth, seen.subList(1, 3))).isZero();
        assertThat(score("recall-large", truth, seen)).isNaN();
        // The size is that of the thing itself, not of its box.
        var thin = List.of(new Region(box(0, 0, 100, 100), "cat", 500, false));
        assertThat(score("map-small", thin, List.of(cat(box(0, 0, 100, 100), 0.9)))).isEqualTo(1);
        assertThat(score("map-large", thin, List.of(cat(box(0, 0, 100, 100), 0.9)))).isNaN();
    }

    @Test
    void aDetectionTakesTheThingThatItOverlapsMost() {
        var truth = List.of(cat(box(0, 0, 10, 10)), cat(box(2, 0, 10, 10)));
        var seen = List.of(cat(box(2, 0, 10, 10), 0.9), cat(box(0, 0, 10, 10), 0.8));
        assertThat(score("map", truth, seen)).isCloseTo(1, EXACT);
        // Both overlap the first at 0.5, but it is taken.
        assertThat(score("map-50", truth, List.of(seen.get(1), seen.get(1)))).isCloseTo(1, EXACT);
    }

    @Test
    void aHundredDetectionsCount() {
        var seen = new ArrayList<Detection>();
        for (var i = 0; i < 100; i++) {
            seen.add(cat(box(500 + 20 * i, 0, 10, 10), 0.9));
        }
        seen.add(cat(box(0, 0, 10, 10), 0.8));
        var truth = List.of(cat(box(0, 0, 10, 10)));
        assertThat(score("map-50", truth, seen)).isZero();
        assertThat(score("map-50", truth, seen.subList(1, 101))).isCloseTo(0.01, EXACT);
    }

    @Test
    void classesAndPicturesAreToldApart() {
        var dog = new Region(box(0, 0, 10, 10), "dog");
        List<List<Region>> truth =
                List.of(List.of(cat(box(0, 0, 10, 10))), List.of(dog), List.of());
        List<List<Detection>> seen =
                List.of(
                        List.of(cat(box(0, 0, 10, 10), 0.6)),
                        // Of the right place, but the wrong class.
                        List.of(cat(box(0, 0, 10, 10), 0.9)),
                        List.of(new Detection(box(0, 0, 10, 10), "bird", 0.9)));
        var classes = List.of("cat", "dog", "bird");
        assertThat(score("map-50:cat", classes, truth, seen)).isCloseTo(0.5, EXACT);
        assertThat(score("map-50:dog", classes, truth, seen)).isZero();
        // There is no bird to find.
        assertThat(score("map-50:bird", classes, truth, seen)).isNaN();
        assertThat(score("map-50", classes, truth, seen)).isCloseTo(0.25, EXACT);
    }

    @Test
    void intervalsAreOverPictures() {
        var truth = new ArrayList<List<Region>>();
        var seen = new ArrayList<List<Detection>>();
        for (var i = 0; i < 40; i++) {
            truth.add(List.of(cat(box(0, 0, 10, 10))));
            seen.add(i % 2 == 0 ? List.of(cat(box(0, 0, 10, 10), 0.9)) : List.of());
        }
        var score = new Detections(List.of("cat"), truth, seen).scores("test", 1).get(1);
        assertThat(score.metric()).isEqualTo("map-50");
        assertThat(score.value()).isCloseTo(51 / 101.0, EXACT);
        // Two deviations of a share of 40 are 0.16.
        assertThat(score.low()).isBetween(0.28, 0.42);
        assertThat(score.high()).isBetween(0.58, 0.72);
    }

    @Test
    void theBestTellAllAndNoMore() {
        List<List<Region>> truth =
                List.of(
                        List.of(cat(box(0, 0, 10, 10))),
                        List.of(cat(box(0, 0, 10, 10))),
                        List.of(cat(box(0, 0, 10, 10))));
        var right = cat(box(0, 0, 10, 10), 0.9);
        var wrong = cat(box(50, 0, 10, 10), 0.9);
        List<List<Detection>> seen =
                List.of(
                        List.of(wrong),
                        List.of(right, wrong),
                        List.of(right, cat(wrong.box(), 0.1)));
        assertThat(new Detections(List.of("cat"), truth, seen).bestFirst(0.5))
                .containsExactly(2, 1, 0);
    }
}
