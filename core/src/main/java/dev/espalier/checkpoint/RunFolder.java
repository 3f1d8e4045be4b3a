package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The folder of a run, held by one run at a time:
///
///     recipe.yaml  model/  checkpoints/  metrics.jsonl  evaluation.json  passport.json  report.html
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

    private RunFolder(Path folder, Path held, FileChannel channel) {
        this.folder = folder;
        this.held = held;
        this.channel = channel;
    }

    /// Takes hold of `folder`, made if it is absent, and clears away what interrupted writes left.
    ///
    /// @throws EspalierException of kind USAGE if another run holds it, RESOURCES if it cannot be
    ///   written
    public static RunFolder open(Path folder) {
        Path held;
        try {
            held = Files.createDirectories(folder).toRealPath();
        } catch (IOException e) {
            throw AtomicFiles.failure(folder, e);
        }
        if (!HELD.add(held)) {
            throw taken(folder);
        }
        FileChannel channel = null;
        try {
            channel =
                    FileChannel.open(
                            folder.resolve("run.lock"),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE);
            lock(folder, channel);
            AtomicFiles.tidy(folder);
            AtomicFiles.tidy(folder.resolve("checkpoints"));
            return new RunFolder(folder, held, channel);
        } catch (IOException e) {
            letGo(held, channel);
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

    /// Lets go of the folder.
    @Override
    public void close() {
        letGo(held, channel);
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
