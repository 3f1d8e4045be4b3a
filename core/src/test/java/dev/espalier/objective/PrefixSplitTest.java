package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefixSplitTest {
    @Test
    void theTextIsCutAnywhereAndBothPartsEnd() {
        var text = IntStream.range(10, 16).toArray();
        var cuts = new int[6];
        for (var seed = 0; seed < 20_000; seed++) {
            var pair = new PrefixSplit(1).of(text, "", Rng.at(seed));
            var cut = pair.input().length - 1;
            cuts[cut]++;
            assertThat(pair.input()).startsWith(Arrays.copyOf(text, cut)).endsWith(1);
            assertThat(pair.target()).startsWith(Arrays.copyOfRange(text, cut, 6)).endsWith(1);
            assertThat(pair.target()).hasSize(6 - cut + 1);
        }
        assertThat(cuts[0]).isZero();
        for (var cut = 1; cut < 6; cut++) {
            assertThat(cuts[cut]).isCloseTo(4000, within(300));
        }
    }
}
