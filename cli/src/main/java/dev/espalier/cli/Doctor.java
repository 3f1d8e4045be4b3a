package dev.espalier.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.sun.management.OperatingSystemMXBean;
import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.plan.Machine;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

@Command(
        name = "doctor",
        description =
                "Says what this machine offers, and what is wrong with it. Exits with 5 if something"
                        + " keeps Espalier from working.",
        footerHeading = "%nExample:%n",
        footer = "  espalier doctor --json")
final class Doctor implements Callable<Integer> {
    private enum State {
        @JsonProperty("ok")
        OK,
        @JsonProperty("note")
        NOTE,
        @JsonProperty("wrong")
        WRONG
    }

    private record Finding(String what, State state, String finding) {
        String line() {
            var mark = state == State.OK ? "  " : state == State.NOTE ? "~ " : "! ";
            return "%s%-13s %s".formatted(mark, what, finding);
        }
    }

    private static final long GIB = 1L << 30;

    private final Main.Context context;
    private final List<Finding> findings = new ArrayList<>();

    Doctor(Main.Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        java();
        processor();
        memory();
        gpu();
        folder("disk", Path.of(""), 2 * GIB);
        folder("temporary", Path.of(System.getProperty("java.io.tmpdir")), GIB / 4);
        folder(
                "cache",
                Path.of(
                        System.getProperty(
                                "org.bytedeco.javacpp.cachedir",
                                Path.of(System.getProperty("user.home"), ".javacpp", "cache")
                                        .toString())),
                GIB);
        natives();
        var console = context.console();
        var wrong = findings.stream().filter(f -> f.state == State.WRONG).count();
        if (console.json()) {
            console.result("", Map.of("healthy", wrong == 0, "findings", findings));
        } else {
            findings.forEach(finding -> console.result(finding.line(), finding));
            console.result(
                    wrong == 0
                            ? "Nothing is wrong."
                            : "%d of these (marked !) must be mended.".formatted(wrong),
                    "");
        }
        return wrong == 0 ? 0 : Kind.CHECK.exitCode();
    }

    private void add(String what, State state, String finding) {
        findings.add(new Finding(what, state, finding));
    }

    private void java() {
        var home = Path.of(System.getProperty("java.home"));
        add(
                "java",
                Runtime.version().feature() >= 25 ? State.OK : State.WRONG,
                "%s (%s) in %s; heap up to %s"
                        .formatted(
                                Runtime.version(),
                                System.getProperty("java.vendor"),
                                home,
                                gib(Runtime.getRuntime().maxMemory())));
        var sources = home.resolve("lib/src.zip");
        add(
                "java sources",
                Files.isReadable(sources) ? State.OK : State.NOTE,
                Files.isReadable(sources)
                        ? sources.toString()
                        : sources + " is missing: quickstart needs it, or --corpus DIR");
    }

    private void processor() {
        add(
                "processor",
                State.OK,
                "%s, %s, %d cores for us"
                        .formatted(
                                Machine.processor(),
                                System.getProperty("os.arch"),
                                Runtime.getRuntime().availableProcessors()));
        var sets = new TreeSet<>(Machine.instructionSets());
        sets.removeIf(set -> !set.matches("avx|avx2|avx512.*|amx.*|fma|f16c|asimd|sve.*|bf16"));
        if (!sets.isEmpty()) {
            var x86 = System.getProperty("os.arch").equals("amd64");
            add(
                    "instructions",
                    x86 && !sets.contains("avx2") ? State.NOTE : State.OK,
                    String.join(" ", sets));
        }
        add(
                "bf16",
                State.OK,
                Machine.hasBf16()
                        ? "has instructions of its own: precision auto trains in bf16"
                        : "no instructions of its own: precision auto trains in fp32");
    }

    private void memory() {
        var system =
                (OperatingSystemMXBean)
                        ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        var total = system.getTotalMemorySize();
        var free = available(system.getFreeMemorySize());
        add(
                "memory",
                total < 2 * GIB ? State.WRONG : total < 6 * GIB ? State.NOTE : State.OK,
                "%s, %s of them free%s"
                        .formatted(gib(total), gib(free), total < 6 * GIB ? "; 6 are wanted" : ""));
        for (var limit :
                List.of(
                        "/sys/fs/cgroup/memory.max",
                        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                        "/sys/fs/cgroup/cpu.max")) {
            firstLine(Path.of(limit))
                    .filter(text -> !text.startsWith("max") && text.length() < 19)
                    .ifPresent(text -> add("limit", State.NOTE, limit + ": " + text));
        }
    }

    /// What Linux could hand out, page cache included; elsewhere what the JVM says is free.
    private static long available(long free) {
        var available = Machine.availableBytes();
        return available == 0 ? free : available;
    }

    private void gpu() {
        var nvidia = firstLine(Path.of("/proc/driver/nvidia/version"));
        add(
                "gpu",
                nvidia.isPresent() ? State.NOTE : State.OK,
                nvidia.map(version -> "NVIDIA, not used by this release (" + version + ")")
                        .orElse("none found; none is needed"));
    }

    private static java.util.Optional<String> firstLine(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.findFirst().map(String::strip);
        } catch (IOException | java.io.UncheckedIOException e) {
            return java.util.Optional.empty(); // this system has no such file
        }
    }

    private void folder(String what, Path path, long wanted) {
        var folder = path.toAbsolutePath();
        while (!Files.exists(folder) && folder.getParent() != null) {
            folder = folder.getParent();
        }
        try {
            // Permission bits do not tell of read-only mounts and quotas; a file does.
            Files.delete(Files.createTempFile(folder, ".espalier", ".doctor"));
            var free = Files.getFileStore(folder).getUsableSpace();
            add(
                    what,
                    free < wanted ? State.WRONG : State.OK,
                    "%s free in %s%s"
                            .formatted(
                                    gib(free),
                                    path.toAbsolutePath(),
                                    free < wanted ? ", %s are wanted".formatted(gib(wanted)) : ""));
        } catch (IOException e) {
            add(what, State.WRONG, path.toAbsolutePath() + " cannot be written");
        }
    }

    private void natives() {
        try {
            Torch.load();
            add(
                    "natives",
                    State.OK,
                    "libtorch loads; %d threads; allocator: %s"
                            .formatted(Torch.threads(), Torch.allocator()));
        } catch (EspalierException e) {
            add("natives", State.WRONG, String.valueOf(e.getMessage()));
        }
    }

    private static String gib(long bytes) {
        return "%.1f GiB".formatted((double) bytes / GIB);
    }
}
