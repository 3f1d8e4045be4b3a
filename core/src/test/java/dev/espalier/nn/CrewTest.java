package dev.espalier.nn;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CrewTest {
    private static void runs(Crew crew, int parts) {
        var times = new AtomicIntegerArray(parts);
        crew.run(parts, times::getAndIncrement);
        for (var part = 0; part < parts; part++) {
            assertThat(times.get(part)).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void everyPartIsDoneOnceBeforeItReturns(int size) throws InterruptedException {
        try (var crew = new Crew(size)) {
            assertThat(crew.size()).isEqualTo(size);
            for (var round = 0; round < 2000; round++) {
                runs(crew, round % 9);
            }
            // Now and then the helpers have fallen asleep meanwhile.
            for (var round = 0; round < 20; round++) {
                Thread.sleep(Duration.ofMillis(round % 4));
                runs(crew, 7);
            }
        }
    }

    @Test
    void threadsThatFindTheHelpersTakenDoAllThemselves() throws InterruptedException {
        try (var crew = new Crew(2)) {
            var failures = new ArrayList<Throwable>();
            var callers = new ArrayList<Thread>();
            for (var i = 0; i < 3; i++) {
                var caller =
                        Thread.ofPlatform()
                                .unstarted(() -> {
                                    for (var round = 0; round < 2000; round++) {
                                        runs(crew, 6);
                                    }
                                });
                caller.setUncaughtExceptionHandler((_, e) -> {
                    synchronized (failures) {
                        failures.add(e);
                    }
                });
                callers.add(caller);
            }
            callers.forEach(Thread::start);
            for (var caller : callers) {
                caller.join();
            }
            assertThat(failures).isEmpty();
        }
    }

    @Test
    void closedItHasNoThreadsAndStillRuns() throws InterruptedException {
        var crew = new Crew(7);
        runs(crew, 20);
        assertThat(helper()).isTrue();
        crew.close();
        for (var i = 0; i < 1000 && helper(); i++) {
            Thread.sleep(Duration.ofMillis(10));
        }
        assertThat(helper()).isFalse();
        runs(crew, 20);
    }

    /// Whether there is a thread that only a crew of seven has.
    private static boolean helper() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("crew-6"));
    }
}
