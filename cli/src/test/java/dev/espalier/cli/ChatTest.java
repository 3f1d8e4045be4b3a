package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.io.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatTest {
    @TempDir private static Path shared;
    private static String model = "";

    @TempDir Path temp;
    private String out = "";
    private String err = "";

    @BeforeAll
    static void aModel() {
        model =
                TinyModel.write(shared.resolve("model"), List.of("<|im_start|>", "<|im_end|>"))
                        .toString();
    }

    private int run(String input, String... args) {
        var outBytes = new ByteArrayOutputStream();
        var errBytes = new ByteArrayOutputStream();
        var utf8 = StandardCharsets.UTF_8;
        var errors = new PrintStream(errBytes, true, utf8);
        var stop = new Stop();
        var in = System.in;
        try {
            System.setIn(new ByteArrayInputStream(input.getBytes(utf8)));
            var all = new ArrayList<>(List.of(args));
            all.addFirst("chat");
            return new Main(new PrintStream(outBytes, true, utf8), errors, false).run(stop, all);
        } finally {
            System.setIn(in);
            stop.finished();
            out = outBytes.toString(utf8);
            err = errBytes.toString(utf8);
        }
    }

    private List<String> answers() {
        return out.lines()
                .map(line -> Json.mapper().readTree(line).get("content").asString())
                .toList();
    }

    @Test
    void eachLineIsAnsweredInTheLightOfThoseBefore() {
        var greedy = new String[] {model, "--temperature=0", "--max-new-tokens=6", "--json"};
        assertThat(run("a\nb\n/reset\nb\n/quit\nc\n", greedy)).isZero();
        var answers = answers();
        assertThat(answers).hasSize(3);
        assertThat(run("b\n", greedy)).isZero();
        assertThat(answers().getFirst()).isEqualTo(answers.getLast()).isNotEqualTo(answers.get(1));
        assertThat(err).contains("has no chat template; using plain");
    }

    @Test
    void answersInHalfPrecisionAreTheSame() {
        var greedy = new String[] {model, "--temperature=0", "--max-new-tokens=6", "--json"};
        assertThat(run("a\nb\n", greedy)).isZero();
        var answers = answers();
        assertThat(
                        run(
                                "a\nb\n",
                                Stream.concat(Stream.of(greedy), Stream.of("--precision=fp16"))
                                        .toArray(String[]::new)))
                .isZero();
        assertThat(answers()).isEqualTo(answers);
        assertThat(err).contains("weights in half precision");
    }

    @Test
    void answersAreStreamedAsText() {
        assertThat(run("a\n\n/help\n", model, "--max-new-tokens=4", "--template=chatml")).isZero();
        assertThat(out).endsWith("\n").hasSizeBetween(1, 5);
        assertThat(err).isEqualTo("'/help' is no command; allowed: /reset, /quit\n");
    }

    @Test
    void theTemplateIsTheTokenizersUnlessTheCommandLineSaysElse() throws IOException {
        var folder = TinyModel.write(temp.resolve("model"), List.of("<|im_start|>", "<|im_end|>"));
        var config = folder.resolve("tokenizer_config.json");
        var greedy = new String[] {folder.toString(), "--temperature=0", "--json"};
        assertThat(run("a\n", greedy[0], greedy[1], greedy[2], "--template=chatml")).isZero();
        var chatml = out;
        assertThat(run("a\n", greedy)).isZero();
        var plain = out;
        assertThat(plain).isNotEqualTo(chatml);
        var text = Files.readString(config);
        Files.writeString(
                config,
                text.replaceFirst(
                        "\\{",
                        "{\"chat_template\": \"{% for m in messages %}{{ '<|im_start|>' + m.role +"
                                + " '\\\\\\\\n' + m.content + '<|im_end|>\\\\\\\\n' }}{% endfor %}{{"
                                + " '<|im_start|>assistant\\\\\\\\n' }}\","));
        assertThat(run("a\n", greedy)).isZero();
        assertThat(out).isEqualTo(chatml);
        Files.writeString(config, text.replaceFirst("\\{", "{\"chat_template\": \"{{ [INST }}\","));
        assertThat(run("a\n", greedy[0])).isEqualTo(3);
        assertThat(err).contains("tokenizer_config.json", "line 1").hasLineCount(1);
        assertThat(run("a\n", greedy[0], greedy[1], greedy[2], "--template=plain")).isZero();
        assertThat(out).isEqualTo(plain);
    }

    @Test
    void whatDoesNotFitIsForgottenOrRefusedAndTheConversationGoesOn() {
        var turn = "abcdefghij klmnopq\n";
        assertThat(run(turn.repeat(6), model, "--max-new-tokens=20", "--json")).isZero();
        assertThat(answers()).hasSize(6);
        assertThat(err).containsOnlyOnce("the oldest turns are forgotten");
        var forgotten =
                out.lines()
                        .map(line -> Json.mapper().readTree(line).get("turns-forgotten").asInt())
                        .toList();
        assertThat(forgotten).isSorted().startsWith(0);
        assertThat(forgotten.getLast()).isGreaterThan(1);
        assertThat(run("x".repeat(500) + "\na\u20ac\na\n", model, "--json")).isZero();
        assertThat(answers()).hasSize(1);
        assertThat(err).contains("the prompt has").contains("\u20ac");
    }

    @Test
    void aTemplateThatIsNotKnownOrNotPossibleIsRefused() {
        assertThat(run("a\n", model, "--template=vicuna")).isEqualTo(2);
        assertThat(err).contains("allowed: chatml, llama-3, zephyr, alpaca, plain").hasLineCount(1);
        assertThat(run("a\n", model, "--template=llama-3")).isEqualTo(2);
        assertThat(err).contains("<|begin_of_text|>").hasLineCount(1);
        assertThat(out).isEmpty();
    }
}
