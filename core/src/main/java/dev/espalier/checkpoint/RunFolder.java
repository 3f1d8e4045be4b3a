package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The folder of a run, held by one run at a time:
///
///     recipe.yaml  inputs.json  model/  checkpoints/  metrics.jsonl  evaluation.json  passport.json
///     report.html
///
/// The hold is a lock of the operating system on `run.lock`, which ends with the process however it
/// ends.
public final class RunFolder implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RunFolder.class);

    /// What this process holds. The system's locks belong to the process, and closing any channel
    /// to the file lets go of them, even one that a second run opened only to be refused: so a
    /// second one must be refused before it opens the file.
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final Path held;
    private final FileChannel channel;

    /// The folder and those above it that were not there before, the innermost first.
    private final List<Path> made;

    /// What the folder held before.
    private final Set<Path> before;

    private boolean begun;

    private RunFolder(
            Path folder, Path held, FileChannel channel, List<Path> made, Set<Path> before) {
        this.folder = folder;
        this.held = held;
        this.channel = channel;
        this.made = made;
        this.before = before;
    }

    /// Takes hold of `folder`, made if it is absent, and clears away what interrupted writes left.
    ///
    /// @throws EspalierException of kind USAGE if another run holds it, RESOURCES if it cannot be
    ///   written
    public static RunFolder open(Path folder) {
        var made = absent(folder);
        Path held;
        try {
            held = Files.createDirectories(folder).toRealPath();
        } catch (IOException e) {
            deleteEmpty(made);
            throw AtomicFiles.failure(folder, e);
        }
        if (!HELD.add(held)) {
            throw taken(folder);
        }
        FileChannel channel = null;
        try {
            var lock = held.resolve("run.lock");
            var locked = Files.exists(lock);
            channel = FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            lock(folder, channel);
            for (var part : List.of("", "checkpoints", "data")) {
                AtomicFiles.tidy(folder.resolve(part));
            }
            // Now that nobody else adds to it, and that what had stepped aside is back.
            var before = new HashSet<>(inside(held));
            if (!locked) {
                before.remove(lock);
            }
            return new RunFolder(folder, held, channel, made, before);
        } catch (IOException e) {
            letGo(held, channel);
            deleteEmpty(made);
            throw AtomicFiles.failure(folder, e);
        } catch (RuntimeException e) {
            letGo(held, channel);
            throw e;
        }
    }

    private static void lock(Path folder, FileChannel channel) {
        try {
            // The lock ends with its channel.
            if (channel.tryLock() == null) {
                throw taken(folder);
            }
        } catch (IOException e) {
            // Some network file systems have no locks; a run there is worth more than the guard.
            log.warn("{}: cannot be locked against a second run ({})", folder, e.getMessage());
        }
    }

    private static EspalierException taken(Path folder) {
        return EspalierException.usage(
                folder
                        + ": another run is writing here; wait for it, stop it, or choose another"
                        + " output folder");
    }

    public Path path() {
        return folder;
    }

    public Path recipe() {
        return folder.resolve("recipe.yaml");
    }

    /// Which files the run was begun with.
    public Path inputs() {
        return folder.resolve("inputs.json");
    }

    /// The finished model in the Hugging Face layout.
    public Path model() {
        return folder.resolve("model");
    }

    public Path metrics() {
        return folder.resolve("metrics.jsonl");
    }

    public Path evaluation() {
        return folder.resolve("evaluation.json");
    }

    public Path passport() {
        return folder.resolve("passport.json");
    }

    public Path report() {
        return folder.resolve("report.html");
    }

    public Checkpoints checkpoints() {
        return new Checkpoints(folder.resolve("checkpoints"));
    }

    /// Says that the run is no longer refused, whatever becomes of it: what it writes stays.
    public void begin() {
        begun = true;
    }

    /// Says that the run came to nothing that is worth keeping, as if it had not begun.
    public void abandon() {
        begun = false;
    }

    /// Deletes all that came into the folder while it was held, unless the run had begun: a run
    /// that is refused leaves nothing behind. What `why` names by its path, such as the records
    /// that were set aside, stays to be looked at; so does what was there before.
    public void refuse(String why) {
        if (begun) {
            return;
        }
        try {
            for (var path : inside(held).reversed()) {
                var named = why.contains(folder.resolve(held.relativize(path)).toString());
                if (!before.contains(path) && !path.equals(held) && !named) {
                    deleteIfPossible(path);
                }
            }
        } catch (IOException | UncheckedIOException e) {
            log.debug("clearing {}", folder, e);
        }
    }

    private static List<Path> inside(Path folder) throws IOException {
        try (var walk = Files.walk(folder)) {
            return walk.toList();
        }
    }

    private static List<Path> absent(Path folder) {
        var absent = new ArrayList<Path>();
        for (var path = folder.toAbsolutePath().normalize();
                path != null && !Files.exists(path, LinkOption.NOFOLLOW_LINKS);
                path = path.getParent()) {
            absent.add(path);
        }
        return absent;
    }

    private static void deleteEmpty(List<Path> folders) {
        folders.forEach(RunFolder::deleteIfPossible);
    }

    /// A folder that is not empty stays.
    private static void deleteIfPossible(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            log.debug("left: {}", path, e);
        }
    }

    /// Lets go of the folder, which goes too where it is new and empty.
    @Override
    public void close() {
        letGo(held, channel);
        deleteEmpty(made);
    }

    private static void letGo(Path held, @Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            log.debug("closing a lock", e);
        } finally {
            HELD.remove(held);
        }
    }
}
