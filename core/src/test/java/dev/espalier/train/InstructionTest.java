package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.generate.GenerationConfig;
import dev.espalier.generate.Generator;
import dev.espalier.generate.Limits;
import dev.espalier.generate.Sampling;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.recipe.Recipes;
import dev.espalier.tokenize.ChatTemplate;
import dev.espalier.tokenize.ChatTemplate.Message;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole runs of instruction tuning at a tiny size.
class InstructionTest {
    private static final String[] THINGS = {"bread", "milk", "stone", "grass", "iron", "snow"};
    private static final String[] ANSWERS = {"brown", "white", "grey", "green", "grey", "white"};
    private static final String SPECIALS =
            "tokenizer: {type: bpe, vocabulary: 320, special-tokens: [<|endoftext|>, <|im_start|>,"
                    + " <|im_end|>]}\n";

    @TempDir Path folder;

    @BeforeEach
    void writeConversations() throws IOException {
        Files.writeString(folder.resolve("colours.jsonl"), conversations(0, 120));
        Files.writeString(folder.resolve("more.jsonl"), conversations(120, 150));
    }

    private static String conversations(int from, int to) {
        var lines = new StringBuilder();
        for (var i = from; i < to; i++) {
            var thing = Rng.at(i).nextInt(THINGS.length);
            lines.append(
                    i % 2 == 0
                            ? line(
                                    new Message("user", "Colour of " + THINGS[thing] + "?"),
                                    new Message("assistant", "It is " + ANSWERS[thing] + "."))
                            : "{\"instruction\": \"Colour of %s?\", \"output\": \"It is %s.\"}\n"
                                    .formatted(THINGS[thing], ANSWERS[thing]));
        }
        return lines.toString();
    }

    private static String line(Message... messages) {
        record Record(List<Message> messages) {}
        return Json.line(new Record(List.of(messages))) + "\n";
    }

    private String recipe(String name, String model, String task, String more) {
        return """
        name: %s
        output: %s/%s
        data: {train: %s/colours.jsonl, validation: %s/more.jsonl}
        %s
        task: {type: instruction, %s}
        training: {for: 40 epochs, batch: 4, optimizer: {type: adamw, rate: 5e-3}}
        evaluate: {every: 8 epochs}
        save: {every: 8 epochs}
        %s
        """
                .formatted(name, folder, name, folder, folder, model, task, more);
    }

    private Run.Result run(String name, String model, String task, String more) {
        return new Run(Recipes.parse(recipe(name, model, task, more), name)).train(s -> {});
    }

    /// A run that is too short to learn much.
    private Run shortRun(String name, String model, String task) {
        return shortRun(name, model, task, "");
    }

    private Run shortRun(String name, String model, String task, String more) {
        var recipe = recipe(name, model, task, more).replace("40 epochs", "2 epochs");
        return new Run(Recipes.parse(recipe, name));
    }

    private static double value(Run.Result result, String data, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    /// As `chat` does: by the template and the ends that lie beside the model.
    private static String answer(Path model, String question) {
        var decoder = HuggingFace.readDecoder(model).model();
        var tokenizer = Tokenizers.read(model);
        var template = ChatTemplate.readOnly(model).orElseThrow();
        var config =
                GenerationConfig.read(
                        model,
                        GenerationConfig.of(new Sampling(0, 0, 1, 1), Limits.of(tokenizer, 20)));
        var ids = template.encode(tokenizer, List.of(new Message("user", question)));
        var answer = new Generator(decoder, tokenizer).generate(ids, config, piece -> {});
        decoder.free();
        return answer.text() + "/" + answer.ending();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "mistral"})
    void answersAreLearntAndEnd(String type) throws IOException {
        var result =
                run(
                        type,
                        SPECIALS
                                + "model: {type: %s, layers: 1, heads: 2, width: 32, context: 64%s}"
                                        .formatted(
                                                type,
                                                type.equals("gpt2")
                                                        ? ""
                                                        : ", key-value-heads: 1, hidden: 48"
                                                                + (type.equals("mistral")
                                                                        ? ", window: 64"
                                                                        : "")),
                        "template: chatml",
                        "");
        assertThat(value(result, "validation", "perplexity")).isLessThan(1.5);
        assertThat(value(result, "validation-before", "perplexity")).isGreaterThan(100);
        assertThat(answer(result.model(), "Colour of grass?"))
                .isEqualTo("It is green./END_OF_TEXT");
        assertThat(answer(result.model(), "Colour of milk?")).startsWith("It is white.");
        assertThat(Files.readString(result.folder().resolve("report.html")))
                .containsPattern(
                        "On the held-out records the loss is 0\\.\\d+ .*, where it was [5-9]");
        var passport = Json.read(result.folder().resolve("passport.json")).get("data");
        assertThat(passport.get("training-answer-tokens").asInt())
                .isPositive()
                .isLessThan(passport.get("training-tokens").asInt());
    }

