package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.api.Test;

class PeakMemoryTest {
    private static void take(long mebibytes) {
        try (var scope = new Scope()) {
            assertThat(Tensor.full(1, mebibytes << 18).count()).isEqualTo(mebibytes << 18);
        }
    }

    /// Whether the system forgets or not; where it does not, nothing is told of the second.
    @Test
    void whatAnEarlierRunTookIsNotALaterOnes() {
        var first = PeakMemory.fromNow();
        take(256);
        var much = first.bytes();
        var second = PeakMemory.fromNow();
        take(16);
        assertThat(second.bytes()).isLessThanOrEqualTo(Math.max(0, much - (128L << 20)));
    }

    @Test
    void whatWasTakenBeforeIsNoPeak() {
        assertThat(new PeakMemory(Long.MAX_VALUE).bytes()).isZero();
        var before = PeakMemory.fromNow();
        take(64);
        assertThat(before.bytes()).matches(b -> b == 0 || b > before.before());
        // What is forgotten leaves the rest known, however little more was taken.
        var next = PeakMemory.fromNow();
        assertThat(next.bytes() > 0).isEqualTo(next.before() == 0);
    }
}
