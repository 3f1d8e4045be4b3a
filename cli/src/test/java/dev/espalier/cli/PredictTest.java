package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import dev.espalier.tokenize.ChatTemplate;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class PredictTest {
    @TempDir Path temp;
    private String out = "";
    private String err = "";

    private int run(String... args) {
        var outBytes = new ByteArrayOutputStream();
        var errBytes = new ByteArrayOutputStream();
        var utf8 = StandardCharsets.UTF_8;
        var errors = new PrintStream(errBytes, true, utf8);
        var stop = new Stop();
        try {
            return new Main(new PrintStream(outBytes, true, utf8), errors, false)
                    .run(stop, List.of(args));
        } finally {
            stop.finished();
            out = outBytes.toString(utf8);
            err = errBytes.toString(utf8);
        }
    }

    private int run(String input, List<String> args) {
        var in = System.in;
        try {
            System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
            return run(args.toArray(String[]::new));
        } finally {
            System.setIn(in);
        }
    }

    @Test
    void brokenRecordsAreNamedAtTheEndAndTheOthersAreTold() throws IOException {
        var model = TinyModel.writeT5(temp.resolve("t5")).toString();
        assertThat(run("predict", model, "abc", "xyz", "hij")).isZero();
        var whole = out;
        var rows =
                Files.writeString(temp.resolve("a.csv"), "text,n\nabc,1\nlmn\nxyz,2\no\nhij,3\n");
        assertThat(run("predict", model, "--file", rows.toString())).isEqualTo(3);
        assertThat(out).isEqualTo(whole);
        assertThat(err)
                .contains(
                        "2 of 5 records are left out; " + rows + ":3: 1 fields",
                        "the others are in lines 5")
                .hasLineCount(1);
        var lines = List.of("predict", model, "--file", "-", "--field", "q");
        assertThat(
                        run(
                                "{\"q\": \"abc\"}\n{\"q\": 1}\n{\"q\": \"xyz\"}\n{\"q\": \"hij\"}\n{",
                                lines))
                .isEqualTo(3);
        assertThat(out).isEqualTo(whole);
        assertThat(err).contains("2 of 5 records are left out; standard input:2: ");
        Files.writeString(rows, "text,n\nlmn\no\n");
        assertThat(run("predict", model, "--file", rows.toString())).isEqualTo(3);
        assertThat(err).contains(rows + ":2: 1 fields").hasLineCount(1);
        assertThat(out).isEmpty();
    }

    /// Whichever verb asks, by whichever date: by default the one that was kept with the template.
    @Test
    void eachVerbTellsTheDateThatTheModelWasTrainedWith() throws IOException {
        var folder = TinyModel.write(temp.resolve("model"), List.of("<|im_start|>", "<|im_end|>"));
        var template =
                ChatTemplate.parse(
                        "x",
                        "{{ strftime_now('%B') }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content"
                                + " + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{"
                                + " '<|im_start|>assistant\n' }}{% endif %}");
        var model = folder.toString();
        var held =
                Files.writeString(
                        temp.resolve("held.jsonl"),
                        "{\"prompt\": \"ab\", \"completion\": \"cd\"}\n".repeat(3));
        var verbs =
                List.of(
                        List.of("predict", model, "the cat"),
                        List.of("generate", model, "the cat", "--temperature=0"),
                        List.of("chat", model, "--temperature=0"),
                        List.of("evaluate", model, "--answers", "--data", "x=" + held));
        template.write(folder);
        for (var verb : verbs) {
            assertThat(run("the cat\n", verb)).as(verb.getFirst()).isEqualTo(3);
            assertThat(err).contains("`--date`");
        }
        template.on(LocalDate.of(2026, 1, 31)).write(folder);
        for (var verb : verbs) {
            var told = new ArrayList<String>();
            for (var date : Arrays.asList(null, "2026-01-30", "2026-09-30")) {
                var args = new ArrayList<>(verb);
                if (date != null) {
                    args.add("--date=" + date);
                }
                assertThat(run("the cat\n", args)).as(err).isZero();
                told.add(out);
                if (date == null) {
                    assertThat(err).doesNotContain("2026-01-31");
                } else {
                    assertThat(err).contains("trained with 2026-01-31, and is told " + date);
                }
            }
            // The month alone is told.
            assertThat(told.get(0)).as(verb.getFirst()).isEqualTo(told.get(1));
            assertThat(new HashSet<>(told)).as(verb.getFirst()).hasSize(2);
        }
        var t5 = TinyModel.writeT5(temp.resolve("t5")).toString();
        for (var verb : List.of("predict", "generate")) {
            assertThat(run(verb, t5, "abc", "--date=2026-01-31")).isEqualTo(2);
            assertThat(err).contains("--date is for models that are asked by a chat template");
        }
    }

    /// What the others draw, each by its number, does not change.
    @Test
    void aQuestionThatIsTooLongIsNamedAndTheOthersAreAnswered() throws IOException {
        var folder = TinyModel.write(temp.resolve("model"), List.of("<|im_start|>", "<|im_end|>"));
        ChatTemplate.parse(
                        "x",
                        "{% for m in messages %}{{ m.role + ':' + m.content + '\n' }}{% endfor %}")
                .write(folder);
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"do_sample\": true, \"temperature\": 1.0, \"max_new_tokens\": 8}");
        var model = folder.toString();
        var questions = List.of("a", "the cat ".repeat(40), "on the mat", "x");
        var whole = new ArrayList<>(questions);
        whole.set(1, "dog");
        var all =
                told("predict", model, "--file", write("a.txt", String.join("\n", whole))).stream()
                        .map(l -> l.get("answer").asString())
                        .toList();
        assertThat(all.get(2)).isNotEqualTo(all.get(3));

        var file = write("b.txt", String.join("\n", questions));
        assertThat(run("predict", model, "--file", file, "--json")).isEqualTo(3);
        assertThat(err).contains("1 of 4 texts are without an answer; text 2: the prompt has ");
        var lines = out.lines().map(Json.mapper()::readTree).toList();
        assertThat(lines).extracting(l -> l.get("text").asString()).isEqualTo(questions);
        assertThat(lines.get(1).get("error").asString()).startsWith("the prompt has ");
        assertThat(lines.stream().filter(l -> l.has("answer")))
                .extracting(l -> l.get("answer").asString())
                .containsExactly(all.get(0), all.get(2), all.get(3));

        assertThat(run("predict", model, "--file", file)).isEqualTo(3);
        assertThat(err).startsWith("text 2: the prompt has ");
        assertThat(run("predict", model, questions.get(1))).isEqualTo(2);
        assertThat(err).contains("text 1: the prompt has ").doesNotContain("are without");
    }

    private String labeller() {
        var labeller = temp.resolve("labeller");
        TinyModel.writeBert(temp.resolve("bert"), labeller, List.of("O", "B-X", "I-X"));
        return labeller.toString();
    }

    private List<JsonNode> told(String... args) {
        var all = new ArrayList<>(List.of(args));
        all.add("--json");
        assertThat(run(all.toArray(String[]::new))).as(err).isZero();
        return out.lines().map(Json.mapper()::readTree).toList();
    }

    private static List<String> words(JsonNode told) {
        var text = told.get("text").asString();
        return told.get("words")
                .valueStream()
                .map(w -> text.substring(w.get("start").asInt(), w.get("end").asInt()))
                .toList();
    }

    private String write(String name, String content) throws IOException {
        return Files.writeString(temp.resolve(name), content).toString();
    }

    @Test
    void wordsAreThoseOfConllAndConllu() throws IOException {
        var model = labeller();
        var universal =
                Stream.of(
                                "1 the",
                                "2 dog",
                                "3-4 don't",
                                "3 do",
                                "4 n't",
                                "5 jump",
                                "",
                                "1 over-lazy")
                        .map(l ->
                                l.isEmpty() ? "\n" : l.replace(' ', '\t') + "\t_".repeat(8) + "\n")
                        .collect(Collectors.joining());
        var plain = "the\ndog\ndo\nn't\njump\n\nover-lazy\n";
        for (var file :
                List.of(
                        write("a.conll", plain),
                        write("b.conll", plain.replaceAll("(.)\n", "$1 Z O\n")),
                        write("c.conllu", universal))) {
            var told = told("predict", model, "--file", file);
            assertThat(told.stream().map(PredictTest::words))
                    .containsExactly(
                            List.of("the", "dog", "do", "n't", "jump"), List.of("over-lazy"));
            assertThat(told.getFirst().get("text").asString())
                    .isEqualTo(file.endsWith("u") ? "the dog don't jump" : "the dog do n't jump");
            assertThat(told.getFirst().get("words").valueStream())
                    .allMatch(w -> List.of("O", "B-X", "I-X").contains(w.get("label").asString()));
        }
        assertThat(run("predict", model, "--file", write("c.conllu", universal), "--field", "form"))
                .isEqualTo(2);
        assertThat(err).contains("--field: words of .conll and .conllu").hasLineCount(1);
        assertThat(run("predict", model, "--file", write("d.conll", "\n"))).isEqualTo(3);
        assertThat(err).contains("d.conll: holds no words");
        assertThat(run("predict", model, "--file", write("e.conll", "the O\ndog\n\nfox O\n")))
                .isEqualTo(3);
        assertThat(out).hasLineCount(1);
        assertThat(err).contains("1 of 2 records are left out; ", "e.conll:1");
    }

    @Test
    void wordsThatWhiteSpacePartsAreTakenAsTheyAre() throws IOException {
        var model = labeller();
        var text = "the dog do n't  jump";
        var expected = List.of("the", "dog", "do", "n't", "jump");
        assertThat(words(told("predict", model, text, "--words").getFirst())).isEqualTo(expected);
        assertThat(words(told("predict", model, text).getFirst())).hasSize(7);
        var jsonl = write("a.jsonl", "{\"text\": \"" + text + "\"}\n");
        assertThat(words(told("predict", model, "--words", "--file", jsonl).getFirst()))
                .isEqualTo(expected);
        assertThat(run(text + "\n", List.of("predict", model, "--words", "--json"))).isZero();
        assertThat(words(Json.mapper().readTree(out))).isEqualTo(expected);
    }

    @Test
    void wordsLongerThanTheModelSeesAreCountedOnce() throws IOException {
        var word = "o".repeat(40);
        var file = write("a.txt", "the " + word + "\nthe dog\n" + word + " " + word + "\n");
        assertThat(told("predict", labeller(), "--file", file))
                .extracting(p -> p.get("truncated").asBoolean())
                .containsExactly(true, false, true);
        assertThat(err).containsOnlyOnce("2 texts have words longer than the model sees at once");
    }
}
