package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.tokenize.ChatTemplate;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class GenerateTest {
    @TempDir private static Path shared;
    private static String model = "";

    @TempDir Path temp;
    private String out = "";
    private String err = "";

    @BeforeAll
    static void aModel() {
        model = TinyModel.write(shared.resolve("model"), List.of()).toString();
    }

    private int run(String... args) {
        var all = new ArrayList<>(List.of(args));
        all.addFirst("generate");
        return verb(all);
    }

    private int verb(List<String> args) {
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

    private List<JsonNode> lines() {
        return out.lines().map(Json.mapper()::readTree).toList();
    }

    private static List<String> texts(List<JsonNode> lines) {
        return lines.stream().map(line -> line.get("text").asString()).toList();
    }

    @Test
    void aModelWithAnEncoderAnswers() {
        var t5 = TinyModel.writeT5(temp.resolve("t5")).toString();
        assertThat(run(t5, "abc", "--max-new-tokens", "9")).as(err).isZero();
        var answer = out.strip();
        assertThat(answer).isNotEmpty().hasSizeLessThan(10);
        assertThat(run(t5, "abc", "--max-new-tokens", "9", "--json")).as(err).isZero();
        assertThat(lines().getFirst().get("prompt").asString()).isEqualTo("abc");
        assertThat(texts(lines())).containsExactly(answer);
        assertThat(run(t5, "abc", "--max-new-tokens", "9", "--beams", "2", "--sequences", "2"))
                .as(err)
                .isZero();
        assertThat(out.lines().filter(line -> !line.isBlank())).hasSize(2);
    }

    @Test
    void aTextIsWrittenInHalfPrecision() {
        assertThat(run(model, "the", "--temperature=0")).as(err).isZero();
        var written = out;
        assertThat(run(model, "the", "--temperature=0", "--precision", "fp16")).as(err).isZero();
        assertThat(out).isEqualTo(written);
        assertThat(err).startsWith("weights in half precision, for one text at a time: ");
        assertThat(run(model, "the", "--precision", "fp8")).isEqualTo(2);
        var t5 = TinyModel.writeT5(temp.resolve("t5")).toString();
        assertThat(run(t5, "abc", "--precision=fp16")).isEqualTo(2);
        assertThat(err).contains("--precision fp16 is for decoders");
    }

    @Test
    void severalSequencesAndTheirBeamsComeAsLinesOfJson() {
        assertThat(run(model, "the", "--sequences", "3", "--max-new-tokens=5", "--json")).isZero();
        assertThat(lines()).hasSize(3).allMatch(line -> line.get("tokens").asInt() <= 5);
        assertThat(texts(lines())).doesNotHaveDuplicates();
        assertThat(run(model, "the", "--beams=4", "--sequences=2", "--max-new-tokens=5", "--json"))
                .isZero();
        assertThat(lines()).extracting(line -> line.get("sequence").asInt()).containsExactly(0, 1);
        assertThat(lines().getFirst().get("score").asDouble())
                .isGreaterThanOrEqualTo(lines().getLast().get("score").asDouble());
    }

    /// Two adapters of the model, which change what it writes.
    private List<String> adapters() throws IOException {
        var folders = new ArrayList<String>();
        for (var i = 0; i < 2; i++) {
            var read = HuggingFace.readDecoder(Path.of(model));
            var settings = new Lora.Settings(2, 4, 0, List.of("c_attn", "c_fc"), false, i == 1);
            Lora.attach(read.model(), settings, i);
            read.model()
                    .parameters()
                    .forEach((name, p) -> {
                        if (name.contains(Lora.PREFIX)) {
                            p.value().addInPlace(0.4);
                        }
                    });
            var folder = Files.createDirectory(temp.resolve("adapter-" + i));
            HuggingFace.writeAdapter(folder, read.model(), read.config(), settings, model);
            folders.add(folder.toString());
            read.model().free();
        }
        return folders;
    }

    @Test
    void adaptersActAndAreMerged() throws IOException {
        var adapters = adapters();
        var written = new ArrayList<String>();
        for (var chosen : List.of(List.<String>of(), adapters.subList(0, 1), adapters)) {
            var args = new ArrayList<>(List.of(model, "the", "--temperature=0"));
            chosen.forEach(a -> args.add("--adapter=" + a));
            assertThat(run(args.toArray(String[]::new))).as(err).isZero();
            written.add(out);
        }
        assertThat(written).doesNotHaveDuplicates();

        var merged = temp.resolve("merged").toString();
        var merge = new ArrayList<>(List.of("merge", model, "--output=" + merged));
        adapters.forEach(a -> merge.add("--adapter=" + a));
        assertThat(verb(merge)).as(err).isZero();
        assertThat(out).isEqualTo("model   " + merged + "\n");
        assertThat(run(merged, "the", "--temperature=0")).as(err).isZero();
        assertThat(out).isEqualTo(written.getLast());
        assertThat(verb(merge)).isEqualTo(2);
        assertThat(err).contains("exists already");
    }

    /// An adapter that was trained with a template is asked by it, merged or not.
    @Test
    void anAdapterBringsItsTemplate() throws IOException {
        var adapter = adapters().getFirst();
        ChatTemplate.parse(
                        "x",
                        "{% for m in messages %}{{ 'q: ' + m.content + eos_token }}{% endfor %}{{ 'a: ' }}")
                .write(Path.of(adapter));
        var told = "q: the<|endoftext|>a: ";
        var with = "--adapter=" + adapter;
        assertThat(run(model, told, "--temperature=0", with, "--raw")).as(err).isZero();
        var expected = out.substring(told.length());
        assertThat(run(model, "the", "--temperature=0", with)).as(err).isZero();
        assertThat(out).isEqualTo(expected);
        var merged = temp.resolve("merged").toString();
        assertThat(verb(List.of("merge", model, "--output=" + merged, with))).as(err).isZero();
        assertThat(run(merged, "the", "--temperature=0")).as(err).isZero();
        assertThat(out).isEqualTo(expected);
    }

    @Test
    void promptsOfAFileAreWrittenOnAsEachAlone() throws IOException {
        var prompts = List.of("a", "the cat", "on the mat. ", "x", "dog dog dog");
        var text = Files.write(temp.resolve("prompts.txt"), prompts);
        var jsonl =
                Files.write(
                        temp.resolve("prompts.jsonl"),
                        prompts.stream().map(p -> "{\"prompt\": \"" + p + "\"}").toList());
        var other =
                Files.write(
                        temp.resolve("other.txt"),
                        prompts.stream().map(p -> "{\"q\": \"" + p + "\", \"n\": 1}").toList());
        var greedy = new String[] {"--temperature=0", "--max-new-tokens=8", "--json"};
        var alone = new ArrayList<String>();
        for (var prompt : prompts) {
            assertThat(run(model, prompt, greedy[0], greedy[1], greedy[2])).isZero();
            alone.addAll(texts(lines()));
        }
        assertThat(run(model, "--file", text.toString(), greedy[0], greedy[1], greedy[2])).isZero();
        assertThat(texts(lines())).isEqualTo(alone);
        assertThat(lines()).extracting(l -> l.get("prompt").asString()).isEqualTo(prompts);
        var tokens = lines().stream().mapToInt(l -> l.get("tokens").asInt()).sum();
        assertThat(err).contains("\"done\":" + tokens + ",", "\"per-second\"", "5 prompts done");
        assertThat(run(model, "--file", jsonl.toString(), greedy[0], greedy[1], greedy[2]))
                .isZero();
        assertThat(texts(lines())).isEqualTo(alone);
        var in = System.in;
        try {
            System.setIn(new ByteArrayInputStream(Files.readAllBytes(other)));
            assertThat(run(model, "--file=-", "--field=q", greedy[0], greedy[1], greedy[2]))
                    .isZero();
        } finally {
            System.setIn(in);
        }
        assertThat(texts(lines())).isEqualTo(alone);
    }

    @Test
    void aPromptThatIsTooLongIsNamedAndTheOthersAreWritten() throws IOException {
        var prompts = List.of("a", "the cat ".repeat(40), "on the mat. ", "x");
        var file = Files.write(temp.resolve("prompts.txt"), prompts).toString();
        var draws = List.of("--seed=3", "--temperature=1", "--max-new-tokens=8");
        var args = new ArrayList<>(List.of(model, "--file", file, "--json"));
        args.addAll(draws);
        assertThat(run(args.toArray(String[]::new))).isEqualTo(3);
        assertThat(err).contains("1 of 4 prompts are without a text; prompt 2: the prompt has ");
        var written = lines();
        assertThat(written).extracting(l -> l.get("prompt").asString()).isEqualTo(prompts);
        var refused = written.stream().filter(line -> line.has("error")).toList();
        assertThat(refused).hasSize(1);
        assertThat(refused.getFirst().get("error").asString()).startsWith("the prompt has ");
        // What the others draw does not change.
        var short_ = new ArrayList<>(prompts);
        short_.set(1, "dog");
        Files.write(Path.of(file), short_);
        assertThat(run(args.toArray(String[]::new))).isZero();
        var all = texts(lines());
        all = List.of(all.get(0), all.get(2), all.get(3));
        assertThat(texts(written.stream().filter(line -> line.has("text")).toList()))
                .isEqualTo(all);

        assertThat(run(model, prompts.get(1))).isEqualTo(2);
        assertThat(err).contains("the prompt has ").doesNotContain("prompts are without");
    }

    /// An input that is ready up to the end of each line, as a person's or a slow program's is.
    private static final class Slow extends ByteArrayInputStream {
        Slow(String text) {
            super(text.getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public synchronized int read(byte[] into, int offset, int length) {
            var line = 0;
            while (line < Math.min(length, count - pos) && buf[pos + line] != '\n') {
                line++;
            }
            return super.read(into, offset, Math.min(length, line + 1));
        }

        @Override
        public synchronized int available() {
            return 0;
        }
    }

    @Test
    void whatIsDrawnDoesNotDependOnHowFastPromptsCome() throws IOException {
        var prompts = List.of("the cat", "on the mat", "dog", "x");
        var file = Files.write(temp.resolve("prompts.txt"), prompts);
        var draws = List.of("--seed=3", "--temperature=1", "--max-new-tokens=8", "--json");
        var args = new ArrayList<>(List.of(model, "--file", file.toString()));
        args.addAll(draws);
        assertThat(run(args.toArray(String[]::new))).as(err).isZero();
        var atOnce = texts(lines());
        assertThat(atOnce).doesNotHaveDuplicates();
        var in = System.in;
        try {
            System.setIn(new Slow(String.join("\n", prompts) + "\n"));
            args.set(2, "-");
            assertThat(run(args.toArray(String[]::new))).as(err).isZero();
        } finally {
            System.setIn(in);
        }
        assertThat(texts(lines())).isEqualTo(atOnce);
    }

    /// So that what is drawn for a line does not change when a line before it breaks.
    @Test
    void brokenRecordsCountInTheNumbersOfThoseBehindThem() throws IOException {
        var file = temp.resolve("numbered.jsonl");
        var whole =
                """
                {"prompt": "a"}
                {"prompt": "dog"}
                {"prompt": "the cat"}
                {"prompt": "%s"}
                {"prompt": "x"}
                """
                        .formatted("the cat ".repeat(40));
        Files.writeString(file, whole);
        var draws =
                new String[] {
                    model,
                    "--file=" + file,
                    "--field=prompt",
                    "--seed=3",
                    "--temperature=1",
                    "--max-new-tokens=8",
                    "--json"
                };
        assertThat(run(draws)).isEqualTo(3);
        var all = written();
        assertThat(all).hasSize(4).doesNotHaveDuplicates();
        var broken = whole.replace("{\"prompt\": \"dog\"}", "{\"p\": 1}");
        Files.writeString(file, broken);
        assertThat(run(draws)).isEqualTo(3);
        assertThat(written()).containsExactly(all.get(0), all.get(2), all.get(3));
        assertThat(run(model, "--file=" + file, "--max-new-tokens=1")).isEqualTo(3);
        assertThat(err).contains("prompt 4: the prompt has ", file + ":2");
        var in = System.in;
        try {
            System.setIn(new ByteArrayInputStream(broken.getBytes(StandardCharsets.UTF_8)));
            draws[1] = "--file=-";
            assertThat(run(draws)).isEqualTo(3);
        } finally {
            System.setIn(in);
        }
        assertThat(written()).containsExactly(all.get(0), all.get(2), all.get(3));
    }

    /// The texts of the prompts that have one.
    private List<String> written() {
        return texts(lines().stream().filter(line -> line.has("text")).toList());
    }

    @Test
    void theModelsSettingsCountUnlessTheCommandLineSaysElse() throws IOException {
        var folder = TinyModel.write(temp.resolve("model"), List.of());
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"do_sample\": false, \"max_new_tokens\": 6, \"min_new_tokens\": 6, \"no_repeat_ngram_size\": 1}");
        assertThat(run(folder.toString(), "the", "--json")).isZero();
        var written = Objects.requireNonNull(lines().getFirst().get("text")).asString();
        assertThat(written.chars().boxed().toList()).hasSize(6).doesNotHaveDuplicates();
        assertThat(run(folder.toString(), "the", "--json", "--max-new-tokens=3")).isZero();
        assertThat(texts(lines())).containsExactly(written.substring(0, 3));
        Files.writeString(folder.resolve("generation_config.json"), "{\"typical_p\": 0.5}");
        assertThat(run(folder.toString(), "the")).isEqualTo(3);
        assertThat(err).contains("generation_config.json: typical_p 0.5").hasLineCount(1);
    }

    @Test
    void whatCannotBeDoneIsSaidInOneLine() throws IOException {
        assertThat(run(model, "the", "--beams=2", "--temperature=1")).isEqualTo(2);
        assertThat(err).contains("beam search draws nothing").hasLineCount(1);
        assertThat(run(model, "the", "--beams=2", "--sequences=3")).isEqualTo(2);
        assertThat(run(model, "the", "--sequences=2", "--temperature=0")).isEqualTo(2);
        assertThat(run(model, "the", "--beams=100000")).isEqualTo(2);
        assertThat(run(model, "the", "--file=x")).isEqualTo(2);
        var lines = Files.writeString(temp.resolve("x.jsonl"), "{\"prompt\": \"a\"}\n{\"p\": 1}\n");
        assertThat(run(model, "--file", lines.toString())).isEqualTo(3);
        assertThat(err).contains("1 of 2 records are left out; " + lines + ":2", "`prompt`");
        assertThat(out).startsWith("a");
        Files.writeString(lines, "{\"prompt\"");
        assertThat(run(model, "--file", lines.toString())).isEqualTo(3);
        assertThat(err).contains(lines + ":1").hasLineCount(1);
        assertThat(out).isEmpty();
    }

    @Test
    void onePromptIsStreamedAsText() {
        assertThat(run(model, "the", "--max-new-tokens=5")).isZero();
        var text = out;
        assertThat(text).startsWith("the").endsWith("\n").hasSizeGreaterThan(4);
        assertThat(err).isEmpty();
        assertThat(run(model, "the", "--max-new-tokens=5", "--seed=2")).isZero();
        assertThat(out).isNotEqualTo(text);
    }
}
