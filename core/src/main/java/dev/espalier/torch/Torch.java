package dev.espalier.torch;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.Rng;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The libtorch of this process: loading it, its threads, random streams, gradients on and off.
public final class Torch {
    private static final Logger LOG = LoggerFactory.getLogger(Torch.class);

    /// Loading happens once a process, in a class initializer, which is thread-safe and cannot half
    /// happen. What failed once fails the same way again.
    private static final class Loaded {
        static final boolean ALLOCATOR_TUNED;
        static final @Nullable EspalierException FAILURE;

        static {
            var tuned = false;
            EspalierException failure = null;
            try {
                checkNatives();
                tuned = tune();
                extractAndLoad();
            } catch (EspalierException e) {
                failure = e;
            }
            ALLOCATOR_TUNED = tuned;
            FAILURE = failure;
        }

        private static void extractAndLoad() {
            try {
                // JavaCPP loads libtorch.so before it has extracted libtorch_cpu.so, which crashes
                // the JVM on an empty cache; so everything is extracted before anything is loaded.
                for (var name : new String[] {"openblas", "pytorch"}) {
                    Loader.cacheResources(
                            Torch.class,
                            "/org/bytedeco/" + name + "/" + Loader.getPlatform() + "/");
                }
                Loader.load(torch.class);
                useAllCores();
            } catch (IOException e) {
                throw new EspalierException(
                        Kind.RESOURCES,
                        "the native libraries cannot be extracted to "
                                + System.getProperty(
                                        "org.bytedeco.javacpp.cachedir", "~/.javacpp/cache")
                                + " ("
                                + e.getMessage()
                                + "); set -Dorg.bytedeco.javacpp.cachedir to a folder that can be written",
                        e);
            } catch (LinkageError e) {
                throw new EspalierException(
                        Kind.RESOURCES,
                        "the native libraries cannot be loaded: " + e.getMessage(),
                        e);
            }
        }
    }

    private Torch() {}

    /// libtorch's own count takes the processors of some virtual machines for threads of a single
    /// core, and would leave all others idle.
    private static void useAllCores() {
        var processors = Runtime.getRuntime().availableProcessors();
        var cores = cores(Path.of("/sys/devices/system/cpu"));
        if (cores > 0 && System.getenv("OMP_NUM_THREADS") == null) {
            torch.set_num_threads(Math.min(cores, processors));
        }
    }

    /// The cores of the processors that Linux describes in the folder `cpus`, each once however
    /// many threads it runs; 0 where it says nothing.
    static int cores(Path cpus) {
        var cores = new HashSet<String>();
        try (var folders = Files.newDirectoryStream(cpus, "cpu[0-9]*")) {
            for (var cpu : folders) {
                var siblings = cpu.resolve("topology/thread_siblings_list");
                if (Files.isReadable(siblings)) {
                    cores.add(Files.readString(siblings).strip());
                }
            }
        } catch (IOException e) {
            LOG.trace("no description of the processors", e);
        }
        return cores.size();
    }

    /// Loads libtorch, if that has not happened. Every entry into this package does so by itself;
    /// calling it early only chooses the moment.
    ///
    /// @throws EspalierException if a native library is missing, mixed with another version, or
    ///   cannot be extracted
    public static void load() {
        var failure = Loaded.FAILURE;
        if (failure != null) {
            throw failure;
        }
    }

    /// Whether the process allocator is glibc's and keeps freed memory, as [#load] asks it to.
    public static boolean allocatorTuned() {
        load();
        return Loaded.ALLOCATOR_TUNED;
    }

    /// The name of the allocator that serves tensors, for reports.
    public static String allocator() {
        var preloaded = System.getenv().getOrDefault("LD_PRELOAD", "");
        for (var name : new String[] {"jemalloc", "tcmalloc", "mimalloc"}) {
            if (preloaded.contains(name)) {
                return name;
            }
        }
        if (!allocatorTuned()) {
            return "the system's";
        }
        return "2".equals(System.getenv("MALLOC_ARENA_MAX"))
                ? "glibc, tuned, two arenas"
                : "glibc, tuned; faster with MALLOC_ARENA_MAX=2";
    }

