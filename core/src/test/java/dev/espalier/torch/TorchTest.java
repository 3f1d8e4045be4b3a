package dev.espalier.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchTest {
    /// Run in a JVM of its own: loads libtorch and multiplies.
    static final class Child {
        private Child() {}

        public static void main(String[] args) {
            try (var scope = new Scope()) {
                System.out.print(Tensor.full(2, 2, 2).matmul(Tensor.full(3, 2, 2)).sum().item());
            } catch (EspalierException e) {
                try {
                    Torch.load();
                } catch (EspalierException again) {
                    System.out.print(again.getMessage());
                }
            }
        }
    }

    private static String child(String classPath, Path cache) throws Exception {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var process =
                new ProcessBuilder(
                                java,
                                "--enable-native-access=ALL-UNNAMED",
                                "-Dorg.bytedeco.javacpp.cachedir=" + cache,
                                "-cp",
                                classPath,
                                Child.class.getName())
                        .redirectError(ProcessBuilder.Redirect.DISCARD)
                        .start();
        return new String(process.getInputStream().readAllBytes()) + "/" + process.waitFor();
    }

    @Test
    void theFirstLoadFromAnEmptyCacheWorks(@TempDir Path cache) throws Exception {
        assertThat(child(System.getProperty("java.class.path"), cache)).isEqualTo("48.0/0");
    }

    /// Remembers OpenBLAS's threads when a gradient comes by.
    private static final class Seen extends org.bytedeco.pytorch.VoidTensorHook {
        int threads;

        @Override
        public void call(org.bytedeco.pytorch.TensorBase gradient) {
            threads = Torch.blasThreads();
        }
    }

    /// libtorch's threads multiply in it, each for itself, and nowhere else.
    @Test
    void attentionHasOpenBlasOnOneThreadThereAndBack() {
        var before = Torch.threads();
        Torch.threads(2);
        try (var scope = new Scope()) {
            var x = Tensor.full(0.1, 1, 2, 8, 4).requiresGrad(true);
            var q = x.mul(2);
            var attended = q.attention(x.mul(3), x.mul(4), null, true);
            Seen within = new Seen(), after = new Seen();
            attended.raw.register_hook(within);
            q.raw.register_hook(after);
            assertThat(Torch.blasThreads()).isEqualTo(2);
            attended.sum().backward();
            assertThat(within.threads).isEqualTo(1);
            assertThat(after.threads).isEqualTo(2);
            assertThat(Torch.blasThreads()).isEqualTo(2);
            assertThat(x.grad()).isNotNull();
            // What other threads multiply meanwhile keeps its bits.
            Torch.sharedBlasThreads(2);
            var shared = x.mul(2).attention(x.mul(3), x.mul(4), null, true);
            shared.raw.register_hook(within);
            shared.sum().backward();
            assertThat(within.threads).isEqualTo(2);
        } finally {
            Torch.threads(before);
        }
    }

    @Test
    void oneThreadIsForThatBodyAndThreadAlone() throws Exception {
        var before = Torch.threads();
        Torch.intraOpThreads(3);
        try {
            var inside =
                    Torch.onThisThread(() -> {
                        var other = new FutureTask<>(Torch::threads);
                        Thread.ofPlatform().start(other);
                        try {
                            return List.of(Torch.threads(), other.get());
                        } catch (ExecutionException | InterruptedException e) {
                            throw new IllegalStateException(e);
                        }
                    });
            assertThat(inside).containsExactly(1, 3);
            assertThat(Torch.threads()).isEqualTo(3);
            assertThatThrownBy(() ->
                            Torch.onThisThread(() -> {
                                throw new IllegalStateException("as it is");
                            }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage("as it is");
            assertThat(Torch.threads()).isEqualTo(3);
        } finally {
            Torch.intraOpThreads(before);
        }
    }

    @Test
    void coresAreCountedOnceHoweverManyThreadsTheyRun(@TempDir Path cpus) throws Exception {
        for (var cpu = 0; cpu < 6; cpu++) {
            var topology = Files.createDirectories(cpus.resolve("cpu" + cpu).resolve("topology"));
            Files.writeString(
                    topology.resolve("thread_siblings_list"), cpu % 3 + "," + (cpu % 3 + 3) + "\n");
        }
        Files.createDirectories(cpus.resolve("cpufreq"));

        assertThat(Torch.cores(cpus)).isEqualTo(3);
        assertThat(Torch.cores(cpus.resolve("nowhere"))).isZero();
    }

    @Test
    void allCoresCompute() {
        var cores = Torch.cores(Path.of("/sys/devices/system/cpu"));
        if (cores > 0 && System.getenv("OMP_NUM_THREADS") == null) {
            assertThat(Torch.threads())
                    .isEqualTo(Math.min(cores, Runtime.getRuntime().availableProcessors()));
        } else {
            assertThat(Torch.threads()).isPositive();
        }
    }

    @Test
    void aMissingNativeJarIsNamed(@TempDir Path cache) throws Exception {
        var without =
                Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                        .filter(jar ->
                                !jar.matches(
                                        ".*openblas-[^/\\\\]*-(linux|macosx|windows)-[^/\\\\]*\\.jar"))
                        .collect(Collectors.joining(File.pathSeparator));
        assertThat(child(without, cache))
                .contains("openblas")
                .contains("not on the class path")
                .contains("classifier")
                .endsWith("/0");
    }

    @Test
    void mixedVersionsAreNamed() {
        assertThatThrownBy(() ->
                        Torch.checkSameVersion(
                                "pytorch",
                                "jar:file:/m/pytorch-2.10.0-1.5.13.jar!/org/x",
                                "jar:file:/m/pytorch-2.7.1-1.5.12-linux-x86_64.jar!/org/x"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("2.10.0-1.5.13")
                .hasMessageContaining("2.7.1-1.5.12");
        Torch.checkSameVersion(
                "pytorch",
                "jar:file:/m/pytorch-2.10.0-1.5.13.jar!/org/x",
                "jar:file:/m/pytorch-2.10.0-1.5.13-linux-x86_64.jar!/org/x");
    }

    @Test
    void shapesThatDoNotFitAreReportedWithoutCppFrames() {
        try (var scope = new Scope()) {
            var a = Tensor.full(1, 2, 3);
            assertThatThrownBy(() -> a.matmul(a))
                    .isInstanceOf(TorchException.class)
                    .hasMessageContaining("mat1 and mat2")
                    .satisfies(e ->
                            assertThat(e.getMessage())
                                    .doesNotContain("Exception raised from", "frame #"));
        }
    }

    @Test
    void memoryThatCannotBeHadIsTheUsersToMend() {
        assertThatThrownBy(() -> Tensor.zeros(DType.FLOAT, 1L << 40, 1 << 10))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("not enough memory");
    }

    @Test
    void aScopeFreesWhatItMadeAndKeepsWhatItIsAskedTo() {
        try (var outer = new Scope()) {
            Tensor.full(1, 8);
            var before = Torch.liveObjects();
            Tensor kept;
            try (var inner = new Scope()) {
                kept = inner.keep(Tensor.full(2, 8).mul(3));
                for (var i = 0; i < 100; i++) {
                    kept.add(i).sum().item();
                }
            }
            assertThat(Torch.liveObjects()).isEqualTo(before + 1);
            assertThat(kept.floats()).containsOnly(6);
        }
    }

    @Test
    void gradientsAreRecordedOnlyWhereTheyAreWanted() {
        try (var scope = new Scope()) {
            var w = Tensor.full(3, 2).requiresGrad(true);
            assertThat(Torch.noGrad(() -> w.mul(2)).requiresGrad()).isFalse();
            assertThat(w.mul(2).requiresGrad()).isTrue();
            w.mul(w).sum().backward();
            assertThat(java.util.Objects.requireNonNull(w.grad()).floats()).containsExactly(6, 6);
        }
    }

    @Test
    void bf16ProductsAreCloseAndSoftmaxStaysInFp32() {
        try (var scope = new Scope()) {
            Torch.seed(1);
            var a = Tensor.zeros(DType.FLOAT, 64, 64).normalInPlace(1);
            var exact = a.matmul(a).floats();
            var rounded =
                    Torch.bf16(
                            true,
                            () -> {
                                assertThat(a.softmax(-1).dtype()).isEqualTo(DType.FLOAT);
                                assertThat(a.matmul(a).dtype()).isEqualTo(DType.BFLOAT16);
                                return a.matmul(a).floats();
                            });
            assertThat(Torch.inBf16()).isFalse();
            var worst = 0.0;
            for (var i = 0; i < exact.length; i++) {
                worst = Math.max(worst, Math.abs(exact[i] - rounded[i]));
            }
            assertThat(worst).isBetween(1e-4, 0.5);
        }
    }

    @Test
    void theSeedAloneDecidesDropout() {
        try (var scope = new Scope()) {
            var x = Tensor.full(1, 1000);
            Torch.seed(7);
            var first = x.dropout(0.5, true).floats();
            Torch.seed(7);
            assertThat(x.dropout(0.5, true).floats()).isEqualTo(first);
            assertThat(x.dropout(0.5, false).floats()).containsOnly(1);
        }
    }

    @Test
    void memoryOfTheProcessIsTold() {
        assertThat(List.of(Torch.residentBytes(), Torch.peakResidentBytes()))
                .allMatch(b -> b == 0 || b > 10 << 20);
    }

    @Test
    void oneRowTimesAMatrixIsTheSameWithoutAndWithGradients() {
        try (var scope = new Scope()) {
            Torch.seed(4);
            var row = Tensor.zeros(DType.FLOAT, 1, 1, 48).normalInPlace(1);
            var out = Tensor.zeros(DType.FLOAT, 32, 48).normalInPlace(1);
            var in = Tensor.zeros(DType.FLOAT, 48, 32).normalInPlace(1);
            var bias = Tensor.zeros(DType.FLOAT, 32).normalInPlace(1);
            for (var b : new Tensor[] {null, bias}) {
                var alone = Torch.noGrad(() -> row.linear(out, b));
                assertThat(alone.shape()).containsExactly(1, 1, 32);
                assertThat(alone.floats())
                        .usingComparatorWithPrecision(1e-5f)
                        .containsExactly(row.linear(out, b).floats());
            }
            var alone = Torch.noGrad(() -> row.view(1, 48).addmm(bias, in));
            assertThat(alone.shape()).containsExactly(1, 32);
            assertThat(alone.floats())
                    .usingComparatorWithPrecision(1e-5f)
                    .containsExactly(row.view(1, 48).addmm(bias, in).floats());
        }
    }
}
