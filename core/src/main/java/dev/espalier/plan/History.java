package dev.espalier.plan;

import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/// What was predicted of runs and measured of them on this machine: a file of JSON lines, one a run
/// or a measurement, which only grows. Lines that cannot be read, of another version say, are
/// passed over, since none is worth a run.
///
/// @param file null to keep nothing
public record History(@Nullable Path file) {
    /// Keeps nothing and knows nothing.
    public static final History NONE = new History(null);

    /// One run, or some steps of one.
    ///
    /// @param at when
    /// @param machine processor and threads
    /// @param name of the recipe
    /// @param key what the time of a step depends on, see [#key]
    /// @param parameters of the model
    /// @param secondsPerStep the mean
    /// @param tokensPerSecond the mean
    /// @param flopsPerSecond the mean
    /// @param peakMemory bytes of the process at the most; 0 where that is not known
    /// @param predicted what had been predicted; empty for a measurement
    public record Entry(
            String at,
            String machine,
            String name,
            String key,
            long parameters,
            long steps,
            double secondsPerStep,
            double tokensPerSecond,
            double flopsPerSecond,
            long peakMemory,
            List<Prediction> predicted) {
        public Entry {
            predicted = List.copyOf(predicted);
        }

        /// What came of each prediction, in words.
        ///
        /// @param unit what passed through the model: `tokens` or `images`
        public List<String> outcomes(String unit) {
            return predicted.stream().map(p -> p.outcome(this, unit)).toList();
        }
    }

    /// What was foreseen of a run.
    ///
    /// @param basis what the time goes by: `first steps`; `earlier`, steps like these; `rate`, that
    ///   of the model nearest in size among others; `guess`, a share of the machine's matrix
    ///   products
    /// @param seconds of all training steps
    /// @param memory bytes of the process at the most; 0 where that is not known
    /// @param memoryBasis what these go by: `formula`, `earlier`, `early steps`; null in lines of
    ///   before it was told
    public record Prediction(
            String basis,
            double seconds,
            double tokensPerSecond,
            long memory,
            @Nullable String memoryBasis) {
        private String outcome(Entry run, String unit) {
            var seconds = run.secondsPerStep() * run.steps();
            var told =
                    String.format(
                            Locale.ROOT,
                            "predicted by %s: %.1f s of training, was %.1f (%+.0f %%); %.0f %s/s, was %.0f (%+.0f %%)",
                            basis,
                            seconds(),
                            seconds,
                            100 * error(seconds(), seconds),
                            tokensPerSecond,
                            unit,
                            run.tokensPerSecond(),
                            100 * error(tokensPerSecond, run.tokensPerSecond()));
            return memory == 0 || run.peakMemory() == 0
                    ? told
                    : told
                            + String.format(
                                    Locale.ROOT,
                                    "; %.0f MiB, was %.0f (%+.0f %%)",
                                    memory / 0x1p20,
                                    run.peakMemory() / 0x1p20,
                                    100 * error(memory, run.peakMemory()));
        }
    }

    /// How far off the predictions of one basis were, by [#error]: the median of its sizes, and the
    /// worst.
    public record Accuracy(String what, String basis, int runs, double median, double worst) {}

    /// The user's: `$XDG_CACHE_HOME/espalier/runs.jsonl`, by default under `~/.cache`, or where the
    /// system keeps caches.
    public static History ofUser() {
        var asked = System.getenv("XDG_CACHE_HOME");
        var home = Path.of(System.getProperty("user.home", "."));
        var system = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
        var local = System.getenv("LOCALAPPDATA");
        var caches =
                asked != null && !asked.isEmpty()
                        ? Path.of(asked)
                        : system.startsWith("mac")
                                ? home.resolve("Library/Caches")
                                : system.startsWith("windows") && local != null
                                        ? Path.of(local)
                                        : home.resolve(".cache");
        return new History(caches.resolve("espalier").resolve("runs.jsonl"));
    }

    /// This machine's name here.
    public static String machine() {
        return Machine.processor() + ", " + Machine.threads() + " threads";
    }

    public static String now() {
        return Instant.now().truncatedTo(java.time.temporal.ChronoUnit.SECONDS).toString();
    }

