package dev.espalier.objective;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class SpanCorruptionTest {
    private static final int END = 1;
    private static final int[] SENTINELS = IntStream.range(1000, 1100).toArray();
    private static final SpanCorruption T5 = new SpanCorruption(0.15, 3, SENTINELS, END);

    private static int[] text(int length) {
        return IntStream.range(10, 10 + length).toArray();
    }

    private static boolean isSentinel(int id) {
        return id >= 1000;
    }

    /// Puts what stands behind each sentinel of the target in its place in the input.
    private static int[] restored(SequencePair pair) {
        var restored = new ArrayList<Integer>();
        var at = 0;
        for (var i = 0; i < pair.input().length - 1; i++) {
            if (!isSentinel(pair.input()[i])) {
                restored.add(pair.input()[i]);
                continue;
            }
            assertThat(pair.target()[at++]).isEqualTo(pair.input()[i]);
            while (at < pair.target().length - 1 && !isSentinel(pair.target()[at])) {
                restored.add(pair.target()[at++]);
            }
        }
        assertThat(at).isEqualTo(pair.target().length - 1);
        return restored.stream().mapToInt(Integer::intValue).toArray();
    }

    /// The lengths that the paper's implementation was trained with: 512 tokens to read make 568 of
    /// text and 114 to write.
    @Test
    void theLengthOfTheTextFollowsFromThoseOfInputAndTarget() {
        assertThat(SpanCorruption.rawLength(512, 114, 0.15, 3)).isEqualTo(568);
        assertThat(SpanCorruption.rawLength(512, 10_000, 0.15, 3)).isEqualTo(568);
        assertThat(SpanCorruption.inputLength(568, 0.15, 3)).isEqualTo(512);
        assertThat(SpanCorruption.targetLength(568, 0.15, 3)).isEqualTo(114);
        assertThat(SpanCorruption.rawLength(512, 60, 0.15, 3)).isLessThan(568);
        assertThat(SpanCorruption.rawLength(2, 2, 0.15, 3)).isZero();
        for (var input = 5; input < 300; input += 7) {
            var raw = SpanCorruption.rawLength(input, 1000, 0.15, 3);
            assertThat(SpanCorruption.inputLength(raw, 0.15, 3)).isLessThanOrEqualTo(input);
            assertThat(SpanCorruption.inputLength(raw + 1, 0.15, 3)).isGreaterThan(input);
            var pair = T5.of(text(raw), "", Rng.at(1));
            assertThat(pair.input()).hasSize(SpanCorruption.inputLength(raw, 0.15, 3));
            assertThat(pair.target()).hasSize(SpanCorruption.targetLength(raw, 0.15, 3));
        }
    }

    @Test
    void inputAndTargetTogetherAreTheText() {
        for (var seed = 0; seed < 200; seed++) {
            for (var length : new int[] {2, 3, 7, 40, 568}) {
                var pair = T5.of(text(length), "here", Rng.at(seed));
                assertThat(restored(pair)).isEqualTo(text(length));
                assertThat(pair.where()).isEqualTo("here");
                assertThat(pair.input()).endsWith(END);
                assertThat(pair.target()).endsWith(END);
                assertThat(pair.input()[0]).isEqualTo(10);
                var sentinels =
                        Arrays.stream(pair.input())
                                .filter(SpanCorruptionTest::isSentinel)
                                .toArray();
                assertThat(sentinels).containsExactly(Arrays.copyOf(SENTINELS, sentinels.length));
            }
        }
    }

    @Test
    void theSameDrawsCorruptAlike() {
        assertThat(T5.of(text(50), "", Rng.at(1, 2, 3)))
                .isEqualTo(T5.of(text(50), "", Rng.at(1, 2, 3)))
                .isNotEqualTo(T5.of(text(50), "", Rng.at(1, 2, 4)));
    }

    /// Of 10 tokens 4 drop out in 2 spans: as 1 + 3, 2 + 2 or 3 + 1, and before them stand 1 to 5
    /// tokens, each as often.
    @Test
    void everyWayToCutIsAsLikely() {
        var corruption = new SpanCorruption(0.4, 2, SENTINELS, END);
        var n = 30_000;
        var ways = new HashMap<List<Integer>, Integer>();
        for (var seed = 0; seed < n; seed++) {
            var pair = corruption.of(text(10), "", Rng.at(seed));
            assertThat(pair.target()).hasSize(4 + 2 + 1);
            var first = Arrays.stream(pair.input()).boxed().toList().indexOf(1000);
            var second = Arrays.stream(pair.target()).boxed().toList().indexOf(1001);
            ways.merge(List.of(first, second - 1), 1, Integer::sum);
        }
        assertThat(ways).hasSize(15);
        // Five standard deviations of a binomial of 1/15.
        ways.forEach((way, count) ->
                assertThat((double) count).isCloseTo(n / 15.0, within(5 * Math.sqrt(n / 15.0))));
    }

    @Test
    void theShareAndTheMeanLengthAreThoseAskedFor() {
        assertThat(SpanCorruption.spans(568, 0.15, 3)).isEqualTo(28);
        var hidden = 0;
        for (var seed = 0; seed < 100; seed++) {
            var pair = T5.of(text(568), "", Rng.at(seed));
            hidden += pair.target().length - 1 - 28;
        }
        assertThat(hidden / (100.0 * 568)).isCloseTo(0.15, within(1e-3));
        assertThat(hidden / (100.0 * 28)).isCloseTo(3, within(0.05));
    }

    @Test
    void tooFewSentinelsAreRefused() {
        var few = new SpanCorruption(0.15, 3, new int[] {1000}, END);
        assertThatThrownBy(() -> few.of(text(100), "", Rng.at(1)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SpanCorruption(1, 3, SENTINELS, END))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new SpanCorruption(0.15, 0.5, SENTINELS, END))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