    /// Names each native library that is not on the class path, or whose version is not that of its
    /// Java classes.
    static void checkNatives() {
        var platform = Loader.getPlatform();
        for (var library :
                Map.of(
                                "javacpp", "org/bytedeco/javacpp/" + platform + "/",
                                "openblas", "org/bytedeco/openblas/" + platform + "/",
                                "pytorch", "org/bytedeco/pytorch/" + platform + "/")
                        .entrySet()) {
            var name = library.getKey();
            var marker =
                    library.getValue()
                            + System.mapLibraryName(
                                    name.equals("pytorch") ? "jnitorch" : "jni" + name);
            var nativeUrl = Torch.class.getClassLoader().getResource(marker);
            if (nativeUrl == null) {
                throw new EspalierException(
                        Kind.RESOURCES,
                        "the native library of "
                                + name
                                + " for "
                                + platform
                                + " is not on the class path: add the artifact org.bytedeco:"
                                + name
                                + " with the classifier "
                                + platform);
            }
            var classes =
                    Torch.class
                            .getClassLoader()
                            .getResource("org/bytedeco/" + name + "/" + markerClass(name));
            checkSameVersion(name, String.valueOf(classes), nativeUrl.toString());
        }
    }

    private static String markerClass(String name) {
        return switch (name) {
            case "javacpp" -> "Loader.class";
            default -> "presets/" + (name.equals("pytorch") ? "torch" : "openblas") + ".class";
        };
    }

    /// Jars carry their version in their name; where they do not (repackaged in one jar) nothing
    /// can be compared.
    static void checkSameVersion(String name, String classesUrl, String nativeUrl) {
        var jar =
                Pattern.compile(
                        "/"
                                + name
                                + "-(\\d[\\d.]*(?:-\\d[\\d.]*\\d)?)(?:-[a-z]+-[a-z0-9_]+)?\\.jar!");
        var classes = jar.matcher(classesUrl);
        var natives = jar.matcher(nativeUrl);
        if (classes.find() && natives.find() && !classes.group(1).equals(natives.group(1))) {
            throw new EspalierException(
                    Kind.RESOURCES,
                    "mixed versions of org.bytedeco:"
                            + name
                            + ": classes of "
                            + classes.group(1)
                            + " with natives of "
                            + natives.group(1)
                            + "; give both the same version");
        }
    }

