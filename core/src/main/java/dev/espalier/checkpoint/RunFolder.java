package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The folder of a run, held by one process at a time:
///
///     recipe.yaml  model/  checkpoints/  metrics.jsonl  evaluation.json  passport.json  report.html
///
/// The hold is a lock of the operating system on `run.lock`, which ends with the process however it
/// ends.
public final class RunFolder implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RunFolder.class);

    private final Path folder;
    private final FileChannel channel;
    private final @Nullable FileLock lock;

    private RunFolder(Path folder, FileChannel channel, @Nullable FileLock lock) {
        this.folder = folder;
        this.channel = channel;
        this.lock = lock;
    }

    /// Takes hold of `folder`, made if it is absent, and clears away what interrupted writes left.
    ///
    /// @throws EspalierException of kind USAGE if another run holds it, RESOURCES if it cannot be
    ///   written
    public static RunFolder open(Path folder) {
        FileChannel channel = null;
        try {
            Files.createDirectories(folder);
            channel =
                    FileChannel.open(
                            folder.resolve("run.lock"),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE);
            var run = new RunFolder(folder, channel, lock(folder, channel));
            AtomicFiles.tidy(folder);
            AtomicFiles.tidy(folder.resolve("checkpoints"));
            channel = null;
            return run;
        } catch (IOException e) {
            throw AtomicFiles.failure(folder, e);
        } finally {
            closeQuietly(channel);
        }
    }

    private static @Nullable FileLock lock(Path folder, FileChannel channel) {
        FileLock lock;
        try {
            lock = channel.tryLock();
        } catch (OverlappingFileLockException e) {
            lock = null;
        } catch (IOException e) {
            // Some network file systems have no locks; a run there is worth more than the guard.
            log.warn("{}: cannot be locked against a second run ({})", folder, e.getMessage());
            return null;
        }
        if (lock == null) {
            throw EspalierException.usage(
                    folder
                            + ": another run is writing here; wait for it, stop it, or choose another"
                            + " output folder");
        }
        return lock;
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
        closeQuietly(channel);
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        if (channel != null) {
            try {
                channel.close();
            } catch (IOException e) {
                log.debug("closing a lock", e);
            }
        }
    }
}
