package dev.espalier.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {
    @TempDir Path temp;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... args) {
        out.reset();
        err.reset();
        var utf8 = StandardCharsets.UTF_8;
        var errors = new PrintStream(err, true, utf8);
        var stop = new Stop();
        try {
            return new Main(new PrintStream(out, true, utf8), errors, false)
                    .run(stop, List.of(args));
        } finally {
            stop.finished();
        }
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void everyVerbHelpsWithAnExample() {
        assertThat(run("--help")).isZero();
        var verbs =
                out().lines()
                        .dropWhile(line -> !line.equals("Commands:"))
                        .skip(1)
                        .takeWhile(line -> !line.isBlank())
                        .filter(line -> line.startsWith("  ") && line.charAt(2) != ' ')
                        .map(line -> line.strip().split(" ")[0])
                        .toList();
        assertThat(verbs).contains("tokenizer", "inspect", "doctor");
        for (var verb : verbs) {
            assertThat(run(verb, "--help")).as(verb).isZero();
            assertThat(out()).as(verb).contains("Example", "espalier " + verb).contains("130");
            assertThat(err()).as(verb).isEmpty();
        }
        for (var verb : List.of("train", "encode", "decode", "inspect")) {
            assertThat(run("tokenizer", verb, "--help")).isZero();
            assertThat(out()).contains("Example", "espalier tokenizer " + verb);
        }
    }

    @Test
    void aWrongCommandLineIsSaidInOneLine() {
        assertThat(run("docter")).isEqualTo(2);
        assertThat(err()).contains("Did you mean", "doctor").hasLineCount(1);
        assertThat(run("doctor", "--jsn")).isEqualTo(2);
        assertThat(err()).contains("--json").hasLineCount(1);
        assertThat(run("inspect")).isEqualTo(2);
        assertThat(err()).contains("PATH", "espalier inspect --help").hasLineCount(1);
        assertThat(run()).isEqualTo(2);
        assertThat(err()).contains("Usage:");
        assertThat(out()).isEmpty();
    }

    @Test
    void aFailureHasItsKindsExitCodeAndWithJsonIsALineOfJson() throws IOException {
        var broken = Files.writeString(temp.resolve("model.safetensors"), "no");
        assertThat(run("inspect", broken.toString())).isEqualTo(3);
        assertThat(err()).startsWith("espalier: " + broken).hasLineCount(1);
        assertThat(run("--json", "inspect", broken.toString())).isEqualTo(3);
        assertThat(run("inspect", broken.toString(), "--json")).isEqualTo(3);
        var error = Json.mapper().readTree(err());
        assertThat(error.get("kind").asString()).isEqualTo("data");
        assertThat(error.get("exit-code").asInt()).isEqualTo(3);
        assertThat(error.get("message").asString()).startsWith(broken.toString());
    }

    @Test
    void aFaultOfOursLeavesItsTraceInAFile() throws IOException {
        var main =
                new Main(
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        false);
        assertThat(main.failure(new IllegalStateException("the cause"))).isEqualTo(1);
        assertThat(err()).contains("A fault of ours", "the cause").hasLineCount(1);
        var file = Path.of(err().strip().replaceFirst(".*The stack trace is in ", ""));
        assertThat(file).content().contains("IllegalStateException: the cause", "MainTest");
        Files.delete(file);
        err.reset();
        assertThat(main.failure(new OutOfMemoryError("Java heap space"))).isEqualTo(4);
        assertThat(err()).contains("ESPALIER_HEAP").hasLineCount(1);
    }

    @Test
    void theSchemaIsALineOfJsonForPrograms() {
        assertThat(run("schema")).isZero();
        var people = Json.mapper().readTree(out());
        assertThat(run("schema", "--json")).isZero();
        assertThat(out()).hasLineCount(1);
        assertThat(Json.mapper().readTree(out())).isEqualTo(people);
    }

    @Test
    void aTokenizerReadsWhatSourcesRead() throws IOException {
        Files.writeString(temp.resolve("a [1].txt"), "plain ".repeat(9));
        Files.writeString(temp.resolve("b.csv"), "no,body\n1,columns columns\n");
        try (var out = new GZIPOutputStream(Files.newOutputStream(temp.resolve("c.jsonl.gz")))) {
            out.write("{\"body\": \"packed packed\", \"text\": \"other other\"}\n".getBytes(UTF_8));
        }
        var folder = temp.resolve("tokenizer");
        assertThat(
                        run(
                                "tokenizer",
                                "train",
                                temp.toString(),
                                "--field=body",
                                "--vocabulary=400",
                                "-o",
                                folder.toString()))
                .isZero();
        assertThat(out()).contains("from 3 files");
        assertThat(folder.resolve("tokenizer.json"))
                .content()
                .contains("\"Ġplain\"", "columns\"", "packed\"")
                .doesNotContain("other");
        assertThat(run("tokenizer", "train", temp.resolve("b.csv").toString(), "-o", "x"))
                .isEqualTo(3);
        assertThat(err()).contains("b.csv", "text");
    }

    @Test
    void aTokenizerIsTrainedAndEncodesWhatItDecodes() throws IOException {
        var text = "the cat sat on the mat, and the cat ate the rat. ".repeat(20);
        Files.writeString(temp.resolve("a.txt"), text);
        var folder = temp.resolve("tokenizer").toString();
        assertThat(
                        run(
                                "tokenizer",
                                "train",
                                temp.toString(),
                                "--vocabulary",
                                "0.3333k",
                                "-o",
                                folder))
                .isEqualTo(2);
        assertThat(err()).contains("'0.3333k' is not a whole number such as 1000, 1_000 or 10k");
        assertThat(run("tokenizer", "train", temp.toString(), "--vocabulary=0.27k", "-o", folder))
                .isZero();
        assertThat(out()).contains("270 tokens from 1 files").hasLineCount(1);
        assertThat(run("tokenizer", "train", temp.toString(), "-o", folder)).isEqualTo(2);
        assertThat(err()).contains(folder + ": holds a tokenizer already");
        assertThat(run("tokenizer", "encode", folder, "the catamaran\u00e9", "--json")).isZero();
        var ids = Json.mapper().readTree(out()).get("ids");
        assertThat(ids.size()).isLessThan("the catamaran\u00e9".length());
        var words = ids.valueStream().map(id -> id.asString()).toArray(String[]::new);
        var decode = Stream.concat(Stream.of("tokenizer", "decode", folder), Stream.of(words));
        assertThat(run(decode.toArray(String[]::new))).isZero();
        assertThat(out().strip()).isEqualTo("the catamaran\u00e9");
        assertThat(run("tokenizer", "decode", folder, "270")).isEqualTo(2);
        assertThat(err()).contains("'270' is no token id; allowed are 0 to 269");
        assertThat(run("inspect", folder)).isZero();
        assertThat(out()).contains("kind: tokenizer", "vocabulary: 270", "<|endoftext|>: 0");

        var in = System.in;
        try {
            System.setIn(
                    new ByteArrayInputStream("the cat\n\nthe\n".getBytes(StandardCharsets.UTF_8)));
            assertThat(run("tokenizer", "encode", folder)).isZero();
            assertThat(out().lines()).hasSize(3);
        } finally {
            System.setIn(in);
        }
    }
}
