package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledReader;
import dev.espalier.evaluate.Score;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.plan.Machine;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.TextClassifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Whole runs that learn several labels, a number, pairs, and texts by windows, on every kind of
/// body.
class ClassificationRunTest {
    private static final List<String> THINGS =
            List.of("apple", "pear", "plum", "saw", "axe", "drill", "cat", "dog", "hen");
    private static final List<String> KINDS = List.of("fruit", "tool", "animal");

    private static final List<String> PLACES = List.of("door", "gate", "wall", "shed");

    private static final String SEVERAL = "{type: multi-label, separator: \"|\"}";

    @TempDir Path folder;

    private static String kind(String thing) {
        return KINDS.get(THINGS.indexOf(thing) / 3);
    }

    @BeforeEach
    void writeRecords() throws IOException {
        for (var part : List.of("train", "test")) {
            var several = new StringBuilder("text,kinds\n");
            var number = new StringBuilder("text,price\n");
            var pair = new StringBuilder("text\tsecond\tkind\n");
            var lengthy = new StringBuilder();
            for (var i = 0; i < (part.equals("train") ? 240 : 60); i++) {
                var rng = Rng.at(part.length(), i);
                var x = THINGS.get(rng.nextInt(9));
                var y = THINGS.get(rng.nextInt(9));
                var text = "I saw the %s and the %s by the door".formatted(x, y);
                var kinds = new TreeSet<>(List.of(kind(x)));
                if (i % 2 == 0) { // also where both are of one kind
                    kinds.add(kind(y));
                }
                several.append(i % 2 == 0 ? text : "I saw the %s by the door".formatted(x))
                        .append(',')
                        .append(String.join("|", kinds))
                        .append('\n');
                var price = 1000 + 50 * THINGS.indexOf(x) + 50 * THINGS.indexOf(y);
                number.append(text).append(',').append(price).append('\n');
                pair.append("by the %s\tI saw the %s\t%s\n".formatted(y, x, kind(x)));
                // Of different beginnings, since all records of one text are on one side of the
                // split.
                var walk = new StringBuilder();
                for (var step = 0; step < 4; step++) {
                    walk.append("by the ").append(PLACES.get(rng.nextInt(4))).append(" and ");
                }
                lengthy.append(
                        "{\"text\": \"%sI saw the %s\", \"kind\": \"%s\"}\n"
                                .formatted(walk, x, kind(x)));
            }
            Files.writeString(folder.resolve("several-" + part + ".csv"), several);
            Files.writeString(folder.resolve("number-" + part + ".csv"), number);
            Files.writeString(folder.resolve("pair-" + part + ".tsv"), pair);
            Files.writeString(folder.resolve("windows-" + part + ".jsonl"), lengthy);
        }
    }

    private static String task(String what) {
        return switch (what) {
            case "several" ->
                    "task: {type: classification, label: kinds, problem: %s}".formatted(SEVERAL);
            case "number" -> "task: {type: classification, label: price, problem: regression}";
            case "pair" -> "task: {type: classification, pair: second, label: kind}";
            default ->
                    "task: {type: classification, label: kind, max-length: 14, windows: {stride: 6}}";
        };
    }

    private static String ending(String what) {
        return switch (what) {
            case "pair" -> "tsv";
            case "windows" -> "jsonl";
            default -> "csv";
        };
    }

    private static String body(String type) {
        var tokenizer =
                switch (type) {
                    case "bert", "distilbert" -> "{type: wordpiece, vocabulary: 160}";
                    case "roberta", "bart" ->
                            "{type: bpe, vocabulary: 310, special-tokens: [<s>, <pad>, </s>, <unk>, <mask>]}";
                    default -> "{type: bpe, vocabulary: 310, special-tokens: [<|endoftext|>]}";
                };
        return "tokenizer: %s\nmodel: {type: %s, layers: 1, heads: 2, width: 32, context: 64, %s}"
                .formatted(
                        tokenizer,
                        type,
                        type.equals("llama") ? "key-value-heads: 1, hidden: 64" : "dropout: 0");
    }