    @Test
    void anAdapterKeepsTheTemplateAndLearnsWhatTheModelDidNot() {
        var base =
                shortRun(
                                "base",
                                SPECIALS
                                        + "model: {type: gpt2, layers: 1, heads: 2, width: 32, context: 64}",
                                "template: chatml",
                                "")
                        .train(s -> {});
        var before = AtomicFiles.sha256(base.model().resolve("model.safetensors"));
        var tuned =
                shortRun(
                                "lora",
                                "model: {path: " + base.model() + "}",
                                "packing: false",
                                "adapter: {type: lora, rank: 4, targets: all, merge: false}")
                        .train(s -> {});
        assertThat(tuned.model().resolve("adapter_config.json")).isRegularFile();
        assertThat(ChatTemplate.readOnly(tuned.model()).orElseThrow().source())
                .isEqualTo(ChatTemplate.readOnly(base.model()).orElseThrow().source());
        assertThat(value(tuned, "validation", "loss"))
                .isLessThan(value(tuned, "validation-before", "loss"));
        assertThat(value(tuned, "validation-before", "loss"))
                .isEqualTo(value(base, "validation", "loss"));
        assertThat(AtomicFiles.sha256(base.model().resolve("model.safetensors"))).isEqualTo(before);
        var unlearnt =
                recipe(
                        "unlearnt",
                        "model: {path: " + base.model() + ", add-tokens: [<end>, <|im_end|>]}",
                        "packing: true",
                        "adapter: {type: lora, rank: 4, dora: true}");
        assertThatThrownBy(() -> new Run(Recipes.parse(unlearnt, "x")).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("add-tokens: <end> are new");
        var frozen =
                recipe(
                        "frozen",
                        "model: {path: " + base.model() + "}",
                        "",
                        "adapter: {type: frozen}");
        assertThatThrownBy(() ->
                        new Run(
                                        Recipes.parse(
                                                frozen.replace("instruction, }", "instruction}"),
                                                "x"))
                                .train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContainingAll("leaves nothing to train", "frozen with last-blocks");
    }

    /// What the model was trained to be asked on is what it is asked on.
    @Test
    void theDateOfATemplateIsKeptWithTheModel() throws IOException {
        var template =
                jinja(
                        "dated.jinja",
                        "{{ strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' }}"
                                + "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content"
                                + " + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}"
                                + "{{ '<|im_start|>assistant\n' }}{% endif %}");
        var dated =
                shortRun(
                                "dated",
                                SPECIALS
                                        + "model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 96}",
                                template + ", date: 2026-01-31, max-length: 80")
                        .train(s -> {});
        var kept = ChatTemplate.readOnly(dated.model()).orElseThrow();
        var tokenizer = Tokenizers.read(dated.model());
        assertThat(tokenizer.decode(kept.encode(tokenizer, List.of(new Message("user", "Hi")))))
                .startsWith("31 Jan 2026<|im_start|>user\nHi<|im_end|>");
        assertThat(
                        Json.read(dated.model().resolve("config.json"))
                                .at("/espalier/max_length")
                                .asInt())
                .isEqualTo(80);

        var looking = new Looking(Long.MAX_VALUE);
        var undated =
                shortRun("undated", "model: {path: " + dated.model() + "}", "packing: false")
                        .train(looking, false);
        assertThat(looking.said)
                .anyMatch(line -> line.contains("told 2026-01-31") && line.contains("no date now"));
        assertThat(ChatTemplate.readOnly(undated.model()).orElseThrow().date()).isEmpty();
    }

    @Test
    void whatIsForgottenIsMeasuredAndGeneralTextIsReplayed() throws IOException {
        Files.writeString(
                folder.resolve("general.txt"), "The sea is wide and the day is long. ".repeat(40));
        var result =
                run(
                        "replay",
                        SPECIALS
                                + "model: {type: gpt2, layers: 1, heads: 2, width: 32, context: 64}",
                        "template: chatml",
                        "forgetting: {measure: {corpus: %1$s/general.txt}, defence: {type: replay, fraction: 30%%, corpus: %1$s/general.txt}}"
                                .formatted(folder));
        assertThat(value(result, "general-after", "perplexity"))
                .isLessThan(value(result, "general-before", "perplexity"));
        assertThat(value(result, "validation", "perplexity")).isLessThan(2);
    }

    /// Looks on, and stops after some steps.
    private static final class Looking implements Watcher {
        final List<ExampleText> shown = new ArrayList<>();
        final List<String> said = new ArrayList<>();
        final long until;
        long steps;

        Looking(long until) {
            this.until = until;
        }

        @Override
        public void preflight(List<ExampleText> examples) {
            assertThat(steps).isZero();
            shown.addAll(examples);
        }

        @Override
        public void said(String line) {
            said.add(line);
        }

        @Override
        public void stepped(StepFigures figures, long total) {
            steps = figures.step();
        }

        @Override
        public boolean stop() {
            return steps >= until;
        }
    }

    @Test
    void whatIsTrainedIsShownBeforeTheFirstStepAndARunGoesOnAsIfNeverStopped() {
        var model =
                SPECIALS
                        + "model: {type: gpt2, layers: 1, heads: 2, width: 16, context: 64, dropout: 0.1}";
        var whole = shortRun("whole", model, "template: chatml").train(s -> {});
        var parted = shortRun("parted", model, "template: chatml");
        var looking = new Looking(7);
        assertThatThrownBy(() -> parted.train(looking, false))
                .isInstanceOf(EspalierException.class);
        assertThat(looking.shown).hasSize(3);
        var pieces = looking.shown.getFirst().fields().getFirst().pieces();
        assertThat(pieces).hasSize(3);
        assertThat(pieces.get(0).mark()).isEqualTo(Mark.READ);
        assertThat(pieces.get(0).text()).startsWith("<|im_start|>user").endsWith("assistant\n");
        assertThat(pieces.get(1).mark()).isEqualTo(Mark.TARGET);
        assertThat(pieces.get(1).text()).startsWith("It is ").endsWith(".<|im_end|>");
        assertThat(pieces.get(2).text()).isEqualTo("\n");
        assertThat(looking.said)
                .anyMatch(line ->
                        line.contains("tokens are the assistant's")
                                && line.endsWith("each answer ends with <|im_end|>"));
        var resumed = new Looking(Long.MAX_VALUE);
        var result = parted.train(resumed, true);
        assertThat(resumed.shown).isEmpty();
        assertThat(AtomicFiles.sha256(result.model().resolve("model.safetensors")))
                .isEqualTo(AtomicFiles.sha256(whole.model().resolve("model.safetensors")));
    }

    private void assertRefused(EspalierException.Kind kind, String task, String... message) {
        var recipe =
                recipe(
                        "refused" + Rng.seed(task.hashCode(), message[0].hashCode()),
                        SPECIALS
                                + "model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 64}",
                        task,
                        "");
        assertThatThrownBy(() -> new Run(Recipes.parse(recipe, "x")).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContainingAll(message)
                .matches(e -> ((EspalierException) e).kind() == kind);
    }

    private String jinja(String name, String source) throws IOException {
        Files.writeString(folder.resolve(name), source);
        return "template: " + folder.resolve(name);
    }

    @Test
    void whatIsSilentlyWrongIsRefusedByItsRecord() throws IOException {
        var data = EspalierException.Kind.DATA;
        var usage = EspalierException.Kind.USAGE;
        assertRefused(
                data,
                jinja(
                        "masked.jinja",
                        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role =="
                                + " 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else"
                                + " %}{{ m.content }}{% endif %}{{ '<|im_end|>' }}{% endfor %}{% if"
                                + " add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"),
                "colours.jsonl:1: ",
                "'<|im_end|>', is masked out");
        assertRefused(
                data,
                jinja(
                        "prompt.jinja",
                        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content +"
                                + " '<|im_end|>' }}{% endfor %}"),
                "colours.jsonl:1: ",
                "generation will not see it");
        assertRefused(
                data,
                jinja(
                        "cut.jinja",
                        "{% for m in messages %}{{ m.content[:8] + eos_token }}{% endfor %}"),
                "colours.jsonl:1: ",
                "cuts the answer");
        assertRefused(
                data,
                jinja("end.jinja", "{% for m in messages %}{{ m.content + '<end>' }}{% endfor %}"),
                "colours.jsonl:1: ",
                "no special token");
        assertRefused(data, jinja("broken.jinja", "{% for %}"), "broken.jinja", "line 1");
        assertRefused(
                data,
                jinja("role.jinja", "{{ raise_exception('only narrators speak') }}"),
                "colours.jsonl:1: ",
                "only narrators speak");
        assertRefused(usage, "template: plain, answers: last".replace("plain", "llama-3"), "lacks");
        assertRefused(usage, "longer: forget", "has no chat template of its own");
        assertRefused(data, "template: plain", "colours.jsonl:1: ", "no special token");
    }

    @Test
    void recordsThatAreBrokenAreSetAside() throws IOException {
        var good = line(new Message("user", "Hi"), new Message("assistant", "Hello."));
        var bad =
                List.of(
                        line(new Message("user", "Hi")),
                        "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\":"
                                + " \"assistant\", \"content\": \" \"}]}\n",
                        "{\"messages\": [{\"role\": \"<|im_end|>\", \"content\": \"Hi\"}]}\n",
                        "{\"prompt\": \"Hi\"}\n",
                        "{\"question\": \"Hi\"}\n",
                        "[1]\n",
                        "{\"mess\n");
        Files.writeString(folder.resolve("colours.jsonl"), good.repeat(4) + String.join("", bad));
        var result =
                shortRun(
                                "bad",
                                SPECIALS
                                        + "model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 64}",
                                "template: chatml")
                        .train(s -> {});
        assertThat(Files.readString(result.folder().resolve("rejects.jsonl")))
                .contains("the assistant says nothing")
                .contains("the answer is empty")
                .contains("no word of letters")
                .contains("`completion` must be a text")
                .contains("there is neither `messages`")
                .contains("not a JSON object")
                .contains("not JSON");
    }

    @Test
    void longConversationsForgetAreLeftOutOrRefused() throws IOException {
        var turns = new ArrayList<Message>();
        for (var i = 0; i < 6; i++) {
            turns.add(new Message("user", "Question number " + i));
            turns.add(new Message("assistant", "Answer number " + i));
        }
        var short_ = line(new Message("user", "Hi"), new Message("assistant", "Hello."));
        Files.writeString(
                folder.resolve("colours.jsonl"),
                line(turns.toArray(Message[]::new)) + short_.repeat(3));
        var model = SPECIALS + "model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 64}";
        var forgetting = new Looking(Long.MAX_VALUE);
        shortRun("forget", model, "template: chatml").train(forgetting, false);
        assertThat(forgetting.said).anyMatch(l -> l.contains("1 lost their oldest turns and 0"));
        var text = forgetting.shown.getFirst().fields().getFirst();
        assertThat(text.name()).endsWith("messages forgotten");
        assertThat(
                        text.pieces().getLast().text()
                                + text.pieces().get(text.pieces().size() - 2).text())
                .contains("Answer number 5");
        var leaving = new Looking(Long.MAX_VALUE);
        shortRun("leave", model, "template: chatml, longer: leave-out").train(leaving, false);
        assertThat(leaving.said).anyMatch(l -> l.contains("0 lost their oldest turns and 1"));
        assertRefused(
                EspalierException.Kind.DATA,
                "template: chatml, longer: refuse",
                "colours.jsonl:1: ",
                "an answer is not cut");
        Files.writeString(
                folder.resolve("colours.jsonl"),
                line(new Message("user", "Hi"), new Message("assistant", "no ".repeat(100)))
                        + short_);
        assertRefused(
                EspalierException.Kind.DATA,
                "template: chatml",
                "of the last question and answer alone");
    }
}
