package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenShardTest {
    static final String HASH = "ab".repeat(32);

    @TempDir Path folder;

    @ParameterizedTest
    @ValueSource(ints = {1000, 65_536, 100_000})
    void whatWasWrittenIsRead(int vocabulary) {
        var file = folder.resolve("a.tokens");
        var rng = Rng.at(1);
        var all = rng.ints(100_003, 0, vocabulary).toArray();
        try (var writer = new TokenShardWriter(file, vocabulary, HASH)) {
            for (var from = 0; from < all.length; from += 37) {
                var ids = java.util.Arrays.copyOfRange(all, from, Math.min(from + 37, all.length));
                writer.add(ids, ids.length);
            }
            assertThat(file).doesNotExist();
            writer.finish();
        }
        try (var shard = TokenShard.open(file)) {
            shard.verify();
            assertThat(shard.read(0, all.length)).isEqualTo(all);
            assertThat(shard.tokens()).isEqualTo(all.length);
            assertThat(shard.textBytes()).isEqualTo(all.length);
            assertThat(shard.documents()).isEqualTo((all.length + 36) / 37);
            assertThat(shard.documentStart(2)).isEqualTo(74);
            assertThat(shard.documentEnd(shard.documents() - 1)).isEqualTo(all.length);
            assertThat(shard.tokenizer()).isEqualTo(HASH);
            assertThat(shard.summary().tokenBytes()).isEqualTo(vocabulary <= 65_536 ? 2 : 4);
        }
        assertThat(folder).isDirectoryContaining("glob:**a.tokens");
        assertThat(folder.toFile().list()).containsExactly("a.tokens");
        assertThat(TokenShard.isShard(file)).isTrue();
    }

    @Test
    void nothingIsLeftOfAWriterThatIsClosedEarly() {
        try (var writer = new TokenShardWriter(folder.resolve("a.tokens"), 10, HASH)) {
            writer.add(new int[] {1, 2}, 2);
        }
        assertThat(folder.toFile().list()).isEmpty();
    }

    @Test
    void anEmptyShardIsWhole() {
        try (var writer = new TokenShardWriter(folder.resolve("a.tokens"), 10, HASH)) {
            writer.finish();
        }
        try (var shard = TokenShard.open(folder.resolve("a.tokens"))) {
            shard.verify();
            assertThat(shard.tokens()).isZero();
            assertThatThrownBy(() -> Windows.shuffled(shard, 4))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("too few");
        }
    }

    /// Its file has a hole of 4.4 GB, which takes no room on a disk.
    @Test
    void tokensBeyondTwoGibibytesAreRead() throws IOException {
        var tokens = 2_200_000_000L;
        var file = folder.resolve("large.tokens");
        var header = ByteBuffer.wrap(sample()).order(ByteOrder.LITTLE_ENDIAN).limit(96);
        header.putLong(16, tokens).putLong(24, 2);
        var crc = new CRC32C();
        crc.update(header.array(), 0, 92);
        header.putInt(92, (int) crc.getValue());
        var last = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
        last.putShort(4, (short) 7).putShort(6, (short) 8); // the last two tokens
        last.putLong(16, tokens - 3);
        try (var channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.SPARSE,
                        StandardOpenOption.WRITE)) {
            channel.write(header, 0);
            channel.write(last, 96 + 2 * tokens - 8);
        }
        try (var shard = TokenShard.open(file)) {
            assertThat(shard.tokens()).isEqualTo(tokens);
            assertThat(shard.read(tokens - 4, 4)).containsExactly(0, 0, 7, 8);
            assertThat(shard.documentStart(1)).isEqualTo(tokens - 3);
        }
    }

    @Test
    void everyTruncationIsRefused() throws IOException {
        var whole = sample();
        for (var length = 0; length < whole.length; length++) {
            var file = folder.resolve("cut.tokens");
            Files.write(file, java.util.Arrays.copyOf(whole, length));
            refused(file, "");
        }
    }

    @Test
    void everyChangedByteOfTheHeaderIsRefused() throws IOException {
        var whole = sample();
        for (var i = 0; i < 96; i++) {
            var bytes = whole.clone();
            bytes[i] ^= 1;
            var file = folder.resolve("changed.tokens");
            Files.write(file, bytes);
            refused(file, "");
        }
    }

    @Test
    void hostileHeadersWithAValidChecksumAreRefused() throws IOException {
        hostile(h -> h.putInt(8, 2), "version 2");
        hostile(h -> h.putInt(12, 3), "bytes a token");
        hostile(h -> h.putLong(16, Long.MAX_VALUE), "long");
        hostile(h -> h.putLong(16, Long.MAX_VALUE / 2 + 1), "long");
        hostile(h -> h.putLong(16, -1), "tokens");
        hostile(h -> h.putLong(24, Long.MAX_VALUE), "documents");
        hostile(h -> h.putLong(16, 1L << 61).putLong(24, 1L << 60), "long");
        hostile(h -> h.putInt(40, 0), "vocabulary");
        hostile(h -> h.putInt(40, 70_000), "vocabulary");
        var places = sample().length - 16;
        hostile(h -> h.putLong(places, 1), "document 0 starts");
        hostile(h -> h.putLong(places + 8, 0), "document 1 starts");
        hostile(h -> h.putLong(places + 8, 99), "document 1 starts");
    }

    @Test
    void anIdBeyondTheVocabularyIsNeverHandedOut() throws IOException {
        var bytes = sample();
        bytes[96] = 99;
        var file = folder.resolve("id.tokens");
        Files.write(file, bytes);
        try (var shard = TokenShard.open(file)) {
            assertThatThrownBy(() -> shard.read(0, 1))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("token 0 is 99, beyond the vocabulary of 10");
            assertThatThrownBy(shard::verify).hasMessageContaining("damaged");
        }
    }

    @Test
    void anAbsentFileIsNamed() {
        refused(folder.resolve("none.tokens"), "there is no such file");
    }

    private interface Change {
        void apply(ByteBuffer bytes);
    }

    private void hostile(Change change, String message) throws IOException {
        var bytes = ByteBuffer.wrap(sample()).order(ByteOrder.LITTLE_ENDIAN);
        change.apply(bytes);
        var crc = new CRC32C();
        crc.update(bytes.array(), 0, 92);
        bytes.putInt(92, (int) crc.getValue());
        var file = folder.resolve("hostile.tokens");
        Files.write(file, bytes.array());
        refused(file, message);
    }

    private static void refused(Path file, String message) {
        assertThatThrownBy(() -> TokenShard.open(file).close())
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(file.toString())
                .hasMessageContaining(message);
    }

    private byte[] sample() throws IOException {
        var file = folder.resolve("sample.tokens");
        try (var writer = new TokenShardWriter(file, 10, HASH)) {
            writer.add(new int[] {1, 2, 3}, 3);
            writer.add(new int[] {4, 5}, 2);
            writer.finish();
        }
        return Files.readAllBytes(file);
    }
}