    /// Settings that must be made before libtorch and its thread pools start.
    private static boolean tune() {
        // The count of physical bytes is the whole process's, heap and page cache included, and
        // gives false alarms.
        System.setProperty("org.bytedeco.javacpp.maxphysicalbytes", "0");
        System.setProperty("org.bytedeco.javacpp.maxbytes", "0");
        // The loader's own logger prints a warning for every optional library (CUDA, NCCL) that is
        // absent.
        if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")) {
            return false;
        }
        var linker = Linker.nativeLinker();
        var lookup = linker.defaultLookup();
        var setenv = lookup.find("setenv");
        if (setenv.isPresent()) {
            var call =
                    linker.downcallHandle(
                            setenv.get(),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_INT));
            // Waiting OpenMP threads that spin for long take the cores from OpenBLAS's own pool,
            // and those that sleep at once wake late: so they spin some microseconds. OpenBLAS's do
            // so for 2^18 clocks, a tenth of a millisecond; by themselves they would keep a core
            // from libtorch's operations for 30. Large pages are libtorch's here, since glibc's,
            // which the launcher asks for instead, can be had only before the process starts. What
            // the user set stays.
            var settings =
                    Map.of(
                            "OMP_WAIT_POLICY",
                            "passive",
                            "GOMP_SPINCOUNT",
                            "3000",
                            "OPENBLAS_THREAD_TIMEOUT",
                            "18",
                            "THP_MEM_ALLOC_ENABLE",
                            "1");
            try (var arena = Arena.ofConfined()) {
                for (var s : settings.entrySet()) {
                    var unused =
                            (int)
                                    call.invokeExact(
                                            arena.allocateFrom(s.getKey()),
                                            arena.allocateFrom(s.getValue()),
                                            0);
                }
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
        var mallopt = lookup.find("mallopt");
        if (mallopt.isEmpty()) {
            return false;
        }
        // Freed memory stays in the process: otherwise the kernel zeroes every page of every
        // activation again each step (18 % of a step's time). The numbers are glibc's:
        // M_TRIM_THRESHOLD (-1: never), M_MMAP_MAX, M_ARENA_MAX, M_TOP_PAD. The second arena, for
        // the second of two workers, returns its heaps of 64 MiB unless it must keep more than one
        // free. The number of arenas reaches only threads that have not allocated yet, which Java's
        // main thread has: so the launcher sets MALLOC_ARENA_MAX before Java starts, and a program
        // of its own should.
        var call =
                linker.downcallHandle(
                        mallopt.get(),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        try {
            return (int) call.invokeExact(-1, -1) == 1
                    & (int) call.invokeExact(-4, 0) == 1
                    & (int) call.invokeExact(-8, 2) == 1
                    & (int) call.invokeExact(-2, 128 << 20) == 1;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// Sets the threads of both pools: libtorch's own for this thread and those that start later,
    /// and OpenBLAS's, which multiplies in fp32, for all.
    public static void threads(int threads) {
        intraOpThreads(threads);
        blasThreads(threads);
    }

    /// Sets the threads that libtorch splits an operation into, for this thread and those that
    /// start later.
    public static void intraOpThreads(int threads) {
        load();
        torch.set_num_threads(threads);
    }

    public static int threads() {
        load();
        return torch.get_num_threads();
    }

    /// Sets OpenBLAS's pool alone.
    private static void blasThreads(int threads) {
        load();
        Blas.WANTED.set(threads);
        Blas.set(threads);
    }

    /// Sets OpenBLAS's pool for threads of the caller's that multiply at the same time. Attention
    /// leaves it to all of them as it is, since the number of threads changes the last bits of what
    /// others multiply meanwhile.
    public static void sharedBlasThreads(int threads) {
        load();
        Blas.WANTED.set(1);
        Blas.set(threads);
    }

    /// Whether OpenBLAS splits large products among threads of its own, and these may be taken from
    /// it for a while.
    static boolean hasBlasThreads() {
        load();
        return Blas.WANTED.get() > 1;
    }

    /// From here on OpenBLAS multiplies on the thread that asks for it: for operations in which
    /// libtorch's threads multiply at the same time, and would wait in turn for OpenBLAS's one
    /// pool.
    static void withoutBlasThreads() {
        Blas.set(1);
    }

    /// Ends [#withoutBlasThreads].
    static void withBlasThreads() {
        Blas.set(Blas.WANTED.get());
    }

    /// The threads that OpenBLAS splits a large product into at this moment; 1 where it cannot be
    /// asked.
    static int blasThreads() {
        load();
        return Blas.get();
    }

    /// OpenBLAS's functions, once for each of its copies: libtorch multiplies with the one without
    /// LAPACK, but may be linked with the other.
    private static final class Blas {
        private static final List<MethodHandle> SET_THREADS =
                find("openblas_set_num_threads", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT));
        private static final List<MethodHandle> GET_THREADS =
                find("openblas_get_num_threads", FunctionDescriptor.of(ValueLayout.JAVA_INT));

        /// Where attention returns to; by itself what the user's environment says. OpenBLAS's own
        /// count, which is the process's, is another within it.
        static final AtomicInteger WANTED = new AtomicInteger(get());

        static void set(int threads) {
            for (var setter : SET_THREADS) {
                try {
                    setter.invokeExact(threads);
                } catch (Throwable e) {
                    throw new AssertionError(e);
                }
            }
        }

        static int get() {
            var most = 1;
            for (var getter : GET_THREADS) {
                try {
                    most = Math.max(most, (int) getter.invokeExact());
                } catch (Throwable e) {
                    throw new AssertionError(e);
                }
            }
            return most;
        }

        private static List<MethodHandle> find(String name, FunctionDescriptor descriptor) {
            var library =
                    Path.of(Loader.load(org.bytedeco.openblas.global.openblas_nolapack.class))
                            .getParent();
            if (library == null) {
                return List.of();
            }
            try (var files = Files.list(library)) {
                return files.filter(f -> f.getFileName().toString().startsWith("libopenblas"))
                        .flatMap(path ->
                                SymbolLookup.libraryLookup(path, Arena.global())
                                        .find(name)
                                        .stream())
                        .map(symbol -> Linker.nativeLinker().downcallHandle(symbol, descriptor))
                        .toList();
            } catch (IOException | IllegalArgumentException e) {
                LOG.debug("OpenBLAS keeps its threads", e);
                return List.of();
            }
        }
    }

    /// Runs `body` with libtorch's operations on this thread alone, which is faster where they are
    /// over before another has woken. OpenBLAS keeps its threads, and so do other threads.
    public static <T> T onThisThread(Supplier<T> body) {
        load();
        var set = OpenMp.SET_THREADS;
        if (set == null) {
            return body.get();
        }
        var before = threads();
        try {
            set.invokeExact(1);
            try {
                return body.get();
            } finally {
                set.invokeExact(before);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /// OpenMP's own setter, which is of one thread: libtorch's sets the count for threads that
    /// start meanwhile too, and throws away what oneDNN keeps.
    private static final class OpenMp {
        static final @Nullable MethodHandle SET_THREADS =
                SymbolLookup.loaderLookup()
                        .find("omp_set_num_threads")
                        .map(symbol ->
                                Linker.nativeLinker()
                                        .downcallHandle(
                                                symbol,
                                                FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT)))
                        .orElse(null);
    }

    /// Each thread has a stream of its own, so that what one draws does not depend on the others.
    private static final ThreadLocal<Generator> STREAM =
            ThreadLocal.withInitial(() -> {
                load();
                var generator = torch.make_generator_cpu();
                // It outlives the scope that it is made in.
                generator.retainReference();
                return generator;
            });

    /// Seeds this thread's stream, which dropout and random tensors draw from.
    public static void seed(long seed) {
        STREAM.get().set_current_seed(seed);
        MASKS.set(Rng.at(seed));
    }

    /// Each thread's stream of seeds of dropout's masks.
    private static final ThreadLocal<Rng> MASKS = ThreadLocal.withInitial(() -> Rng.at(0));

    /// The seed of this thread's next mask.
    static long nextMask() {
        return MASKS.get().nextLong();
    }

    static GeneratorOptional stream() {
        return new GeneratorOptional(STREAM.get());
    }

    /// Runs `body` without recording gradients, on this thread.
    public static <T> T noGrad(Supplier<T> body) {
        load();
        var before = GradMode.is_enabled();
        GradMode.set_enabled(false);
        try {
            return body.get();
        } finally {
            GradMode.set_enabled(before);
        }
    }

    /// Whether gradients are recorded on this thread.
    public static boolean recordsGradients() {
        load();
        return GradMode.is_enabled();
    }

    /// As [#noGrad(Supplier)], for a body without a result.
    public static void noGrad(Runnable body) {
        noGrad(() -> {
            body.run();
            return true;
        });
    }

    /// Runs `body` with its matrix products in bf16 and everything else in fp32 (libtorch's
    /// autocast).
    public static <T> T bf16(boolean enabled, Supplier<T> body) {
        load();
        if (!enabled) {
            return body.get();
        }
        torch.set_autocast_dtype(DeviceType.CPU, ScalarType.BFloat16);
        torch.set_autocast_enabled(DeviceType.CPU, true);
        try {
            return body.get();
        } finally {
            torch.set_autocast_enabled(DeviceType.CPU, false);
            torch.clear_cache();
        }
    }

    /// Whether autocast is on, on this thread.
    public static boolean inBf16() {
        return torch.is_autocast_enabled(DeviceType.CPU);
    }

    /// Runs `body` outside of autocast, for what must be computed in fp32.
    public static <T> T fullPrecision(Supplier<T> body) {
        if (!inBf16()) {
            return body.get();
        }
        torch.set_autocast_enabled(DeviceType.CPU, false);
        try {
            return body.get();
        } finally {
            torch.set_autocast_enabled(DeviceType.CPU, true);
        }
    }

    /// Gives freed memory back to the system, where the allocator is told to keep it. For once,
    /// after something large was freed whose size will not be asked for again.
    public static void returnFreedMemory() {
        load();
        if (!Loaded.ALLOCATOR_TUNED) {
            return;
        }
        var linker = Linker.nativeLinker();
        var trim = linker.defaultLookup().find("malloc_trim");
        if (trim.isPresent()) {
            try {
                var unused =
                        (int)
                                linker.downcallHandle(
                                                trim.get(),
                                                FunctionDescriptor.of(
                                                        ValueLayout.JAVA_INT,
                                                        ValueLayout.JAVA_LONG))
                                        .invokeExact(0L);
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }

    /// Native objects that are alive, counted by the binding. Flat from step to step, or something
    /// leaks.
    public static long liveObjects() {
        load();
        return Pointer.totalCount();
    }

    /// Bytes of this process that are in memory, natives included; 0 where the system does not say.
    public static long residentBytes() {
        return statusBytes("VmRSS:");
    }

    /// The most that [#residentBytes] has been since [#forgetPeak]; 0 where the system does not
    /// say.
    public static long peakResidentBytes() {
        return statusBytes("VmHWM:");
    }

    /// Gives back what was freed, and lets [#peakResidentBytes] begin anew with what is left, where
    /// the system can (Linux: proc_pid_clear_refs(5), value 5). What other programs tell of this
    /// process's peak begins anew, too.
    ///
    /// @return whether it could
    public static boolean forgetPeak() {
        returnFreedMemory();
        try {
            Files.writeString(Path.of("/proc/self/clear_refs"), "5", StandardOpenOption.WRITE);
            return true;
        } catch (IOException e) {
            LOG.trace("the peak stays", e);
            return false;
        }
    }

    private static long statusBytes(String key) {
        try {
            for (var line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith(key)) {
                    return 1024 * Long.parseLong(line.replaceAll("\\D", ""));
                }
            }
        } catch (IOException e) {
            LOG.trace("no /proc", e);
        }
        return 0;
    }
}
