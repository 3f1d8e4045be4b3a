package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Which file each document of a shard comes from, memory-mapped: `NAME.files` beside
/// `NAME.tokens`, since documents stand in the order of their files. A shard without one is whole
/// too.
///
/// The file is little-endian:
///
/// | at | bytes | what |
/// |---|---|---|
/// | 0 | 8 | magic `89 45 53 50 46 0D 0A 1A` |
/// | 8 | 4 | version, 1 |
/// | 12 | 4 | CRC32C of everything from 16 on |
/// | 16 | 8 | files, n |
/// | 24 | 8 each | the number of each file's first document, ascending from 0 |
/// | | 8 each | where each file's name ends, counted from the first name's begin |
/// | | | the names in UTF-8 |
final class FileIndex {
    private static final long MAGIC = 0x1A0A0D4650534589L;
    private static final int VERSION = 1;
    private static final int CHECKED = 16;
    private static final int HEADER = 24;

    /// So many files are named; a window may hold many short ones.
    private static final int SHOWN = 3;

    /// A file, and the number of its first document in the shard.
    record Entry(long document, String file) {}

    private final Path path;
    private final MemorySegment bytes;
    private final long files;
    private final long names;

    private FileIndex(Path path, MemorySegment bytes) {
        this.path = path;
        this.bytes = bytes;
        if (bytes.byteSize() < HEADER || bytes.get(TokenShard.LONG, 0) != MAGIC) {
            throw bad("not an index of a shard's files");
        }
        var version = bytes.get(TokenShard.INT, 8);
        if (version != VERSION) {
            throw bad("is of version " + version + "; this program reads version " + VERSION);
        }
        if (bytes.get(TokenShard.INT, 12) != TokenShard.crc(bytes.asSlice(CHECKED))) {
            throw bad("is damaged (the checksum differs)");
        }
        files = bytes.get(TokenShard.LONG, 16);
        if (files < 0 || files > (bytes.byteSize() - HEADER) / 16) {
            throw bad("gives %d files in %d bytes".formatted(files, bytes.byteSize()));
        }
        names = HEADER + 16 * files;
        for (var f = 0L; f < files; f++) {
            var first = first(f);
            if (f == 0 ? first != 0 : first <= first(f - 1)) {
                throw bad("file %d begins with document %d".formatted(f, first));
            }
            if (end(f) < end(f - 1) || end(f) > bytes.byteSize() - names) {
                throw bad("the name of file %d ends at byte %d".formatted(f, end(f)));
            }
        }
    }

    static Path beside(Path shard) {
        var name = String.valueOf(shard.getFileName()).replaceFirst("\\.tokens$", "");
        return shard.resolveSibling(name + ".files");
    }

    /// Maps the index of `shard`, which exists.
    ///
    /// @throws EspalierException (DATA) if it is not whole
    static FileIndex open(Path shard, Arena arena) {
        var file = beside(shard);
        try (var channel = FileChannel.open(file)) {
            return new FileIndex(
                    file, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// Writes the index of `shard`.
    static void write(Path shard, List<Entry> entries) {
        var texts = entries.stream().map(e -> e.file().getBytes(StandardCharsets.UTF_8)).toList();
        var size = HEADER + 16L * texts.size() + texts.stream().mapToLong(t -> t.length).sum();
        var out = ByteBuffer.allocate(Math.toIntExact(size)).order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(MAGIC).putInt(VERSION).putInt(0).putLong(texts.size());
        entries.forEach(e -> out.putLong(e.document()));
        var end = 0L;
        for (var text : texts) {
            end += text.length;
            out.putLong(end);
        }
        texts.forEach(out::put);
        out.putInt(12, TokenShard.crc(MemorySegment.ofArray(out.array()).asSlice(CHECKED)));
        AtomicFiles.write(beside(shard), aside -> Files.write(aside, out.array()));
    }

    /// The files of the documents from `from` to `to`, both of it, in words.
    String files(long from, long to) {
        var shown = new ArrayList<String>();
        var file = at(from);
        for (; file < files && first(file) <= to && shown.size() < SHOWN; file++) {
            shown.add(name(file));
        }
        var more = at(to) + 1 - file;
        return String.join(", ", shown) + (more > 0 ? " and " + more + " more" : "");
    }

    /// The file of a document.
    private long at(long document) {
        long low = 0, high = files;
        while (high - low > 1) {
            var middle = (low + high) >>> 1;
            if (first(middle) <= document) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private long first(long file) {
        return bytes.get(TokenShard.LONG, HEADER + 8 * file);
    }

    private long end(long file) {
        return file < 0 ? 0 : bytes.get(TokenShard.LONG, HEADER + 8 * (files + file));
    }

    private String name(long file) {
        var start = end(file - 1);
        var name = bytes.asSlice(names + start, end(file) - start).toArray(ValueLayout.JAVA_BYTE);
        return new String(name, StandardCharsets.UTF_8);
    }

    private EspalierException bad(String what) {
        return EspalierException.data(path + ": " + what);
    }
}
