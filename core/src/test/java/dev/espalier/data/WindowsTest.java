package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WindowsTest {
    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 1000, 4097})
    void aPermutationReachesEachPlaceOnce(long size) {
        for (var seed = 0; seed < 3; seed++) {
            var order = new Permutation(size, seed);
            var seen = new HashSet<Long>();
            LongStream.range(0, size).forEach(i -> seen.add(order.at(i)));
            assertThat(seen).hasSize((int) size);
            assertThat(seen).allMatch(p -> p >= 0 && p < size);
        }
    }

    @Test
    void aPermutationOfMoreThanMemoryHoldsStaysInRange() {
        var order = new Permutation((1L << 61) + 12_345, 9);
        LongStream.range(0, 1000).forEach(i -> assertThat(order.at(i)).isBetween(0L, order.size()));
    }

    @Test
    void placesOfAPermutationAreSpreadEvenly() {
        // 64 000 draws into 8 x 8 cells of (index, place): mean 1000 each, standard deviation 31.
        var cells = new int[64];
        var size = 64_000L;
        for (var i = 0L; i < size; i++) {
            cells[(int) (i * 8 / size * 8 + new Permutation(size, 3).at(i) * 8 / size)]++;
        }
        assertThat(cells)
                .satisfies(c -> IntStream.of(c).forEach(n -> assertThat(n).isBetween(850, 1150)));
    }

    @Test
    void shuffledWindowsCoverTheTextEachEpochInAnotherOrder() {
        try (var shard = shard("a", 1003)) {
            var windows = Windows.shuffled(shard, 10);
            var firsts = new HashSet<List<Integer>>();
            for (var epoch = 0; epoch < 3; epoch++) {
                var starts = new HashSet<Integer>();
                var order = new java.util.ArrayList<Integer>();
                for (var i = 0L; i < 100; i++) {
                    var window = windows.at(7, epoch * 100 + i);
                    assertThat(window).hasSize(11);
                    assertThat(window[10]).isEqualTo(window[0] + 10);
                    starts.add(window[0]);
                    order.add(window[0]);
                }
                assertThat(starts).hasSize(100);
                firsts.add(order);
            }
            assertThat(firsts).hasSize(3);
            assertThat(windows.at(7, 5)).isEqualTo(Windows.shuffled(shard, 10).at(7, 5));
            assertThat(windows.at(8, 5)).isNotEqualTo(windows.at(7, 5));
        }
    }

    @Test
    void aWindowSaysWhereItsDocumentsBegin() {
        var file = folder.resolve("documents");
        try (var writer = new TokenShardWriter(file, 100_000, TokenShardTest.HASH)) {
            for (var length : new int[] {5, 8, 4, 20}) {
                writer.add(IntStream.range(0, length).toArray(), length);
            }
            writer.finish();
        }
        try (var shard = TokenShard.open(file)) {
            var want =
                    List.of(
                            List.of(0, 5), // documents begin at 0, 5, 13 and 17
                            List.of(),
                            List.of(1, 5),
                            List.of(),
                            List.of(),
                            List.of());
            var places =
                    List.of(
                            "tokens 0 to 6, documents 0 to 1",
                            "tokens 6 to 12, documents 1 to 1",
                            "tokens 12 to 18, documents 1 to 3",
                            "tokens 18 to 24, documents 3 to 3",
                            "tokens 24 to 30, documents 3 to 3",
                            "tokens 30 to 36, documents 3 to 3");
            for (var i = 0; i < 6; i++) {
                var window = shard.window(6L * i, 7);
                assertThat(window.tokens()).isEqualTo(shard.read(6L * i, 7));
                assertThat(IntStream.of(window.starts()).boxed().toList()).isEqualTo(want.get(i));
                assertThat(window.where()).isEqualTo(file + ", " + places.get(i));
            }
            assertThat(shard.window(17, 2).where()).endsWith("tokens 17 to 18, documents 3 to 3");
            assertThat(shard.window(17, 2).starts()).containsExactly(0);
        }
    }

    @Test
    void randomCropsReachBothEnds() {
        try (var shard = shard("a", 14)) {
            var crops = Windows.randomCrops(shard, 10);
            var starts = new HashSet<Integer>();
            for (var i = 0L; i < 200; i++) {
                starts.add(crops.at(1, i)[0]);
            }
            assertThat(starts).containsExactlyInAnyOrder(0, 1, 2, 3);
        }
    }

    @Test
    void aMixtureShowsEachSourceByItsWeightExactly() {
        try (var a = shard("a", 1001);
                var b = shard("b", 301)) {
            var mixture =
                    Windows.mixture(
                            List.of(
                                    new Windows.Part(Windows.shuffled(a, 10), 1),
                                    new Windows.Part(Windows.shuffled(b, 10), 2.5)));
            assertThat(mixture.perEpoch()).isEqualTo(100 + 75);
            var next = new long[2];
            for (var epoch = 0; epoch < 4; epoch++) {
                var seen = List.of(new HashSet<Long>(), new HashSet<Long>());
                for (var i = 0L; i < 175; i++) {
                    var draw = mixture.draw(3, epoch * 175 + i);
                    seen.get(draw.source()).add(draw.index());
                }
                for (var s = 0; s < 2; s++) {
                    var from = next[s];
                    var n = s == 0 ? 100 : 75;
                    assertThat(seen.get(s)).hasSize(n).allMatch(i -> i >= from && i < from + n);
                    next[s] += n;
                }
            }
            assertThat(mixture.epochs(1, 175)).isEqualTo(2.5);
            assertThat(mixture.epochs(0, 350)).isEqualTo(2);
            assertThat(mixture.at(3, 17)).hasSize(11);
        }
    }

    private TokenShard shard(String name, int tokens) {
        var file = folder.resolve(name);
        try (var writer = new TokenShardWriter(file, 100_000, TokenShardTest.HASH)) {
            writer.add(IntStream.range(0, tokens).toArray(), tokens);
            writer.finish();
        }
        return TokenShard.open(file);
    }
}
