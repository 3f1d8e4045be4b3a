package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.Recipes;
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

/// Whole runs on preferences at a tiny size, from a model that knows nothing yet.
class PreferringTest {
    private static final String MODEL =
            """
            tokenizer: {type: bpe, vocabulary: 320, special-tokens: [<|endoftext|>, <|im_start|>, <|im_end|>]}
            model: {type: gpt2, layers: 1, heads: 2, width: 32, context: 64}
            """;

    @TempDir Path folder;

    @BeforeEach
    void writePairs() throws IOException {
        Files.writeString(folder.resolve("train.jsonl"), pairs(0, 48));
        Files.writeString(folder.resolve("more.jsonl"), pairs(48, 72));
    }

    private static String pairs(int from, int to) {
        var lines = new StringBuilder();
        for (var i = from; i < to; i++) {
            var thing = List.of("bread", "milk", "stone", "grass").get(Rng.at(i).nextInt(4));
            lines.append(
                    "{\"prompt\": \"Is %s %d good?\", \"chosen\": \"Yes, it is.\", \"rejected\": \"No, never.\"}\n"
                            .formatted(thing, i));
        }
        return lines.toString();
    }

    private String recipe(String name, String model, String loss, String training) {
        return """
        name: %s
        output: %s/%s
        data: {train: %s/train.jsonl, validation: %s/more.jsonl}
        %s
        task: {type: preference, template: chatml, loss: %s}
        training: {for: 4 epochs, batch: 8, optimizer: {type: adamw, rate: 1e-3}%s}
        """
                .formatted(name, folder, name, folder, folder, model, loss, training);
    }

    private Run run(String name, String model, String loss, String training) {
        return new Run(Recipes.parse(recipe(name, model, loss, training), name));
    }

