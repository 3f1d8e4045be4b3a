package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SuffixesTest {
    @Test
    void suffixesAreInOrder() {
        for (int n : new int[] {0, 1, 2, 50, 500}) {
            var random = Rng.at(1, n);
            var points = IntStream.range(0, n).map(i -> random.nextInt(3)).toArray();
            var expected =
                    IntStream.range(0, n)
                            .boxed()
                            .sorted((a, b) -> Arrays.compare(points, a, n, points, b, n))
                            .mapToInt(Integer::intValue)
                            .toArray();
            assertThat(Suffixes.sorted(points, n)).isEqualTo(expected);
        }
    }

    @Test
    void equalBeginningsStayInTheOrderOfTheirPlaces() {
        var points = new int[] {1, 1, 1, 1, 1, 1};
        assertThat(Suffixes.sorted(points, 1)).containsExactly(0, 1, 2, 3, 4, 5);
    }
}
