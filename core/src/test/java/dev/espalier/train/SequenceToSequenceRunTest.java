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
import dev.espalier.io.Json;
import dev.espalier.model.EncoderDecoder;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.tokenize.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Pre-training from raw text by the objectives that make pairs, and by filling in the middle, at a
/// tiny size.
class SequenceToSequenceRunTest {
    private static final String BART = "{type: bart, layers: 1, heads: 2, width: 32, context: 32}";
    private static final String T5 =
            "{type: t5, layers: 1, heads: 2, head-width: 16, width: 32, hidden: 64, context: 32}";
    private static final String GPT2 = "{type: gpt2, layers: 1, heads: 2, width: 32, context: 32}";

    @TempDir Path folder;

    @BeforeEach
    void writeText() throws IOException {
        var rng = Rng.at(1);
        var prose = new StringBuilder();
        var words = List.of("apple", "pear", "plum", "fig", "grape", "saw", "axe", "drill");
        for (var i = 0; i < 240; i++) {
            prose.append("I saw the ")
                    .append(words.get(rng.below(8)))
                    .append(" and the ")
                    .append(words.get(rng.below(8)))
                    .append(" by the door. ")
                    .append(i % 3 == 0 ? "\n" : "");
        }
        Files.writeString(folder.resolve("prose.txt"), prose);
    }

