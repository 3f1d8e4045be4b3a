package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.image.Box;
import dev.espalier.image.Region;
import dev.espalier.model.VitConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.objective.Pixels;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BoxBatchTest {
    private static final List<String> LABELS = List.of("cat", "dog");

    private static Yolos model() {
        return new Yolos(YolosConfig.of(VitConfig.of(16, 8, 8, 2, 2, 0), 5), LABELS).initialize(1);
    }

    private static BoxBatch batch(Yolos model, int from, int to) {
        var pictures = new ArrayList<Pixels>();
        var things = new ArrayList<List<Region>>();
        for (var i = from; i < to; i++) {
            var rng = Rng.at(i);
            var values = new float[3 * 16 * 16];
            for (var v = 0; v < values.length; v++) {
                values[v] = (float) rng.uniform();
            }
            pictures.add(new Pixels(values, 3, 16, 16, "picture " + i));
            var each = new ArrayList<Region>();
            // None in the first, and more than there are tokens in the last.
            for (var t = 0; t < 2 * i; t++) {
                double x = 10 * rng.uniform(), y = 10 * rng.uniform();
                each.add(new Region(new Box(x, y, x + 5, y + 3), LABELS.get(rng.below(2))));
            }
            things.add(each);
        }
        return new BoxBatch(model, pictures, things);
    }

    /// Of a picture that patches do not fill, as the model's own boxes are.
    @Test
    void boxesAreSharesOfTheWholePicture() {
        var model = model();
        var box = new Box(18, 9, 27, 20);
        var picture = new Pixels(new float[3 * 20 * 27], 3, 20, 27, "");
        var things = List.of(List.of(new Region(box, "dog")));
        var shares = new float[5 * 4];
        for (var token = 0; token < 5; token++) {
            var each = new float[] {22.5f / 27, 14.5f / 20, 9f / 27, 11f / 20};
            System.arraycopy(each, 0, shares, 4 * token, 4);
        }
        try (var scope = new Scope()) {
            var told =
                    new Yolos.Told(
                            List.of(),
                            Tensor.of(new float[15], 1, 5, 3),
                            Tensor.of(shares, 1, 5, 4));
            var parts = new BoxBatch(model, List.of(picture), things).parts(told);
            assertThat(parts.distance().item()).isCloseTo(0, within(1e-5));
        }
        var seen = ObjectDetector.seen(model, new float[15], shares, 27, 20, true);
        assertThat(seen.getFirst().box().overlap(box)).isCloseTo(1, within(1e-5));
    }

    private static double loss(BoxBatch batch) {
        return batch.forward().backward(1).item();
    }

    @Test
    void howAStepIsSplitChangesNothing() {
        var model = model();
        try (var parameters = new FlatParameters(model);
                var scope = new Scope()) {
            parameters.zeroGradients();
            var whole = BoxBatch.together(List.of(batch(model, 0, 4))).getFirst();
            var parts = BoxBatch.together(List.of(batch(model, 0, 1), batch(model, 1, 4)));
            assertThat(whole.count()).isEqualTo(4);
            assertThat(parts.stream().mapToDouble(BoxBatchTest::loss).sum())
                    .isCloseTo(loss(whole), within(1e-4));
            assertThat(loss(whole) / whole.count()).isBetween(1.0, 20.0);
        }
    }

    @Test
    void picturesOfNothingTeachThatThereIsNothing() {
        try (var scope = new Scope()) {
            var model = model();
            var batch = BoxBatch.together(List.of(batch(model, 0, 1))).getFirst();
            var parts = batch.parts(model.tell(Pixels.stacked(batch.pictures())));
            assertThat(parts.distance().item()).isZero();
            assertThat(parts.overlap().item()).isZero();
            // Of three classes, all about as likely.
            assertThat(parts.classes().item()).isCloseTo(Math.log(3), within(0.3));
        }
    }

    @Test
    void boxesAreComparedByWhatTheyShareAndWhatLiesBetween() {
        var box = new Box(0, 0, 2, 2);
        assertThat(BoxBatch.generalized(box, box)).isEqualTo(1);
        // They share 2 of 6, and fill all around them.
        assertThat(BoxBatch.generalized(box, new Box(0, 0, 2, 6)))
                .isCloseTo(1 / 3.0, within(1e-12));
        // They share nothing, and of the 16 around them fill 8.
        assertThat(BoxBatch.generalized(box, new Box(6, 0, 8, 2))).isCloseTo(-0.5, within(1e-12));
    }
}
