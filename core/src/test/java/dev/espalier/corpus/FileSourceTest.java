package dev.espalier.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.ZstdOutputStream;
import dev.espalier.EspalierException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileSourceTest {
    private static final String GERMAN =
            "Der Bär läuft über die große Straße, und die Kühe hören ihn schon von fern. Später"
                    + " kommt die Müllerin mit dem Öl für die Tür und grüßt die Männer am Fluß.\n";

    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(1000));

    @Test
    void globsFindFilesInTheOrderOfTheirPaths() throws IOException {
        write("b/two.txt", "two");
        write("a/x/one.txt", "one");
        write("zero.txt", "zero");
        write("a/other.md", "other");
        write(".git/hidden.txt", "hidden");
        assertThat(texts(FileSource.text(folder + "/**/*.txt")))
                .containsExactly("one", "two", "zero");
        assertThat(texts(FileSource.text(folder + "/*.txt"))).containsExactly("zero");
        assertThat(texts(FileSource.text(folder + "/zero.txt"))).containsExactly("zero");
    }

    @Test
    void aSourceSaysWhatItIs() {
        assertThat(FileSource.text("b/*.txt").description()).isEqualTo("text in b/*.txt");
        assertThat(FileSource.jsonl("a.jsonl", "qa").withCharset("latin1").description())
                .isEqualTo("field `qa` of JSON lines in a.jsonl (ISO-8859-1)");
        assertThat(new FileSource("a.md", new FileSource.Format.Markdown(64), null).description())
                .isEqualTo("Markdown by 64 characters in a.md");
    }

    @Test
    void whatIsNotThereIsNamed() {
        for (var pattern : List.of("/none.txt", "/*.txt", "/none/*.txt", "")) {
            assertThatThrownBy(() -> FileSource.text(folder + pattern).files())
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(folder + pattern);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"UTF-8", "ISO-8859-1", "windows-1252", "UTF-16", "UTF-16LE", "UTF-32LE"})
    void theCharacterSetIsTold(String charset) throws IOException {
        var mark = charset.matches("UTF-(16|32)LE") ? "\uFEFF" : "";
        write("a.txt", (mark + GERMAN.repeat(3)).getBytes(Charset.forName(charset)));
        assertThat(texts(FileSource.text(folder + "/a.txt"))).containsExactly(GERMAN.repeat(3));
        assertThat(ledger.counts().changed().toString())
                .matches(
                        charset.equals("UTF-8")
                                ? "\\{}"
                                : "\\{file read as (windows-1252|UTF-.*)=1}");
    }

    @Test
    void theCharacterSetIsToldFromWhatComesLate() throws IOException {
        var text = "Plain words. ".repeat(20_000) + GERMAN;
        write("a.txt", text.getBytes(StandardCharsets.ISO_8859_1));
        assertThat(texts(FileSource.text(folder + "/a.txt"))).containsExactly(text);
    }

    @Test
    void aDeclaredCharacterSetIsUsedAndAnUnknownOneRefused() throws IOException {
        write("a.txt", GERMAN.getBytes(Charset.forName("IBM850")));
        var source = FileSource.text(folder + "/a.txt");
        assertThat(texts(source.withCharset("IBM850"))).containsExactly(GERMAN);
        assertThatThrownBy(() -> source.withCharset("UTF-9"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("`UTF-9`");
    }

    @Test
    void brokenEncodingsAreReplacedAndCounted() throws IOException {
        var bytes = GERMAN.repeat(3).getBytes(StandardCharsets.UTF_8);
        bytes[0] = (byte) 0xFF;
        write("a.txt", bytes);
        assertThat(texts(FileSource.text(folder + "/a.txt")).get(0)).startsWith("\uFFFDer Bär");
        assertThat(ledger.counts().changed()).containsEntry("malformed bytes replaced", 1L);
    }

    @Test
    void lineEndsAreMadeOne() throws IOException {
        write("a.txt", "one\r\ntwo\rthree\n\r\nfour");
        assertThat(texts(FileSource.text(folder + "/a.txt")))
                .containsExactly("one\ntwo\nthree\n\nfour");
    }

    @Test
    void packedFilesAreToldByTheirContent() throws IOException {
        var gzip = new ByteArrayOutputStream();
        write(new GZIPOutputStream(gzip), GERMAN);
        var zstd = new ByteArrayOutputStream();
        write(new ZstdOutputStream(zstd), GERMAN);
        write("a.txt", gzip.toByteArray());
        write("b.txt", zstd.toByteArray());
        assertThat(texts(FileSource.text(folder + "/*.txt"))).containsExactly(GERMAN, GERMAN);
        for (var packed : List.of(gzip, zstd)) {
            write("c.txt", Arrays.copyOf(packed.toByteArray(), packed.size() - 12));
            texts(FileSource.text(folder + "/c.txt"));
        }
        assertThat(ledger.counts().rejected()).containsEntry("unreadable", 2L);
    }

    @Test
    void binaryPosingAsTextIsSetAside() throws IOException {
        write("a.txt", new byte[] {0x7F, 'E', 'L', 'F', 2, 1});
        write("b.txt", new byte[] {'a', 'b', 0, 'c'});
        write("c.txt", "%PDF-1.7 some");
        write("d.txt", "good");
        var rejects = folder.resolve("rejects.jsonl");
        try (var counting = new Ledger(rejects, new Ledger.Limit.Count(3))) {
            try (var documents = FileSource.text(folder + "/*.txt").documents(counting)) {
                assertThat(documents.map(Document::text)).containsExactly("good");
            }
            assertThat(counting.counts().rejected()).containsEntry("not text", 3L);
            assertThat(counting.counts().kept()).isEqualTo(1);
        }
        assertThat(Files.readAllLines(rejects))
                .hasSize(3)
                .element(2)
                .asString()
                .contains("\"reason\":\"not text\"", "a PDF file");
    }

    @Test
    void aLongFileComesInPiecesThatJoinToTheWhole() throws IOException {
        var text = new StringBuilder();
        for (var i = 0; i < 2000; i++) {
            text.append("word").append(i).append(i % 7 == 0 ? "\n\n" : i % 3 == 0 ? "\n" : " ");
        }
        text.append("😀".repeat(500));
        write("a.txt", text.toString());
        var source = new FileSource(folder + "/a.txt", new FileSource.Format.Text(201), null);
        List<Document> pieces;
        try (var documents = source.documents(ledger)) {
            pieces = documents.toList();
        }
        assertThat(pieces).hasSizeGreaterThan(10);
        assertThat(String.join("", pieces.stream().map(Document::text).toList()))
                .isEqualTo(text.toString());
        assertThat(pieces).allMatch(p -> p.text().length() <= 201);
        assertThat(pieces).allMatch(p -> p.wholeId().equals(folder + "/a.txt"));
        assertThat(pieces.get(0).id()).endsWith("a.txt#1");
        assertThat(pieces.get(0).text()).endsWith("\n\n");
        assertThat(pieces.stream().filter(Document::continues)).hasSize(pieces.size() - 1);
    }

    @Test
    void brokenJsonLinesAreSetAsideWithTheirReasons() throws IOException {
        write(
                "a.jsonl",
                """
                {"text": "one"}
                {"text": "two"
                ["text"]

                {"body": "three"}
                {"text": 4}
                {"text": "  "}
                {"text": "five\\nlines"}
                """);
        assertThat(texts(FileSource.jsonl(folder + "/a.jsonl", "text")))
                .containsExactly("one", "five\nlines");
        assertThat(ledger.counts().rejected())
                .containsOnlyKeys("broken JSON", "not an object", "missing field", "wrong type");
        assertThat(ledger.counts().dropped()).containsEntry("empty", 1L);
        assertThat(ledger.firstReject())
                .hasToString(
                        folder
                                + "/a.jsonl:2: "
                                + java.util.Objects.requireNonNull(ledger.firstReject()).detail());
    }

    @Test
    void aFieldThatNoRecordHasIsAnError() throws IOException {
        write("a.jsonl", "{\"body\": \"x\", \"id\": 1}\n".repeat(3));
        assertThatThrownBy(() -> texts(FileSource.jsonl(folder + "/a.jsonl", "text")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("no field `text`; there are `body`, `id`");
        write("a.csv", "body,id\nx,1\n");
        assertThatThrownBy(() -> texts(FileSource.csv(folder + "/a.csv", "text")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("a.csv:1: no field `text`; there are `body`, `id`");
    }

    @Test
    void csvIsThatOfTheStandardAndBrokenRecordsCostOnlyThemselves() throws IOException {
        write(
                "a.csv",
                """
                id,text
                1,plain
                2,"quoted, ""twice""
                over lines"
                3,5" disk
                4,one,too many
                5,"text" after
                6,
                7,"never ends
                8,last
                """);
        assertThat(texts(FileSource.csv(folder + "/a.csv", "text")))
                .containsExactly("plain", "quoted, \"twice\"\nover lines", "5\" disk", "last");
        assertThat(ledger.counts().rejected())
                .containsEntry("broken quotes", 2L)
                .containsEntry("wrong number of fields", 1L);
    }

    @Test
    void tsvKnowsQuotesOnlyAroundAField() throws IOException {
        var spoken = "\"Yes,\" he said, \"no.\"";
        write(
                "a.tsv",
                "id\ttext\n1\tsay \"hi\n2\t\"a \"\"b\"\"\"\n3\t\"open\n4\t%s\n5\t\"\"\"\n"
                        .formatted(spoken));
        assertThat(texts(FileSource.tsv(folder + "/a.tsv", "text")))
                .containsExactly("say \"hi", "a \"b\"", "\"open", spoken, "\"\"\"");
    }

    @Test
    void recordsAreNamedByTheirLine() throws IOException {
        write("a.csv", "\uFEFFtext\none\n\"two\nlines\"\nthree\n");
        try (var documents = FileSource.csv(folder + "/a.csv", "text").documents(ledger)) {
            assertThat(documents.map(d -> d.id().substring(d.id().indexOf('#'))))
                    .containsExactly("#2", "#3", "#5");
        }
    }

    @Test
    void aShareOfRejectsIsJudgedAtTheEnd() throws IOException {
        write("a.jsonl", "{\n{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}\n");
        for (var most : List.of(0.25, 0.2)) {
            var counting = new Ledger(null, new Ledger.Limit.Share(most));
            try (var documents =
                    FileSource.jsonl(folder + "/a.jsonl", "text").documents(counting)) {
                assertThat(documents).hasSize(3);
            }
            if (most == 0.25) {
                counting.finish();
            } else {
                assertThatThrownBy(counting::finish)
                        .isInstanceOf(EspalierException.class)
                        .hasMessageContaining("a.jsonl:1");
            }
        }
    }

    @Test
    void markdownLosesItsMarkup() throws IOException {
        write(
                "a.md",
                """
                ---
                title: x
                ---
                # Heading #

                Some *emphasis*, **strong** and `code` with a [link](http://x.y) and snake_case_name,
                2 * 3 * 4.
                <!-- hidden -->
                > quoted ![picture](a.png)

                ```java
                int *a = b_c_d;
                ```
                - item
                ---
                [ref]: http://x.y
                """);
        assertThat(texts(FileSource.markdown(folder + "/a.md")))
                .containsExactly(
                        """
                        Heading

                        Some emphasis, strong and code with a link and snake_case_name,
                        2 * 3 * 4.

                        quoted picture

                        int *a = b_c_d;
                        - item
                        """);
    }

    private List<String> texts(Source source) {
        try (var documents = source.documents(ledger)) {
            return documents.map(Document::text).toList();
        }
    }

    private void write(String name, String text) throws IOException {
        write(name, text.getBytes(StandardCharsets.UTF_8));
    }

    private void write(String name, byte[] bytes) throws IOException {
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.write(file, bytes);
    }

    private static void write(OutputStream out, String text) throws IOException {
        try (out) {
            out.write(text.getBytes(StandardCharsets.UTF_8));
        }
    }
}
