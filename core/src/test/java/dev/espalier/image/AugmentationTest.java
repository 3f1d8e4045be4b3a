package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AugmentationTest {
    private static final int THING = 200;

    /// A black picture with a thing of the colour (200, 0, index) from (10, 8) to (30, 20), which
    /// its mask has as class 1, and in a box.
    private static Sample sample(int index) {
        var width = 48;
        var height = 32;
        var rgb = new byte[3 * width * height];
        var classes = new byte[width * height];
        for (var y = 8; y < 20; y++) {
            for (var x = 10; x < 30; x++) {
                rgb[3 * (y * width + x)] = (byte) THING;
                rgb[3 * (y * width + x) + 2] = (byte) index;
                classes[y * width + x] = 1;
            }
        }
        return new Sample(
                index,
                new Image(width, height, rgb),
                List.of(new Region(new Box(10, 8, 30, 20), "thing")),
                new Mask(width, height, classes));
    }

    private static Augmentation of(Change... changes) {
        return new Augmentation(List.of(changes), 0, 0, 0, 7);
    }

    private static Sample at(Augmentation augmentation, long epoch, int index) {
        return augmentation.at(AugmentationTest::sample, 10, epoch, index);
    }

    private static final Map<String, Augmentation> ALL =
            Map.of(
                    "flips", of(Geometry.flips(true, true)),
                    "crop", of(Geometry.crop(0.1, 1, 0.5)),
                    "scale", of(Geometry.scale(0.5, 2)),
                    "move", of((s, rng) -> Geometry.window(s, rng.below(20) - 10, 3, 40, 40)),
                    "mosaic", new Augmentation(List.of(), 1, 0, 0, 7),
                    "several",
                            new Augmentation(
                                    List.of(
                                            Geometry.crop(0.3, 1, 0.75),
                                            Geometry.scale(0.8, 1.5),
                                            Geometry.flips(true, false)),
                                    0.5,
                                    0,
                                    0,
                                    7));

    private static Augmentation named(String name) {
        return Objects.requireNonNull(ALL.get(name));
    }

    /// Wherever the thing goes, its mask goes with it pixel by pixel, and its box is around it.
    @ParameterizedTest
    @ValueSource(strings = {"flips", "crop", "scale", "move", "mosaic", "several"})
    void boxesAndMasksMoveWithThePicture(String name) {
        var seen = 0;
        for (var epoch = 0; epoch < 60; epoch++) {
            var sample = at(named(name), epoch, epoch % 10);
            var image = sample.image();
            var mask = Objects.requireNonNull(sample.mask());
            var covered = new boolean[image.width() * image.height()];
            for (var region : sample.regions()) {
                var box = region.box();
                seen++;
                for (var y = (int) box.top(); y < box.bottom(); y++) {
                    for (var x = (int) box.left(); x < box.right(); x++) {
                        covered[y * image.width() + x] = true;
                        assertThat(image.at(x, y, 0)).isEqualTo(THING);
                    }
                }
            }
            var left = 0;
            for (var y = 0; y < image.height(); y++) {
                for (var x = 0; x < image.width(); x++) {
                    var thing = image.at(x, y, 0) == THING;
                    assertThat(mask.at(x, y) == 1).isEqualTo(thing);
                    assertThat(mask.at(x, y) == Mask.IGNORED).isEqualTo(image.at(x, y, 0) == 128);
                    left += thing && !covered[y * image.width() + x] ? 1 : 0;
                }
            }
            // What is not in a box is less than a tenth of a thing, four times in a mosaic.
            assertThat(left).isLessThan(4 * 24 + 1);
        }
        assertThat(seen).isGreaterThan(40);
    }

    @Test
    void aPureFunctionOfSeedEpochAndIndex() {
        var augmentation =
                new Augmentation(
                        List.of(
                                Geometry.crop(0.1, 1, 0.5),
                                Geometry.flips(true, true),
                                Colours.jitter(0.4, 0.4, 0.4, 0.1),
                                new RandAugment(2, 9),
                                Geometry.erase(0.5)),
                        0.5,
                        0.8,
                        1,
                        3);
        var other = new Augmentation(augmentation.changes(), 0.5, 0.8, 1, 4);
        var differing = 0;
        for (var index = 0; index < 10; index++) {
            var once = at(augmentation, 5, index);
            at(augmentation, 6, 3);
            var again = at(augmentation, 5, index);
            assertThat(again.image().rgb()).isEqualTo(once.image().rgb());
            assertThat(again.parts()).isEqualTo(once.parts());
            differing += same(once, at(augmentation, 6, index)) ? 0 : 1;
            differing += same(once, at(other, 5, index)) ? 0 : 1;
        }
        assertThat(differing).isGreaterThan(15);
    }

    private static boolean same(Sample a, Sample b) {
        return Arrays.equals(a.image().rgb(), b.image().rgb());
    }

    @Test
    void flipsAreEveryFourth() {
        var counts =
                IntStream.range(0, 4000)
                        .mapToObj(epoch -> at(named("flips"), epoch, 0).regions().getFirst().box())
                        .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
        // From (10, 8) to (30, 20) of 48 x 32; four deviations of a binomial are 110.
        assertThat(counts)
                .containsOnlyKeys(
                        new Box(10, 8, 30, 20),
                        new Box(18, 8, 38, 20),
                        new Box(10, 12, 30, 24),
                        new Box(18, 12, 38, 24));
        counts.values().forEach(n -> assertThat(n).isBetween(890L, 1110L));
    }

    @Test
    void cropsHaveTheShareAndTheShapeAskedFor() {
        var crop = of(Geometry.crop(0.25, 0.5, 0.5));
        var areas =
                IntStream.range(0, 2000)
                        .mapToObj(epoch -> at(crop, epoch, 0).image())
                        .peek(image -> {
                            var ratio = (double) image.width() / image.height();
                            assertThat(ratio).isBetween(0.45, 2.2);
                        })
                        .mapToDouble(image -> image.width() * image.height() / (48.0 * 32))
                        .summaryStatistics();
        assertThat(areas.getMin()).isCloseTo(0.25, within(0.02));
        assertThat(areas.getMax()).isCloseTo(0.5, within(0.02));
        assertThat(areas.getAverage()).isCloseTo(0.375, within(0.01));
    }

    @Test
    void scaleMakesThingsLargerAndSmaller() {
        for (var epoch = 0; epoch < 200; epoch++) {
            var image = at(of(Geometry.scale(0.5, 2)), epoch, 0).image();
            assertThat(image.width()).isBetween(24, 96);
            assertThat((double) image.width() / image.height()).isCloseTo(1.5, within(0.08));
        }
    }

    @Test
    void eraseCoversAPartAndIgnoresIt() {
        var erased = 0;
        for (var epoch = 0; epoch < 1000; epoch++) {
            var mask = Objects.requireNonNull(at(of(Geometry.erase(0.25)), epoch, 0).mask());
            var ignored = 0;
            for (var c : mask.classes()) {
                ignored += c == (byte) Mask.IGNORED ? 1 : 0;
            }
            if (ignored > 0) {
                erased++;
                assertThat(ignored / (48.0 * 32)).isBetween(0.01, 0.36);
            }
        }
        assertThat(erased).isBetween(190, 310);
    }

    @Test
    void mixUpLetsAnotherPictureShineThrough() {
        var one = sample(0);
        var black = new Sample(1, new Image(24, 16, new byte[3 * 24 * 16]), List.of(), null);
        var mixed = Augmentation.mixUp(one, black, 0.75);
        assertThat(mixed.image().at(15, 10, 0)).isEqualTo(150);
        assertThat(mixed.image().at(0, 0, 0)).isZero();
        assertThat(mixed.parts())
                .containsExactly(new Sample.Part(0, 0.75), new Sample.Part(1, 0.25));
    }

    @Test
    void cutMixCoversAsMuchAsItSays() {
        var white = new byte[3 * 48 * 32];
        Arrays.fill(white, (byte) 255);
        var one =
                new Sample(
                        0,
                        new Image(48, 32, new byte[white.length]),
                        List.of(),
                        Mask.of(48, 32, 0));
        var other =
                new Sample(
                        1,
                        new Image(24, 16, Arrays.copyOf(white, 3 * 24 * 16)),
                        List.of(),
                        Mask.of(24, 16, 2));
        for (var i = 0; i < 200; i++) {
            var rng = Rng.at(i);
            var mixed = Augmentation.cutMix(one, other, rng.uniform(), rng);
            var covered = 0;
            for (var c : mixed.image().rgb()) {
                covered += c != 0 ? 1 : 0;
            }
            assertThat(mixed.parts().get(1).share())
                    .isCloseTo(covered / (3 * 48.0 * 32), within(1e-9));
            var classes = Objects.requireNonNull(mixed.mask()).classes();
            for (var pixel = 0; pixel < classes.length; pixel++) {
                assertThat((int) classes[pixel])
                        .isEqualTo(mixed.image().rgb()[3 * pixel] == 0 ? 0 : 2);
            }
        }
    }

    @Test
    void aMaskIsCoveredWithItsPicture() {
        var cut =
                new Augmentation(
                        List.of((s, rng) -> Geometry.window(s, rng.below(20) - 10, 3, 48, 32)),
                        0,
                        0,
                        1,
                        7);
        var ofBoth = 0;
        for (var epoch = 0; epoch < 60; epoch++) {
            var sample = at(cut, epoch, epoch % 10);
            var mask = Objects.requireNonNull(sample.mask());
            var seen = new HashSet<Integer>();
            for (var y = 0; y < 32; y++) {
                for (var x = 0; x < 48; x++) {
                    var red = sample.image().at(x, y, 0);
                    assertThat(mask.at(x, y))
                            .isEqualTo(red == THING ? 1 : red == 128 ? Mask.IGNORED : 0);
                    if (red == THING) {
                        seen.add(sample.image().at(x, y, 2));
                    }
                }
            }
            ofBoth += seen.size() == 2 ? 1 : 0;
        }
        assertThat(ofBoth).isGreaterThan(5);
    }

    /// The mean of Beta(α, α) is 1/2, its variance 1 / (8 α + 4).
    @ParameterizedTest
    @ValueSource(doubles = {0.2, 1, 3})
    void sharesFollowABeta(double alpha) {
        var rng = Rng.at(1);
        var n = 20_000;
        var sum = 0.0;
        var squares = 0.0;
        for (var i = 0; i < n; i++) {
            var x = Augmentation.beta(alpha, rng);
            sum += x;
            squares += (x - 0.5) * (x - 0.5);
        }
        assertThat(sum / n).isCloseTo(0.5, within(0.01));
        assertThat(squares / n).isCloseTo(1 / (8 * alpha + 4), within(0.005));
    }

    /// As α goes to 0, one picture or the other is all that is seen.
    @ParameterizedTest
    @ValueSource(doubles = {1e-3, 1e-12, Double.MIN_VALUE})
    void ofASmallAlphaAShareIsAllOrNothing(double alpha) {
        var rng = Rng.at(2);
        var all = 0;
        for (var i = 0; i < 1000; i++) {
            var share = Augmentation.beta(alpha, rng);
            assertThat(Math.min(share, 1 - share)).isBetween(0.0, 0.5);
            all += share > 0.5 ? 1 : 0;
        }
        assertThat(all).isBetween(430, 570);
    }

    @Test
    void picturesAPixelWideMakeAMosaic() {
        for (var i = 0; i < 20; i++) {
            var image = new Image(1, 3, new byte[9]);
            var sample = new Sample(i, image, List.of(), Mask.of(1, 3, 0));
            var mosaic = Augmentation.mosaic(Collections.nCopies(4, sample), Rng.at(i));
            assertThat(Objects.requireNonNull(mosaic.mask()).classes()).containsOnly(0);
            assertThat(mosaic.parts().stream().mapToDouble(Sample.Part::share).sum())
                    .isCloseTo(1, within(1e-9));
        }
    }

    /// A window of ten times the sides of 7 MP would have more bytes than an array.
    @Test
    void aLargePictureIsMadeSmallerBeforeMuchIsPutAroundIt() {
        int width = 3500, height = 2000;
        var large =
                new Sample(
                        0,
                        new Image(width, height, new byte[3 * width * height]),
                        List.of(new Region(new Box(0, 0, width, height), "all")),
                        Mask.of(width, height, 1));
        var small = Geometry.scale(0.1, 0.1).apply(large, Rng.at(1));
        var image = small.image();
        assertThat((long) image.width() * image.height()).isBetween(6_900_000L, 7_000_000L);
        assertThat((double) image.width() / image.height()).isCloseTo(1.75, within(0.01));
        var box = small.regions().getFirst().box();
        assertThat(box.width() / image.width()).isCloseTo(0.1, within(0.001));
        assertThat(box.height() / image.height()).isCloseTo(0.1, within(0.001));
        var mask = Objects.requireNonNull(small.mask());
        int x = (int) box.left() + 2, y = (int) box.top() + 2;
        assertThat(mask.at(x, y)).isEqualTo(1);
        assertThat(image.at(x, y, 0)).isZero();
        assertThat(mask.at(x, y - 5)).isEqualTo(Mask.IGNORED);
    }

    @Test
    void whatNoiseCoversIsNoThing() {
        var erase = Geometry.erase(1);
        var kept = 0;
        for (var i = 0; i < 200; i++) {
            var before = sample(0);
            var box = new Box(20, 12, 24, 16);
            var thing =
                    new Sample(
                            0,
                            before.image(),
                            List.of(new Region(box, "thing")),
                            Mask.of(48, 32, 1));
            var after = erase.apply(thing, Rng.at(i));
            var mask = Objects.requireNonNull(after.mask());
            var left = 0;
            for (var y = 12; y < 16; y++) {
                for (var x = 20; x < 24; x++) {
                    left += mask.at(x, y) == 1 ? 1 : 0;
                }
            }
            // A tenth of 16 pixels lies between 1 and 2.
            assertThat(after.regions()).hasSize(left < 2 ? 0 : 1);
            kept += after.regions().size();
        }
        assertThat(kept).isBetween(100, 195);
    }

    @Test
    void partsAddUpToOne() {
        var all = new Augmentation(List.of(), 0.5, 0.8, 1, 9);
        for (var epoch = 0; epoch < 50; epoch++) {
            var parts = at(all, epoch, 4).parts();
            assertThat(parts.stream().mapToDouble(Sample.Part::share).sum())
                    .isCloseTo(1, within(1e-9));
            assertThat(parts.getFirst().index()).isEqualTo(4);
        }
    }

    @Test
    void resizingMovesBoxesAndMasks() {
        var resized = sample(0).resized(Preprocessor.vit(64, 24));
        assertThat(resized.regions().getFirst().box()).isEqualTo(new Box(5, 16, 15, 40));
        assertThat(resized.regions().getFirst().area()).isEqualTo(240);
        assertThat(Objects.requireNonNull(resized.mask()).at(5, 16)).isEqualTo(1);
        assertThat(resized.mask().at(4, 16)).isZero();
    }

    @Test
    void aSmallThingIsNoneOnlyWhereItIsCut() {
        var speck = new Region(new Box(10, 8, 11.5, 10), "speck");
        var sample = new Sample(0, sample(0).image(), List.of(speck), null);
        assertThat(sample.resized(Preprocessor.vit(8, 12)).regions())
                .extracting(Region::box)
                .containsExactly(new Box(2.5, 2, 2.875, 2.5));
        assertThat(Geometry.window(sample, 10, 0, 20, 20).regions()).hasSize(1);
        assertThat(Geometry.window(sample, 11, 0, 20, 20).regions()).isEmpty();
    }
}
