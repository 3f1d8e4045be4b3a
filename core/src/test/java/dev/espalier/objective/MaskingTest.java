package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class MaskingTest {
    private static final int MASK = 4;
    private static final int VOCABULARY = 1000;

    /// Ids below 5 are special; odd ids go on with the word before them.
    private static Masking masking(double rate, double masked, double random, boolean words) {
        var ordinary = new BitSet();
        ordinary.set(5, VOCABULARY);
        return new Masking(
                rate,
                masked,
                random,
                MASK,
                ordinary,
                words ? MaskingTest::even : Masking.Units.TOKENS);
    }

    private static BitSet even(int[] ids) {
        var starts = new BitSet();
        IntStream.range(0, ids.length).filter(i -> ids[i] % 2 == 0).forEach(starts::set);
        return starts;
    }

    private static int[] text(long index, int length) {
        var rng = Rng.at(7, index);
        var ids = IntStream.generate(() -> 5 + rng.nextInt(VOCABULARY - 5)).limit(length).toArray();
        ids[0] = 0;
        ids[length - 1] = 2;
        return ids;
    }

    @Test
    void ratesAreThoseAskedFor() {
        var masking = masking(0.15, 0.8, 0.1, false);
        long tokens = 0, told = 0, masks = 0, kept = 0;
        var atPlace = new int[130];
        var standIns = new int[VOCABULARY];
        for (var i = 0; i < 20_000; i++) {
            var ids = text(i, 129);
            var row = masking.of(ids, "", Rng.at(1, 5, i));
            tokens += 127;
            told += row.places().length;
            // 127 tokens at 15 % are 19.05: rounded down or up.
            assertThat(row.places().length).isBetween(19, 20);
            for (var m = 0; m < row.places().length; m++) {
                var at = row.places()[m];
                atPlace[at]++;
                assertThat(row.labels()[m]).isEqualTo(ids[at]);
                masks += row.ids()[at] == MASK ? 1 : 0;
                kept += row.ids()[at] == ids[at] ? 1 : 0;
                if (row.ids()[at] != MASK && row.ids()[at] != ids[at]) {
                    standIns[row.ids()[at]]++;
                }
            }
        }
        assertThat(told / (double) tokens).isCloseTo(0.15, within(1e-4));
        assertThat(masks / (double) told).isCloseTo(0.8, within(0.003));
        assertThat(kept / (double) told).isCloseTo(0.1 + 0.1 / 995, within(0.002));
        // Every place is as likely, and special tokens are never chosen.
        assertThat(atPlace[0]).isZero();
        assertThat(atPlace[128]).isZero();
        for (var place = 1; place < 128; place++) {
            assertThat(atPlace[place] / 20_000.0).isCloseTo(0.15, within(0.011)); // 4 deviations
        }
        // Random tokens are none of the special ones, and each as likely.
        assertThat(Arrays.stream(standIns, 0, 5).sum()).isZero();
        var mean = Arrays.stream(standIns).sum() / 995.0;
        var chi =
                Arrays.stream(standIns, 5, VOCABULARY)
                        .mapToDouble(n -> (n - mean) * (n - mean) / mean)
                        .sum();
        assertThat(chi).isBetween(994 - 5 * 44.6, 994 + 5 * 44.6); // χ² with 994 degrees
    }

    @Test
    void otherTokensStayAndTheSameRandomNumbersGiveTheSame() {
        var masking = masking(0.3, 0.5, 0.25, false);
        for (var i = 0; i < 200; i++) {
            var ids = text(i, 40);
            var before = ids.clone();
            var row = masking.of(ids, "", Rng.at(3, i));
            assertThat(ids).isEqualTo(before);
            assertThat(row.places()).isSorted().doesNotHaveDuplicates();
            var chosen = IntStream.of(row.places()).boxed().toList();
            for (var t = 0; t < ids.length; t++) {
                if (!chosen.contains(t)) {
                    assertThat(row.ids()[t]).isEqualTo(ids[t]);
                }
            }
            var again = masking.of(ids, "", Rng.at(3, i));
            assertThat(again.ids()).isEqualTo(row.ids());
            assertThat(again.places()).isEqualTo(row.places());
            assertThat(masking.of(ids, "", Rng.at(3, i + 1000)).places())
                    .as("another draw")
                    .isNotEqualTo(row.places());
        }
    }

    @Test
    void wordsAreToldWhole() {
        var masking = masking(0.15, 1, 0, true);
        double words = 0, told = 0, tokens = 0, toldTokens = 0;
        for (var i = 0; i < 5000; i++) {
            var ids = text(i, 66);
            var row = masking.of(ids, "", Rng.at(2, i));
            var hidden = new BitSet();
            IntStream.of(row.places()).forEach(hidden::set);
            tokens += 64;
            toldTokens += row.places().length;
            for (var t = 1; t < 65; t++) {
                if (t == 1 || ids[t] % 2 == 0) {
                    words++;
                    told += hidden.get(t) ? 1 : 0;
                } else {
                    assertThat(hidden.get(t)).isEqualTo(hidden.get(t - 1));
                }
            }
        }
        assertThat(told / words).isCloseTo(0.15, within(1e-3));
        assertThat(toldTokens / tokens).isCloseTo(0.15, within(5e-3));
    }

    @Test
    void atLeastOneTokenIsToldIfThereIsOne() {
        var masking = masking(0.15, 1, 0, false);
        assertThat(masking.of(new int[] {0, 77, 2}, "", Rng.at(1)).ids())
                .containsExactly(0, MASK, 2);
        var none = masking.of(new int[] {0, 3, 2}, "", Rng.at(1));
        assertThat(none.places()).isEmpty();
        assertThat(none.ids()).containsExactly(0, 3, 2);
        assertThat(masking(1, 1, 0, false).of(new int[] {0, 8, 9}, "", Rng.at(1)).ids())
                .containsExactly(0, MASK, MASK);
    }

    @Test
    void ratesBeyondAllAreRefused() {
        assertThatThrownBy(() -> masking(0.15, 0.8, 0.3, false))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> masking(0, 0.8, 0.1, false))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
