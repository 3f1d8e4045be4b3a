package dev.espalier.data;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/// Token ids of many documents, memory-mapped and addressed by `long`: a shard may be longer than
/// memory and than 2 GiB. Written by [TokenShardWriter]. Safe for use by many threads until closed.
///
/// The file is little-endian:
///
/// | at | bytes | what |
/// |---|---|---|
/// | 0 | 8 | magic `89 45 53 50 54 0D 0A 1A` |
/// | 8 | 4 | version, 1 |
/// | 12 | 4 | bytes a token, 2 or 4, unsigned |
/// | 16 | 8 | tokens |
/// | 24 | 8 | documents |
/// | 32 | 8 | bytes of the text in UTF-8 |
/// | 40 | 4 | size of the vocabulary; every id is below it |
/// | 44 | 4 | CRC32C of the content: everything from 96 on |
/// | 48 | 32 | SHA-256 that names the tokenizer |
/// | 80 | 12 | zero |
/// | 92 | 4 | CRC32C of the bytes 0 to 91 |
/// | 96 | | tokens, padded with zeros to a multiple of 8 |
/// | | 8 each | the place of each document's first token, ascending |
///
/// The header, the file's length and the documents' places are checked on opening; the content's
/// checksum and every id by [#verify]. An id beyond the vocabulary is never handed out. Which files
/// the documents come from is told by a [FileIndex] beside it, where there is one.
public final class TokenShard implements AutoCloseable {
    static final long MAGIC = 0x1A0A0D5450534589L;
    static final int VERSION = 1;
    static final int HEADER = 96;
    static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long SLICE = 1L << 26;

    /// What a shard is, for a person or a report.
    ///
    /// @param tokenizer the SHA-256 that names the tokenizer, in hexadecimal
    /// @param textBytes bytes of the text in UTF-8, for bits a byte
    public record Summary(
            String file,
            long bytes,
            long tokens,
            long documents,
            int tokenBytes,
            int vocabularySize,
            String tokenizer,
            long textBytes,
            String checksum) {}

    private final Path file;
    private final Arena arena;
    private final MemorySegment bytes;
    private final long tokens;
    private final long documents;
    private final int width;
    private final int vocabularySize;
    private final String tokenizer;
    private final long textBytes;
    private final int checksum;
    private final long places;
    private final @Nullable FileIndex files;

    private TokenShard(Path file, Arena arena, MemorySegment bytes) {
        this.file = file;
        this.arena = arena;
        this.bytes = bytes;
        if (bytes.byteSize() < HEADER || bytes.get(LONG, 0) != MAGIC) {
            throw bad("not a token shard");
        }
        var version = bytes.get(INT, 8);
        if (version != VERSION) {
            throw bad("is of version " + version + "; this program reads version " + VERSION);
        }
        if (bytes.get(INT, 92) != crc(bytes.asSlice(0, 92))) {
            throw bad("its header is damaged (the checksum differs)");
        }
        width = bytes.get(INT, 12);
        tokens = bytes.get(LONG, 16);
        documents = bytes.get(LONG, 24);
        textBytes = bytes.get(LONG, 32);
        vocabularySize = bytes.get(INT, 40);
        checksum = bytes.get(INT, 44);
        tokenizer = HexFormat.of().formatHex(bytes.asSlice(48, 32).toArray(ValueLayout.JAVA_BYTE));
        if (width != 2 && width != 4) {
            throw bad("gives " + width + " bytes a token; allowed are 2 and 4");
        }
        if (vocabularySize < 1 || (width == 2 && vocabularySize > 1 << 16)) {
            throw bad(
                    "gives a vocabulary of " + vocabularySize + " at " + width + " bytes a token");
        }
        if (tokens < 0 || documents < 0 || textBytes < 0 || documents > tokens) {
            throw bad(
                    "gives %d tokens, %d documents and %d bytes of text"
                            .formatted(tokens, documents, textBytes));
        }
        places = placesAt(width, tokens);
        // Counts that would overflow are longer than any file.
        if (tokens > bytes.byteSize() / width
                || documents > bytes.byteSize() / Long.BYTES
                || places + documents * Long.BYTES != bytes.byteSize()) {
            throw bad(
                    "is %d bytes long, which is not what its %d tokens and %d documents take"
                            .formatted(bytes.byteSize(), tokens, documents));
        }
        var last = -1L;
        for (var d = 0L; d < documents; d++) {
            var at = bytes.get(LONG, places + d * Long.BYTES);
            if (at <= last || at >= tokens || (d == 0 && at != 0)) {
                throw bad("document %d starts at token %d of %d".formatted(d, at, tokens));
            }
            last = at;
        }
        files = Files.exists(FileIndex.beside(file)) ? FileIndex.open(file, arena) : null;
    }