    private Recipe recipe(String name, String model, String objective, int steps) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                tokenizer:
                  type: bpe
                  vocabulary: 320
                  special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]
                model: %s
                objective: %s
                training: {for: %d steps, batch: 8, optimizer: {type: adamw, rate: 1e-2}}
                evaluate: {every: 20 steps}
                save: {every: 10 steps, keep: 2}
                """
                        .formatted(name, folder, name, folder, model, objective, steps),
                name);
    }

    private static double loss(Run.Result result) {
        return result.scores().stream()
                .filter(s -> s.data().equals("validation") && s.metric().equals("loss"))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    private static String model(String name) {
        return switch (name) {
            case "bart" -> BART;
            case "t5" -> T5;
            case "t5-tied" -> T5.replace("}", ", gated: false}");
            default -> GPT2;
        };
    }

    @ParameterizedTest
    @CsvSource({
        "bart, denoising, BartForConditionalGeneration",
        "t5, span-corruption, T5ForConditionalGeneration",
        "t5-tied, prefix, T5ForConditionalGeneration",
        "gpt2, fill-in-the-middle, GPT2LMHeadModel"
    })
    void everyObjectiveIsLearntAndWhatComesOfItWrites(
            String model, String objective, String architecture) {
        var run = new Run(recipe("run", model(model), "{type: " + objective + "}", 80));
        var result = run.train(s -> {});
        var steps = Journal.read(result.folder().resolve("metrics.jsonl"));
        assertThat(steps.getFirst().loss()).isGreaterThan(4);
        // Knowing no more than how often tokens occur costs some 2.5 nats.
        assertThat(loss(result)).isLessThan(2.2);
        var loaded = HuggingFace.readWriter(result.model(), null);
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.extra()).isEmpty();
        assertThat(loaded.config().path("architectures").path(0).asString())
                .isEqualTo(architecture);
        if (loaded.model() instanceof EncoderDecoder both) {
            assertThat(
                            Json.read(result.model().resolve("generation_config.json"))
                                    .path("decoder_start_token_id")
                                    .asInt(-1))
                    .isEqualTo(both.start());
        }
        var tokenizer = Tokenizers.read(result.model());
        assertThat(loaded.model().vocabulary()).isEqualTo(tokenizer.vocabularySize());
        var config =
                GenerationConfig.read(
                        result.model(),
                        GenerationConfig.of(Sampling.greedy(), Limits.of(tokenizer, 12)));
        var written =
                new Generator(loaded.model(), tokenizer).generate("I saw the", config, piece -> {});
        assertThat(written.ids()).isNotEmpty();
        loaded.model().free();
        var completed = Recipes.read(result.folder().resolve("recipe.yaml"));
        assertThat(Recipes.write(completed)).contains("length: ").doesNotContain("length: auto");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bart|{type: denoising, length: 24, rotation: 20%, masking: 5%, deletion: 5%}",
                "t5|{type: span-corruption, target-length: 9}",
                "gpt2|{type: fill-in-the-middle, rate: 90%}"
            })
    void aRunThatWasStoppedAndResumedIsOneThatNeverStopped(String model, String objective) {
        var whole = new Run(recipe("whole", model(model), objective, 24)).train(s -> {});
        var recipe = recipe("stopped", model(model), objective, 24);
        StopAfter.run(recipe, 13);
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));
        assertThat(resumed.scores()).isEqualTo(whole.scores());
    }

    @Test
    void aModelIsTrainedFurtherWithTheTokensThatItHas() {
        var base = new Run(recipe("base", T5, "{type: span-corruption}", 20)).train(s -> {});
        var further =
                Recipes.parse(
                        Recipes.write(recipe("further", T5, "{type: span-corruption}", 5))
                                .replaceAll(
                                        "(?s)model:.*?objective:",
                                        "model: {path: " + base.model() + "}\nobjective:")
                                .replaceAll("(?s)tokenizer:.*?model:", "model:"),
                        "further");
        var result = new Run(further).train(s -> {});
        assertThat(loss(result)).isLessThan(loss(base) + 0.5);
        var middle =
                Recipes.parse(
                        Recipes.write(further)
                                .replace("/further", "/middle")
                                .replaceAll(
                                        "(?s)objective:.*?training:",
                                        "objective: {type: denoising}\ntraining:"),
                        "middle");
        assertThat(new Run(middle).train(s -> {}).scores()).isNotEmpty();
    }

    /// Half of 255 tokens drop out one by one: 127 sentinels, more than the published 100.
    @Test
    void thereAreAsManySentinelsAsTheLengthsCanNeed() {
        var t5 = T5.replace("context: 32", "context: 256");
        var many = "{type: span-corruption, density: 50%, span: 1}";
        var run = new Run(recipe("many", t5, many, 1)).train(s -> {});
        var tokenizer = Tokenizers.read(run.model());
        assertThat(tokenizer.id("<extra_id_126>")).isPresent();
        assertThat(tokenizer.id("<extra_id_127>")).isEmpty();
        assertThat(tokenizer.id("<extra_id_0>")).hasValue(tokenizer.vocabularySize() - 1);

        var base = new Run(recipe("few", t5, "{type: span-corruption}", 1)).train(s -> {});
        var published = Tokenizers.read(base.model());
        assertThat(published.id("<extra_id_99>")).isPresent();
        assertThat(published.id("<extra_id_100>")).isEmpty();
        var text = Recipes.write(recipe("more", t5, many, 1));
        var path = "{path: " + base.model() + "}\n";
        var existing =
                text.replaceAll("(?s)tokenizer:.*?objective:", "model: " + path + "objective:");
        assertThatThrownBy(() -> new Run(Recipes.parse(existing, "more")).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContainingAll("model.add-tokens", "<extra_id_126>", "22 more");
        assertThat(folder.resolve("more")).doesNotExist();

        var given = text.replaceAll("(?s)tokenizer:.*?model:", "tokenizer: " + path + "model:");
        var result = new Run(Recipes.parse(given, "more")).train(s -> {});
        assertThat(Tokenizers.read(result.model()).id("<extra_id_126>")).isPresent();
    }

    @Test
    void whatCannotBeDoneIsRefusedWithItsReason() {
        refused(GPT2, "{type: denoising}", "needs an encoder with a decoder");
        refused(BART, "{type: fill-in-the-middle}", "needs a decoder");
        refused(BART, "{type: causal}", "needs a decoder");
        refused(T5, "{type: span-corruption, length: 33}", "objective.length");
        refused(T5, "{type: span-corruption, target-length: 33}", "objective.target-length");
        refused(T5, "{type: span-corruption, density: 100%}", "objective.density");
        refused(BART, "{type: denoising, infilling: 130%}", "objective.infilling");
        assertThatThrownBy(() ->
                        new Run(
                                        Recipes.parse(
                                                Recipes.write(
                                                                recipe(
                                                                        "unmasked",
                                                                        BART,
                                                                        "{type: denoising}",
                                                                        1))
                                                        .replace("<mask>", "<hole>"),
                                                "unmasked"))
                                .train(s -> {}))
                .hasMessageContaining("<mask>");
    }

    private void refused(String model, String objective, String reason) {
        assertThatThrownBy(() -> new Run(recipe("refused", model, objective, 1)).train(s -> {}))
                .as(model + " " + objective)
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(reason);
    }
}
