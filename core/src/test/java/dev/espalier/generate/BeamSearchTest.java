package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.generate.BeamSearch.Hypothesis;
import dev.espalier.generate.Beams.EarlyStopping;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BeamSearchTest {
    private static final int[] PROMPT = {0};
    private static final int END = 3;

    private static BeamSearch search(
            int beams, double lengthPenalty, EarlyStopping early, int limit) {
        return new BeamSearch(new Beams(beams, lengthPenalty, early), PROMPT, limit, Set.of(END));
    }

    /// Steps by probabilities that are the same in every row.
    private static int[] step(BeamSearch search, int beams, double... probabilities) {
        var scores = new float[beams * probabilities.length];
        for (var i = 0; i < scores.length; i++) {
            scores[i] = (float) Math.log(probabilities[i % probabilities.length]);
        }
        return search.step(scores, 0, probabilities.length, probabilities.length);
    }

    @Test
    void beamsGoOnFromTheBestOnes() {
        var search = search(2, 1, EarlyStopping.NO, 5);
        assertThat(step(search, 2, 0.1, 0.6, 0.25, 0.05)).containsExactly(0, 0);
        assertThat(search.ids(0)).containsExactly(0, 1);
        assertThat(search.ids(1)).containsExactly(0, 2);
        // 0.6 · 0.7 and 0.25 · 0.7 lead; 0.6 · 0.2 comes third.
        assertThat(step(search, 2, 0.7, 0.05, 0.2, 0.05)).containsExactly(0, 1);
        assertThat(search.ids(1)).containsExactly(0, 2, 0);
        assertThat(search.done()).isFalse();
    }

    @Test
    void anEndBeyondTheBeamsIsPassedOver() {
        var search = search(2, 1, EarlyStopping.YES, 2);
        step(search, 2, 0.5, 0.3, 0.01, 0.19); // the end stands third
        step(search, 2, 0.1, 0.1, 0.1, 0.7); // ends lead, and there are two
        assertThat(search.done()).isTrue();
        var best = search.best(2);
        assertThat(best.get(0).ids()).containsExactly(0, END);
        assertThat(best.get(1).ids()).containsExactly(1, END);
        assertThat(best.get(0).score()).isCloseTo(Math.log(0.5 * 0.7) / 2, within(1e-6));
    }

    @ParameterizedTest
    @CsvSource({"1, 2", "0, 1"})
    void theLengthPenaltyDecidesBetweenShortAndLong(double lengthPenalty, int length) {
        var search = search(2, lengthPenalty, EarlyStopping.NEVER, 2);
        step(search, 2, 0.5, 0.05, 0.05, 0.4); // ends at log 0.4 = -0.92
        step(search, 2, 0.1, 0.1, 0.1, 0.7); // or at log 0.35 / 2 = -0.52, log 0.35 = -1.05
        assertThat(search.best(1).getFirst().ids()).hasSize(length);
    }

    @Test
    void earlyStoppingIsAtOnceOrWhenNothingBetterIsLikelyOrPossible() {
        var done = new ArrayList<Boolean>();
        for (var early : EarlyStopping.values()) {
            var search = search(1, 1, early, 100);
            step(search, 1, 0.4, 0.1, 0.05, 0.45); // ends at -0.80; best so far, too
            done.add(search.done());
        }
        // Over 100 tokens even -0.80 may become a better mean.
        assertThat(done).containsExactly(true, true, false);

        var search = search(1, 2, EarlyStopping.NO, 100);
        step(search, 1, 0.01, 0.01, 0.01, 0.97);
        assertThat(search.done()).isTrue();
    }

    /// With as many beams as there are texts nothing may be missed.
    @ParameterizedTest
    @CsvSource({"1, 1", "2, 0", "3, 2", "4, -1", "5, 0.6", "6, 1"})
    void wideBeamsFindTheBestOfAllTexts(long seed, double lengthPenalty) {
        var table = new float[4][4]; // log-probabilities of an id after another
        var rng = Rng.at(seed);
        for (var row : table) {
            var total = 0.0;
            for (var id = 0; id < 4; id++) {
                row[id] = (float) Math.exp(2 * rng.nextGaussian());
                total += row[id];
            }
            for (var id = 0; id < 4; id++) {
                row[id] = (float) Math.log(row[id] / total);
            }
        }
        var beams = 27;
        var limit = 3;
        var search = search(beams, lengthPenalty, EarlyStopping.NEVER, limit);
        while (!search.done()) {
            var scores = new float[beams * 4];
            for (var beam = 0; beam < beams; beam++) {
                var ids = search.ids(beam);
                System.arraycopy(table[ids[ids.length - 1]], 0, scores, beam * 4, 4);
            }
            search.step(scores, 0, 4, 4);
        }
        var all = new ArrayList<Hypothesis>();
        texts(table, new int[0], 0, limit, lengthPenalty, all);
        var best = all.stream().mapToDouble(Hypothesis::score).max().orElseThrow();
        assertThat(search.best(1).getFirst().score()).isCloseTo(best, within(1e-5));
        assertThat(search.best(3))
                .extracting(Hypothesis::score)
                .isSortedAccordingTo((a, b) -> Double.compare(b, a));
    }

    private static void texts(
            float[][] table,
            int[] ids,
            double sum,
            int limit,
            double lengthPenalty,
            List<Hypothesis> all) {
        var last = ids.length == 0 ? PROMPT[0] : ids[ids.length - 1];
        if (ids.length == limit || (ids.length > 0 && last == END)) {
            all.add(new Hypothesis(ids, sum / Math.pow(ids.length, lengthPenalty)));
            return;
        }
        for (var id = 0; id < 4; id++) {
            var longer = java.util.Arrays.copyOf(ids, ids.length + 1);
            longer[ids.length] = id;
            texts(table, longer, sum + table[last][id], limit, lengthPenalty, all);
        }
    }

    @Test
    void whatCannotBeSearchedIsRefused() {
        var onlyEnds = new BeamSearch(new Beams(3, 1, EarlyStopping.NO), PROMPT, 5, Set.of(0, 1));
        assertThatThrownBy(() -> step(onlyEnds, 3, 0.5, 0.5))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("too few end no text");
        assertThatThrownBy(() -> step(search(2, 1, EarlyStopping.NO, 5), 2, 0.5, Double.NaN))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("not finite");
        assertThatThrownBy(() -> new Beams(0, 1, EarlyStopping.NO)).hasMessageContaining("beams");
        assertThatThrownBy(() -> new Beams(1_000_000, 1, EarlyStopping.NO))
                .hasMessageContaining("256");
        assertThatThrownBy(() -> new Beams(2, Double.NaN, EarlyStopping.NO))
                .hasMessageContaining("length penalty");
    }
}
