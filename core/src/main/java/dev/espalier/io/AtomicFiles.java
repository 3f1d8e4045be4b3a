package dev.espalier.io;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.ReadOnlyFileSystemException;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Files and folders that are whole or absent: written aside in the same folder, synced, renamed.
public final class AtomicFiles {
    /// Writes the content of a file or a folder at the path that it is given.
    @FunctionalInterface
    public interface Writer {
        void write(Path aside) throws IOException;
    }

    private static final int SYNCED_AT_ONCE = 16;
    private static final String PARTIAL = "partial";
    private static final String REPLACED = "replaced";
    private static final Pattern LEFT =
            Pattern.compile("\\.(.+)\\.(" + PARTIAL + "|" + REPLACED + ")-[0-9]+-[0-9]+");

    private AtomicFiles() {}

    /// Replaces `file` by what `writer` writes. A failure leaves the old file as it was. In a
    /// folder that is being written aside it is synced with all that the folder holds.
    public static void write(Path file, Writer writer) {
        var aside = aside(file);
        var part = isAside(parent(aside));
        try {
            Files.createDirectories(parent(aside));
            writer.write(aside);
            if (!part) {
                sync(aside);
            }
            Files.move(
                    aside,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
            if (!part) {
                syncFolder(parent(aside));
            }
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
            syncTree(aside);
            replace(aside, folder);
            syncFolder(parent(aside));
        } catch (IOException e) {
            throw failure(folder, e);
        } finally {
            deleteQuietly(aside);
        }
    }

    /// Renames `aside` to `folder`. A folder that exists steps aside first and is deleted last, so
    /// that at every moment the old one or the new one is whole on disk: a process that dies
    /// between the two renames leaves the old one for [#tidy] to put back.
    private static void replace(Path aside, Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
            return;
        }
        var old = beside(folder, REPLACED);
        Files.move(folder, old, StandardCopyOption.ATOMIC_MOVE);
        try {
            Files.move(aside, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.move(old, folder, StandardCopyOption.ATOMIC_MOVE);
            throw e;
        }
        deleteQuietly(old);
    }

    /// Clears away what writers that died have left in `parent`, which need not exist: unfinished
    /// files and folders are deleted; a folder that had stepped aside for a new one which never
    /// came is put back. Only for a parent in which nobody else is writing.
    public static void tidy(Path parent) throws IOException {
        if (!Files.isDirectory(parent)) {
            return;
        }
        var left = new ArrayList<Path>();
        try (var children = Files.newDirectoryStream(parent, ".*")) {
            children.forEach(left::add);
        }
        for (var path : left) {
            var name = LEFT.matcher(String.valueOf(path.getFileName()));
            if (name.matches()) {
                var original = path.resolveSibling(name.group(1));
                if (name.group(2).equals(REPLACED) && !Files.exists(original)) {
                    Files.move(path, original, StandardCopyOption.ATOMIC_MOVE);
                } else {
                    deleteTree(path);
                }
            }
        }
    }

    /// Refuses, with kind RESOURCES, to go on if the disk under `path` (which need not exist yet)
    /// has less than `bytes` free.
    public static void requireSpace(Path path, long bytes) {
        var existing = path.toAbsolutePath();
        while (!Files.exists(existing) && existing.getParent() != null) {
            existing = existing.getParent();
        }
        try {
            var free = Files.getFileStore(existing).getUsableSpace();
            if (free < bytes) {
                throw EspalierException.resources(
                        "%s: needs %,d MB of disk, and %,d MB are free"
                                .formatted(path, bytes / 1_000_000 + 1, free / 1_000_000));
            }
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    /// Deletes a file or a folder with all that it holds; an absent one is no error.
    public static void deleteTree(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try (var walk = Files.walk(path)) {
            for (var file : walk.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /// As [#deleteTree], with a failure as an [EspalierException] of kind RESOURCES.
    public static void delete(Path path) {
        try {
            deleteTree(path);
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    /// The SHA-256 of a file in hexadecimal; of a folder that of the hashes and places of all files
    /// in it, in their order.
    public static String sha256(Path file) {
        if (Files.isDirectory(file)) {
            return sha256OfFolder(file);
        }
        try (var channel = FileChannel.open(file)) {
            var digest = MessageDigest.getInstance("SHA-256");
            var buffer = java.nio.ByteBuffer.allocate(1 << 16);
            while (channel.read(buffer.clear()) >= 0) {
                digest.update(buffer.flip());
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchFileException e) {
            throw EspalierException.data(file + ": there is no such file", e);
        } catch (ClosedByInterruptException e) {
            throw new EspalierException(
                    Kind.INTERRUPTED, file + ": interrupted while it was read", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static String sha256OfFolder(Path folder) {
        try (var files = Files.walk(folder)) {
            var lines =
                    files.filter(Files::isRegularFile)
                            .sorted()
                            .map(f -> sha256(f) + "  " + folder.relativize(f) + "\n")
                            .collect(Collectors.joining());
            return HexFormat.of().formatHex(sha256(lines.getBytes(StandardCharsets.UTF_8)));
        } catch (IOException | UncheckedIOException e) {
            throw EspalierException.data(folder + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// The SHA-256 of some bytes.
    public static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /// Says in one sentence why `path` could not be written.
    public static EspalierException failure(Path path, IOException e) {
        if (e instanceof ClosedByInterruptException || e instanceof InterruptedIOException) {
            return new EspalierException(
                    Kind.INTERRUPTED, path + ": interrupted while it was written", e);
        }
        var why =
                switch (e) {
                    case AccessDeniedException denied -> "permission denied at " + denied.getFile();
                    case FileSystemException f when f.getReason() != null -> f.getReason();
                    case FileAlreadyExistsException there ->
                            there.getFile() + " is in the way, a file where a folder is needed";
                    case NoSuchFileException missing ->
                            "there is no " + missing.getFile() + ", and it cannot be made";
                    default -> String.valueOf(e.getMessage());
                };
        return new EspalierException(Kind.RESOURCES, path + ": cannot be written (" + why + ")", e);
    }

    private static Path aside(Path path) {
        return beside(path, PARTIAL);
    }

    /// A name of this thread's own in the folder of `path`: two threads may write the same file,
    /// and the last one wins.
    private static Path beside(Path path, String what) {
        var absolute = path.toAbsolutePath();
        return absolute.resolveSibling(
                ".%s.%s-%d-%d"
                        .formatted(
                                absolute.getFileName(),
                                what,
                                ProcessHandle.current().pid(),
                                Thread.currentThread().threadId()));
    }

    /// Whether `folder` is, or lies in, one that [#writeFolder] will sync.
    private static boolean isAside(Path folder) {
        for (var name : folder) {
            var left = LEFT.matcher(name.toString());
            if (left.matches() && left.group(2).equals(PARTIAL)) {
                return true;
            }
        }
        return false;
    }

    private static Path parent(Path aside) {
        return java.util.Objects.requireNonNull(aside.getParent());
    }

    /// Many at once, which waits for the disk's journal about as long as a single file does.
    private static void syncTree(Path folder) throws IOException {
        try (var walk = Files.walk(folder);
                var threads = Executors.newFixedThreadPool(SYNCED_AT_ONCE)) {
            var synced = new ArrayList<Future<?>>();
            for (var path : (Iterable<Path>) walk::iterator) {
                synced.add(
                        threads.submit(() -> {
                            if (Files.isDirectory(path)) {
                                syncFolder(path);
                            } else {
                                sync(path);
                            }
                            return path;
                        }));
            }
            for (var one : synced) {
                one.get();
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failure) {
                throw failure;
            }
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
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
