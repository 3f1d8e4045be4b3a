package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.PairReader;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.WrittenTexts;
import dev.espalier.io.Json;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.TextRewriter;
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
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/// Whole runs that learn to write one text from another, at a tiny size: `FIG NOW` for `fig 17`.
class RewritingTest {
    private static final List<String> WORDS =
            List.of("apple", "pear", "plum", "fig", "grape", "saw", "axe", "drill");
    private static final String BART = "{type: bart, layers: 1, heads: 4, width: 128, context: 24}";
    private static final String T5 =
            "{type: t5, layers: 1, heads: 2, head-width: 16, width: 32, hidden: 64, context: 24}";

    @TempDir Path folder;

    @BeforeEach
    void writePairs() throws IOException {
        var csv = new StringBuilder("small,large\n");
        var lines = new StringBuilder();
        for (var i = 0; i < 240; i++) {
            var rng = Rng.at(i);
            var text = WORDS.get(rng.nextInt(8)) + " " + rng.nextInt(60);
            csv.append(text).append(',').append(capitals(text)).append('\n');
            lines.append(
                    "{\"small\": \"%s\", \"large\": \"%s\"}\n".formatted(text, capitals(text)));
        }
        Files.writeString(folder.resolve("pairs.csv"), csv);
        Files.writeString(
                folder.resolve("later.csv"), "small,large\nfig 77,FIG NOW\naxe 78,AXE NOW\n");
        Files.writeString(folder.resolve("pairs.jsonl"), lines);
        Files.writeString(folder.resolve("pairs.tsv"), csv.toString().replace(',', '\t'));
    }

    private static String capitals(String text) {
        return text.replaceFirst(" .*", " NOW").toUpperCase(java.util.Locale.ROOT);
    }

