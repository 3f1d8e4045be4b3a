package dev.espalier.corpus;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Counts what became of the documents and records that were read, so that nothing is dropped or
/// changed silently, and sets broken ones aside into a file of JSON lines with `file`, `line` and
/// `reason`.
///
/// Not safe for use by several threads at once.
public final class Ledger implements AutoCloseable {
    /// How many broken records are borne.
    public sealed interface Limit {
        /// At most so many; known to be exceeded as soon as it is.
        record Count(long most) implements Limit {}

        /// At most this share of all records, 0 to 1; judged at the end.
        record Share(double most) implements Limit {}
    }

    /// A record that was set aside.
    ///
    /// @param line the line in the file, from 1; 0 for the whole file
    public record Reject(String file, long line, String reason, String detail) {
        @Override
        public String toString() {
            return file + (line > 0 ? ":" + line : "") + ": " + detail;
        }
    }

    /// The counts so far. Keys are reasons.
    ///
    /// @param kept documents or records delivered
    /// @param dropped left out on purpose, such as empty ones
    /// @param changed delivered otherwise than they stand in the file
    /// @param rejected broken, and set aside
    public record Counts(
            long kept,
            Map<String, Long> dropped,
            Map<String, Long> changed,
            Map<String, Long> rejected) {}

    /// How many of the rejects are remembered.
    private static final int REMEMBERED = 20;

    private final @Nullable Path file;
    private final Limit limit;
    private final TreeMap<String, Long> dropped = new TreeMap<>();
    private final TreeMap<String, Long> changed = new TreeMap<>();
    private final TreeMap<String, Long> rejected = new TreeMap<>();
    private long kept;
    private long rejects;
    private final List<Reject> first = new ArrayList<>();
    private @Nullable BufferedWriter writer;

    /// @param file where rejects go, made at the first one; none if null
    public Ledger(@Nullable Path file, Limit limit) {
        this.file = file;
        this.limit = limit;
    }

    /// A ledger that only counts, and bears no broken record at all.
    public static Ledger strict() {
        return new Ledger(null, new Limit.Count(0));
    }

    /// A ledger that only counts, and bears every broken record.
    public static Ledger counting() {
        return new Ledger(null, new Limit.Count(Long.MAX_VALUE));
    }

    public void keep() {
        kept++;
    }

    /// Takes back that a record was kept, since it is yet to be judged further.
    public void recall() {
        kept--;
    }

    public void drop(String reason) {
        drop(reason, 1);
    }

    public void drop(String reason, long count) {
        dropped.merge(reason, count, Long::sum);
    }

    public void change(String reason, long count) {
        changed.merge(reason, count, Long::sum);
    }

    /// Sets a record aside.
    ///
    /// @param line from 1; 0 for the whole file
    /// @param reason a few words, the same for all of its kind
    /// @param detail what a person needs to find and mend it
    /// @throws EspalierException (DATA) beyond the limit
    public void reject(Path where, long line, String reason, String detail) {
        var reject = new Reject(where.toString(), line, reason, detail);
        rejected.merge(reason, 1L, Long::sum);
        rejects++;
        if (first.size() < REMEMBERED) {
            first.add(reject);
        }
        write(reject);
        if (limit instanceof Limit.Count(var most) && rejects > most) {
            throw beyond(reject, String.valueOf(most));
        }
    }

    /// Judges what can only be judged once everything is read.
    ///
    /// @throws EspalierException (DATA) beyond the limit
    public void finish() {
        if (limit instanceof Limit.Share(var most)
                && !first.isEmpty()
                && rejects > most * (kept + rejects)) {
            throw beyond(first.getFirst(), most * 100 + "% of " + (kept + rejects));
        }
        close();
    }

    public Counts counts() {
        return new Counts(
                kept, new TreeMap<>(dropped), new TreeMap<>(changed), new TreeMap<>(rejected));
    }

    /// What of the records was not delivered, to end a sentence with, such as ` (dropped: 3 empty;
    /// set aside: 1 not text)`; empty where all were.
    public String leftOut() {
        var parts = new ArrayList<String>();
        for (var kind : List.of(Map.entry("dropped", dropped), Map.entry("set aside", rejected))) {
            if (!kind.getValue().isEmpty()) {
                parts.add(
                        kind.getValue().entrySet().stream()
                                .map(e -> e.getValue() + " " + e.getKey())
                                .collect(Collectors.joining(", ", kind.getKey() + ": ", "")));
            }
        }
        return parts.isEmpty() ? "" : " (" + String.join("; ", parts) + ")";
    }

    /// The first record that was set aside.
    public @Nullable Reject firstReject() {
        return first.isEmpty() ? null : first.getFirst();
    }

    /// The first records that were set aside, at most 20.
    public List<Reject> firstRejects() {
        return List.copyOf(first);
    }

    /// How many records were set aside.
    public long rejects() {
        return rejects;
    }

    @Override
    public void close() {
        if (writer != null) {
            try {
                writer.close();
            } catch (IOException e) {
                throw AtomicFiles.failure(java.util.Objects.requireNonNull(file), e);
            }
            writer = null;
        }
    }

    private void write(Reject reject) {
        if (file == null) {
            return;
        }
        try {
            if (writer == null) {
                var folder = file.toAbsolutePath().getParent();
                if (folder != null) {
                    Files.createDirectories(folder);
                }
                writer = Files.newBufferedWriter(file);
            }
            writer.write(Json.line(reject));
            writer.write('\n');
            writer.flush();
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    private EspalierException beyond(Reject reject, String allowed) {
        close();
        if (file == null && limit.equals(new Limit.Count(0))) {
            return EspalierException.data(reject.toString());
        }
        return EspalierException.data(
                "%s (%s set aside, max-rejects allows %s%s)"
                        .formatted(
                                reject,
                                rejects == 1 ? "1 record" : rejects + " records",
                                allowed,
                                file == null ? "" : "; all are in " + file));
    }
}
