package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.objective.CausalBatch;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Collections;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class WorkersTest {
    @Test
    void everyTaskRunsOnceAndAWorkersTasksInOrder() {
        try (var workers = new Workers(3)) {
            var seen = Collections.synchronizedList(new ArrayList<Integer>());
            workers.run(8, seen::add);
            assertThat(seen).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7);
            for (var worker = 0; worker < 3; worker++) {
                var number = worker;
                assertThat(seen.stream().filter(i -> i % 3 == number)).isSorted();
            }
        }
    }

    @Test
    void aFailureIsRethrownOnceAllHaveEnded() {
        try (var workers = new Workers(2)) {
            var ended = new AtomicInteger();
            assertThatThrownBy(() ->
                            workers.run(
                                    2,
                                    i -> {
                                        if (i == 0) {
                                            throw new IllegalStateException("task 0");
                                        }
                                        ended.incrementAndGet();
                                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("task 0");
            assertThat(ended).hasValue(1);
        }
    }

    @Test
    void theThreadsOfBothPoolsAreAsBefore() {
        var before = Torch.threads();
        try (var workers = new Workers(2)) {
            workers.run(2, i -> assertThat(Torch.threads()).isEqualTo(1));
        }
        assertThat(Torch.threads()).isEqualTo(before);
    }

    @Test
    void workersAddUpTheGradientsOfOneThreadTheSameWayEachTime() {
        var dropping = Gpt2Config.of(50, 16, 16, 2, 2, 0.1);
        var alone = gradients(dropping, 1);
        var together = gradients(dropping, 3);
        assertThat(gradients(dropping, 3)).isEqualTo(together);
        for (var i = 0; i < alone.length; i++) {
            assertThat(together[i])
                    .isCloseTo(alone[i], org.assertj.core.api.Assertions.within(1e-6f));
        }
        assertThat(IntStream.range(0, alone.length).anyMatch(i -> alone[i] != 0)).isTrue();
    }

    private static float[] gradients(Gpt2Config config, int count) {
        var model = new Gpt2(config).initialize(3);
        model.training(true);
        try (var workers = new Workers(count);
                var flat = new FlatParameters(model, count)) {
            workers.run(
                    5,
                    i -> {
                        var windows = new int[2][17];
                        for (var w = 0; w < 2; w++) {
                            var row = w;
                            java.util.Arrays.setAll(
                                    windows[w], t -> (7 * i + 5 * row + 3 * t) % 50);
                        }
                        Torch.seed(i);
                        try (var scope = new Scope()) {
                            new CausalBatch(model, "t", 1, windows).forward().backward(0.01);
                        }
                    });
            flat.addUpGradients();
            return flat.gradients().floats();
        }
    }
}
