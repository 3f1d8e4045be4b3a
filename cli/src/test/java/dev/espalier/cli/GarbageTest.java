package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class GarbageTest {
    /// Arrays that live through some young collections and die, as the pictures of a run do.
    static final class Churn {
        public static void main(String[] args) throws InterruptedException {
            var old = Objects.requireNonNull(Garbage.old());
            var most = 0L;
            var alive = new ArrayDeque<byte[]>();
            for (var i = 0; i < 2000; i++) {
                alive.add(new byte[1 << 20]);
                if (alive.size() > 60) {
                    alive.remove();
                }
                if (i % 20 == 0 && args.length > 0) {
                    Garbage.collect(old);
                }
                most = Math.max(most, old.getUsage().getUsed());
            }
            System.out.println(most >> 20);
        }
    }

    private static long most(String... args) throws Exception {
        var command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:+UseSerialGC",
                                "-Xmx1g",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Churn.class.getName()));
        command.addAll(List.of(args));
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        var said =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        assertThat(process.waitFor()).as(said).isZero();
        // The JVM may have its own say before.
        return Long.parseLong(said.lines().toList().getLast());
    }

    @Test
    void theHeapDoesNotGrowForWhatIsDead() throws Exception {
        assertThat(most("collecting")).isLessThan(350);
        assertThat(most()).isGreaterThan(400);
    }
}
