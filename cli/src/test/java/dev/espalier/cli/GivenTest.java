package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/// What a verb is given on the command line: paths, files of records, numbers.
class GivenTest {
    @TempDir private static Path shared;
    private static String writer = "";
    private static String classifier = "";

    @TempDir Path temp;
    private String out = "";
    private String err = "";

    @BeforeAll
    static void models() throws IOException {
        writer = TinyModel.write(shared.resolve("writer"), List.of()).toString();
        var body = HuggingFace.readDecoder(Path.of(writer));
        var model = new SequenceClassifier(body.model(), List.of("no", "yes"));
        model.initializeHead(7);
        HuggingFace.save(shared.resolve("classifier"), model, body.config());
        Tokenizers.read(Path.of(writer)).save(shared.resolve("classifier"));
        model.free();
        classifier = shared.resolve("classifier").toString();
    }

    private int run(List<String> args) {
        var outBytes = new ByteArrayOutputStream();
        var errBytes = new ByteArrayOutputStream();
        var utf8 = StandardCharsets.UTF_8;
        var errors = new PrintStream(errBytes, true, utf8);
        var stop = new Stop();
        try {
            return new Main(new PrintStream(outBytes, true, utf8), errors, false).run(stop, args);
        } finally {
            stop.finished();
            out = outBytes.toString(utf8);
            err = errBytes.toString(utf8);
        }
    }

    private void refused(int exitCode, String culprit, String... args) {
        assertThat(run(List.of(args))).as(err).isEqualTo(exitCode);
        assertThat(err).startsWith("espalier: ").contains(culprit).hasLineCount(1);
        assertThat(out).isEmpty();
    }

    private List<JsonNode> json(String... args) {
        assertThat(run(List.of(args))).as(err).isZero();
        return out.lines().map(Json.mapper()::readTree).toList();
    }

    private String write(String name, String text) throws IOException {
        return Files.writeString(temp.resolve(name), text).toString();
    }

    @Test
    void aPathThatLeadsNowhereIsWrongUsageForEveryVerb() {
        var no = temp.resolve("nowhere").toString();
        var output = temp.resolve("output").toString();
        var commands =
                List.of(
                        List.of("quickstart", "--corpus", no, "--output", output),
                        List.of("pretrain", no),
                        List.of("finetune", no),
                        List.of("predict", no, "a"),
                        List.of("predict", classifier, "--file", no),
                        List.of("generate", no, "a"),
                        List.of("generate", writer, "--file", no),
                        List.of("generate", writer, "a", "--adapter", no),
                        List.of("chat", no),
                        List.of("evaluate", no, "--data", no),
                        List.of("evaluate", writer, "--data", no),
                        List.of("evaluate", writer, "--data", no + "/*.txt"),
                        List.of("evaluate", classifier, "--data", no + ".csv"),
                        List.of("merge", no, "--adapter", writer, "--output", output),
                        List.of("merge", writer, "--adapter", no, "--output", output),
                        List.of("verify", no, "--against", writer),
                        List.of("verify", writer, "--against", no),
                        List.of("verify-resume", no),
                        List.of("bench", no),
                        List.of("bench", writer, "--file", no),
                        List.of("tokenizer", "train", no, "-o", output),
                        List.of("tokenizer", "encode", no, "a"),
                        List.of("tokenizer", "decode", no, "1"),
                        List.of("tokenizer", "inspect", no),
                        List.of("inspect", no),
                        List.of("plan", "--hours", "1", "--hardware", no),
                        List.of("advise", "--private", "--hardware", no),
                        List.of(
                                "compare",
                                "../recipes/finetune/classification-toy.yaml",
                                "--hardware",
                                no));
        for (var command : commands) {
            assertThat(run(command)).as(command + ": " + err).isEqualTo(2);
            assertThat(err).as(command.toString()).startsWith("espalier: " + no);
            assertThat(err).as(command.toString()).contains("no").hasLineCount(1);
        }
        assertThat(Path.of(output)).doesNotExist();
    }

    @Test
    void aFileIsNoFolderAndAFolderNoFile() throws IOException {
        var file = write("file.csv", "text\na\n");
        refused(2, file + ": is a file", "generate", file, "a");
        refused(2, file + ": is a file", "predict", file, "a");
        refused(2, "is a folder", "predict", classifier, "--file", temp.toString());
        refused(2, "is a folder", "evaluate", writer, "--data", temp.toString());
    }

