package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.task.PreferenceLoss.Answer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class PreferenceLossTest {
    static Stream<PreferenceLoss> losses() {
        return Stream.of(
                new PreferenceLoss.Dpo(0.3, 0),
                new PreferenceLoss.Dpo(0.3, 0.1),
                new PreferenceLoss.Ipo(0.3, false),
                new PreferenceLoss.Ipo(0.3, true),
                new PreferenceLoss.Kto(0.3, 1.3, 0.6));
    }

    /// Central differences of each loss at a hundred places.
    @ParameterizedTest
    @MethodSource("losses")
    void derivativesAreThoseOfTheLoss(PreferenceLoss loss) {
        for (var i = 0; i < 100; i++) {
            var rng = Rng.at(i);
            var w = new Answer(-20 * rng.nextDouble(), -20 * rng.nextDouble(), 1 + rng.nextInt(9));
            var l = new Answer(-20 * rng.nextDouble(), -20 * rng.nextDouble(), 1 + rng.nextInt(9));
            var z = 3 * rng.nextDouble();
            var h = 1e-5;
            var value = loss.of(w, l, z);
            assertThat(value.byChosen())
                    .isEqualTo(
                            (loss.of(moved(w, h), l, z).loss() - loss.of(moved(w, -h), l, z).loss())
                                    / (2 * h),
                            within(1e-6));
            assertThat(value.byRejected())
                    .isEqualTo(
                            (loss.of(w, moved(l, h), z).loss() - loss.of(w, moved(l, -h), z).loss())
                                    / (2 * h),
                            within(1e-6));
        }
    }

    private static Answer moved(Answer answer, double by) {
        return new Answer(answer.policy() + by, answer.reference(), answer.tokens());
    }

    @Test
    void farFromTheReferenceNothingOverflows() {
        for (var distance : new double[] {1e4, -1e4}) {
            var w = new Answer(distance, 0, 5);
            var l = new Answer(0, 0, 5);
            var dpo = new PreferenceLoss.Dpo(1, 0).of(w, l, 0);
            assertThat(dpo.loss()).isEqualTo(Math.max(0, -distance));
            assertThat(dpo.byChosen()).isEqualTo(distance > 0 ? 0 : -1);
            var kto = new PreferenceLoss.Kto(1, 1, 1).of(w, l, 0);
            assertThat(kto.loss()).isEqualTo(distance > 0 ? 0.25 : 0.75);
            assertThat(kto.byChosen()).isEqualTo(0);
        }
    }
}
