package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The checkpoints of a run, whole or absent:
///
///     checkpoints/step-NNNNNN/model/          what the world reads
///     checkpoints/step-NNNNNN/resume/         what only we read: optimizer, random states, position
///     checkpoints/step-NNNNNN/manifest.json   size and SHA-256 of every other file
///
/// A checkpoint is written aside, synced and renamed; on reading, its manifest decides whether it is
/// whole. Only the process that holds the [RunFolder] may write.
public final class Checkpoints {
    /// Writes a checkpoint's files into the two empty folders that it is given.
    @FunctionalInterface
    public interface Writer {
        void write(Path model, Path resume) throws IOException;
    }

    /// A checkpoint on disk.
    public record Checkpoint(long step, Path folder) {
        public Path model() {
            return folder.resolve("model");
        }

        public Path resume() {
            return folder.resolve("resume");
        }
    }

    private record Manifest(int version, List<Line> files) {}

    /// `path` is relative to the checkpoint, with `/` on every platform.
    private record Line(String path, long size, String sha256) {}

    private static final Logger log = LoggerFactory.getLogger(Checkpoints.class);
    private static final Pattern NAME = Pattern.compile("step-([0-9]{6,18})");
    private static final String MANIFEST = "manifest.json";
    private static final int VERSION = 1;

    private final Path folder;

    /// The checkpoints in `folder`, which need not exist.
    public Checkpoints(Path folder) {
        this.folder = folder;
    }

    /// Writes the checkpoint of `step`, replacing one of the same step.
    ///
    /// @param bytes about what it will take on disk; less free space than that is refused before
    ///   anything is written
    public Checkpoint write(long step, long bytes, Writer writer) {
        var checkpoint = new Checkpoint(step, folder.resolve("step-%06d".formatted(step)));
        AtomicFiles.requireSpace(folder, bytes);
        AtomicFiles.writeFolder(
                checkpoint.folder,
                aside -> {
                    var model = Files.createDirectories(aside.resolve("model"));
                    var resume = Files.createDirectories(aside.resolve("resume"));
                    writer.write(model, resume);
                    var manifest = new Manifest(VERSION, lines(aside));
                    Files.writeString(aside.resolve(MANIFEST), Json.pretty(manifest));
                });
        return checkpoint;
    }

    /// The checkpoints by step, whether whole or not.
    public List<Checkpoint> list() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        var found = new ArrayList<Checkpoint>();
        try (var children = Files.newDirectoryStream(folder)) {
            for (var child : children) {
                var name = NAME.matcher(child.getFileName().toString());
                if (name.matches() && Files.isDirectory(child)) {
                    found.add(new Checkpoint(Long.parseLong(name.group(1)), child));
                }
            }
        } catch (IOException e) {
            throw EspalierException.data(folder + ": cannot be listed (" + e.getMessage() + ")", e);
        }
        found.sort(Comparator.comparingLong(Checkpoint::step));
        return found;
    }

    /// The last checkpoint that is whole. Later ones that are not are passed over with a warning;
    /// empty where there is none at all.
    ///
    /// @throws EspalierException of kind DATA if there are checkpoints and none is whole
    public Optional<Checkpoint> last() {
        var all = list();
        EspalierException newest = null;
        for (var checkpoint : all.reversed()) {
            try {
                check(checkpoint.folder);
                return Optional.of(checkpoint);
            } catch (EspalierException e) {
                log.warn("Passing over a checkpoint that is not whole: {}", e.getMessage());
                newest = newest == null ? e : newest;
            }
        }
        if (newest != null) {
            throw EspalierException.data(
                    "%s: none of its %d checkpoints is whole; the last: %s"
                            .formatted(folder, all.size(), newest.getMessage()),
                    newest);
        }
        return Optional.empty();
    }

    /// Checks a checkpoint's folder against its manifest.
    ///
    /// @throws EspalierException of kind DATA that names the first file that is missing, added,
    ///   shorter, longer or changed
    public static void check(Path checkpoint) {
        var file = checkpoint.resolve(MANIFEST);
        if (!Files.isRegularFile(file)) {
            throw EspalierException.data(file + ": missing, so the checkpoint is not whole");
        }
        var manifest = Json.read(file);
        if (manifest.path("version").asInt(-1) != VERSION) {
            throw EspalierException.data(
                    "%s: its version is %s; this program reads version %d"
                            .formatted(file, manifest.path("version"), VERSION));
        }
        var due = new TreeMap<String, Line>();
        for (var line : manifest.path("files")) {
            var path = line.path("path").asString("");
            due.put(
                    path,
                    new Line(path, line.path("size").asLong(-1), line.path("sha256").asString("")));
        }
        for (var path : files(checkpoint)) {
            var line = due.remove(relative(checkpoint, path));
            if (line == null) {
                throw EspalierException.data(path + ": is not in the checkpoint's manifest");
            }
            var size = size(path);
            if (size != line.size) {
                throw EspalierException.data(
                        "%s: has %d bytes instead of the manifest's %d"
                                .formatted(path, size, line.size));
            }
            if (!AtomicFiles.sha256(path).equals(line.sha256)) {
                throw EspalierException.data(
                        path + ": its SHA-256 is not the manifest's, so it was changed or damaged");
            }
        }
        if (!due.isEmpty()) {
            throw EspalierException.data(
                    checkpoint.resolve(due.firstKey()) + ": missing from the checkpoint");
        }
    }

    /// Deletes all but the last `keep` checkpoints and those of the steps in `spared`.
    public void prune(int keep, Set<Long> spared) {
        if (keep < 1) {
            throw new IllegalArgumentException("keep must be at least 1: " + keep);
        }
        var all = list();
        for (var checkpoint : all.subList(0, Math.max(0, all.size() - keep))) {
            if (!spared.contains(checkpoint.step)) {
                try {
                    // Without its manifest it is no checkpoint, whatever stops the rest.
                    Files.deleteIfExists(checkpoint.folder.resolve(MANIFEST));
                    AtomicFiles.deleteTree(checkpoint.folder);
                } catch (IOException e) {
                    throw AtomicFiles.failure(checkpoint.folder, e);
                }
            }
        }
    }

    private static List<Line> lines(Path checkpoint) {
        return files(checkpoint).stream()
                .map(file ->
                        new Line(relative(checkpoint, file), size(file), AtomicFiles.sha256(file)))
                .toList();
    }

    /// Every file of the checkpoint but the manifest, sorted.
    private static List<Path> files(Path checkpoint) {
        try (var walk = Files.walk(checkpoint)) {
            return walk.filter(path -> !Files.isDirectory(path))
                    .filter(path -> !path.equals(checkpoint.resolve(MANIFEST)))
                    .sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            throw EspalierException.data(
                    checkpoint + ": cannot be listed (" + e.getMessage() + ")", e);
        }
    }

    private static String relative(Path checkpoint, Path file) {
        return checkpoint.relativize(file).toString().replace('\\', '/');
    }

    private static long size(Path file) {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }
}