    /// Adds an entry, where a file is kept.
    ///
    /// @throws dev.espalier.EspalierException if it cannot be written
    public void add(Entry entry) {
        if (file == null) {
            return;
        }
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            // One write of a whole line, so that runs at the same time do not mix theirs.
            Files.writeString(
                    file,
                    Json.line(entry) + "\n",
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    /// The entries of this machine, in the order in which they were added.
    public List<Entry> entries() {
        if (file == null || !Files.isRegularFile(file)) {
            return List.of();
        }
        var machine = machine();
        var entries = new ArrayList<Entry>();
        try {
            for (var line : Files.readAllLines(file)) {
                try {
                    var entry = Json.mapper().readValue(line, Entry.class);
                    if (machine.equals(entry.machine()) && entry.steps() > 0) {
                        entries.add(entry);
                    }
                } catch (JacksonException e) {
                    continue;
                }
            }
        } catch (IOException e) {
            return List.of();
        }
        return entries;
    }

    /// The last measurement of steps like these.
    public Optional<Entry> last(String key) {
        return entries().stream().filter(e -> e.key().equals(key)).reduce((_, later) -> later);
    }

    /// The memory that steps like these were last seen to take, in a whole run where there is one:
    /// the few steps of a measurement take less.
    public Optional<Long> peak(String key) {
        var like =
                entries().stream().filter(e -> e.key().equals(key) && e.peakMemory() > 0).toList();
        var whole = like.stream().filter(e -> !e.predicted().isEmpty()).toList();
        return (whole.isEmpty() ? like : whole)
                .stream().map(Entry::peakMemory).reduce((_, later) -> later);
    }

    /// What tells in a key which operations are made, and how fast.
    private static final List<String> TELLING = List.of("bf16", "fp32", "lora", "frozen");

    /// The operations a second that the model nearest in size reached, if one of nearly that size
    /// was measured: within a factor of 8, since small ones reach far less. One with such an
    /// adapter in such a precision comes before others, and of those alike the last. Steps of the
    /// same key are none to tell it by: [#last] has them.
    ///
    /// @param key of the steps that are asked for
    public Optional<Entry> nearest(long parameters, String key) {
        var near =
                entries().stream()
                        .filter(e ->
                                !e.key().equals(key)
                                        && e.flopsPerSecond() > 0
                                        && e.parameters() > 0
                                        && apart(e, parameters) <= Math.log(8))
                        .toList();
        return near.reversed().stream()
                .min(
                        Comparator.comparingLong((Entry e) -> differences(e.key(), key))
                                .thenComparingDouble(e -> apart(e, parameters)));
    }

    private static double apart(Entry entry, long parameters) {
        return Math.abs(Math.log((double) entry.parameters() / parameters));
    }

    private static long differences(String one, String other) {
        var a = List.of(one.split(" "));
        var b = List.of(other.split(" "));
        return TELLING.stream().filter(word -> a.contains(word) != b.contains(word)).count();
    }

    /// How good the predictions of whole runs have been.
    public List<Accuracy> accuracies() {
        var times = new TreeMap<String, List<Double>>();
        var memory = new TreeMap<String, List<Double>>();
        for (var run : entries()) {
            for (var predicted : run.predicted()) {
                times.computeIfAbsent(predicted.basis(), _ -> new ArrayList<>())
                        .add(error(predicted.seconds(), run.secondsPerStep() * run.steps()));
            }
            // Several that tell the time may have told the memory by the same.
            var once = new TreeMap<String, Double>();
            for (var predicted : run.predicted()) {
                if (run.peakMemory() > 0 && predicted.memory() > 0) {
                    once.put(memoryBasis(predicted), error(predicted.memory(), run.peakMemory()));
                }
            }
            once.forEach((basis, error) ->
                    memory.computeIfAbsent(basis, _ -> new ArrayList<>()).add(error));
        }
        var found = new ArrayList<Accuracy>();
        times.forEach((basis, errors) -> add(found, "time", basis, errors));
        memory.forEach((basis, errors) -> add(found, "memory", basis, errors));
        return found;
    }

    private static String memoryBasis(Prediction predicted) {
        var told = predicted.memoryBasis();
        return told != null ? told : predicted.basis().equals("earlier") ? "earlier" : "formula";
    }

    private static void add(List<Accuracy> to, String what, String basis, List<Double> errors) {
        if (!errors.isEmpty()) {
            var sizes = errors.stream().map(Math::abs).sorted().toList();
            to.add(
                    new Accuracy(
                            what,
                            basis,
                            sizes.size(),
                            sizes.get(sizes.size() / 2),
                            sizes.getLast()));
        }
    }

    /// By which share of the truth a prediction was too large.
    public static double error(double predicted, double truth) {
        return predicted / truth - 1;
    }
}
