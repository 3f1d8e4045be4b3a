package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.evaluate.Score;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.task.TextClassifier;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Whole runs at a tiny size: what a user of the library does.
class RunTest {
    private static final List<String> FRUITS = List.of("apple", "pear", "plum", "fig", "grape");
    private static final List<String> TOOLS = List.of("saw", "axe", "drill", "plane", "chisel");

    @TempDir static Path shared;

    /// What [#pretraining] trains, which many tests begin with.
    private static Path base;

    @TempDir Path folder;

    @BeforeAll
    static void pretrain() throws IOException {
        writeText(shared);
        base = new Run(pretraining(shared, "base")).train(s -> {}).model();
    }

    @BeforeEach
    void writeText() throws IOException {
        writeText(folder);
    }

    private static void writeText(Path folder) throws IOException {
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

    private Recipe pretraining(String name, String... overrides) {
        return pretraining(folder, name, overrides);
    }

    private static Recipe pretraining(Path folder, String name, String... overrides) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                tokenizer: {type: bpe, vocabulary: 300}
                model: {type: gpt2, layers: 2, heads: 2, width: 32, context: 32, dropout: 0.1}
                objective: {type: causal}
                training: {for: 60 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                evaluate: {every: 20 steps}
                save: {every: 20 steps, keep: 2}
                %s
                """
                        .formatted(name, folder, name, folder, String.join("\n", overrides)),
                name);
    }

    private Recipe finetuning(String name, Path model, String... more) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {train: %s/labelled.csv, validation-share: 25%%}
                model: {path: %s}
                task: {type: classification, text: sentence, label: topic}
                training: {for: %d epochs, batch: 16, optimizer: {type: adamw, rate: %s}}
                %s
                """
                        .formatted(
                                name,
                                folder,
                                name,
                                folder,
                                model,
                                // Fewer weights take more and larger steps.
                                String.join("", more).contains("lora") ? 15 : 8,
                                String.join("", more).contains("frozen")
                                        ? "1e-2"
                                        // A magnitude steps far at LoRA's rate.
                                        : String.join("", more).contains("lora")
                                                        && !String.join("", more).contains("dora")
                                                ? "1e-2"
                                                : "3e-3",
                                String.join("\n", more)),
                name);
    }

    private static double meanLoss(List<StepFigures> steps) {
        return steps.stream().mapToDouble(StepFigures::loss).average().orElseThrow();
    }

    private static double value(Run.Result result, String data, String metric) {
        return result.scores().stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }

    /// Also the first of its kind and a short one, by what a plan would have gone by.
    @Test
    void everyRunIsForetold() {
        var history = new History(folder.resolve("runs.jsonl"));
        var batches = List.of(16, 16, 8);
        for (var i = 0; i < batches.size(); i++) {
            var said = new ArrayList<String>();
            new Run(
                            Recipes.parse(
                                    Recipes.write(finetuning("short-" + i, base)),
                                    "short",
                                    List.of(
                                            "training.for=3 steps",
                                            "training.batch=" + batches.get(i))),
                            history)
                    .train(
                            new Watcher() {
                                @Override
                                public void said(String what) {
                                    said.add(what);
                                }
                            },
                            false);
            assertThat(said)
                    .anyMatch(line -> line.matches("predicted by .* tokens/s, was .* %\\).*"));
        }
        assertThat(history.entries())
                .extracting(e -> e.predicted().stream().map(History.Prediction::basis).toList())
                .containsExactly(List.of("guess"), List.of("earlier", "guess"), List.of("rate"));
    }

    /// Studies and defences make several runs in one process: the history has what each took.
    @Test
    void whatTheProcessTookBeforeARunIsNoneOfItsMemory() {
        try (var scope = new Scope()) {
            assertThat(Tensor.full(1, 96L << 20).count()).isEqualTo(96L << 20);
        }
        var before = Torch.peakResidentBytes();
        var history = new History(folder.resolve("runs.jsonl"));
        assertThat(new Run(finetuning("tuned", base), history).train(s -> {}).scores())
                .isNotEmpty();
        assertThat(history.entries().getLast().peakMemory())
                .isLessThanOrEqualTo(Math.max(0, before - (128L << 20)));
    }

