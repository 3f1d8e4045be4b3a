package dev.espalier.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.util.Arrays;
import java.util.Comparator;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplerTest {
    /// Two rows of scores, and which tokens the Hugging Face library's processors leave of them.
    private static final float[] FIRST = {
        3.6846597f, 1.0377743f, -3.4238427f, -3.4027586f, 4.038839f, -0.5372289f,
        -0.261435f, -2.8748276f, 5.229154f, -0.8680459f, 0.7046709f, -0.12910296f
    };

    private static final float[] SECOND = {
        1.5372587f, 1.8466944f, -1.1166459f, 1.5592515f, 1.4895539f, 0.06331379f,
        -2.3448286f, -3.0138807f, -0.29620922f, 0.7429095f, 0.45450282f, -0.12947035f
    };

    @Test
    void filtersLeaveTheTokensThatTheReferenceLeaves() {
        assertThat(drawn(new Sampling(1, 3, 1, 0), FIRST)).containsExactly(0, 4, 8);
        assertThat(drawn(new Sampling(1, 3, 1, 0), SECOND)).containsExactly(0, 1, 3);
        assertThat(drawn(new Sampling(1, 0, 0.8, 0), FIRST)).containsExactly(4, 8);
        assertThat(drawn(new Sampling(1, 0, 0.8, 0), SECOND)).containsExactly(0, 1, 3, 4, 9);
    }

    @Test
    void unlikelyTokensAreDroppedByTheirShareOfTheBest() {
        // e^(s - best): 0.21 0.02 … 0.30 … 1, 0.01; and 0.73 1 0.05 0.75 0.70 0.17 … 0.33 0.25 0.14
        assertThat(drawn(new Sampling(1, 0, 1, 0.1, 0), FIRST)).containsExactly(0, 4, 8);
        assertThat(drawn(new Sampling(1, 0, 1, 0.25, 0), FIRST)).containsExactly(4, 8);
        assertThat(drawn(new Sampling(1, 0, 1, 0.3, 0), SECOND)).containsExactly(0, 1, 3, 4, 9);
        assertThat(drawn(new Sampling(1, 0, 1, 1, 0), SECOND)).containsExactly(1);
        // The temperature comes first: at 0.5 the shares are squared.
        assertThat(drawn(new Sampling(0.5, 0, 1, 0.3, 0), SECOND)).containsExactly(0, 1, 3, 4);
        assertThat(drawn(new Sampling(1, 4, 0.9, 0.72, 0), SECOND)).containsExactly(0, 1, 3);
    }

    private static TreeSet<Integer> drawn(Sampling sampling, float[] scores) {
        var sampler = new Sampler(sampling, scores.length);
        var rng = Rng.at(1);
        var ids = new TreeSet<Integer>();
        for (var i = 0; i < 5000; i++) {
            ids.add(sampler.next(scores, 0, rng));
        }
        return ids;
    }

    @Test
    void tokensAreDrawnByTheirProbability() {
        var temperature = 0.7;
        var counts = new int[SECOND.length];
        var sampler = new Sampler(new Sampling(temperature, 0, 1, 0), SECOND.length);
        var rng = Rng.at(2);
        var draws = 100_000;
        for (var i = 0; i < draws; i++) {
            counts[sampler.next(SECOND, 0, rng)]++;
        }
        var total =
                IntStream.range(0, SECOND.length)
                        .mapToDouble(i -> Math.exp(SECOND[i] / temperature))
                        .sum();
        for (var i = 0; i < counts.length; i++) {
            assertThat(counts[i] / (double) draws)
                    .isCloseTo(Math.exp(SECOND[i] / temperature) / total, within(0.006));
        }
    }

    /// Against the plainest way of writing it: sort everything, then cut.
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void allFiltersTogetherEqualSortingEverything(long seed) {
        var rng = Rng.at(seed);
        var vocabulary = 2 + rng.nextInt(200);
        var scores = new float[vocabulary + 3];
        for (var i = 0; i < scores.length; i++) {
            scores[i] = Math.round(rng.nextGaussian() * 6) / 2f; // with many that are equal
        }
        var sampling =
                new Sampling(
                        0.2 + rng.nextDouble(),
                        rng.nextInt(vocabulary + 5),
                        1 - rng.nextDouble(),
                        0);
        var sampler = new Sampler(sampling, vocabulary);
        for (var draw = 0; draw < 50; draw++) {
            assertThat(sampler.next(scores, 3, Rng.at(seed, draw)))
                    .isEqualTo(plain(sampling, scores, 3, vocabulary, Rng.at(seed, draw)));
        }
    }

    private static int plain(
            Sampling sampling, float[] scores, int offset, int vocabulary, Rng rng) {
        var order =
                IntStream.range(0, vocabulary)
                        .boxed()
                        .sorted(Comparator.comparing(i -> -scores[offset + i]))
                        .toList();
        var k = sampling.topK() == 0 ? vocabulary : Math.min(sampling.topK(), vocabulary);
        var least = scores[offset + order.get(k - 1)];
        var weights = new double[vocabulary];
        for (var i = 0; i < vocabulary; i++) {
            if (scores[offset + i] >= least) {
                var most = scores[offset + order.getFirst()];
                weights[i] =
                        StrictMath.exp(
                                ((double) scores[offset + i] - most) / sampling.temperature());
            }
        }
        var total = Arrays.stream(weights).sum();
        var before = 0.0;
        for (var id : order) {
            var weight = weights[id];
            weights[id] = before < sampling.topP() * total ? weight : 0;
            before += weight;
        }
        var draw = rng.nextDouble() * Arrays.stream(weights).sum();
        var id = 0;
        for (var passed = weights[0]; passed <= draw; passed += weights[id]) {
            id++;
        }
        return id;
    }

    @Test
    void greedyTakesTheFirstOfTheBest() {
        var sampler = new Sampler(Sampling.greedy(), 4);
        assertThat(sampler.next(new float[] {9, 9, 1, 3, 3, 2}, 2, Rng.at(0))).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY})
    void scoresThatAreNotNumbersAreRefused(float broken) {
        for (var temperature : new double[] {0, 1}) {
            var sampler = new Sampler(new Sampling(temperature, 2, 0.9, 0), 3);
            assertThatThrownBy(() -> sampler.next(new float[] {1, broken, 0}, 0, Rng.at(0)))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("not finite");
        }
    }

    @Test
    void settingsOutOfRangeAreRefused() {
        assertThatThrownBy(() -> new Sampling(-1, 0, 1, 0)).hasMessageContaining("temperature");
        assertThatThrownBy(() -> new Sampling(Double.NaN, 0, 1, 0))
                .hasMessageContaining("temperature");
        assertThatThrownBy(() -> new Sampling(1, -1, 1, 0)).hasMessageContaining("top-k");
        assertThatThrownBy(() -> new Sampling(1, 0, 0, 0)).hasMessageContaining("top-p");
        assertThatThrownBy(() -> new Sampling(1, 0, 1.1, 0)).hasMessageContaining("top-p");
        assertThatThrownBy(() -> new Sampling(1, 0, 1, -0.1, 0)).hasMessageContaining("min-p");
    }
}