    private Recipe recipe(String name, String data, String model, String task, String more) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {train: %s/%s, validation-share: 25%%}
                %s
                task: {type: sequence-to-sequence, input: small, target: large%s}
                %s
                """
                        .formatted(name, folder, name, folder, data, model, task, more),
                name);
    }

    private static String fresh(String model) {
        return "tokenizer: {type: bpe, vocabulary: 340, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}\n"
                + "model: "
                + model;
    }

    private static String training(int epochs) {
        return training(epochs, 4e-3);
    }

    private static String training(int epochs, double rate) {
        return "training: {for: %d epochs, batch: 16, optimizer: {type: adamw, rate: %s}}"
                .formatted(epochs, rate);
    }

    private Run.Result run(Recipe recipe) {
        return new Run(recipe).train(s -> {});
    }

    private static double value(List<Score> scores, String metric) {
        return scores.stream()
                .filter(s -> s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bart|pairs.csv|, prefix: \"large: \", generation: {beams: 2, length-penalty: 0.5}",
                "t5|pairs.jsonl|, metrics: {words: none, stemming: true}",
            })
    void whatWasLearntIsWrittenMeasuredAndReadBack(String type, String data, String task)
            throws IOException {
        var model = type.equals("bart") ? BART.replace("}", ", dropout: 0}") : T5;
        var heard = new ArrayList<String>();
        var recipe =
                recipe(
                        "learnt",
                        data,
                        fresh(model),
                        task,
                        (type.equals("bart") ? training(30, 1e-3) : training(16))
                                + "\nevaluate: {every: 10 epochs}");
        var result =
                new Run(recipe)
                        .train(
                                new Watcher() {
                                    @Override
                                    public void said(String line) {
                                        heard.add(line);
                                    }
                                },
                                false);
        assertThat(value(result.scores(), "exact-match")).isGreaterThan(0.9);
        assertThat(value(result.scores(), "word-error-rate")).isLessThan(0.1);
        assertThat(value(result.scores(), "chrf")).isGreaterThan(90);
        assertThat(value(result.scores(), "copy-exact-match")).isZero();
        assertThat(value(result.scores(), "copy-word-error-rate")).isEqualTo(1);
        assertThat(value(result.scores(), "copy-rouge-1")).isEqualTo(0.5);
        assertThat(heard).anyMatch(line -> line.matches("validation: .* tokens written in .*"));
        assertThat(Files.readString(result.folder().resolve("report.html")))
                .contains("What it writes", "wanted: ");
        // An input that stands several times is one question.
        var distinct = Files.readAllLines(folder.resolve("pairs.csv")).stream().distinct().count();
        assertThat(
                        result.scores().stream()
                                .filter(s -> s.metric().equals("exact-match"))
                                .mapToLong(Score::n))
                .allMatch(n -> n < distinct / 2);

        var config = Json.read(result.model().resolve("config.json"));
        assertThat(config.path("prefix").asString("none"))
                .isEqualTo(type.equals("bart") ? "large: " : "none");
        var generation = Json.read(result.model().resolve("generation_config.json"));
        assertThat(generation.path("num_beams").asInt()).isEqualTo(type.equals("bart") ? 2 : 1);
        assertThat(generation.path("decoder_start_token_id").isIntegralNumber()).isTrue();
        var completed = Recipes.write(Recipes.read(result.folder().resolve("recipe.yaml")));
        assertThat(completed)
                .contains("max-input: 24", "max-target: 24")
                .doesNotContain("max-new-tokens: auto");

        try (var rewriter = TextRewriter.load(result.model())) {
            assertThat(rewriter.rewrite("fig 5")).isEqualTo("FIG NOW");
            var both = rewriter.rewrite(List.of("grape 8", "apple ".repeat(40)));
            assertThat(both.get(0)).isEqualTo(new TextRewriter.Written("GRAPE NOW", false));
            assertThat(both.get(1).truncated()).isTrue();
            assertThat(rewriter.rewrite("")).isNotNull();
            var again =
                    rewriter.evaluate(
                            "validation",
                            PairReader.read(
                                    folder.resolve(data), "small", "large", Ledger.strict()),
                            WrittenTexts.Settings.USUAL,
                            1);
            assertThat(value(again.scores(), "exact-match")).isGreaterThan(0.9);
            assertThat(again.output().tokens()).isPositive();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5"})
    void aRunThatWasStoppedAndResumedIsOneThatNeverStopped(String type) {
        var model = fresh(type.equals("bart") ? BART : T5);
        var more =
                "training: {for: 24 steps, batch: 16, label-smoothing: 0.1, early-stopping: {patience: 9, metric: chrf}}\n"
                        + "evaluate: {every: 5 steps, tokens: 400}\nsave: {every: 6 steps, keep: 1}";
        var whole = run(recipe("whole", "pairs.csv", model, "", more));
        var recipe = recipe("stopped", "pairs.csv", model, "", more);
        StopAfter.run(recipe, 13);
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));
        assertThat(resumed.scores()).isEqualTo(whole.scores());
    }

    @Test
    void howABatchIsSplitChangesNothing() {
        var model = fresh(T5);
        var losses = new ArrayList<Double>();
        for (var micro : new int[] {16, 4, 1}) {
            var more =
                    "training: {for: 1 epoch, batch: 16, micro-batch: %d, label-smoothing: 0.1, precision: fp32}"
                            .formatted(micro);
            var result = run(recipe("micro-" + micro, "pairs.tsv", model, "", more));
            losses.add(value(result.scores(), "loss"));
        }
        assertThat(losses.get(1)).isCloseTo(losses.get(0), within(1e-4));
        assertThat(losses.get(2)).isCloseTo(losses.get(0), within(1e-4));
    }

    @Test
    void adaptersAndHeadsOfATrainedModelAreTrained() {
        var base = run(recipe("base", "pairs.csv", fresh(T5), "", training(8)));
        var from = "model: {path: %s}".formatted(base.model());
        for (var adapter :
                List.of(
                        "{type: lora, rank: 4, alpha: 8, targets: all}",
                        "{type: lora, rank: 4, alpha: 8, targets: attention, dora: true}",
                        "{type: frozen}")) {
            var name = "adapted-" + Math.abs(adapter.hashCode());
            var result =
                    run(
                            recipe(
                                    name,
                                    "pairs.csv, validation: " + folder.resolve("later.csv"),
                                    from,
                                    ", prefix: \"say \"",
                                    training(2) + "\nadapter: " + adapter));
            assertThat(HuggingFace.isAdapter(result.model())).isEqualTo(adapter.contains("lora"));
            try (var rewriter = TextRewriter.load(result.model())) {
                var written =
                        rewriter.evaluate(
                                "validation",
                                PairReader.read(
                                        folder.resolve("later.csv"),
                                        "small",
                                        "large",
                                        Ledger.strict()),
                                WrittenTexts.Settings.USUAL,
                                1);
                assertThat(value(written.scores(), "loss"))
                        .isCloseTo(value(result.scores(), "loss"), within(0.05));
                assertThat(value(written.scores(), "chrf"))
                        .isEqualTo(value(result.scores(), "chrf"));
            }
        }
    }

    /// A summariser's rules would make other texts impossible without a word.
    @Test
    void howTheBaseWritesIsSaidAndCanBeChanged() throws IOException {
        var base = run(recipe("base", "pairs.csv", fresh(T5), "", training(1))).model();
        var file = base.resolve("generation_config.json");
        var json = (ObjectNode) Json.read(file);
        Files.writeString(
                file,
                json.put("no_repeat_ngram_size", 3)
                        .put("min_length", 5)
                        .put("repetition_penalty", 1.5)
                        .toString());
        var from = "model: {path: %s}".formatted(base);
        var kept = run(recipe("kept", "pairs.csv", from, "", training(1)));
        assertThat(Files.readString(kept.folder().resolve("recipe.yaml")))
                .contains("no-repeat-ngram: 3", "min-new-tokens: 4", "repetition-penalty: 1.5");
        var own = ", generation: {no-repeat-ngram: 0, min-new-tokens: 0, repetition-penalty: 1}";
        var changed = run(recipe("changed", "pairs.csv", from, own, training(1)));
        var written = Json.read(changed.model().resolve("generation_config.json"));
        assertThat(written.path("no_repeat_ngram_size").asInt(-1)).isZero();
        assertThat(written.path("min_new_tokens").asInt(-1)).isZero();
        assertThat(written.path("repetition_penalty").asDouble()).isEqualTo(1);
        assertThat(written.has("min_length")).isFalse();
        Files.writeString(file, json.put("min_length", 40).toString());
        assertThatThrownBy(() -> run(recipe("never", "pairs.csv", from, "", training(1))))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("at least 39 tokens are to be written, as the base model's");
    }

    /// Its files name the length that it was trained on, but distances limit nothing.
    @Test
    void aT5ReadsAndWritesMoreThanItsContext() {
        var task =
                ", max-input: 60, max-target: 50, generation: {min-new-tokens: 40, max-new-tokens: 45}";
        var base = run(recipe("base", "pairs.csv", fresh(T5), "", training(1))).model();
        var from = "model: {path: %s}".formatted(base);
        var result = run(recipe("long", "pairs.csv", from, task, training(1)));
        try (var rewriter = TextRewriter.load(result.model())) {
            var inputs = rewriter.inputs(List.of("fig ".repeat(100)));
            assertThat(inputs.ids().getFirst()).hasSize(60);
            var reader = Tokenizers.read(result.model());
            assertThat(reader.encode(rewriter.rewrite("fig ".repeat(100))).length)
                    .isGreaterThan(24);
        }
        assertThatThrownBy(() -> run(recipe("bart", "pairs.csv", fresh(BART), task, training(1))))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("max-input: 60");
    }

    @Test
    void whatIsTooLongIsCutAndCountedOrRefused() throws IOException {
        var csv = "small,large\nfig,FIG\naxe,AXE\n" + "saw,SAW\n".repeat(40);
        var longInput = "fig ".repeat(30) + ",FIG\n";
        var longTarget = "fig," + "FIG ".repeat(30) + "\n";
        Files.writeString(folder.resolve("train.csv"), csv + longInput + longTarget);
        Files.writeString(folder.resolve("validation.csv"), csv);
        var data = "train.csv, validation: " + folder.resolve("validation.csv");
        assertThatThrownBy(() -> run(recipe("refused", data, fresh(T5), "", training(1))))
                .isInstanceOf(EspalierException.class)
                .hasMessageMatching(".*train\\.csv:45: the target has \\d+ tokens.*long-targets.*");
        var heard = new ArrayList<String>();
        var result =
                new Run(recipe("cut", data, fresh(T5), ", long-targets: cut", training(1)))
                        .train(
                                new Watcher() {
                                    @Override
                                    public void said(String line) {
                                        heard.add(line);
                                    }
                                },
                                false);
        assertThat(heard)
                .contains(
                        "training: 1 of 44 inputs are longer than 24 tokens and were cut",
                        "training: 1 of 44 targets are longer than 24 tokens and were cut");
        var passport = Json.read(result.folder().resolve("passport.json")).path("data");
        assertThat(passport.path("training-inputs-cut").asInt()).isEqualTo(1);
        assertThat(passport.path("training-targets-cut").asInt()).isEqualTo(1);
    }

    /// Longer inputs would stand at places that it has never seen.
    @Test
    void aModelReadsAsMuchAsInTraining() {
        var task = ", max-input: 8, max-target: 12";
        var result = run(recipe("short", "pairs.csv", fresh(BART), task, training(1)));
        var own = Json.read(result.model().resolve("config.json")).path("espalier");
        assertThat(own.path("max_input").asInt()).isEqualTo(8);
        assertThat(own.path("max_target").asInt()).isEqualTo(12);
        try (var rewriter = TextRewriter.load(result.model())) {
            var inputs = rewriter.inputs(List.of("fig ".repeat(30), "fig"));
            assertThat(inputs.truncated()).isEqualTo(1);
            assertThat(inputs.ids().getFirst()).hasSize(8);
        }
    }

    @Test
    void severalRightAnswersAreOneQuestion() throws IOException {
        var csv = "small,large\n" + "fig,FIG\nfig,FIGS\n".repeat(20);
        Files.writeString(folder.resolve("several.csv"), csv);
        Files.writeString(folder.resolve("test.csv"), "small,large\nfig,FIG\nfig,FIGS\n");
        var result =
                run(
                        recipe(
                                "several",
                                "several.csv, validation: " + folder.resolve("test.csv"),
                                fresh(T5),
                                "",
                                training(20)));
        assertThat(result.scores())
                .filteredOn(s -> s.metric().equals("exact-match"))
                .singleElement()
                .satisfies(s -> {
                    assertThat(s.n()).isEqualTo(1);
                    assertThat(s.value()).isEqualTo(1);
                });
    }

    @Test
    void whatCannotBeLearntFromIsRefusedWithItsReason() throws IOException {
        Files.writeString(folder.resolve("empty.csv"), "small,large\nfig,\naxe, \n");
        Files.writeString(folder.resolve("torn.csv"), "small,large\nfig\naxe,AXE,saw\n");
        Files.writeString(folder.resolve("none.csv"), "small,large\n");
        refused("empty.csv", fresh(T5), "", "holds no pair of texts", "2 empty target");
        refused("torn.csv", fresh(T5), "", "holds no pair of texts", "2 wrong number of fields");
        refused("none.csv", fresh(T5), "", "holds no pair of texts");
        refused("pairs.csv", fresh(T5), ", target: larger", "no field `larger`", "`large`");
        refused("pairs.csv", fresh(T5), ", max-input: 25", "task.max-input", "up to 24");
        refused("pairs.csv", fresh(T5), ", max-target: 25", "task.max-target", "up to 24");
        refused("pairs.csv", fresh(T5), ", max-input: 2", "leave no room for text");
        refused(
                "pairs.csv",
                fresh("{type: gpt2, layers: 1, heads: 2, width: 32, context: 24}"),
                "",
                "needs an encoder with a decoder");
        refused(
                "pairs.csv",
                "tokenizer: {type: characters, special-tokens: [<s>]}\nmodel: " + T5,
                "",
                "<pad>");
        refused(
                "pairs.csv",
                "tokenizer: {type: characters, special-tokens: [<pad>]}\nmodel: " + T5,
                "",
                "</s>");
        refused(
                "pairs.csv",
                fresh(BART) + "\nadapter: frozen",
                "",
                "reads by; allowed: none, lora, frozen with last-blocks");
        refused(
                "pairs.csv",
                fresh(T5) + "\nforgetting: {measure: {corpus: x.txt}}",
                "",
                "forgetting");
        assertThatThrownBy(() ->
                        recipe(
                                "metric",
                                "pairs.csv",
                                fresh(T5),
                                "",
                                "training: {for: 1 epoch, early-stopping: {metric: accuracy}}"))
                .hasMessageContaining("no accuracy")
                .hasMessageContaining("word-error-rate");
        assertThatThrownBy(() ->
                        Recipes.parse(
                                Recipes.write(
                                                recipe(
                                                        "same",
                                                        "pairs.csv",
                                                        fresh(T5),
                                                        "",
                                                        training(1)))
                                        .replace("target: large", "target: small"),
                                "same"))
                .hasMessageContaining("task.target");
    }

    private void refused(String data, String model, String task, String... reasons) {
        var assertion =
                assertThatThrownBy(
                                () -> {
                                    var fixed = task.contains("target: larger") ? "" : task;
                                    var recipe = recipe("refused", data, model, fixed, training(1));
                                    if (!fixed.equals(task)) {
                                        recipe =
                                                Recipes.parse(
                                                        Recipes.write(recipe)
                                                                .replace(
                                                                        "target: large",
                                                                        "target: larger"),
                                                        "refused");
                                    }
                                    run(recipe);
                                })
                        .as(data + model + task)
                        .isInstanceOf(EspalierException.class);
        for (var reason : reasons) {
            assertion.hasMessageContaining(reason);
        }
    }
}