    @Test
    void aRunLeavesWhatTheWorldReadsAndWhatProvesIt() {
        var steps = new java.util.ArrayList<StepFigures>();
        var result = new Run(pretraining("base")).train(steps::add);
        assertThat(steps).hasSize(60);
        assertThat(steps.getLast().loss()).isLessThan(0.6 * steps.getFirst().loss());
        assertThat(value(result, "validation", "loss")).isLessThan(3);
        assertThat(value(result, "validation", "bits-per-byte")).isPositive();
        for (var file :
                List.of(
                        "recipe.yaml",
                        "metrics.jsonl",
                        "evaluation.json",
                        "passport.json",
                        "report.html",
                        "model/config.json",
                        "model/model.safetensors",
                        "model/tokenizer.json")) {
            assertThat(result.folder().resolve(file)).isNotEmptyFile();
        }
        assertThat(result.folder().resolve("checkpoints"))
                .isDirectoryContaining("glob:**/step-*60");
        var again = Recipes.read(result.folder().resolve("recipe.yaml"));
        assertThat(again.training().microBatch()).isNotNull();
        assertThat(
                        Json.read(result.folder().resolve("passport.json"))
                                .path("data")
                                .path("sources")
                                .size())
                .isEqualTo(1);
        assertThatThrownBy(() -> new Run(pretraining("base")).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("--resume");
    }

    @Test
    void aRunThatWasStoppedAndResumedIsOneThatNeverStopped() {
        var whole = new Run(pretraining("whole")).train(s -> {});
        var recipe = pretraining("stopped");
        for (var stopAt : new int[] {7, 33}) {
            StopAfter.run(recipe, stopAt);
        }
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(whole.model().resolve("model.safetensors"));
        assertThat(resumed.scores()).isEqualTo(whole.scores());
        var want = Journal.read(whole.folder().resolve("metrics.jsonl"));
        var got = Journal.read(resumed.folder().resolve("metrics.jsonl"));
        assertThat(got).hasSameSizeAs(want);
        for (var i = 0; i < want.size(); i++) {
            assertThat(got.get(i).loss()).isEqualTo(want.get(i).loss());
            assertThat(got.get(i).gradientNorm()).isEqualTo(want.get(i).gradientNorm());
            assertThat(got.get(i).progress()).isEqualTo(want.get(i).progress());
        }
    }

    @Test
    void anInterruptedThreadStopsItsRunAfterTheStepAndCanGoOn() {
        var recipe = pretraining("interrupted");
        // In the middle of nothing, and while what is about to be saved is measured.
        for (var at : new long[] {6, 20}) {
            var interrupting =
                    new Watcher() {
                        @Override
                        public void stepped(StepFigures figures, long total) {
                            if (figures.step() == at) {
                                Thread.currentThread().interrupt();
                            }
                        }
                    };
            assertThatThrownBy(() -> new Run(recipe).train(interrupting, true))
                    .isInstanceOfSatisfying(
                            EspalierException.class,
                            e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.INTERRUPTED))
                    .hasMessageStartingWith("stopped after step " + at);
            assertThat(Thread.interrupted()).isTrue();
        }
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        var whole = new Run(pretraining("uninterrupted")).train(s -> {});
        assertThat(resumed.scores()).isEqualTo(whole.scores());
    }

    /// A process that makes many runs, of which each left its model behind, would end by running
    /// out of memory that Java knows nothing of. Nor may what lives as long as a run grow with its
    /// steps, evaluations and checkpoints.
    @Test
    void aRunLeavesNoMemoryBehind() {
        var lora = "adapter: {type: lora, rank: 2}";
        new Run(finetuning("first", base, lora)).train(s -> {});
        var before = Torch.liveObjects();
        var during = new java.util.ArrayList<Long>();
        new Run(finetuning("second", base, lora, "evaluate: {every: 20 steps}"))
                .train(s -> during.add(Torch.liveObjects()));
        assertThat(Torch.liveObjects()).isLessThanOrEqualTo(before + 5);
        assertThat(during.getLast()).isLessThanOrEqualTo(during.get(25) + 5);

        before = Torch.liveObjects();
        during.clear();
        new Run(pretraining("third")).train(s -> during.add(Torch.liveObjects()));
        assertThat(Torch.liveObjects()).isLessThanOrEqualTo(before + 5);
        // After the first evaluation and checkpoint, and after the last but one.
        assertThat(during.get(55)).isLessThanOrEqualTo(during.get(25) + 5);
    }

