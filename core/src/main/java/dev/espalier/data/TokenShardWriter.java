package dev.espalier.data;

import dev.espalier.io.AtomicFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/// Writes a [TokenShard] as the tokens come; holds none of them. The file stands at its place only
/// once [#finish] has returned.
public final class TokenShardWriter implements AutoCloseable {
    private final Path file;
    private final Path aside;
    private final Path asidePlaces;
    private final FileChannel channel;
    private final FileChannel places;
    private final int width;
    private final int vocabularySize;
    private final byte[] tokenizer;
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer buffer = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);
    private final ByteBuffer placeBuffer =
            ByteBuffer.allocate(1 << 12).order(ByteOrder.LITTLE_ENDIAN);
    private long tokens;
    private long documents;
    private long textBytes;

    /// @param vocabularySize every id must lie below it; decides the bytes a token
    /// @param tokenizer the SHA-256 that names the tokenizer, in hexadecimal
    public TokenShardWriter(Path file, int vocabularySize, String tokenizer) {
        if (vocabularySize < 1) {
            throw new IllegalArgumentException("a vocabulary of " + vocabularySize);
        }
        this.file = file;
        this.vocabularySize = vocabularySize;
        this.width = vocabularySize <= 1 << 16 ? 2 : 4;
        this.tokenizer = HexFormat.of().parseHex(tokenizer);
        if (this.tokenizer.length != 32) {
            throw new IllegalArgumentException("not a SHA-256: " + tokenizer);
        }
        var absolute = file.toAbsolutePath();
        var name = "." + absolute.getFileName() + ".writing-" + ProcessHandle.current().pid();
        aside = absolute.resolveSibling(name);
        asidePlaces = absolute.resolveSibling(name + "-places");
        try {
            Files.createDirectories(java.util.Objects.requireNonNull(absolute.getParent()));
            channel = create(aside);
            places = create(asidePlaces);
            write(channel, ByteBuffer.allocate(TokenShard.HEADER));
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    /// Begins a document at the next token. A document without tokens leaves no trace.
    ///
    /// @param bytes of its text in UTF-8
    public void add(int[] ids, long bytes) {
        if (ids.length > 0) {
            try {
                if (!placeBuffer.hasRemaining()) {
                    write(places, placeBuffer.flip());
                    placeBuffer.clear();
                }
                placeBuffer.putLong(tokens);
            } catch (IOException e) {
                throw AtomicFiles.failure(file, e);
            }
            documents++;
        }
        append(ids, bytes);
    }

    /// Goes on with the document that was begun last.
    public void append(int[] ids, long bytes) {
        if (ids.length > 0 && documents == 0) {
            throw new IllegalStateException("no document was begun");
        }
        textBytes += bytes;
        try {
            for (var id : ids) {
                if (id < 0 || id >= vocabularySize) {
                    throw new IllegalArgumentException(
                            "token %d, beyond the vocabulary of %d".formatted(id, vocabularySize));
                }
                if (buffer.remaining() < width) {
                    flush();
                }
                if (width == 2) {
                    buffer.putShort((short) id);
                } else {
                    buffer.putInt(id);
                }
            }
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
        tokens += ids.length;
    }

    public long tokens() {
        return tokens;
    }

    public long documents() {
        return documents;
    }

    /// Puts the whole file at its place.
    public void finish() {
        try {
            while (buffer.position() % Long.BYTES != 0) {
                buffer.put((byte) 0);
            }
            flush();
            write(places, placeBuffer.flip());
            places.position(0);
            while (places.read(buffer) >= 0) {
                flush();
            }
            var header = ByteBuffer.allocate(TokenShard.HEADER);
            var fields = MemorySegment.ofBuffer(header);
            fields.set(TokenShard.LONG, 0, TokenShard.MAGIC);
            fields.set(TokenShard.INT, 8, TokenShard.VERSION);
            fields.set(TokenShard.INT, 12, width);
            fields.set(TokenShard.LONG, 16, tokens);
            fields.set(TokenShard.LONG, 24, documents);
            fields.set(TokenShard.LONG, 32, textBytes);
            fields.set(TokenShard.INT, 40, vocabularySize);
            fields.set(TokenShard.INT, 44, (int) crc.getValue());
            header.put(48, tokenizer);
            var headerCrc = new CRC32C();
            headerCrc.update(header.array(), 0, 92);
            fields.set(TokenShard.INT, 92, (int) headerCrc.getValue());
            channel.position(0);
            write(channel, header);
            channel.close();
            AtomicFiles.write(file, target -> Files.move(aside, target));
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        } finally {
            close();
        }
    }

    /// Forgets a shard that was not finished.
    @Override
    public void close() {
        try (channel;
                places) {
            Files.deleteIfExists(aside);
            Files.deleteIfExists(asidePlaces);
        } catch (IOException e) {
            throw AtomicFiles.failure(file, e);
        }
    }

    private void flush() throws IOException {
        buffer.flip();
        crc.update(buffer.duplicate());
        write(channel, buffer);
        buffer.clear();
    }

    private static FileChannel create(Path path) throws IOException {
        return FileChannel.open(
                path,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE);
    }

    private static void write(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }
}
