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
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class BenchTest {
    @TempDir Path temp;

    private int code;

    private String run(String... args) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var errors = new PrintStream(err, true, StandardCharsets.UTF_8);
        var stop = new Stop();
        code =
                new Main(new PrintStream(out, true, StandardCharsets.UTF_8), errors, false)
                        .run(stop, List.of(args));
        stop.finished();
        return code == 0
                ? out.toString(StandardCharsets.UTF_8)
                : err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void theRatesOfARecipesModelAreGivenByName() throws IOException {
        var recipe = temp.resolve("small.yaml");
        Files.writeString(
                recipe,
                """
                name: small
                data: {sources: [{type: text, path: none.txt}]}
                tokenizer: {type: bpe, vocabulary: 512}
                model: {type: gpt2, layers: 2, heads: 2, width: 32, context: 32}
                objective: {type: causal}
                training: {for: 10 steps, batch: 4}
                """);
        var out = run("bench", recipe.toString(), "--steps", "2", "--precision", "fp32", "--json");
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        // 2 blocks of 12 D² + 13 D, the tables of tokens and of places, the last norm.
        assertThat(result.path("parameters").asInt())
                .isEqualTo(2 * (12 * 32 * 32 + 13 * 32) + (512 + 32) * 32 + 64);
        for (var key : List.of("tokens-per-second", "matmul-gflops", "matmul-share")) {
            assertThat(result.path(key).asDouble()).as(key).isPositive();
        }
        for (var key : List.of("peak-memory-bytes", "predicted-memory-bytes")) {
            assertThat(result.path(key).asLong()).as(key).isGreaterThan(10_000_000);
        }
    }

    @Test
    void aLlamaIsTrainedToo() throws IOException {
        var recipe = temp.resolve("llama.yaml");
        Files.writeString(
                recipe,
                """
                name: llama
                data: {sources: [{type: text, path: none.txt}]}
                tokenizer: {type: bpe, vocabulary: 512}
                model: {type: llama, layers: 2, heads: 2, key-value-heads: 1, width: 32, hidden: 64, context: 32}
                objective: {type: causal}
                training: {for: 1 epochs, batch: 4, recompute: true, precision: fp32}
                """);
        var out = run("bench", recipe.toString(), "--steps", "3", "--json");
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(result.path("model").asString()).isEqualTo("Llama");
        assertThat(result.path("precision").asString()).isEqualTo("fp32");
        assertThat(result.path("predicted-memory-bytes").asLong()).isPositive();
        assertThat(run("bench", recipe.toString(), "--steps", "1"))
                .contains("Llama of ")
                .contains("by the formula");
    }

    @Test
    void otherObjectivesAreMeasuredOnTheirTexts() throws IOException {
        var recipe = temp.resolve("masked.yaml");
        Files.writeString(
                recipe,
                """
                name: masked
                data: {sources: [{type: text, path: ../recipes/data/village.txt}]}
                tokenizer: {type: bpe, vocabulary: 300, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}
                model: {type: roberta, layers: 1, heads: 2, width: 16, context: 32}
                objective: {type: masked}
                training: {for: 10 steps, batch: 4}
                """);
        var out = run("bench", recipe.toString(), "--steps", "2", "--precision", "fp32", "--json");
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(result.path("model").asString()).isEqualTo("Roberta");
        assertThat(result.path("unit").asString()).isEqualTo("tokens");
        assertThat(result.path("made-per-second").asDouble())
                .isGreaterThan(result.path("per-second").asDouble());
        assertThat(run("bench", recipe.toString(), "--steps", "1")).contains("tokens/s");
    }

    @Test
    void aRecipeOfPicturesIsMeasuredOnThem() throws IOException {
        var recipe = temp.resolve("shapes.yaml");
        Files.writeString(
                recipe,
                """
                name: shapes
                data: {train: ../recipes/data/shapes-test-images-idx3-ubyte}
                model: {type: vit, image: 16, patch: 8, width: 16, layers: 1, heads: 2}
                task: {type: image-classification, augment: {flip: both}}
                training: {for: 10 steps, batch: 8}
                """);
        var out = run("bench", recipe.toString(), "--steps", "2", "--precision", "fp32", "--json");
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(result.path("model").asString()).isEqualTo("Vit");
        assertThat(result.path("batch").asInt()).isEqualTo(8);
        for (var key :
                List.of(
                        "per-second",
                        "ready-per-second",
                        "made-per-second",
                        "forward-per-second",
                        "matmul-share",
                        "forward-share")) {
            assertThat(result.path(key).asDouble()).as(key).isPositive();
        }
        assertThat(temp.resolve("runs")).doesNotExist();
    }

    private JsonNode measured(Path model, String... more) throws IOException {
        var texts = temp.resolve("texts.txt");
        Files.writeString(texts, "a hen\ntwo hens\n".repeat(9));
        var args = new ArrayList<>(List.of(more));
        args.addAll(0, List.of("bench", model.toString(), "--file", texts.toString(), "--json"));
        var out = run(args.toArray(String[]::new));
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(result.path("texts").asInt()).isEqualTo(18);
        assertThat(result.path("seconds").asDouble()).isPositive();
        return result;
    }

    @Test
    void aWritersRatesAreThoseOfAFile() throws IOException {
        var model = TinyModel.write(temp.resolve("writer"), List.of());
        var result = measured(model);
        assertThat(result.path("tokens").asInt()).isEqualTo(18 * 64);
        assertThat(result.path("tokens-per-second").asDouble())
                .isCloseTo(
                        18 * 64 / result.path("seconds").asDouble(), Percentage.withPercentage(1));
        assertThat(result.path("one-text-tokens-per-second").asDouble()).isPositive();
        assertThat(run("bench", model.toString(), "--file", temp.resolve("texts.txt").toString()))
                .contains("one text", "tokens/s in fp32", "18 texts, 16 at once");
        assertThat(measured(model, "--precision=fp16").path("one-text-precision").asString())
                .isEqualTo("fp16");
        assertThat(run("bench", model.toString(), "--precision", "bf16"))
                .contains("a model is measured in fp32 or fp16");
        assertThat(code).isEqualTo(2);
        assertThat(run("bench", "--precision", "fp16"))
                .contains("a recipe is trained in fp32 or bf16");
        assertThat(code).isEqualTo(2);
    }

    @Test
    void aClassifiersRateIsThatOfAFile() throws IOException {
        var decoder = HuggingFace.readDecoder(TinyModel.write(temp.resolve("body"), List.of()));
        var classifier = new SequenceClassifier(decoder.model(), List.of("bad", "good"));
        classifier.initializeHead(1);
        var model = temp.resolve("classifier");
        HuggingFace.save(model, classifier, decoder.config());
        Tokenizers.read(temp.resolve("body")).save(model);
        classifier.free();
        var result = measured(model);
        assertThat(result.path("texts-per-second").asDouble())
                .isCloseTo(18 / result.path("seconds").asDouble(), Percentage.withPercentage(1));
        var texts = temp.resolve("texts.txt").toString();
        assertThat(run("bench", model.toString(), "--file", texts, "--precision", "fp16"))
                .contains("--precision fp16 is for models that go on with texts");
        assertThat(code).isEqualTo(2);
    }

    @Test
    void aFileWithoutTextsIsRefused() throws IOException {
        var empty = Files.createFile(temp.resolve("empty.txt"));
        assertThat(run("bench", temp.toString(), "--file", empty.toString()))
                .contains("empty.txt: holds no text");
        assertThat(code).isEqualTo(3);
    }

    @Test
    void whatIsMeasuredWithoutARecipeCanBeChanged() {
        var out =
                run(
                        "bench",
                        "--set=model={type: gpt2, layers: 1, heads: 2, width: 16, context: 32, dropout: 0}",
                        "--set=tokenizer.vocabulary=512",
                        "--set=objective.length=16",
                        "--set=training.precision=fp32",
                        "--steps=1",
                        "--json");
        assertThat(code).as(out).isZero();
        var result = Json.mapper().readTree(out.lines().toList().getLast());
        assertThat(result.path("parameters").asInt())
                .isEqualTo(12 * 16 * 16 + 13 * 16 + (512 + 32) * 16 + 2 * 16);
        assertThat(result.path("length").asInt()).isEqualTo(16);
        assertThat(result.path("precision").asString()).isEqualTo("fp32");
        assertThat(run("bench", "--set=model.storeys=3")).contains("storeys");
        assertThat(code).isEqualTo(2);
    }

    @Test
    void whatIsOfRecipesIsRefusedBesideAModel() throws IOException {
        var model = TinyModel.write(temp.resolve("writer"), List.of()).toString();
        var file = Files.writeString(temp.resolve("texts.txt"), "a hen\n").toString();
        assertThat(run("bench", model, "--file", file, "--set=training.batch=2"))
                .contains("--set is for recipes");
        assertThat(code).isEqualTo(2);
        assertThat(run("bench", model, "--file", file, "--steps=7"))
                .contains("--steps is for training");
        assertThat(code).isEqualTo(2);
    }

    @Test
    void noStepsAreRefused() {
        assertThat(run("bench", "--steps", "0")).contains("--steps must be at least 1");
        assertThat(code).isEqualTo(2);
    }
}
