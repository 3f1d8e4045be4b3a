package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Set;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/// Against what the Hugging Face library's processors make of the same scores and ids.
class PenaltiesTest {
    private static final float FORBIDDEN = Float.NEGATIVE_INFINITY;
    private static final float[] FIRST = {
        3.6846597f, 1.0377743f, -3.4238427f, -3.4027586f, 4.038839f, -0.5372289f
    };
    private static final float[] SECOND = {
        1.5372587f, 1.8466944f, -1.1166459f, 1.5592515f, 1.4895539f, 0.06331379f
    };
    private static final int[] FIRST_IDS = {1, 2, 3, 1, 2};
    private static final int[] SECOND_IDS = {4, 5, 4, 5, 4};

    private static float[] applied(Penalties penalties, float[] scores, int[] ids, int prompt) {
        return applied(penalties, scores, ids, prompt, false);
    }

    private static float[] applied(
            Penalties penalties, float[] scores, int[] ids, int prompt, boolean last) {
        var row = new float[scores.length + 2];
        System.arraycopy(scores, 0, row, 2, scores.length);
        penalties.apply(row, 2, scores.length, ids, prompt, last, Set.of(3, 99));
        return Arrays.copyOfRange(row, 2, row.length);
    }

    private static float[] changed(float[] scores, Object... idsAndScores) {
        var changed = scores.clone();
        for (var i = 0; i < idsAndScores.length; i += 2) {
            changed[(Integer) idsAndScores[i]] = (Float) idsAndScores[i + 1];
        }
        return changed;
    }

    @Test
    void repetitionsAreLessLikelyOnceForEachToken() {
        var penalty = new Penalties(1.3, 0, 0);
        assertThat(applied(penalty, FIRST, FIRST_IDS, 5))
                .containsExactly(
                        changed(FIRST, 1, 0.798288f, 2, -4.4509954f, 3, -4.4235859f),
                        Offset.offset(1e-6f));
        assertThat(applied(penalty, SECOND, SECOND_IDS, 5))
                .containsExactly(
                        changed(SECOND, 4, 1.1458107f, 5, 0.048702918f), Offset.offset(1e-6f));
    }

    @Test
    void sequencesThatAreThereAreForbidden() {
        for (var size : new int[] {2, 3}) {
            var penalty = new Penalties(1, size, 0);
            assertThat(applied(penalty, FIRST, FIRST_IDS, 5))
                    .containsExactly(changed(FIRST, 3, FORBIDDEN));
            assertThat(applied(penalty, SECOND, SECOND_IDS, 5))
                    .containsExactly(changed(SECOND, 5, FORBIDDEN));
        }
        assertThat(applied(new Penalties(1, 1, 0), SECOND, SECOND_IDS, 5))
                .containsExactly(changed(SECOND, 4, FORBIDDEN, 5, FORBIDDEN));
        assertThat(applied(new Penalties(1, 6, 0), SECOND, SECOND_IDS, 5)).containsExactly(SECOND);
    }

    @Test
    void theFirstAndTheLastTokenMayBeForced() {
        var penalty = new Penalties(1, 0, 2, 4, 1);
        var forced = new float[FIRST.length];
        Arrays.fill(forced, FORBIDDEN);
        assertThat(applied(penalty, FIRST, new int[] {2}, 1))
                .containsExactly(changed(forced, 4, 0f));
        assertThat(applied(penalty, FIRST, FIRST_IDS, 1, true))
                .containsExactly(changed(forced, 1, 0f));
        assertThat(applied(penalty, FIRST, FIRST_IDS, 1)).containsExactly(FIRST);
        assertThatThrownBy(() -> applied(new Penalties(1, 0, 0, 99, null), FIRST, new int[] {2}, 1))
                .hasMessageContaining("token id 99");
    }

    @Test
    void theTextDoesNotEndBeforeItsLeastLength() {
        var penalty = new Penalties(1, 0, 2);
        assertThat(applied(penalty, FIRST, FIRST_IDS, 4))
                .containsExactly(changed(FIRST, 3, FORBIDDEN));
        assertThat(applied(penalty, FIRST, FIRST_IDS, 3)).containsExactly(FIRST);
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new Penalties(0, 0, 0)).hasMessageContaining("repetition penalty");
        assertThatThrownBy(() -> new Penalties(Double.NaN, 0, 0))
                .hasMessageContaining("repetition penalty");
        assertThatThrownBy(() -> new Penalties(1, -1, 0)).hasMessageContaining("no-repeat-ngram");
        assertThatThrownBy(() -> new Penalties(1, 0, -1)).hasMessageContaining("new tokens");
    }
}
