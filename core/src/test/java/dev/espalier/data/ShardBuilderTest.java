package dev.espalier.data;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.FileSource;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.Source;
import dev.espalier.io.AtomicFiles;
import dev.espalier.tokenize.LlamasTokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShardBuilderTest {
    private static final Ledger.Limit NONE = new Ledger.Limit.Count(0);

    /// Bytes as tokens, 256 ends a text.
    private static final ShardBuilder.Tokens BYTES =
            new ShardBuilder.Tokens(
                    text -> {
                        var bytes = text.getBytes(StandardCharsets.UTF_8);
                        var ids = new int[bytes.length];
                        for (var i = 0; i < ids.length; i++) {
                            ids[i] = bytes[i] & 0xFF;
                        }
                        return ids;
                    },
                    257,
                    TokenShardTest.HASH,
                    id -> id < 256 ? 1 : 0,
                    ids -> ids,
                    OptionalInt.of(256));

    @TempDir Path folder;

    @Test
    void everyDocumentStandsInOneShardAndTheResultDoesNotDependOnThreads() throws IOException {
        var lines = new StringBuilder();
        for (var i = 0; i < 2000; i++) {
            lines.append("{\"text\": \"Dokument Nr. %d ist schön.\"}\n".formatted(i));
        }
        var file = Files.writeString(folder.resolve("d.jsonl"), lines);
        var source = FileSource.jsonl(file.toString(), "text");
        var one = build("one", List.of(source), 0.1, 1);
        var two = build("two", List.of(source), 0.1, 3);
        var data = one.data().sources().get(0);
        assertThat(data.train().documents() + data.validation().documents()).isEqualTo(2000);
        assertThat(data.validation().documents()).isBetween(150L, 250L);
        assertThat(data.counts().kept()).isEqualTo(2000);
        assertThat(data.files().get(0).sha256()).isEqualTo(AtomicFiles.sha256(file));
        assertThat(two.data()).isEqualTo(one.data());
        assertThat(two.train(0)).hasSameBinaryContentAs(one.train(0));
        assertThat(two.validation(0)).hasSameBinaryContentAs(one.validation(0));
        try (var train = TokenShard.open(one.train(0));
                var validation = TokenShard.open(one.validation(0))) {
            train.verify();
            validation.verify();
            assertThat(train.read(train.documentEnd(0) - 1, 1)).containsExactly(256);
            assertThat(train.textBytes()).isEqualTo(train.tokens() - train.documents());
        }
    }

    @Test
    void aCachedShardThatWasDamagedIsMadeAnew() throws IOException {
        var file = Files.writeString(folder.resolve("d.txt"), "a text of some letters ".repeat(99));
        var source = FileSource.text(file.toString());
        var made = build("cache", List.of(source), 0.1, 1);
        var whole = Files.readAllBytes(made.train(0));
        assertThat(build("cache", List.of(source), 0.1, 1).train(0)).isEqualTo(made.train(0));
        var damaged = whole.clone();
        damaged[TokenShard.HEADER + 10] ^= 1; // another letter
        Files.write(made.train(0), damaged);
        var again = build("cache", List.of(source), 0.1, 1);
        assertThat(again.train(0)).isEqualTo(made.train(0)).hasBinaryContent(whole);
        assertThat(again.data()).isEqualTo(made.data());
    }

    @Test
    void furtherDocumentsMoveNoneOfThoseBefore() {
        for (var i = 0; i < 1000; i++) {
            if (ShardBuilder.isValidation("doc" + i, 0.01)) {
                assertThat(ShardBuilder.isValidation("doc" + i, 0.2)).isTrue();
            }
        }
    }

    @Test
    void aSingleDocumentGivesItsLastPart() throws IOException {
        var text = "é".repeat(400) + "z".repeat(200);
        var file = Files.writeString(folder.resolve("book.txt"), text);
        var shards = build("c", List.of(FileSource.text(file.toString())), 0.1, 1);
        try (var train = TokenShard.open(shards.train(0));
                var validation = TokenShard.open(shards.validation(0))) {
            assertThat(validation.tokens()).isEqualTo(100);
            assertThat(train.tokens()).isEqualTo(1001 - 100);
            assertThat(validation.read(0, 2)).containsExactly('z', 'z');
            assertThat(validation.read(99, 1)).containsExactly(256);
            assertThat(validation.textBytes()).isEqualTo(99);
            assertThat(train.textBytes()).isEqualTo(901);
            train.verify();
            validation.verify();
        }
    }

    /// Each file holds its own letter alone, so that a text tells where it comes from.
    private void assertFilesAreNamed(Path letters, double share) {
        var pattern = letters + "/*.txt";
        var shards = build("letters", List.of(FileSource.text(pattern)), share, 2);
        for (var side : List.of(shards.train(0), shards.validation(0))) {
            try (var shard = TokenShard.open(side)) {
                for (var d = 0L; d < shard.documents(); d++) {
                    var from = shard.documentStart(d);
                    var window = shard.window(from, (int) (shard.documentEnd(d) - from));
                    var letter = (char) window.tokens()[0];
                    if (letter < 256) { // else nothing but the end was kept back
                        assertThat(window.where())
                                .startsWith(side + ", tokens ")
                                .endsWith(
                                        ", documents %d to %d (from %s/%s.txt)"
                                                .formatted(d, d, letters, letter));
                    }
                }
            }
        }
    }

    @Test
    void theFilesOfAWindowAreNamed() throws IOException {
        for (var files = 1; files <= 26; files += files < 6 ? 1 : 10) {
            for (var length = 1; length <= 4; length += 3) {
                var letters = Files.createDirectory(folder.resolve(files + "x" + length));
                for (var i = 0; i < files; i++) {
                    var letter = String.valueOf((char) ('a' + i));
                    Files.writeString(letters.resolve(letter + ".txt"), letter.repeat(length));
                }
                assertFilesAreNamed(letters, 0.3);
                assertFilesAreNamed(letters, 0.001);
            }
        }
        var lines = "{\"text\": \"a\"}\n".repeat(5);
        for (var i = 0; i < 9; i++) {
            Files.writeString(folder.resolve(i + ".jsonl"), lines);
        }
        var shards = build("c", List.of(FileSource.jsonl(folder + "/*.jsonl", "text")), 0.01, 1);
        try (var shard = TokenShard.open(shards.train(0))) {
            assertThat(shard.window(0, (int) shard.tokens()).where())
                    .endsWith(
                            " (from %1$s/0.jsonl, %1$s/1.jsonl, %1$s/2.jsonl and 6 more)"
                                    .formatted(folder));
        }
    }

    @Test
    void aDamagedIndexOfFilesIsRefusedAndAnAbsentOneIsBorne() throws IOException {
        var file = Files.writeString(folder.resolve("book.txt"), "Once upon a time. ".repeat(20));
        var train = build("c", List.of(FileSource.text(file.toString())), 0.1, 1).train(0);
        var index = train.resolveSibling("train-00.files");
        var bytes = Files.readAllBytes(index);
        bytes[bytes.length - 1]++;
        Files.write(index, bytes);
        assertThatThrownBy(() -> TokenShard.open(train))
                .isInstanceOf(EspalierException.class)
                .hasMessage(index + ": is damaged (the checksum differs)");
        Files.delete(index);
        try (var shard = TokenShard.open(train)) {
            assertThat(shard.window(0, 5).where()).endsWith("tokens 0 to 4, documents 0 to 0");
        }
    }

    @Test
    void aFileInPiecesIsOneDocument() throws IOException {
        var file = Files.writeString(folder.resolve("book.txt"), "one two\n".repeat(500));
        var source = new FileSource(file.toString(), new FileSource.Format.Text(100), null);
        var data = build("c", List.of(source), 0.1, 2).data().sources().get(0);
        assertThat(data.train().documents()).isEqualTo(1);
        assertThat(data.train().tokens() + data.validation().tokens()).isEqualTo(4001);
    }

    /// As Llama was trained: `<s>` before a document, not before its further pieces.
    @Test
    void whatDocumentsBeginWithStandsBeforeEachOnce() throws IOException {
        var tokenizer = LlamasTokenizer.of(folder.resolve("llama"), "one two\n");
        var begin = tokenizer.id("<s>").orElseThrow();
        var end = tokenizer.id("</s>");
        for (var i = 0; i < 40; i++) {
            Files.writeString(folder.resolve(i + ".txt"), "one two\n".repeat(50));
        }
        var source = new FileSource(folder + "/*.txt", new FileSource.Format.Text(100), null);
        var hash = TokenShardTest.HASH;
        var begun =
                ShardBuilder.build(
                        folder.resolve("c"),
                        List.of(source),
                        ShardBuilder.Tokens.of(tokenizer, hash, true, end),
                        0.2,
                        NONE,
                        2);
        var plain =
                ShardBuilder.build(
                        folder.resolve("c"),
                        List.of(source),
                        ShardBuilder.Tokens.of(tokenizer, hash, false, end),
                        0.2,
                        NONE,
                        2);
        assertThat(begun.folder()).isNotEqualTo(plain.folder());
        try (var with = TokenShard.open(begun.train(0));
                var without = TokenShard.open(plain.train(0))) {
            assertThat(with.documents()).isEqualTo(without.documents()).isGreaterThan(20);
            assertThat(with.textBytes()).isEqualTo(without.textBytes());
            for (var d = 0L; d < with.documents(); d++) {
                var document = document(with, d);
                assertThat(document[0]).isEqualTo(begin);
                assertThat(Arrays.copyOfRange(document, 1, document.length))
                        .doesNotContain(begin)
                        .isEqualTo(document(without, d));
            }
        }
    }

    private static int[] document(TokenShard shard, long d) {
        var start = shard.documentStart(d);
        return shard.read(start, (int) (shard.documentEnd(d) - start));
    }

    @Test
    void theSameInputsAreTokenizedOnceAndOthersAgain() throws IOException {
        var file = Files.writeString(folder.resolve("book.txt"), "Once upon a time. ".repeat(20));
        List<Source> sources = List.of(FileSource.text(file.toString()));
        var first = build("c", sources, 0.1, 1);
        var time = Files.getLastModifiedTime(first.train(0));
        assertThat(build("c", sources, 0.1, 1).data()).isEqualTo(first.data());
        assertThat(Files.getLastModifiedTime(first.train(0))).isEqualTo(time);
        assertThat(build("c", sources, 0.2, 1).folder()).isNotEqualTo(first.folder());
        Files.writeString(file, "Another text. ".repeat(20));
        assertThat(build("c", sources, 0.1, 1).folder()).isNotEqualTo(first.folder());
    }

    @Test
    void anEmptyCorpusIsRefusedAndLeavesNothing() throws IOException {
        var file = Files.writeString(folder.resolve("book.txt"), " \n");
        assertThatThrownBy(() -> build("c", List.of(FileSource.text(file.toString())), 0.1, 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("book.txt")
                .hasMessageContaining("holds no text");
        assertThat(folder.resolve("c")).isEmptyDirectory();
    }

    @Test
    void tooManyBrokenRecordsAreRefusedAndTheFileOfThemStays() throws IOException {
        var file = Files.writeString(folder.resolve("d.jsonl"), "{\"text\":\"good\"}\n{\n{\n");
        assertThatThrownBy(() ->
                        ShardBuilder.build(
                                folder.resolve("c"),
                                List.of(FileSource.jsonl(file.toString(), "text")),
                                BYTES,
                                0.1,
                                new Ledger.Limit.Count(1),
                                1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("d.jsonl:3")
                .hasMessageContaining("max-rejects allows 1");
        try (var left = Files.list(folder.resolve("c"))) {
            assertThat(left).singleElement().asString().endsWith(".rejects.jsonl");
        }
    }

    /// Builds shards of the source and into the cache that are its arguments.
    static final class Builder {
        public static void main(String[] args) {
            var source = new FileSource(args[0], new FileSource.Format.Text(1 << 16), null);
            var data =
                    ShardBuilder.build(Path.of(args[1]), List.of(source), BYTES, 0.01, NONE, 1)
                            .data();
            var built = data.sources().getFirst();
            System.out.println(built.train().tokens() + " " + built.counts().kept());
        }
    }

    @Test
    void aDocumentLongerThanMemoryIsRead() throws Exception {
        var file = folder.resolve("long.txt.gz");
        var paragraph =
                ("the old miller carried a sack of grain. ".repeat(25) + "\n").getBytes(UTF_8);
        var repetitions = 60_000;
        try (var out = new GZIPOutputStream(Files.newOutputStream(file), 1 << 16)) {
            for (var i = 0; i < repetitions; i++) {
                out.write(paragraph);
            }
        }
        var heap = 24 << 20;
        assertThat((long) repetitions * paragraph.length).isGreaterThan(2 * heap);
        var process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin/java").toString(),
                                "-Xmx" + heap,
                                "-XX:+UseSerialGC",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Builder.class.getName(),
                                file.toString(),
                                folder.resolve("c").toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        try (var out = process.inputReader()) {
            var whole = (long) repetitions * paragraph.length + 1;
            assertThat(out.readLine()).startsWith(whole - Math.round(0.01 * whole) + " ");
        }
        assertThat(process.waitFor()).isZero();
    }

    private ShardBuilder.Shards build(
            String cache, List<? extends Source> sources, double validation, int threads) {
        return ShardBuilder.build(folder.resolve(cache), sources, BYTES, validation, NONE, threads);
    }
}
