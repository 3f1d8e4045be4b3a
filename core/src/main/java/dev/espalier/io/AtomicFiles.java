package dev.espalier.io;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HexFormat;

/// Files and folders that are whole or absent: written aside in the same folder, synced, renamed.
public final class AtomicFiles {
    /// Writes the content of a file or a folder at the path that it is given.
    @FunctionalInterface
    public interface Writer {
        void write(Path aside) throws IOException;
    }

    private AtomicFiles() {}

    /// Replaces `file` by what `writer` writes. A failure leaves the old file as it was.
    public static void write(Path file, Writer writer) {
        var aside = aside(file);
        try {
            Files.createDirectories(parent(aside));
            writer.write(aside);
            sync(aside);
            Files.move(
                    aside,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
            syncFolder(parent(aside));
        } catch (IOException e) {
            throw failure(file, e);
        } finally {
            deleteQuietly(aside);
        }
    }

    /// Replaces `file` by `text` in UTF-8.
    public static void write(Path file, String text) {
        write(file, aside -> Files.writeString(aside, text));
    }

    /// Makes the folder `folder` of what `writer` writes into the empty folder that it is given.
    /// Every file is synced before the rename. A folder that exists is replaced.
    public static void writeFolder(Path folder, Writer writer) {
        var aside = aside(folder);
        try {
            deleteTree(aside);
            Files.createDirectories(aside);
            writer.write(aside);
            try (var files = Files.walk(aside)) {
                for (var file : (Iterable<Path>) files::iterator) {
                    if (Files.isDirectory(file)) {
                        syncFolder(file);
                    } else {
                        sync(file);
                    }
                }
            }
            deleteTree(folder);
            Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
            syncFolder(parent(aside));
        } catch (IOException e) {
            throw failure(folder, e);
        } finally {
            deleteQuietly(aside);
        }
    }

    /// Deletes a file or a folder with all that it holds; an absent one is no error.
    public static void deleteTree(Path path) throws IOException {
        if (!Files.exists(path, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (var walk = Files.walk(path)) {
            for (var file : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /// The SHA-256 of a file in hexadecimal.
    public static String sha256(Path file) {
        try (var channel = FileChannel.open(file)) {
            var digest = MessageDigest.getInstance("SHA-256");
            var buffer = java.nio.ByteBuffer.allocate(1 << 16);
            while (channel.read(buffer.clear()) >= 0) {
                digest.update(buffer.flip());
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /// Says in one sentence why `path` could not be written.
    public static EspalierException failure(Path path, IOException e) {
        var why =
                switch (e) {
                    case AccessDeniedException denied -> "permission denied at " + denied.getFile();
                    case FileSystemException f when f.getReason() != null -> f.getReason();
                    default -> String.valueOf(e.getMessage());
                };
        return new EspalierException(Kind.RESOURCES, path + ": cannot be written (" + why + ")", e);
    }

    private static Path aside(Path path) {
        var absolute = path.toAbsolutePath();
        return absolute.resolveSibling(
                "." + absolute.getFileName() + ".partial-" + ProcessHandle.current().pid());
    }

    private static Path parent(Path aside) {
        return java.util.Objects.requireNonNull(aside.getParent());
    }

    private static void sync(Path file) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.force(true);
        }
    }

    /// A rename is durable once its folder is; Windows can neither open nor sync a folder, and
    /// needs not.
    private static void syncFolder(Path folder) throws IOException {
        if (java.io.File.separatorChar == '/') {
            try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    private static void deleteQuietly(Path path) {
        try {
            deleteTree(path);
        } catch (IOException | UncheckedIOException | ReadOnlyFileSystemException e) {
            // The failure that led here is the one to report; what is left is named `.partial-` and
            // is never read.
            org.slf4j.LoggerFactory.getLogger(AtomicFiles.class).debug("left behind: {}", path, e);
        }
    }
}
