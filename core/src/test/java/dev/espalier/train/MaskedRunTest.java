package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.model.Encoder;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.TextClassifier;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Encoders from raw text to labels, at a tiny size.
class MaskedRunTest {
    private static final List<String> FRUITS = List.of("apple", "pear", "plum", "fig", "grape");
    private static final List<String> TOOLS = List.of("saw", "axe", "drill", "plane", "chisel");

    @TempDir Path folder;

    @BeforeEach
    void writeText() throws IOException {
        var rng = Rng.at(1);
        var prose = new StringBuilder();
        var labelled = new StringBuilder("sentence,topic\n");
        for (var i = 0; i < 240; i++) {
            var fruit = rng.nextBoolean();
            var words = fruit ? FRUITS : TOOLS;
            var text =
                    String.format(
                            "I saw the %s and the %s by the door",
                            words.get(rng.nextInt(5)), words.get(rng.nextInt(5)));
            prose.append(text).append(".\n");
            labelled.append(text).append(',').append(fruit ? "fruit" : "tool").append('\n');
        }
        Files.writeString(folder.resolve("prose.txt"), prose);
        Files.writeString(folder.resolve("labelled.csv"), labelled);
    }

    private Recipe pretraining(String name, String model, String objective, int steps) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                tokenizer:
                  type: bpe
                  vocabulary: 320
                  special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]
                model: {type: %s, layers: 2, heads: 2, width: 32, context: 40}
                objective: {type: masked%s}
                training: {for: %d steps, batch: 8, optimizer: {type: adamw, rate: 1e-2}}
                evaluate: {every: 20 steps}
                save: {every: 20 steps, keep: 2}
                """
                        .formatted(name, folder, name, folder, model, objective, steps),
                name);
    }

    private static double value(Run.Result result, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals("validation") && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(strings = {"bert", "roberta", "distilbert"})
    void everyFamilyLearnsToTellHiddenTokens(String model) {
        var result = new Run(pretraining(model, model, ", whole-words: true", 100)).train(s -> {});
        // Knowing no more than how often tokens occur costs some 2.5 nats.
        assertThat(value(result, "loss")).isLessThan(1.8);
        assertThat(value(result, "accuracy")).isBetween(0.4, 1.0);
        var loaded = HuggingFace.readModel(result.model(), null);
        assertThat(loaded.model()).isInstanceOf(Encoder.class);
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.config().path("architectures").path(0).asString())
                .endsWith("ForMaskedLM");
        var tokenizer = Tokenizers.read(result.model());
        assertThat(loaded.model().padding()).isEqualTo(tokenizer.specials().padding().orElse(-1));
        assertThat(tokenizer.decode(tokenizer.template().apply(tokenizer.encode("a fig"))))
                .isEqualTo("<s>a fig</s>");
        assertThat(Recipes.read(result.folder().resolve("recipe.yaml")).training().microBatch())
                .isNotNull();
        loaded.model().free();
    }

    @Test
    void aRunThatWasStoppedAndResumedIsOneThatNeverStopped() {
        var blocks = ", blocks: doc-sentences, length: 24, rate: 30%";
        var whole = new Run(pretraining("whole", "roberta", blocks, 45)).train(s -> {});
        var recipe = pretraining("stopped", "roberta", blocks, 45);
        StopAfter.run(recipe, 27);
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));
        assertThat(resumed.scores()).isEqualTo(whole.scores());
    }

    @Test
    void anEncoderIsFineTunedInEveryWayAndPredicts() {
        var base = new Run(pretraining("base", "roberta", "", 250)).train(s -> {}).model();
        for (var adapter :
                List.of(
                        "{type: none}",
                        "{type: frozen}",
                        "{type: lora, rank: 4, alpha: 8, targets: all}")) {
            var name = "tuned" + adapter.hashCode();
            var recipe =
                    Recipes.parse(
                            """
                            name: %s
                            output: %s/%s
                            data: {train: %s/labelled.csv, validation-share: 25%%}
                            model: {path: %s}
                            task: {type: classification, text: sentence, label: topic}
                            training: {for: %d epochs, batch: 16, optimizer: {type: adamw, rate: %s}}
                            adapter: %s
                            """
                                    .formatted(
                                            name,
                                            folder,
                                            name,
                                            folder,
                                            base,
                                            adapter.contains("lora")
                                                    ? 25
                                                    : adapter.contains("frozen") ? 8 : 12,
                                            "2e-3",
                                            adapter),
                            name);
            var result = new Run(recipe).train(s -> {});
            if (adapter.contains("frozen")) {
                // What so small a body says of the first token hardly tells a text's label.
                var steps = Journal.read(result.folder().resolve("metrics.jsonl"));
                assertThat(steps.getLast().loss()).isLessThan(steps.getFirst().loss());
            } else {
                assertThat(value(result, "accuracy")).as(adapter).isGreaterThan(0.85);
            }
            try (var classifier = TextClassifier.load(result.model())) {
                if (!adapter.contains("frozen")) {
                    assertThat(classifier.classify("I saw the fig and the pear by the door"))
                            .extracting(TextClassifier.Prediction::label)
                            .isEqualTo("fruit");
                }
                assertThat(classifier.classify("")).isNotNull();
            }
        }
    }

    @Test
    void whatCannotBeMaskedIsRefusedWithItsReason() {
        assertThatThrownBy(() -> new Run(pretraining("short", "roberta", ", length: 60", 1)))
                .hasMessageContaining("objective.length");
        assertThatThrownBy(() -> pretraining("rates", "bert", ", random: 0.3", 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("objective.random");
        var decoder =
                Recipes.parse(
                        Recipes.write(pretraining("decoder", "bert", "", 1))
                                .replaceAll("type: bert", "type: gpt2"),
                        "decoder");
        assertThatThrownBy(() -> new Run(decoder).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("objective: masked needs an encoder");
        var unmasked =
                Recipes.parse(
                        Recipes.write(pretraining("unmasked", "bert", "", 1))
                                .replace("<mask>", "<hole>"),
                        "unmasked");
        assertThatThrownBy(() -> new Run(unmasked).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("<mask>");
    }
}