    private static double value(Run.Result result, String data, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{type: dpo, beta: 0.5}",
                "{type: ipo, beta: 0.5}",
                "{type: kto, beta: 0.5}"
            })
    void theChosenAnswersComeToBeLikelier(String loss) throws IOException {
        var result = run("all", MODEL, loss, "").train(s -> {});
        assertThat(value(result, "validation-before", "reward-margin")).isZero();
        assertThat(value(result, "validation-before", "reward-accuracy")).isZero();
        assertThat(value(result, "validation", "reward-accuracy")).isEqualTo(1);
        assertThat(value(result, "validation", "preference-accuracy")).isEqualTo(1);
        assertThat(value(result, "validation", "reward-margin")).isPositive();
        assertThat(value(result, "validation", "loss"))
                .isLessThan(value(result, "validation-before", "loss"));
        assertThat(result.model().resolve("chat_template.jinja")).isNotEmptyFile();
        assertThat(Files.readString(result.model().resolve("generation_config.json")))
                .contains("eos_token_id");
        assertThat(Files.readString(result.folder().resolve("report.html")))
                .containsPattern("the reward accuracy is 1.000 .*, where it was 0.000 before");
    }

    /// What an answer to the same prompt is likely to say tells nothing of how far the model has
    /// moved elsewhere.
    @Test
    void theOtherPromptsOfKtoAreOthers() throws IOException {
        var pair = "{\"prompt\": \"%s\", \"chosen\": \"Yes.\", \"rejected\": \"No%s.\"}\n";
        var one = new StringBuilder();
        for (var i = 0; i < 8; i++) {
            one.append(pair.formatted("Good?", "!".repeat(i)));
        }
        Files.writeString(folder.resolve("train.jsonl"), one);
        var kto = "{type: kto, beta: 0.5}";
        assertThatThrownBy(() -> run("same", MODEL, kto, "").train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("pairs are of one prompt");
        Files.writeString(
                folder.resolve("train.jsonl"),
                one + pair.formatted("Bad?", "") + pair.formatted("Bad?", "!"));
        assertThat(run("several", MODEL, kto, "").train(s -> {}).scores()).isNotEmpty();
    }

    /// The same step for any micro-batch, that of KTO's coupled pairs too, and the same run after
    /// an interruption.
    @ParameterizedTest
    @ValueSource(strings = {"{type: dpo}", "{type: kto}"})
    void aRunGoesOnAsIfNeverStoppedAndMicroBatchesChangeNothing(String loss) {
        var whole = run("whole", MODEL, loss, ", micro-batch: 8").train(s -> {});
        var split = run("split", MODEL, loss, ", micro-batch: 2").train(s -> {});
        assertThat(value(split, "validation", "loss"))
                .isCloseTo(
                        value(whole, "validation", "loss"),
                        org.assertj.core.api.Assertions.within(1e-4));
        var parted = run("parted", MODEL, loss, ", micro-batch: 8");
        var looking = new Looking(5);
        assertThatThrownBy(() -> parted.train(looking, false))
                .isInstanceOf(EspalierException.class);
        assertThat(looking.shown).hasSize(2);
        var fields = looking.shown.getFirst().fields();
        assertThat(fields)
                .extracting(ExampleText.Field::name)
                .containsExactly("chosen", "rejected");
        assertThat(fields.getFirst().pieces().get(1).mark()).isEqualTo(Mark.TARGET);
        assertThat(fields.getFirst().pieces().get(1).text()).isEqualTo("Yes, it is.<|im_end|>");
        assertThat(fields.getLast().pieces().get(1).text()).isEqualTo("No, never.<|im_end|>");
        var resumed = parted.train(new Looking(Long.MAX_VALUE), true);
        assertThat(AtomicFiles.sha256(resumed.model().resolve("model.safetensors")))
                .isEqualTo(AtomicFiles.sha256(whole.model().resolve("model.safetensors")));
    }

    private static final class Looking implements Watcher {
        final List<ExampleText> shown = new ArrayList<>();
        final long until;
        long steps;

        Looking(long until) {
            this.until = until;
        }

        @Override
        public void preflight(List<ExampleText> examples) {
            shown.addAll(examples);
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
    void aSavedModelDropsNothingOutAndItsTemplateIsKept() throws IOException {
        var dropping = MODEL.replace("context: 64", "context: 64, dropout: 0.5");
        var base = run("base", dropping, "{type: dpo}", "").train(s -> {});
        var tuned =
                new Run(
                                Recipes.parse(
                                        recipe(
                                                                "tuned",
                                                                "model: {path: "
                                                                        + base.model()
                                                                        + "}",
                                                                "{type: dpo}",
                                                                "")
                                                        .replace("template: chatml, ", "")
                                                + "adapter: {type: lora, rank: 4, dora: true, merge: true}\n",
                                        "x"))
                        .train(s -> {});
        var completed = (FinetuneRecipe) Recipes.read(tuned.folder().resolve("recipe.yaml"));
        assertThat(((ModelRecipe.Saved) completed.model()).dropout()).isZero();
        assertThat(value(tuned, "validation-before", "preference-accuracy"))
                .isEqualTo(value(base, "validation", "preference-accuracy"));
        assertThat(Files.readString(tuned.model().resolve("chat_template.jinja")))
                .isEqualTo(Files.readString(base.model().resolve("chat_template.jinja")));
    }

    @Test
    void whatDoesNotFitOrGoTogetherIsSaid() throws IOException {
        Files.writeString(
                folder.resolve("train.jsonl"),
                pairs(0, 8)
                        + "{\"prompt\": \"a\", \"chosen\": \"%s\", \"rejected\": \"b\"}\n"
                                .formatted("no ".repeat(100)));
        var said = new ArrayList<String>();
        var left =
                run("left", MODEL, "{type: dpo}", "")
                        .train(
                                new Watcher() {
                                    @Override
                                    public void stepped(StepFigures figures, long total) {}

                                    @Override
                                    public void said(String line) {
                                        said.add(line);
                                    }
                                },
                                false);
        assertThat(said).anyMatch(l -> l.startsWith("training: of 9 pairs 1 are left out"));
        assertThat(
                        Json.read(left.folder().resolve("passport.json"))
                                .path("data")
                                .path("training-left-out")
                                .asInt())
                .isEqualTo(1);
        var strict =
                recipe("strict", MODEL, "{type: dpo}", "")
                        .replace("template: chatml,", "template: chatml, longer: refuse,");
        assertThatThrownBy(() -> new Run(Recipes.parse(strict, "x")).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContainingAll("train.jsonl:9: ", "an answer is not cut");
        assertThatThrownBy(() ->
                        Recipes.parse(
                                recipe("x", MODEL, "{type: dpo}", ", label-smoothing: 0.1"), "x"))
                .hasMessageContainingAll("training.label-smoothing", "allowed: 0");
        assertThatThrownBy(() -> Recipes.parse(recipe("x", MODEL, "{type: ppo}", ""), "x"))
                .hasMessageContaining("dpo");
    }
}
