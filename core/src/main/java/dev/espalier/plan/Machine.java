package dev.espalier.plan;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;

/// What this machine's processor offers and how fast it multiplies.
public final class Machine {
    private Machine() {}

    /// The rate of products of 2048 x 2048 matrices, in floating-point operations a second: the
    /// median of several. Takes about a second.
    public static double matmulRate(boolean bf16) {
        var n = 2048;
        var rates = new double[7];
        try (var scope = new Scope()) {
            var type = bf16 ? DType.BFLOAT16 : DType.FLOAT;
            var a = Tensor.zeros(DType.FLOAT, n, n).normalInPlace(1).to(type);
            var b = Tensor.zeros(DType.FLOAT, n, n).normalInPlace(1).to(type);
            a.matmul(b).close();
            for (var i = 0; i < rates.length; i++) {
                var start = System.nanoTime();
                a.matmul(b).close();
                rates[i] = 2.0 * n * n * n / ((System.nanoTime() - start) / 1e9);
            }
        }
        Arrays.sort(rates);
        return rates[rates.length / 2];
    }

    /// As [#matmulRate], measured when it is first asked for and not again in this process, which
    /// may make many short runs.
    public static double usualMatmulRate(boolean bf16) {
        return bf16 ? Bf16.RATE : Fp32.RATE;
    }

    private static final class Bf16 {
        static final double RATE = matmulRate(true);
    }

    private static final class Fp32 {
        static final double RATE = matmulRate(false);
    }

    /// The processor's instruction sets as Linux names them; empty where the system does not say.
    public static Set<String> instructionSets() {
        try {
            for (var line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
                if (line.startsWith("flags")) {
                    return Set.of(line.substring(line.indexOf(':') + 1).strip().split("\\s+"));
                }
            }
        } catch (IOException e) {
            return Set.of(); // not Linux
        }
        return Set.of();
    }

    /// Whether matrix products in bf16 have instructions of their own here. Told by what the
    /// processor offers and never by a timing, so that the same recipe decides the same on the same
    /// kind of machine.
    public static boolean hasBf16() {
        var sets = instructionSets();
        return sets.contains("avx512_bf16") || sets.contains("amx_bf16");
    }

    /// The processor's name; its architecture where the system does not say.
    public static String processor() {
        try {
            for (var line : Files.readAllLines(Path.of("/proc/cpuinfo"))) {
                if (line.startsWith("model name")) {
                    return line.substring(line.indexOf(':') + 1).strip();
                }
            }
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
        return System.getProperty("os.arch");
    }

    /// Bytes of memory that a process can still have, those of files that the system keeps
    /// included; 0 where it does not say.
    public static long availableBytes() {
        try (var lines = Files.lines(Path.of("/proc/meminfo"))) {
            return lines.filter(line -> line.startsWith("MemAvailable:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0; // not Linux
        }
    }

    /// Bytes of the Java heap where new objects go that no object has been in: they will be in
    /// memory by the time that the first collection comes.
    public static long untouchedHeap() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().contains("Eden"))
                .mapToLong(pool ->
                        Math.max(0, pool.getUsage().getCommitted() - pool.getPeakUsage().getUsed()))
                .sum();
    }

    /// Bytes of code that the JVM has compiled.
    public static long compiledCode() {
        return ManagementFactory.getMemoryPoolMXBeans().stream()
                .filter(pool -> pool.getName().startsWith("Code"))
                .mapToLong(pool -> pool.getUsage().getUsed())
                .sum();
    }

    /// Threads that tensors are computed on.
    public static int threads() {
        return Torch.threads();
    }
}
