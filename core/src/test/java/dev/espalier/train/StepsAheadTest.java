package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.nn.Module;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class StepsAheadTest {
    private record Batch(String term) implements MicroBatch {
        @Override
        public double weight() {
            return 1;
        }

        @Override
        public long count() {
            return 1;
        }

        @Override
        public long tokens() {
            return 1;
        }

        @Override
        public List<String> where() {
            return List.of(term);
        }

        @Override
        public Loss forward() {
            throw new AssertionError("not asked for");
        }
    }

    /// Says which steps were made, and on the step 7 that it is broken.
    private static final class Making implements Learner {
        final ConcurrentLinkedQueue<Long> made = new ConcurrentLinkedQueue<>();
        final CountDownLatch three = new CountDownLatch(3);

        @Override
        public Module model() {
            throw new AssertionError("not asked for");
        }

        @Override
        public double stepsPerEpoch() {
            return 5;
        }

        @Override
        public double tokensPerStep() {
            return 6;
        }

        @Override
        public List<MicroBatch> step(long step) {
            made.add(step);
            three.countDown();
            if (step == 7) {
                throw new IllegalStateException("broken");
            }
            return List.of(new Batch("step " + step));
        }
    }

    private static String term(Learner learner, long step) {
        return learner.step(step).getFirst().term();
    }

    @Test
    void theNextTwoStepsAreMadeWhileOneIsComputed() throws InterruptedException {
        var making = new Making();
        var ahead = new StepsAhead(making);
        assertThat(term(ahead, 0)).isEqualTo("step 0");
        assertThat(making.three.await(10, TimeUnit.SECONDS)).isTrue();
        assertThat(making.made).containsExactlyInAnyOrder(0L, 1L, 2L);
        assertThat(ahead.stepsPerEpoch()).isEqualTo(5);
        assertThat(ahead.tokensPerStep()).isEqualTo(6);
    }

    @Test
    void stepsAreThoseAskedForInWhateverOrder() {
        var ahead = new StepsAhead(new Making());
        for (var step : new long[] {3, 4, 5, 2, 2, 3, 20, 21}) {
            assertThat(term(ahead, step)).isEqualTo("step " + step);
        }
    }

    @Test
    void aFailureIsThatOfItsOwnStep() {
        var ahead = new StepsAhead(new Making());
        assertThat(term(ahead, 6)).isEqualTo("step 6");
        assertThatThrownBy(() -> ahead.step(7))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("broken");
        assertThat(term(ahead, 8)).isEqualTo("step 8");
    }
}