    private Recipe recipe(String name, String what, String model, String training, String... more) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {train: %s/%s-train.%s, validation-share: 25%%, test: %s/%s-test.%s}
                %s
                %s
                training: {batch: 16, optimizer: {type: adamw, rate: 3e-3}, precision: fp32, %s}
                %s
                """
                        .formatted(
                                name,
                                folder,
                                name,
                                folder,
                                what,
                                ending(what),
                                folder,
                                what,
                                ending(what),
                                model,
                                String.join("", more).contains("task:") ? "" : task(what),
                                training,
                                String.join("\n", more)),
                name);
    }

    private static double value(Run.Result result, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals("test") && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow(() -> new AssertionError(metric + " is not in " + result.scores()));
    }

    private List<Score> evaluated(Run.Result result, String what) {
        try (var classifier = TextClassifier.load(result.model())) {
            var columns =
                    new LabelledReader.Columns(
                            "text",
                            what.equals("pair") ? "second" : null,
                            switch (what) {
                                case "several" -> "kinds";
                                case "number" -> "price";
                                default -> "kind";
                            },
                            switch (classifier.problem()) {
                                case Problem.SingleLabel _ -> new LabelledReader.Labels.One();
                                case Problem.MultiLabel _ ->
                                        new LabelledReader.Labels.Several("|", false);
                                case Problem.Regression _ -> new LabelledReader.Labels.Number();
                            });
            var file = folder.resolve(what + "-test." + ending(what));
            var records = LabelledReader.read(file, columns, null, Ledger.strict());
            return classifier.evaluate("test", records, 1).scores();
        }
    }

    /// What was measured in the run is what its model, read back, reaches.
    private void requireSame(Run.Result result, String what) {
        requireSame(result, what, 1e-6);
    }

    private void requireSame(Run.Result result, String what, double tolerance) {
        for (var score : evaluated(result, what)) {
            assertThat(value(result, score.metric()))
                    .as(score.metric())
                    .isCloseTo(score.value(), within(tolerance * Math.max(1, score.value())));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "several, gpt2, 8",
        "several, bart, 12",
        "number, llama, 12",
        "number, roberta, 24",
        "pair, bert, 16",
        "windows, distilbert, 16"
    })
    void isLearntAndToldAgain(String what, String type, int epochs) {
        var result =
                new Run(recipe("run", what, body(type), "for: %d epochs".formatted(epochs)))
                        .train(s -> {});
        switch (what) {
            case "several" -> {
                assertThat(value(result, "micro-f1")).isGreaterThan(0.9);
                assertThat(value(result, "subset-accuracy")).isGreaterThan(0.75);
                assertThat(value(result, "majority-micro-f1")).isBetween(0.4, 0.85);
                assertThat(value(result, "bag-of-words-micro-f1")).isGreaterThan(0.9);
                assertThat(value(result, "f1:fruit")).isGreaterThan(0.8);
            }
            case "number" -> {
                assertThat(value(result, "spearman")).isGreaterThan(0.85);
                assertThat(value(result, "mae")).isLessThan(0.6 * value(result, "mean-mae"));
                assertThat(value(result, "bag-of-words-mae")).isLessThan(value(result, "mean-mae"));
            }
            default -> {
                assertThat(value(result, "accuracy")).isGreaterThan(0.9);
                assertThat(value(result, "majority-accuracy")).isLessThan(0.6);
                assertThat(value(result, "bag-of-words-accuracy")).isGreaterThan(0.9);
            }
        }
        requireSame(result, what);
        var config = Json.read(result.model().resolve("config.json"));
        assertThat(config.path("problem_type").asString(""))
                .isEqualTo(
                        switch (what) {
                            case "several" -> "multi_label_classification";
                            case "number" -> "regression";
                            default -> "single_label_classification";
                        });
        assertThat(config.path("num_labels").asInt()).isEqualTo(what.equals("number") ? 1 : 3);
        assertThat(result.folder().resolve("report.html")).isNotEmptyFile();
        try (var classifier = TextClassifier.load(result.model())) {
            switch (what) {
                case "several" ->
                        assertThat(classifier.classify("I saw the pear and the axe by the door"))
                                .satisfies(p -> {
                                    assertThat(p.labels())
                                            .containsExactlyInAnyOrder("fruit", "tool");
                                    assertThat(p.probabilities()).hasSize(3);
                                });
                case "number" ->
                        assertThat(classifier.classify("I saw the hen and the hen by the door"))
                                .satisfies(p -> {
                                    assertThat(p.number()).isBetween(1500.0, 2100.0);
                                    assertThat(p.labels()).isEmpty();
                                    assertThat(p.probabilities()).isEmpty();
                                    assertThatThrownBy(p::label).hasMessageContaining("a number");
                                });
                case "pair" ->
                        assertThat(classifier.classify("by the pear", "I saw the axe").label())
                                .isEqualTo("tool");
                default -> {
                    var text = "by the door and ".repeat(12) + "I saw the plum";
                    assertThat(classifier.classify(text))
                            .satisfies(p -> {
                                assertThat(p.label()).isEqualTo("fruit");
                                assertThat(p.windows()).isGreaterThan(4);
                                assertThat(p.truncated()).isFalse();
                            });
                    var passport = Json.read(result.folder().resolve("passport.json"));
                    var windows = passport.at("/data/training-windows").asInt();
                    assertThat(windows)
                            .isGreaterThanOrEqualTo(
                                    2 * passport.at("/data/training-records").asInt());
                }
            }
        }
    }

    /// What the windows are for: the word that tells stands behind what one length holds.
    @Test
    void withoutWindowsLongTextsAreCutAndCounted() {
        var said = new ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.add(line);
                    }
                };
        var cut = "task: {type: classification, label: kind, max-length: 14}";
        var recipe = recipe("cut", "windows", body("distilbert"), "for: 2 epochs", cut);
        var result = new Run(recipe).train(watcher, false);
        assertThat(value(result, "accuracy")).isLessThan(0.6);
        var passport = Json.read(result.folder().resolve("passport.json")).path("data");
        for (var part : List.of("training", "validation", "test")) {
            assertThat(said).anyMatch(l -> l.matches(part + ": (\\d+) of \\1 texts .* were cut"));
            assertThat(passport.path(part + "-truncated").asInt())
                    .isEqualTo(passport.path(part + "-records").asInt())
                    .isPositive();
        }
        try (var classifier = TextClassifier.load(result.model())) {
            // As in training, though the model would see 64 tokens.
            assertThat(classifier.classify("by the door and ".repeat(12)).truncated()).isTrue();
        }
    }

    @ParameterizedTest
    @CsvSource({"several, gpt2", "number, roberta", "pair, bert", "windows, gpt2"})
    void aRunThatWasStoppedAndResumedIsOneThatNeverStopped(String what, String type) {
        var more =
                what.equals("several")
                        ? task(what)
                                .replace(SEVERAL, SEVERAL.replace("}", ", threshold: validation}"))
                        : "";
        var dropout = body(type).replace("dropout: 0", "dropout: 0.1");
        var whole = new Run(recipe("whole", what, dropout, "for: 24 steps", more)).train(s -> {});
        var recipe = recipe("stopped", what, dropout, "for: 24 steps", more);
        StopAfter.run(recipe, 15);
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        for (var file : List.of("model.safetensors", "config.json")) {
            assertThat(resumed.model().resolve(file))
                    .hasSameBinaryContentAs(whole.model().resolve(file));
        }
        assertThat(resumed.scores()).isEqualTo(whole.scores());
        requireSame(resumed, what);
    }

    @Test
    void balancedWeighsALabelByTheInverseOfItsFrequency() {
        var one = new Problem.SingleLabel(List.of("a", "b", "c"));
        var truth = new ArrayList<double[]>();
        for (var label : new int[] {0, 0, 0, 0, 0, 0, 1, 1, 1, 2}) {
            truth.add(new double[] {label});
        }
        assertThat(Finetuning.balanced(one, truth))
                .containsExactly(new float[] {10f / 18, 10f / 9, 10f / 3}, within(1e-6f));
        // Where it holds, by how much more often it does not.
        var several = new Problem.MultiLabel(List.of("a", "b", "all"), 0.5);
        var sets =
                List.of(
                        new double[] {1, 0, 1},
                        new double[] {1, 1, 1},
                        new double[] {1, 0, 1},
                        new double[] {0, 0, 1},
                        new double[] {1, 0, 1});
        assertThat(Finetuning.balanced(several, sets))
                .containsExactly(new float[] {0.25f, 4, 1}, within(1e-6f));
    }

    /// Of one text that has one label four times and another once, as often as it has them where
    /// every record weighs the same, and as if it had them alike where labels are balanced.
    @ParameterizedTest
    @CsvSource({"none, 0.8", "balanced, 0.5"})
    void aRunWeighsLabelsAsTheRecipeSays(String weights, double often) throws IOException {
        var records = ("I saw it,often\n".repeat(4) + "I saw it,seldom\n").repeat(4);
        for (var part : List.of("a", "b")) {
            Files.writeString(folder.resolve(part + ".csv"), "text,label\n" + records);
        }
        var recipe =
                Recipes.parse(
                        """
                        name: weighed
                        output: %1$s/weighed
                        data: {train: %1$s/a.csv, validation: %1$s/b.csv}
                        %2$s
                        task: {type: classification, class-weights: %3$s}
                        training: {for: 60 steps, batch: 20, optimizer: {type: adamw, rate: 1e-2}, precision: fp32, early-stopping: none}
                        evaluate: {every: 60 steps}
                        """
                                .formatted(
                                        folder,
                                        body("gpt2")
                                                .replace(
                                                        "{type: bpe, vocabulary: 310, special-tokens: [<|endoftext|>]}",
                                                        "{type: characters}"),
                                        weights),
                        "weighed");
        var result = new Run(recipe).train(s -> {});
        try (var classifier = TextClassifier.load(result.model())) {
            assertThat(classifier.classify("I saw it").probabilities().get("often"))
                    .isCloseTo(often, within(0.05));
        }
    }

    /// Class weights as well, which are 1 on average over all records, not over a micro-batch's.
    @ParameterizedTest
    @CsvSource({"several, gpt2", "number, bart", "pair, bert", "windows, roberta"})
    void howABatchIsSplitChangesNothing(String what, String type) {
        var weighted =
                what.equals("number")
                        ? ""
                        : task(what).replace("{type: c", "{class-weights: balanced, type: c");
        var losses = new ArrayList<List<Double>>();
        for (var micro : List.of(16, 4)) {
            var recipe =
                    recipe(
                            "micro-" + micro,
                            what,
                            body(type),
                            "for: 8 steps, micro-batch: " + micro,
                            weighted);
            var steps = new ArrayList<Double>();
            new Run(recipe).train(figures -> steps.add(figures.loss()));
            losses.add(steps);
        }
        assertThat(losses.getLast()).hasSameSizeAs(losses.getFirst());
        for (var i = 0; i < losses.getFirst().size(); i++) {
            assertThat(losses.getLast().get(i)).isCloseTo(losses.getFirst().get(i), within(2e-5));
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    several | {type: frozen}
                    number | {type: lora, rank: 4, alpha: 8, targets: all}
                    pair | {type: lora, rank: 4, alpha: 8, dora: true, merge: true}
                    windows | {type: lora, rank: 4, alpha: 8, targets: all}
                    """)
    void adaptersLearnSaveAndRead(String what, String adapter) {
        var base = new Run(recipe("base", what, body("bert"), "for: 3 epochs")).train(s -> {});
        var result =
                new Run(
                                recipe(
                                        "tuned",
                                        what,
                                        "model: {path: %s}".formatted(base.model()),
                                        "for: 4 epochs",
                                        "adapter: " + adapter))
                        .train(s -> {});
        assertThat(HuggingFace.isAdapter(result.model())).isEqualTo(adapter.contains("targets"));
        var steps = Journal.read(result.folder().resolve("metrics.jsonl"));
        // A step's share of the machine is of what it computes, as its cost is.
        var cost = Json.read(result.folder().resolve("passport.json")).path("cost");
        var perToken = cost.path("flops").asDouble() / cost.path("tokens").asDouble();
        assertThat(steps.getLast().matmulShare())
                .isCloseTo(
                        steps.getLast().tokensPerSecond()
                                * perToken
                                / Machine.usualMatmulRate(false),
                        withinPercentage(1e-6));
        var losses = steps.stream().mapToDouble(StepFigures::loss).toArray();
        var epoch = losses.length / 4;
        assertThat(Arrays.stream(losses, 3 * epoch, losses.length).average().orElseThrow())
                .isLessThan(Arrays.stream(losses, 0, epoch).average().orElseThrow());
        // Added to the weights, an update is rounded with them.
        requireSame(result, what, adapter.contains("merge") ? 1e-3 : 1e-6);
    }

    @Test
    void forgettingIsMeasuredAndReplayedBesideEveryKind() throws IOException {
        var prose = folder.resolve("prose.txt");
        Files.writeString(prose, "I saw the pear and the axe by the door. ".repeat(200));
        for (var what : List.of("number", "windows")) {
            var recipe =
                    recipe(
                            what,
                            what,
                            body("gpt2"),
                            "for: 6 steps",
                            "forgetting: {measure: {corpus: %s}, defence: {type: replay, fraction: 20%%, corpus: %s}}"
                                    .formatted(prose, prose));
            var result = new Run(recipe).train(s -> {});
            assertThat(result.scores()).anyMatch(s -> s.metric().equals("perplexity-rise"));
            var steps = Journal.read(result.folder().resolve("metrics.jsonl"));
            assertThat(steps).allSatisfy(s -> assertThat(s.loss()).isFinite());
        }
    }

    @ParameterizedTest
    @CsvSource({"several, micro-f1", "several, macro-f1", "number, spearman", "number, loss"})
    void aRunStopsByTheFiguresOfItsKind(String what, String metric) {
        var best = new ArrayList<Double>();
        var result =
                new Run(
                                recipe(
                                        "stopping",
                                        what,
                                        body("bert"),
                                        "for: 8 epochs, early-stopping: {patience: 1, metric: %s}"
                                                .formatted(metric)))
                        .train(
                                new Watcher() {
                                    @Override
                                    public void evaluated(long step, List<Score> scores) {
                                        scores.stream()
                                                .filter(s ->
                                                        s.data().equals("validation")
                                                                && s.metric().equals(metric))
                                                .forEach(s -> best.add(s.value()));
                                    }
                                },
                                false);
        // The best weights are the result, whatever came after them.
        var wanted =
                metric.equals("loss")
                        ? best.stream().mapToDouble(d -> d).min()
                        : best.stream().mapToDouble(d -> d).max();
        assertThat(result.scores())
                .filteredOn(s -> s.data().equals("validation") && s.metric().equals(metric))
                .singleElement()
                .satisfies(s -> assertThat(s.value()).isEqualTo(wanted.orElseThrow()));
    }

    /// A threshold from the validation records is kept in the model.
    @Test
    void theThresholdIsChosenAndKept() {
        var task =
                task("several")
                        .replace(
                                SEVERAL,
                                "{type: multi-label, separator: \"|\", threshold: validation}");
        var recipe = recipe("chosen", "several", body("gpt2"), "for: 10 steps", task);
        var result = new Run(recipe).train(s -> {});
        var threshold =
                Json.read(result.model().resolve("config.json"))
                        .at("/espalier/threshold")
                        .asDouble();
        assertThat(threshold).isBetween(0.01, 0.99).isNotEqualTo(0.5);
        try (var classifier = TextClassifier.load(result.model())) {
            assertThat(classifier.problem())
                    .isInstanceOfSatisfying(
                            Problem.MultiLabel.class,
                            m -> assertThat(m.threshold()).isEqualTo(threshold));
            var told = classifier.classify("I saw the saw and the plum by the door");
            assertThat(told.labels())
                    .containsExactlyElementsOf(
                            told.probabilities().entrySet().stream()
                                    .filter(e -> e.getValue() >= threshold)
                                    .map(java.util.Map.Entry::getKey)
                                    .toList());
        }
    }

    private void refused(String what, String content, String more, String... message)
            throws IOException {
        var file = folder.resolve(what + "-train." + ending(what));
        Files.writeString(file, content);
        assertThatThrownBy(() ->
                        new Run(recipe("bad", what, body("gpt2"), "for: 1 steps", more))
                                .train(s -> {}))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> {
                            assertThat(e.getMessage()).contains(message).hasLineCount(1);
                        });
    }

    private static final String STRICT = "max-rejects: 0";

    private Recipe strict(String what, String more) {
        return Recipes.parse(
                Recipes.write(recipe("bad", what, body("gpt2"), "for: 1 steps", more))
                        .replaceAll("max-rejects: 100", STRICT),
                "bad");
    }

    @Test
    void whatCannotBeLearntIsRefusedWithItsReason() throws IOException {
        refused("several", "text,kind\na,b\n", "", "several-train.csv:1", "no field `kinds`");
        refused("pair", "text\tkind\na\tb\n", "", "pair-train.tsv:1", "no field `second`");
        var alike = "a,x\nb,x\nc,x\nd,x\n".repeat(20);
        refused(
                "several",
                "text,kinds\n" + alike,
                "",
                "several-train.csv",
                "all records have the label",
                "[x]");
        refused(
                "number",
                "text,price\n" + alike.replace("x", "3"),
                "",
                "number-train.csv",
                "all records have the label",
                "[3]");
        var equal = new StringBuilder("text,price\n");
        for (var i = 0; i < 40; i++) {
            equal.append("a%d,3\nb%d,3.0\n".formatted(i, i));
        }
        refused("number", equal.toString(), "", "number-train.csv", "the variance 0.0");
    }

    @Test
    void brokenRecordsAreSetAsideWithTheirReasons() throws IOException {
        for (var record :
                List.of(
                        List.of("number", "I saw it,twelve\n", "`price` is `twelve`, not a number"),
                        List.of("number", "I saw it,NaN\n", "`price` is `NaN`, not a number"),
                        List.of("number", "I saw it,1e999\n", "not a number"),
                        List.of("several", "I saw it,|\n", "`kinds` names no label"),
                        List.of("pair", "I saw it\t\tfruit\n", "`second` is empty; a pair needs"),
                        List.of("pair", "\tI saw it\tfruit\n", "`text` is empty; a pair needs"))) {
            var what = record.get(0);
            var file = folder.resolve(what + "-train." + ending(what));
            var whole = Files.readString(file);
            Files.writeString(file, whole + record.get(1));
            assertThatThrownBy(() -> new Run(strict(what, "")).train(s -> {}))
                    .as(record.toString())
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(file + ":242: ")
                    .hasMessageContaining(record.get(2));
            Files.writeString(file, whole);
        }
    }

    @Test
    void validationMustKeepToWhatTrainingHas() throws IOException {
        var test = folder.resolve("several-test.csv");
        Files.writeString(test, Files.readString(test) + "I saw it,tool|ghost\n");
        assertThatThrownBy(() ->
                        new Run(recipe("bad", "several", body("gpt2"), "for: 1 steps"))
                                .train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(test + ":62: the label `ghost` does not occur");
    }

    @Test
    void noRoomIsRefused() {
        for (var bad :
                List.of(
                        List.of(
                                "{type: classification, label: kind, max-length: 14, windows: {stride: 15}}",
                                "windows",
                                "task.windows.stride: 15 would pass over tokens; allowed: up to the 14"),
                        List.of(
                                "{type: classification, label: kind, pair: second, max-length: 2}",
                                "pair",
                                "task.max-length: 2 tokens leave no room for two texts"))) {
            var recipe =
                    recipe("bad", bad.get(1), body("gpt2"), "for: 1 steps", "task: " + bad.get(0));
            assertThatThrownBy(() -> new Run(recipe).train(s -> {}))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(bad.get(2));
        }
    }

    /// A record without labels is one that has none of them, where the recipe allows it.
    @Test
    void noneOfTheLabelsIsAnAnswerWhereItIsAllowed() throws IOException {
        var file = folder.resolve("several-train.csv");
        Files.writeString(
                file, Files.readString(file) + "I saw the door by the door,\n".repeat(60));
        var task = task("several").replace("separator", "allow-none: true, separator");
        var recipe = recipe("none", "several", body("gpt2"), "for: 12 epochs", task);
        var result = new Run(recipe).train(s -> {});
        try (var classifier = TextClassifier.load(result.model())) {
            assertThat(classifier.classify("I saw the door by the door").labels()).isEmpty();
            assertThat(classifier.classify("I saw the axe and the saw by the door").labels())
                    .containsExactly("tool");
        }
    }
}