    @Test
    void whoResumesWithAnotherRecipeIsTold() {
        new Run(pretraining("changed")).train(s -> {});
        var said = new java.util.ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.add(line);
                    }
                };
        new Run(pretraining("changed")).train(watcher, true);
        assertThat(said).noneMatch(line -> line.contains("has changed"));
        var changed = pretraining("changed", "seed: 7");
        new Run(changed).train(watcher, true);
        assertThat(said).contains("the recipe has changed: seed: 7, was 1");
    }

    /// Each file of a folder with its hash.
    private static Map<Path, String> files(Path folder) throws IOException {
        try (var walk = Files.walk(folder)) {
            return walk.filter(Files::isRegularFile)
                    .collect(java.util.stream.Collectors.toMap(f -> f, AtomicFiles::sha256));
        }
    }

    private static Recipe replaced(Recipe recipe, String what, String by) {
        var text = Recipes.write(recipe);
        assertThat(text).contains(what);
        return Recipes.parse(text.replace(what, by), recipe.name());
    }

    /// Resuming `recipe` is refused for `file`, and leaves the run's folder as it was.
    private static void requireRefused(Recipe recipe, Path file, String why) throws IOException {
        var before = files(recipe.output());
        assertThatThrownBy(() -> new Run(recipe).train(new Watcher() {}, true))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.DATA))
                .hasMessageStartingWith(file + ": " + why);
        assertThat(files(recipe.output())).isEqualTo(before);
    }

    /// Whether another byte at the end of `file` keeps `recipe` from being resumed.
    private static void requireNoticed(Recipe recipe, Path file) throws IOException {
        var was = Files.readAllBytes(file);
        Files.writeString(file, "\n", java.nio.file.StandardOpenOption.APPEND);
        requireRefused(recipe, file, "has changed since the run began with it");
        Files.write(file, was);
    }

    @Test
    void pretrainingGoesOnOnlyWithWhatItWasBegunWith() throws IOException {
        var recipe = pretraining("same");
        var run = new Run(recipe).train(s -> {}).folder();
        var prose = folder.resolve("prose.txt");
        requireNoticed(recipe, prose);
        requireNoticed(recipe, run.resolve("tokenizer/tokenizer.json"));
        requireRefused(
                replaced(recipe, "vocabulary: 300", "vocabulary: 290"),
                run.resolve("tokenizer"),
                "was trained by another `tokenizer`");
        // Which documents are kept back goes by their names.
        var moved = Files.copy(prose, folder.resolve("moved.txt"));
        requireRefused(
                replaced(recipe, prose.toString(), moved.toString()),
                moved,
                "the run was begun with another file, " + prose);
        var more = replaced(recipe, prose.toString(), folder + "/*.txt");
        requireRefused(more, moved, "the run was begun with another file, " + prose);
        Files.move(moved, folder.resolve("z.txt"));
        requireRefused(
                more, folder.resolve("z.txt"), "the run was begun without this file of its data");

        // Of a run of before the files were noted the tokenizer is kept, and it goes on.
        Files.delete(run.resolve("inputs.json"));
        var text = Files.readString(prose);
        Files.writeString(prose, text + "more");
        requireRefused(recipe, run.resolve("tokenizer"), "was trained by another `tokenizer`");
        Files.writeString(prose, text);
        new Run(recipe).train(new Watcher() {}, true);
        assertThat(run.resolve("inputs.json")).isRegularFile();
        new Run(recipe).train(new Watcher() {}, true);
    }

    @Test
    void fineTuningGoesOnOnlyWithWhatItWasBegunWith() throws IOException {
        var general = Files.copy(folder.resolve("prose.txt"), folder.resolve("general.txt"));
        var replay = Files.copy(folder.resolve("prose.txt"), folder.resolve("replay.txt"));
        var test = Files.copy(folder.resolve("labelled.csv"), folder.resolve("test.csv"));
        var recipe =
                Recipes.parse(
                        """
                        name: tuned
                        output: %1$s/tuned
                        data: {train: %1$s/labelled.csv, validation-share: 25%%, test: %1$s/test.csv}
                        model: {path: %2$s}
                        task: {type: classification, text: sentence, label: topic}
                        training: {for: 2 steps, batch: 16}
                        forgetting: {measure: {corpus: %3$s}, defence: {type: replay, fraction: 20%%, corpus: %4$s}}
                        """
                                .formatted(folder, base, general, replay),
                        "tuned");
        new Run(recipe).train(s -> {});
        for (var file :
                List.of(
                        folder.resolve("labelled.csv"),
                        test,
                        base.resolve("config.json"),
                        base.resolve("tokenizer.json"),
                        general,
                        replay)) {
            requireNoticed(recipe, file);
        }
        requireRefused(
                replaced(recipe, "test: " + test, "test: none"),
                test,
                "the run was begun with this file of its data");
        // What has the same content elsewhere is the same.
        var moved = Files.move(test, folder.resolve("moved.csv"));
        new Run(replaced(recipe, test.toString(), moved.toString())).train(new Watcher() {}, true);
    }

    @Test
    void showingExamplesLeavesTheRunAlone() throws IOException {
        var recipe = pretraining("shown");
        var run = new Run(recipe).train(s -> {}).folder();
        var before = files(run);
        var other = replaced(recipe, "vocabulary: 300", "vocabulary: 290");
        assertThat(new Run(other).examples(0, new Watcher() {})).isNotEmpty();
        assertThat(files(run)).isEqualTo(before);

        Files.writeString(
                folder.resolve("labelled.csv"),
                "broken\n",
                java.nio.file.StandardOpenOption.APPEND);
        var said = new java.util.ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.add(line);
                    }
                };
        assertThat(new Run(finetuning("tuned", run.resolve("model"))).examples(0, watcher))
                .isNotEmpty();
        assertThat(folder.resolve("tuned")).doesNotExist();
        // What was set aside is to be looked at.
        var aside =
                said.stream()
                        .filter(line -> line.contains("set aside 1"))
                        .map(line -> Path.of(line.replaceFirst(".* are in ", "")))
                        .findFirst()
                        .orElseThrow();
        var left = java.util.Objects.requireNonNull(aside.getParent());
        assertThat(files(left)).containsOnlyKeys(aside);
        AtomicFiles.deleteTree(left);
    }

    /// A model whose scores overflow.
    private Path overflowing() {
        var read = HuggingFace.readDecoder(base);
        read.model()
                .parameters()
                .forEach((name, p) -> {
                    if (name.equals("transformer.ln_f.weight")) {
                        p.value().addInPlace(3e38);
                    }
                });
        var model = folder.resolve("overflowing");
        HuggingFace.save(model, read.model(), read.config());
        try {
            Files.copy(base.resolve("tokenizer.json"), model.resolve("tokenizer.json"));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return model;
    }

    @Test
    void aRunSkipsBadStepsAndEndsAfterTooManyInARow() {
        var recipe =
                Recipes.parse(
                        """
                        name: wild
                        output: %s/wild
                        data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                        model: {path: %s}
                        objective: {type: causal}
                        training: {for: 10 steps, batch: 4, bad-loss: {then: skip, most: 5}}
                        """
                                .formatted(folder, folder, overflowing()),
                        "wild");
        var said = new java.util.ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String line) {
                        said.add(line);
                    }
                };
        assertThatThrownBy(() -> new Run(recipe).train(watcher, false))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("step 5: the loss is NaN in micro-batch 1 of ")
                .hasMessageContaining("train-00.tokens, tokens ")
                .hasMessageContaining("documents 0 to 0 (from " + folder.resolve("prose.txt") + ")")
                .hasMessageContaining("the 4 steps before were skipped already");
        var steps = Journal.read(folder.resolve("wild/metrics.jsonl"));
        assertThat(steps).hasSize(4);
        assertThat(steps.getLast().skipped()).isEqualTo(4);
        assertThat(steps.getLast().loss()).isNaN();
        assertThat(steps.getLast().fault()).contains("train-00.tokens, tokens ");
        assertThat(said).filteredOn(line -> line.contains("skipped: the loss is NaN")).hasSize(4);
    }

    @Test
    void aBadStepOfFineTuningNamesItsRecords() {
        var recipe = finetuning("wild", overflowing());
        assertThatThrownBy(() -> new Run(recipe).train(s -> {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("step 1: the loss is NaN in micro-batch 1 of ")
                .hasMessageMatching("(.*labelled.csv:\\d+; ){8}a lower .*");
    }

    @Test
    void documentsAreKeptApart() {
        var recipe =
                Recipes.parse(
                        """
                        name: apart
                        output: %s/apart
                        data: {sources: [{type: csv, path: "%s/labelled.csv", field: sentence}], validation: 10%%}
                        tokenizer: {type: bpe, vocabulary: 300, special-tokens: ["<|endoftext|>"]}
                        model: {type: gpt2, layers: 2, heads: 2, width: 32, context: 32}
                        objective: {type: causal, across-documents: false}
                        training: {for: 60 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                        """
                                .formatted(folder, folder),
                        "apart");
        var result = new Run(recipe).train(s -> {});
        var passport = Json.read(result.folder().resolve("passport.json"));
        var validation = passport.at("/data/sources/0/validation");
        // Each token is told from its own document, in which nothing tells the first.
        var told =
                result.scores().stream()
                        .filter(s -> s.metric().equals("loss"))
                        .mapToLong(Score::n)
                        .sum();
        assertThat(told)
                .isEqualTo(
                        validation.path("tokens").asLong() - validation.path("documents").asLong());
        assertThat(value(result, "validation", "loss")).isLessThan(2);
        assertThat(Recipes.read(result.folder().resolve("recipe.yaml")).toString())
                .contains("acrossDocuments=false");
    }

    /// Where the disk is too small, that is said before anything is written.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "adapter: {type: none}",
                "adapter: {type: frozen}",
                "adapter: {type: lora, rank: 4, alpha: 8, merge: true}",
                "adapter: {type: lora, rank: 4, alpha: 8}"
            })
    void whatACheckpointTakesOnDiskIsForeseen(String adapter) throws IOException {
        var recipe = finetuning("disk", base, adapter, "save: {every: 8 epochs, keep: 1}");
        long foreseen =
                new Run(recipe)
                        .aside(
                                new Watcher() {},
                                (temporary, job) -> {
                                    try (var trainer =
                                            new Trainer(
                                                    job.learner(),
                                                    job.recipe().training(),
                                                    job.bf16(),
                                                    1,
                                                    Trainer.Speeds.UNKNOWN)) {
                                        trainer.keep();
                                        return Run.bytes(job, trainer);
                                    }
                                });
        var checkpoint = new Run(recipe).train(s -> {}).folder().resolve("checkpoints");
        try (var files = Files.walk(checkpoint)) {
            var weights =
                    files.filter(f -> f.toString().matches(".*\\.(safetensors|bin)"))
                            .mapToLong(f -> f.toFile().length())
                            .sum();
            // What stands around the weights in their files has its own bytes.
            assertThat(foreseen).as(adapter).isBetween(weights * 9 / 10 - 8192, weights * 2);
        }
    }

    @Test
    void fineTuningLearnsInEveryWayAndPredictsWhatItLearnt() {
        for (var adapter : List.of("none", "frozen", "lora", "merged", "dora")) {
            var settings =
                    switch (adapter) {
                        case "lora" -> "adapter: {type: lora, rank: 4, alpha: 8, targets: all}";
                        case "merged" ->
                                "adapter: {type: lora, rank: 4, alpha: 8, targets: attention, merge: true}";
                        case "dora" ->
                                "adapter: {type: lora, rank: 4, alpha: 4, rslora: true, dora: true}";
                        default -> "adapter: {type: " + adapter + "}";
                    };
            var result = new Run(finetuning(adapter, base, settings)).train(s -> {});
            var accuracy = value(result, "validation", "accuracy");
            if (adapter.equals("frozen")) {
                // What so small a body says of a text's last token hardly tells its label.
                var steps = Journal.read(result.folder().resolve("metrics.jsonl"));
                assertThat(meanLoss(steps.subList(steps.size() - 30, steps.size())))
                        .isLessThan(meanLoss(steps.subList(0, 30)));
            } else {
                assertThat(accuracy).as(adapter).isGreaterThan(0.9);
            }
            assertThat(value(result, "validation", "majority-accuracy")).isLessThan(0.75);
            assertThat(HuggingFace.isAdapter(result.model()))
                    .isEqualTo(adapter.equals("lora") || adapter.equals("dora"));
            try (var classifier = TextClassifier.load(result.model())) {
                assertThat(classifier.labels()).containsExactly("fruit", "tool");
                var prediction = classifier.classify("I saw the saw and the drill by the door");
                if (!adapter.equals("frozen")) {
                    assertThat(prediction.label()).as(adapter).isEqualTo("tool");
                }
                assertThat(prediction.probabilities().values().stream().mapToDouble(p -> p).sum())
                        .isCloseTo(1, org.assertj.core.api.Assertions.within(1e-5));
            }
        }
    }

    private Run.Result tuned(String name, Path base, String training) {
        var recipe =
                Recipes.parse(
                        """
                        name: %s
                        output: %s/%s
                        data: {train: %s/labelled.csv, validation-share: 25%%}
                        model: {path: %s, dropout: 0}
                        task: {type: classification, text: sentence, label: topic}
                        training: {for: 20 steps, batch: 16, precision: fp32, early-stopping: none, %s}
                        """
                                .formatted(name, folder, name, folder, base, training),
                        name);
        return new Run(recipe).train(s -> {});
    }

    private static List<StepFigures> steps(Run.Result result) {
        return Journal.read(result.folder().resolve("metrics.jsonl"));
    }

    /// What a recipe of pre-training may say of training, one of fine-tuning may.
    @Test
    void fineTuningTakesEveryWayOfTraining() throws IOException {
        var adamw = "optimizer: {type: adamw, rate: 3e-3}";
        var plain = steps(tuned("plain", base, adamw));

        // Targets of 0.505 and 0.495 leave a loss of at least their entropy, which plain ones do
        // not.
        var smoothed = steps(tuned("smoothed", base, adamw + ", label-smoothing: 0.99"));
        assertThat(smoothed).allMatch(s -> s.loss() > 0.6930);
        assertThat(plain).anyMatch(s -> s.loss() < 0.65);

        var held = steps(tuned("held", base, adamw + ", z-loss: 0.5"));
        // Two scores near 0 have the normaliser log 2.
        assertThat(held.getFirst().loss() - plain.getFirst().loss())
                .isCloseTo(
                        0.5 * Math.log(2) * Math.log(2),
                        org.assertj.core.api.Assertions.within(0.1));

        var schedule =
                "schedule: {type: warmup-stable-decay, warmup: 4 steps, decay: 5 steps, floor: 0.1}";
        var rates = steps(tuned("rates", base, adamw + ", " + schedule));
        var want = dev.espalier.optim.Schedule.warmupStableDecay(4, 5, 20, 0.1);
        for (var i = 0; i < 20; i++) {
            assertThat(rates.get(i).rate())
                    .isCloseTo(
                            3e-3 * want.factor(i), org.assertj.core.api.Assertions.within(1e-12));
        }

        var muon =
                tuned(
                        "muon",
                        base,
                        "optimizer: {type: muon, rate: 1e-2}, groups: [{match: score, rate-factor: 2}]");
        assertThat(steps(muon)).anyMatch(s -> s.loss() < 0.65);

        var deep = tuned("deep", base, adamw + ", layer-decay: 0.001");
        var before = SafeTensors.open(base.resolve("model.safetensors"));
        var after = SafeTensors.open(deep.model().resolve("model.safetensors"));
        try (before;
                after) {
            assertThat(moved(before, after, "transformer.wte.weight")).isLessThan(1e-6);
            assertThat(moved(before, after, "transformer.h.0.mlp.c_fc.weight")).isLessThan(1e-5);
            assertThat(moved(before, after, "transformer.h.1.mlp.c_fc.weight"))
                    .isBetween(1e-6, 1e-4);
            assertThat(moved(before, after, "transformer.ln_f.weight")).isGreaterThan(1e-3);
        }
    }

    private static double moved(SafeTensors before, SafeTensors after, String name) {
        var layout = java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
        var a = before.find(name).orElseThrow().data().toArray(layout);
        var b = after.find(name).orElseThrow().data().toArray(layout);
        var most = 0.0;
        for (var i = 0; i < a.length; i++) {
            most = Math.max(most, Math.abs(a[i] - b[i]));
        }
        return most;
    }

    /// Each file under `name` in the passport, with the hash that it should have.
    private static void assertHashes(Run.Result result, String name, Path... files) {
        var listed = Json.read(result.folder().resolve("passport.json")).path(name).path("files");
        assertThat(listed.valueStream().map(f -> f.path("file").asString("")))
                .containsExactly(
                        java.util.Arrays.stream(files).map(Path::toString).toArray(String[]::new));
        for (var file : listed) {
            assertThat(file.path("sha256").asString(""))
                    .isEqualTo(AtomicFiles.sha256(Path.of(file.path("file").asString(""))));
        }
    }

    private static Path[] in(Path folder, String... names) {
        return java.util.Arrays.stream(names).map(folder::resolve).toArray(Path[]::new);
    }

    private static final String[] TOKENIZER = {
        "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"
    };

    @Test
    void thePassportNamesTheProgramAndTheTokenizerThatWasTrained() {
        var result = new Run(pretraining("base")).train(s -> {});
        assertHashes(result, "tokenizer", in(result.folder().resolve("tokenizer"), TOKENIZER));
        var passport = Json.read(result.folder().resolve("passport.json"));
        assertThat(passport.has("parent-model")).isFalse();
        assertThat(passport.path("version").asString("")).matches("\\d+\\.\\d+.*");
        assertThat(passport.path("commit").asString("")).matches("unknown|[0-9a-f]{40}(-dirty)?");
    }

    @Test
    void forgettingIsMeasuredAndReplayed() throws IOException {
        var corpus = folder.resolve("prose.txt");
        var other = Files.copy(corpus, folder.resolve("replayed.txt"));
        var measured =
                new Run(
                                finetuning(
                                        "replayed",
                                        base,
                                        "forgetting: {measure: {corpus: %s}, defence: {type: replay, fraction: 20%%, corpus: %s}}"
                                                .formatted(corpus, other)))
                        .train(s -> {});
        assertHashes(
                measured,
                "parent-model",
                in(base, "config.json", "generation_config.json", "model.safetensors"));
        assertHashes(measured, "tokenizer", in(base, TOKENIZER));
        assertHashes(measured, "general-text", corpus);
        assertHashes(measured, "replay-text", other);
        var before = value(measured, "general-before", "perplexity");
        var after = value(measured, "general-after", "perplexity");
        assertThat(value(measured, "general", "perplexity-rise"))
                .isCloseTo(after / before - 1, org.assertj.core.api.Assertions.within(1e-9));
    }

    /// The scores of each evaluation, by step.
    private static final class Evaluations implements Watcher {
        final TreeMap<Long, List<Score>> scores = new TreeMap<>();

        @Override
        public void evaluated(long step, List<Score> scores) {
            this.scores.put(step, scores);
        }

        double value(long step, String data, String metric) {
            return scores.getOrDefault(step, List.of()).stream()
                    .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                    .mapToDouble(Score::value)
                    .findFirst()
                    .orElseThrow();
        }
    }

    /// The run says that it ended early, and has the weights that it had after step `kept`.
    private static void requireEnded(Run.Result result, long kept, String because) {
        assertThat(result.stoppedBecause()).contains(because);
        var passport = Json.read(result.folder().resolve("passport.json"));
        assertThat(passport.path("stopped-because").asString("")).contains(because);
        assertThat(passport.path("kept-step").asLong()).isEqualTo(kept);
        assertThat(result.folder().resolve("report.html"))
                .content()
                .containsPattern(
                        "ended early, after step %d of \\d+, since [^<]*%s[^<]*; the weights are those of step %d\\b"
                                .formatted(result.progress().step(), because, kept));
        var weights = result.model().resolve("model.safetensors");
        var checkpoint = "checkpoints/step-%06d/model/model.safetensors";
        assertThat(weights)
                .hasSameBinaryContentAs(result.folder().resolve(checkpoint.formatted(kept)));
        assertThat(AtomicFiles.sha256(weights))
                .isNotEqualTo(
                        AtomicFiles.sha256(
                                result.folder()
                                        .resolve(checkpoint.formatted(result.progress().step()))));
    }

    @Test
    void aRunEndsWhenItNoLongerImprovesAndKeepsItsBestWeights() throws IOException {
        // Who is told otherwise of one in four does best when it is not too sure.
        var records = Files.readAllLines(folder.resolve("labelled.csv"));
        for (var i = 4; i < records.size(); i += 4) {
            var record = records.get(i);
            records.set(
                    i,
                    record.endsWith("fruit")
                            ? record.replaceFirst("fruit$", "tool")
                            : record.replaceFirst("tool$", "fruit"));
        }
        Files.write(folder.resolve("unsure.csv"), records);
        var recipe =
                Recipes.parse(
                        """
                        name: early
                        output: %1$s/early
                        data: {train: %1$s/labelled.csv, validation: %1$s/unsure.csv}
                        model: {path: %2$s, dropout: 0}
                        task: {type: classification, text: sentence, label: topic}
                        training:
                          for: 200 steps
                          batch: 16
                          optimizer: {type: adamw, rate: 2e-4}
                          schedule: {type: constant}
                          early-stopping: {patience: 3, metric: loss}
                        evaluate: {every: 2 steps}
                        save: {every: 2 steps, keep: 100}
                        """
                                .formatted(folder, base),
                        "early");
        var evaluations = new Evaluations();
        var result = new Run(recipe).train(evaluations, false);
        var losses = new TreeMap<Long, Double>();
        evaluations
                .scores
                .keySet()
                .forEach(step -> losses.put(step, evaluations.value(step, "validation", "loss")));
        var best =
                losses.entrySet().stream().min(Map.Entry.comparingByValue()).orElseThrow().getKey();
        assertThat(best).as("%s", losses).isBetween(4L, 150L);
        assertThat(result.progress().step()).isEqualTo(best + 3 * 2);
        assertThat(value(result, "validation", "loss")).isEqualTo(losses.get(best));
        requireEnded(result, best, "3 evaluations without an improvement over step " + best);
    }

    private Recipe overdone(String name) {
        return Recipes.parse(
                """
                name: %1$s
                output: %2$s/%1$s
                data: {sources: [{type: text, path: "%2$s/prose.txt"}], validation: 10%%}
                tokenizer: {type: bpe, vocabulary: 300}
                model: {type: gpt2, layers: 1, heads: 2, width: 32, context: 32, dropout: 0}
                objective: {type: causal}
                training:
                  for: 300 steps
                  batch: 2
                  optimizer: {type: adamw, rate: 3e-2}
                  schedule: {type: constant}
                  early-stopping: {patience: 2}
                evaluate: {every: 3 steps}
                save: {every: 3 steps, keep: 100}
                """
                        .formatted(name, folder),
                name);
    }

    @Test
    void preTrainingEndsWhenItNoLongerImprovesAndKeepsItsBestWeights() throws IOException {
        var evaluations = new Evaluations();
        var result = new Run(overdone("overdone")).train(evaluations, false);
        var losses = new TreeMap<Long, Double>();
        evaluations
                .scores
                .keySet()
                .forEach(step -> losses.put(step, evaluations.value(step, "validation", "loss")));
        var best =
                losses.entrySet().stream().min(Map.Entry.comparingByValue()).orElseThrow().getKey();
        assertThat(result.progress().step()).as("%s", losses).isEqualTo(best + 2 * 3);
        assertThat(value(result, "validation", "loss")).isEqualTo(losses.get(best));
        requireEnded(result, best, "2 evaluations without an improvement over step " + best);

        // The best so far is a part of what is gone on from.
        var stopped = overdone("stopped");
        StopAfter.run(stopped, best + 3);
        // Of older states it is not told which figure it is of.
        rewriteState(stopped, "\\s*\"metric\" : \"loss\",", "");
        var resumed = new Run(stopped).train(new Watcher() {}, true);
        assertThat(resumed.scores()).isEqualTo(result.scores());
        assertThat(resumed.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(result.model().resolve("model.safetensors"));
    }

    /// In the last checkpoint, whose manifest holds it to be whole.
    private static void rewriteState(Recipe recipe, String from, String to) throws IOException {
        var checkpoints = new Checkpoints(recipe.output().resolve("checkpoints"));
        var state = checkpoints.last().orElseThrow().resume().resolve("run.json");
        var manifest = state.resolveSibling("../manifest.json");
        var size = Files.size(state);
        var sha = AtomicFiles.sha256(state);
        var text = Files.readString(state);
        assertThat(text).containsPattern(from);
        Files.writeString(state, text.replaceFirst(from, to));
        Files.writeString(
                manifest,
                Files.readString(manifest)
                        .replace(sha, AtomicFiles.sha256(state))
                        .replaceAll("\\b%d\\b".formatted(size), Long.toString(Files.size(state))));
        assertThat(checkpoints.last().orElseThrow().resume()).isEqualTo(state.getParent());
    }

    /// What was best by one figure is not held against another.
    @Test
    void theBestIsOfItsFigureAlone() throws IOException {
        var recipe = finetuning("figure", base);
        StopAfter.run(recipe, 30);
        rewriteState(recipe, "\"best\" : [^,]*", "\"best\" : 2.0");
        rewriteState(recipe, "\"metric\" : \"loss\"", "\"metric\" : \"accuracy\"");
        var resumed = new Run(recipe).train(new Watcher() {}, true);
        var last = new Checkpoints(resumed.folder().resolve("checkpoints")).last().orElseThrow();
        assertThat(Json.read(last.resume().resolve("run.json")).path("best").asDouble())
                .isNegative();
    }

    private Recipe forgetful(String name, Path base, String budget, String save) {
        return Recipes.parse(
                """
                name: %1$s
                output: %2$s/%1$s
                data: {train: %2$s/labelled.csv, validation-share: 25%%}
                model: {path: %3$s, dropout: 0}
                task: {type: classification, text: sentence, label: topic}
                training: {for: 30 steps, batch: 16, early-stopping: none}
                evaluate: {every: 2 steps}
                save: {every: %5$s, keep: 100}
                forgetting: {measure: {corpus: %2$s/prose.txt}, budget: %4$s}
                """
                        .formatted(name, folder, base, budget, save),
                name);
    }

    @Test
    void aRunEndsBeyondItsForgettingBudgetAndKeepsWeightsWithinIt() {
        var evaluations = new Evaluations();
        var free = new Run(forgetful("free", base, "none", "30 steps")).train(evaluations, false);
        var before = value(free, "general-before", "perplexity");
        var rises = new TreeMap<Long, Double>();
        evaluations
                .scores
                .keySet()
                .forEach(step ->
                        rises.put(
                                step,
                                evaluations.value(step, "general", "perplexity") / before - 1));
        var early = rises.headMap(8L, true).values().stream().mapToDouble(r -> r).max().orElse(0);
        var most = rises.values().stream().mapToDouble(r -> r).max().orElse(0);
        assertThat(most).isGreaterThan(early + 1e-3);
        var budget = Math.max(0, early) + (most - Math.max(0, early)) / 2;
        var beyond =
                rises.entrySet().stream()
                        .filter(e -> e.getValue() > budget)
                        .findFirst()
                        .orElseThrow()
                        .getKey();

        var result =
                new Run(forgetful("within", base, String.valueOf(budget), "2 steps"))
                        .train(s -> {});
        assertThat(result.progress().step()).isEqualTo(beyond);
        assertThat(value(result, "general", "perplexity-rise")).isLessThanOrEqualTo(budget);
        var kept = Json.read(result.folder().resolve("passport.json")).path("kept-step").asLong();
        assertThat(kept).isBetween(2L, beyond - 2);
        requireEnded(result, kept, "beyond forgetting.budget");

        var whole = Json.read(free.folder().resolve("passport.json"));
        assertThat(whole.path("stopped-because").isNull()).isTrue();
    }

    @Test
    void aRunThatHasNothingWithinItsBudgetLeavesItsFolderForAnother() {
        assertThatThrownBy(() -> new Run(forgetful("over", base, "1e-9", "2 steps")).train(s -> {}))
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.CHECK))
                .hasMessageContaining("budget")
                .hasMessageEndingWith("or defend it");
        assertThat(folder.resolve("over")).doesNotExist();
        // What was saved is kept, and goes on with a larger budget.
        assertThatThrownBy(() -> new Run(forgetful("over", base, "1e-9", "1 steps")).train(s -> {}))
                .hasMessageContaining("--resume");
        var result =
                new Run(forgetful("over", base, "1000", "1 steps")).train(new Watcher() {}, true);
        assertThat(result.stoppedBecause()).isNull();
    }

    @Test
    void aModelIsPretrainedFurtherWithMoreTokens() {
        var further =
                Recipes.parse(
                        """
                        name: further
                        output: %s/further
                        data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                        model: {path: %s, add-tokens: ["plum", "fig"]}
                        objective: {type: causal}
                        training: {for: 10 steps, batch: 4, optimizer: {type: adamw, rate: 1e-3}}
                        """
                                .formatted(folder, folder, base),
                        "further");
        var result = new Run(further).train(s -> {});
        assertHashes(
                result,
                "parent-model",
                in(base, "config.json", "generation_config.json", "model.safetensors"));
        assertHashes(result, "tokenizer", in(base, TOKENIZER));
        var loaded = HuggingFace.readDecoder(result.model());
        var tokenizer = dev.espalier.tokenize.Tokenizers.read(result.model());
        assertThat(loaded.model().vocabulary()).isEqualTo(tokenizer.vocabularySize());
        assertThat(tokenizer.id("plum")).isPresent();
    }

    private static final String LLAMA =
            "layers: 2, heads: 2, key-value-heads: 1, width: 32, hidden: 64, context: 32";

    private Recipe pretraining(String name, String model, String training) {
        return Recipes.parse(
                """
                name: %s
                output: %s/%s
                data: {sources: [{type: text, path: "%s/prose.txt"}], validation: 10%%}
                tokenizer: {type: bpe, vocabulary: 300}
                model: {%s}
                objective: {type: causal}
                training: {for: 60 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}%s}
                """
                        .formatted(name, folder, name, folder, model, training),
                name);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "llama | rope-theta: 500 | LlamaForCausalLM",
                "mistral | window: 8 | MistralForCausalLM",
                "qwen2 | tied: true | Qwen2ForCausalLM"
            })
    void llamaAndItsKinArePretrainedFineTunedAndReadBack(
            String type, String more, String architecture) {
        var model = "type: " + type + ", " + more + ", " + LLAMA;
        var base = new Run(pretraining(type, model, "")).train(step -> {});
        assertThat(value(base, "validation", "loss")).isLessThan(3);
        var at = base.model();
        var config = Json.read(at.resolve("config.json"));
        assertThat(config.at("/architectures/0").asString()).isEqualTo(architecture);
        assertThat(config.path("model_type").asString()).isEqualTo(type);
        var read = HuggingFace.readDecoder(at);
        HuggingFace.save(folder.resolve("again"), read.model(), read.config());
        for (var file : List.of("config.json", "model.safetensors")) {
            assertThat(folder.resolve("again").resolve(file))
                    .hasSameBinaryContentAs(at.resolve(file));
        }

        var general = "forgetting: {measure: {corpus: " + folder + "/prose.txt}}";
        var tuned = new Run(finetuning(type + "-tuned", at, general)).train(step -> {});
        assertThat(value(tuned, "validation", "accuracy")).isGreaterThan(0.9);
        // The untied head is neither trained nor lost on the way: text is still foreseen.
        assertThat(value(tuned, "general-before", "loss")).isLessThan(3);
        var written = tuned.model();
        assertThat(Json.read(written.resolve("config.json")).at("/architectures/0").asString())
                .isEqualTo(architecture.replace("CausalLM", "SequenceClassification"));
        try (var tensors = SafeTensors.open(written.resolve("model.safetensors"))) {
            assertThat(tensors.find("lm_head.weight")).isEmpty();
            assertThat(tensors.find("score.weight")).isPresent();
            assertThat(tensors.find("model.norm.weight")).isPresent();
        }
        try (var classifier = TextClassifier.load(written)) {
            assertThat(classifier.classify("I saw the plum and the fig by the door").label())
                    .isEqualTo("fruit");
        }
        var classifier = HuggingFace.readClassifier(written);
        HuggingFace.save(folder.resolve("tuned-again"), classifier.model(), classifier.config());
        assertThat(folder.resolve("tuned-again/model.safetensors"))
                .hasSameBinaryContentAs(written.resolve("model.safetensors"));
    }

    @Test
    void anAdapterOfALlamaHasPeftsNames() {
        var at =
                new Run(pretraining("l", "type: llama, " + LLAMA, ""))
                        .train(step -> {})
                        .folder()
                        .resolve("model");
        var tuned =
                new Run(finetuning("l-lora", at, "adapter: {type: lora, rank: 4}"))
                        .train(step -> {});
        assertThat(value(tuned, "validation", "accuracy")).isGreaterThan(0.9);
        var written = tuned.model();
        var config = Json.read(written.resolve("adapter_config.json"));
        assertThat(config.path("fan_in_fan_out").asBoolean(true)).isFalse();
        assertThat(config.path("target_modules").valueStream().map(t -> t.asString("")))
                .containsExactly("k_proj", "o_proj", "q_proj", "v_proj");
        try (var tensors = SafeTensors.open(written.resolve("adapter_model.safetensors"))) {
            assertThat(
                            tensors.find(
                                    "base_model.model.model.layers.1.self_attn.k_proj.lora_A.weight"))
                    .isPresent();
            assertThat(tensors.entries()).hasSize(2 * 4 * 2 + 1);
        }
        try (var classifier = TextClassifier.load(written)) {
            assertThat(classifier.classify("I saw the saw and the axe by the door").label())
                    .isEqualTo("tool");
        }
    }

    @Test
    void aRunThatRecomputesLearnsTheSame() {
        var model = "type: llama, " + LLAMA;
        var kept = new Run(pretraining("kept", model, ", precision: fp32")).train(step -> {});
        var again =
                new Run(pretraining("again", model, ", precision: fp32, recompute: true"))
                        .train(step -> {});
        assertThat(again.model().resolve("model.safetensors"))
                .hasSameBinaryContentAs(kept.model().resolve("model.safetensors"));
    }
}