    /// Maps `file`.
    ///
    /// @throws EspalierException (DATA) if it is not a whole shard
    @SuppressWarnings("MustBeClosedChecker") // the shard owns the arena
    public static TokenShard open(Path file) {
        var arena = Arena.ofShared();
        try (var channel = FileChannel.open(file)) {
            return new TokenShard(
                    file,
                    arena,
                    channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena));
        } catch (IOException e) {
            arena.close();
            var why = Files.exists(file) ? e.getMessage() : "there is no such file";
            throw EspalierException.data(file + ": cannot be read (" + why + ")", e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    /// Whether `file` begins as a shard does.
    public static boolean isShard(Path file) {
        try (var in = Files.newInputStream(file)) {
            var start = in.readNBytes(Long.BYTES);
            return start.length == Long.BYTES && MemorySegment.ofArray(start).get(LONG, 0) == MAGIC;
        } catch (IOException e) {
            return false;
        }
    }

    public Path file() {
        return file;
    }

    public long tokens() {
        return tokens;
    }

    public long documents() {
        return documents;
    }

    public int vocabularySize() {
        return vocabularySize;
    }

    /// The SHA-256 that names the tokenizer, in hexadecimal.
    public String tokenizer() {
        return tokenizer;
    }

    /// Bytes of the text in UTF-8, for bits a byte.
    public long textBytes() {
        return textBytes;
    }

    /// The place of the first token of a document.
    public long documentStart(long document) {
        return bytes.get(LONG, places + java.util.Objects.checkIndex(document, documents) * 8);
    }

    /// The place after a document's last token.
    public long documentEnd(long document) {
        return document == documents - 1 ? tokens : documentStart(document + 1);
    }

    /// The tokens from place `from` on, `length` of them.
    ///
    /// @throws EspalierException (DATA) at an id beyond the vocabulary
    public int[] read(long from, int length) {
        java.util.Objects.checkFromIndexSize(from, length, tokens);
        var ids = new int[length];
        for (var i = 0; i < length; i++) {
            var id =
                    width == 2
                            ? bytes.get(SHORT, HEADER + (from + i) * 2) & 0xFFFF
                            : bytes.get(INT, HEADER + (from + i) * 4);
            if (id < 0 || id >= vocabularySize) {
                throw bad(
                        "token %d is %d, beyond the vocabulary of %d"
                                .formatted(from + i, id, vocabularySize));
            }
            ids[i] = id;
        }
        return ids;
    }

    /// As [#read], with the documents that the tokens belong to.
    public Window window(long from, int length) {
        var tokens = read(from, length);
        var first = firstDocumentFrom(from);
        var next = first;
        var starts = java.util.stream.IntStream.builder();
        for (; next < documents && documentStart(next) < from + length; next++) {
            starts.add((int) (documentStart(next) - from));
        }
        var inside = first == next || documentStart(first) > from;
        var document = inside ? first - 1 : first;
        var where =
                "%s, tokens %d to %d, documents %d to %d%s"
                        .formatted(
                                file,
                                from,
                                from + length - 1,
                                document,
                                next - 1,
                                files == null
                                        ? ""
                                        : " (from " + files.files(document, next - 1) + ")");
        return new Window(tokens, starts.build().toArray(), where);
    }

    /// The first document that begins at place `from` or behind it; [#documents] if none does.
    private long firstDocumentFrom(long from) {
        long low = 0, high = documents;
        while (low < high) {
            var middle = (low + high) >>> 1;
            if (documentStart(middle) < from) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    /// Reads everything: the content's checksum, and that every id lies in the vocabulary.
    ///
    /// @throws EspalierException (DATA) if not
    public void verify() {
        if (crc(bytes.asSlice(HEADER)) != checksum) {
            throw bad("its content is damaged (the checksum differs)");
        }
        for (var from = 0L; from < tokens; ) {
            var length = (int) Math.min(1 << 16, tokens - from);
            var unused = read(from, length);
            from += length;
        }
    }

    public Summary summary() {
        return new Summary(
                file.toString(),
                bytes.byteSize(),
                tokens,
                documents,
                width,
                vocabularySize,
                tokenizer,
                textBytes,
                HexFormat.of().toHexDigits(checksum));
    }

    @Override
    public void close() {
        arena.close();
    }

    static long placesAt(int width, long tokens) {
        return HEADER + (tokens * width + 7 & ~7L);
    }

    static int crc(MemorySegment segment) {
        var crc = new CRC32C();
        for (var from = 0L; from < segment.byteSize(); from += SLICE) {
            crc.update(
                    segment.asSlice(from, Math.min(SLICE, segment.byteSize() - from))
                            .asByteBuffer());
        }
        return (int) crc.getValue();
    }

    private EspalierException bad(String what) {
        return EspalierException.data(file + ": " + what);
    }
}