    @Test
    void whatIsThereAndCannotBeUsedIsBadData() throws IOException {
        var folder = temp.toString();
        refused(3, "no config.json", "generate", folder, "a");
        refused(3, "no config.json", "predict", folder, "a");
        refused(3, "no config.json", "evaluate", folder, "--data", write("a.txt", "a b"));
        refused(3, "no golden.json", "verify", writer, "--against", folder);
        write("config.json", "");
        refused(3, "config.json: is empty", "generate", folder, "a");
        refused(
                3,
                "none.txt: holds no text",
                "predict",
                classifier,
                "--file",
                write("none.txt", ""));
        refused(
                3,
                "none.csv: holds no text",
                "generate",
                writer,
                "--file",
                write("none.csv", "prompt\n"));
        Files.write(temp.resolve("config.json"), new byte[] {(byte) 0xff, 0, 1});
        refused(3, "config.json: cannot be read as UTF-8", "generate", folder, "a");
    }

    @Test
    void aModelOfTheOtherKindIsRefused() throws IOException {
        var text = write("a.txt", "a b c");
        var no = "a classifier, which writes no text; 'espalier predict' asks it";
        refused(2, no, "generate", classifier, "a");
        refused(2, no, "generate", classifier, "--file", text);
        refused(2, no, "chat", classifier);
        refused(2, "no classifier", "predict", writer, "a");
        refused(2, "--words: this model labels no words", "predict", classifier, "a", "--words");
        assertThat(run(List.of("generate", classifier, "a", "--json"))).isEqualTo(2);
        assertThat(err).hasLineCount(1);
        assertThat(Json.mapper().readTree(err).get("message").asString()).contains(no);
    }

    @Test
    void recordsAreReadByColumn() throws IOException {
        var texts = List.of("the cat", "a, b", "dog");
        var csv = write("x.csv", "id,text\n1,the cat\n2,\"a, b\"\n3,dog\n");
        var tsv = write("x.tsv", "id\tbody\n1\tthe cat\n2\ta, b\n3\tdog\n");
        var jsonl =
                write(
                        "x.jsonl",
                        "{\"text\": \"the cat\"}\n{\"text\": \"a, b\"}\n{\"text\": \"dog\"}\n");
        for (var args :
                List.of(
                        List.of("--file=" + csv, "--field=text"),
                        List.of("--file=" + tsv, "--field=body"),
                        List.of("--file=" + jsonl, "--quiet"))) {
            assertThat(json("predict", classifier, args.get(0), args.get(1), "--json"))
                    .extracting(line -> line.get("text").asString())
                    .isEqualTo(texts);
        }
        // A record without text is told too, so that answers and records stay side by side.
        var gap = write("gap.csv", "text,id\na,1\n,2\nb,3\n");
        assertThat(json("predict", classifier, "--file", gap, "--json"))
                .extracting(line -> line.get("text").asString())
                .containsExactly("a", "", "b");
        refused(
                3,
                "x.csv:1: no field `body`",
                "predict",
                classifier,
                "--file",
                csv,
                "--field=body");
        var broken = write("broken.csv", "text,id\na,1\nb\n");
        assertThat(run(List.of("predict", classifier, "--file", broken))).isEqualTo(3);
        assertThat(err).contains("1 of 2 records are left out; " + broken + ":3: 1 fields");
        assertThat(out).endsWith("\ta\n").hasLineCount(1);
    }

    @Test
    void aLanguageModelIsMeasuredOnAColumn() throws IOException {
        var plain = write("plain.txt", "the cat sat on the mat");
        var csv = write("x.csv", "id,body\n77777,the cat sat on the mat\n");
        var wanted = json("evaluate", writer, "--data", "a=" + plain, "--json");
        assertThat(wanted).isNotEmpty();
        assertThat(json("evaluate", "--data", "a=" + csv, "--text=body", writer, "--json"))
                .isEqualTo(wanted);
        refused(3, "x.csv:1: no field `text`", "evaluate", writer, "--data", csv);
    }

    @Test
    void countsAreWrittenAsInRecipes() throws IOException {
        var text = write("plain.txt", "the cat sat on the mat ".repeat(60));
        var first = json("evaluate", writer, "--data", text, "--max-tokens=1_000", "--json");
        assertThat(first.getFirst().get("n").asInt()).isEqualTo(999);
        assertThat(json("evaluate", writer, "--data", text, "--max-tokens", "1k", "--json"))
                .isEqualTo(first);
        refused(2, "'1.5' is not a whole number", "generate", writer, "a", "--max-new-tokens=1.5");
        refused(2, "'3G' is not a whole number", "generate", writer, "a", "--max-new-tokens=3G");
    }
}
