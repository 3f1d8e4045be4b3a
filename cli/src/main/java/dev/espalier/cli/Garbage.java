package dev.espalier.cli;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Collects what has grown old in the heap before the heap grows for it. Left alone, the serial
/// collector takes memory up to its limit, a quarter of the machine's, before it looks there: six
/// gigabytes of pictures that were trained on long ago, beside the tensors, which lie outside.
final class Garbage {
    private static final Duration BETWEEN = Duration.ofSeconds(2);

    /// So much may always lie there: a collection takes a tenth of a second.
    private static final long SLACK = 128L << 20;

    private Garbage() {}

    /// Looks after this process from now on.
    static void watch() {
        Thread.ofPlatform()
                .daemon()
                .name("garbage")
                .start(() -> {
                    try {
                        // Short commands need no such thing, nor what it loads.
                        Thread.sleep(BETWEEN);
                        var old = old();
                        while (old != null) {
                            collect(old);
                            Thread.sleep(BETWEEN);
                        }
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
    }

    /// Where the serial collector keeps what is old; null for other collectors.
    static @Nullable MemoryPoolMXBean old() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().equals("Tenured Gen"))
                .findFirst()
                .orElse(null);
    }

    /// Collects if more than twice of what was left the last time lies there.
    static void collect(MemoryPoolMXBean old) {
        var left = old.getCollectionUsage();
        if (left != null && old.getUsage().getUsed() > 2 * left.getUsed() + SLACK) {
            System.gc();
        }
    }
}
