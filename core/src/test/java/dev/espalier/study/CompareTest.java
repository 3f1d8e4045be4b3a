package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.LabelledText;
import dev.espalier.data.PairReader;
import dev.espalier.data.TextPair;
import dev.espalier.evaluate.ChrF;
import dev.espalier.evaluate.Interval;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.Hardware;
import dev.espalier.plan.History;
import dev.espalier.plan.Largest;
import dev.espalier.recipe.AdapterRecipe;
import dev.espalier.recipe.CompareRecipe;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.train.KeptText;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class CompareTest {
    @TempDir Path folder;

    private static final List<String> WORDS =
            List.of("flour", "bread", "wheat", "boats", "nets", "herring");

    private String records(int from, int to) {
        var csv = new StringBuilder("text,label\n");
        for (var i = from; i < to; i++) {
            csv.append("On day %d they sold the %s%n".formatted(i, WORDS.get(i % 6)).strip())
                    .append(i % 6 < 3 ? ",mill\n" : ",sea\n");
        }
        return csv.toString();
    }

    private FinetuneRecipe recipe(Path base, String more) {
        return (FinetuneRecipe)
                Recipes.parse(
                        """
                        output: %1$s/study
                        data: {train: %1$s/train.csv, validation: %1$s/validation.csv, test: %1$s/test.csv}
                        model: {path: %2$s}
                        task: {type: classification}
                        training: {for: 2 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}, early-stopping: none%3$s}
                        evaluate: {every: 2 steps}
                        forgetting: {measure: {corpus: %1$s/prose.txt}}
                        """
                                .formatted(folder, base, more),
                        "study");
    }

    private static CompareRecipe settings(List<Arm> arms, int labels, int leastSteps) {
        return new CompareRecipe(
                arms, List.of(String.valueOf(labels)), 1, 1, leastSteps, 1, null, 10, 0.5);
    }

    private Compare.Result study(FinetuneRecipe recipe, List<Arm> arms) {
        return new Compare(recipe, settings(arms, 8, 1), Hardware.builtIn(), new Watcher() {})
                .run();
    }

    private Path base() throws IOException {
        Files.writeString(folder.resolve("train.csv"), records(0, 60));
        Files.writeString(folder.resolve("validation.csv"), records(60, 72));
        Files.writeString(folder.resolve("test.csv"), records(72, 96));
        Files.writeString(folder.resolve("prose.txt"), records(0, 60));
        return new Run(
                        Recipes.parse(
                                """
                                output: %1$s/base
                                data: {sources: [{type: text, path: "%1$s/prose.txt"}], validation: 10%%}
                                tokenizer: {type: characters}
                                model: {type: gpt2, layers: 1, heads: 2, width: 16, context: 48}
                                objective: {type: causal}
                                training: {for: 3 steps, batch: 4}
                                """
                                        .formatted(folder),
                                "base"))
                .train(s -> {})
                .model();
    }

    /// With fewer labelled records than labels, what was not drawn is neither learnt nor chosen by,
    /// and missed in the test.
    @Test
    void fewerRecordsThanLabelsAreStudiedToo() throws IOException {
        var base = base();
        for (var file : List.of("train.csv", "validation.csv", "test.csv")) {
            var labelled = new StringBuilder("text,label\n");
            for (var i = 0; i < 24; i++) {
                var word = WORDS.get(i % 6);
                labelled.append("On day %d they sold the %s,%s%n".formatted(i, word, word));
            }
            Files.writeString(folder.resolve(file), labelled);
        }
        var arms = List.of(Arm.MAJORITY, Arm.BAG_OF_WORDS, Arm.FROZEN);
        var settings = new CompareRecipe(arms, List.of("4"), 2, 1, 1, 1, null, 10, 0.5);
        var result =
                new Compare(recipe(base, ""), settings, Hardware.builtIn(), new Watcher() {}).run();
        assertThat(result.labels()).hasSize(6);
        assertThat(result.means())
                .hasSize(3)
                .allSatisfy(m -> assertThat(m.accuracy().value()).isLessThanOrEqualTo(4 / 6.0));
        // Seeds agree on the commonest label's share, which other test records would not.
        assertThat(result.means().getFirst().accuracy())
                .satisfies(i -> assertThat(i.value()).isEqualTo(1 / 6.0))
                .satisfies(i -> assertThat(i.high()).isGreaterThan(0.3));
        assertThat(ComparePage.text(result)).containsAnyOf("Too few to train on", "cannot be told");
    }

    @Test
    void furtherPretrainingHasTheObjectiveOfTheFamily() {
        var goldens = Path.of(System.getProperty("espalier.goldens"));
        assertThat(
                        java.util.stream.Stream.of("gpt2", "bert_mlm", "roberta_mlm", "bart", "t5")
                                .map(name -> Compare.objective(goldens.resolve(name))))
                .containsExactly("causal", "masked", "masked", "denoising", "span-corruption");
    }

    @Test
    void aStudyIsMadeOnceAndAgainWhereItsInputsChanged() throws IOException {
        var base = base();
        var all = study(recipe(base, ""), List.of(Arm.values()));
        // Five ways are trained, and one of them on what was pre-trained further.
        assertThat(all.made()).isEqualTo(6);
        assertThat(all.kept()).isZero();
        assertThat(all.means()).hasSize(7);
        assertThat(all.comparisons()).hasSize(7 * 6 / 2);
        assertThat(all.means())
                .filteredOn(m -> m.arm() == Arm.BAG_OF_WORDS && m.labels() == 8)
                .singleElement()
                .satisfies(m -> assertThat(m.accuracy().value()).isGreaterThan(0.6));
        assertThat(all.means())
                .filteredOn(m -> m.arm() == Arm.FROZEN)
                .allSatisfy(m -> assertThat(m.rise()).isNotNull());
        assertThat(all.means())
                .filteredOn(m -> m.arm() == Arm.SCRATCH)
                .allSatisfy(m -> assertThat(m.rise()).isNull());
        // What pre-training further forgot stands apart too, since fine-tuning begins with it.
        assertThat(all.furtherRise())
                .isEqualTo(
                        KeptText.rise(
                                folder.resolve("prose.txt").toString(),
                                base,
                                folder.resolve("study-compare/further/model"),
                                1))
                .satisfies(rise -> assertThat(rise.value()).isNotZero());
        assertThat(ComparePage.text(all)).contains("What pre-training further forgot");
        // And is a part of what its cells forgot of the base.
        var cell = Json.read(folder.resolve("study-compare/cells/further-8-1/kept.json"));
        var since = cell.at("/told/rise").doubleValue();
        var before = Objects.requireNonNull(all.furtherRise()).value();
        assertThat(all.means())
                .filteredOn(m -> m.arm() == Arm.FURTHER)
                .singleElement()
                .satisfies(m ->
                        assertThat(Objects.requireNonNull(m.rise()).value())
                                .isCloseTo((1 + before) * (1 + since) - 1, within(1e-9)));
        // Two steps tell nothing apart.
        assertThat(all.breakEven())
                .singleElement()
                .satisfies(b -> assertThat(b.seconds()).isPositive())
                .satisfies(b ->
                        assertThat(b.missing()).containsExactly(Compare.Missing.NOT_TOLD_APART));
        var page = folder.resolve("report.html");
        ComparePage.write(page, all);
        assertThat(page).content().contains("bag of words", "Accuracy over operations", "<svg");
        assertThat(folder.resolve("learning.svg")).content().contains("Accuracy over labels");
        // Of what came before, a tenth of the base's and all of pre-training further.
        assertThat(all.expenses())
                .filteredOn(e -> e.arm() == Arm.FULL || e.arm() == Arm.FURTHER)
                .extracting(Compare.Expense::operations)
                .satisfies(o -> assertThat(o.getFirst()).isPositive())
                .satisfies(o -> assertThat(o.get(1)).isGreaterThan(o.getFirst()));
        assertThat(ComparePage.text(all)).contains("labels: ");
        // What trains no model takes time too, and nothing that came before.
        assertThat(all.expenses())
                .filteredOn(e -> e.arm() == Arm.BAG_OF_WORDS)
                .singleElement()
                .satisfies(e -> assertThat(e.shared()).isPositive().isEqualTo(e.seconds()))
                .satisfies(e -> assertThat(e.operations()).isNull());

        // Nothing has changed, and so nothing is made; what is found is the same.
        var again = study(recipe(base, ""), List.of(Arm.values()));
        assertThat(again.made()).isZero();
        assertThat(again.kept()).isEqualTo(6);
        assertThat(again.means().subList(2, 7)).isEqualTo(all.means().subList(2, 7));
        assertThat(again.comparisons()).isEqualTo(all.comparisons());
        // A cell that is lost is made again, and with another recipe all of a way are.
        Files.delete(folder.resolve("study-compare/cells/frozen-8-1/kept.json"));
        assertThat(study(recipe(base, ""), List.of(Arm.FROZEN)).made()).isEqualTo(1);
        assertThat(study(recipe(base, ", clip: 2"), List.of(Arm.FROZEN)).made()).isEqualTo(1);
        // Where forgetting is measured its text counts too, by what it says.
        Files.writeString(folder.resolve("prose.txt"), records(3, 63));
        assertThat(study(recipe(base, ", clip: 2"), List.of(Arm.SCRATCH, Arm.FROZEN)).made())
                .isEqualTo(2);
        assertThat(study(recipe(base, ", clip: 2"), List.of(Arm.SCRATCH, Arm.FROZEN)).made())
                .isZero();
        Files.writeString(folder.resolve("prose.txt"), records(0, 60));
        assertThat(study(recipe(base, ", clip: 2"), List.of(Arm.SCRATCH, Arm.FROZEN)).made())
                .isEqualTo(1);
        // An epoch of 8 labels has two steps; five are asked for at least.
        var epochs =
                Recipes.parse(
                        Recipes.write(recipe(base, "")).replace("for: 2 steps", "for: 1 epoch"),
                        "study");
        new Compare(
                        (FinetuneRecipe) epochs,
                        settings(List.of(Arm.FULL), 8, 5),
                        Hardware.builtIn(),
                        new Watcher() {})
                .run();
        assertThat(folder.resolve("study-compare/cells/full-8-1/recipe.yaml"))
                .content()
                .contains("for: 5 steps");
    }

    private FinetuneRecipe changed(Path base, String... overrides) {
        return (FinetuneRecipe)
                Recipes.parse(Recipes.write(recipe(base, "")), "study", List.of(overrides));
    }

    /// What holds weights has nothing to hold where few of them are trained.
    @Test
    void waysThatTrainFewWeightsGoWithoutADefenceOfWeights() throws IOException {
        var recipe = changed(base(), "forgetting.defence={type: l2-sp}");
        assertThat(study(recipe, List.of(Arm.FROZEN, Arm.LORA, Arm.FULL)).means()).hasSize(3);
        for (var arm : List.of("frozen", "lora", "full")) {
            assertThat(folder.resolve("study-compare/cells/%s-8-1/recipe.yaml".formatted(arm)))
                    .content()
                    .contains("type: " + (arm.equals("full") ? "l2-sp" : "none\n"))
                    .satisfies(yaml ->
                            assertThat(yaml.contains("l2-sp")).isEqualTo(arm.equals("full")));
        }
    }

    /// Muon trains the matrices of blocks, and a group its weights, which not all ways train.
    @Test
    void waysThatCannotBeTrainedAreKnownBeforeAnyIs() throws IOException {
        var base = base();
        var muon = changed(base, "training.optimizer={type: muon}");
        var ways = List.of(Arm.MAJORITY, Arm.FULL, Arm.FROZEN, Arm.LORA);
        var said = new ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String what) {
                        said.add(what);
                    }
                };
        var result = new Compare(muon, settings(ways, 8, 1), Hardware.builtIn(), watcher).run();
        assertThat(result.means())
                .extracting(Compare.Mean::arm)
                .containsExactly(Arm.MAJORITY, Arm.FULL);
        assertThat(said)
                .anyMatch(line -> line.startsWith("frozen is left out: training.optimizer: muon"))
                .anyMatch(line -> line.startsWith("lora is left out: training.optimizer: muon"));
        AtomicFiles.delete(folder.resolve("study-compare"));
        // With nothing else to train there is no study, nor where it is the recipe that is wrong.
        assertThatThrownBy(() -> study(muon, List.of(Arm.MAJORITY, Arm.FROZEN, Arm.LORA)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("muon");
        var group = changed(base, "training.groups=[{match: no-such-weight}]");
        assertThatThrownBy(() -> study(group, List.of(Arm.FROZEN, Arm.FULL)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("training.groups");
        assertThat(folder.resolve("study-compare/cells")).doesNotExist();
        // A way that comes first is not trained before another is known to be impossible.
        var bodies = changed(base, "training.groups=[{match: c_fc.weight}]");
        assertThat(study(bodies, List.of(Arm.FROZEN, Arm.FULL)).means())
                .extracting(Compare.Mean::arm)
                .containsExactly(Arm.FULL);
    }

    @Test
    void preTrainingFurtherIsOfTheRecipesPrecisionAndMemory() throws IOException {
        var recipe =
                changed(
                        base(),
                        "training.precision=fp32",
                        "training.micro-batch=2",
                        "training.recompute=true",
                        "training.optimizer={type: sgd, rate: 0.5}");
        study(recipe, List.of(Arm.FURTHER));
        var training = Recipes.read(folder.resolve("study-compare/further/recipe.yaml")).training();
        assertThat(training.precision()).isEqualTo(TrainingRecipe.Precision.FP32);
        assertThat(training.microBatch()).isEqualTo(2);
        assertThat(training.recompute()).isTrue();
        // A rate of another optimizer is none of AdamW's.
        assertThat(training.optimizer())
                .isInstanceOfSatisfying(
                        OptimizerRecipe.AdamW.class,
                        adamw -> assertThat(adamw.rate()).isEqualTo(3e-4));
    }

    /// A recipe that trains an adapter is studied as one that trains all weights.
    @Test
    void whatIsCalledFullHasNoAdapter() throws IOException {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base(), ""))
                                        .replace(
                                                "adapter:\n  type: none",
                                                "adapter: {type: frozen}"),
                                "study");
        assertThat(recipe.adapter()).isInstanceOf(AdapterRecipe.Frozen.class);
        study(recipe, List.of(Arm.FULL, Arm.SCRATCH, Arm.FROZEN));
        for (var arm : List.of("full", "scratch", "frozen")) {
            assertThat(folder.resolve("study-compare/cells/%s-8-1/recipe.yaml".formatted(arm)))
                    .content()
                    .contains("adapter:\n  type: " + (arm.equals("frozen") ? "frozen" : "none"));
        }
    }

    /// What goes beyond the forgetting budget is said to, and the others are studied.
    @Test
    void whoeverForgetsTooMuchIsAPointWithoutAFigure() throws IOException {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base(), ""))
                                        .replaceFirst("budget: none", "budget: 0")
                                        .replaceFirst("rate: 0.01", "rate: 0.3"),
                                "study");
        var arms = List.of(Arm.MAJORITY, Arm.FULL, Arm.SCRATCH);
        var settings = new CompareRecipe(arms, List.of("8"), 1, 2, 1, 1, null, 10, 0.5);
        var result = new Compare(recipe, settings, Hardware.builtIn(), new Watcher() {}).run();
        assertThat(result.means().stream().map(Compare.Mean::arm))
                .containsExactly(Arm.MAJORITY, Arm.SCRATCH);
        assertThat(result.beyond())
                .singleElement()
                .satisfies(b -> assertThat(b.arm()).isEqualTo(Arm.FULL))
                .satisfies(b -> assertThat(b.labels()).isEqualTo(8))
                .satisfies(b -> assertThat(b.reason()).contains("forgetting.budget"));
        assertThat(result.comparisons()).hasSize(1);
        // Both rates of what is within the budget were paid for.
        assertThat(result.tuning()).containsOnlyKeys("full", "scratch");
        assertThat(result.tuning().get("scratch")).isPositive();
        assertThat(result.breakEven()).isEmpty();
        assertThat(ComparePage.text(result))
                .contains("Beyond the forgetting budget, or ended for its loss: full of 8 labels.")
                .containsPattern("full +beyond");
        var page = folder.resolve("report.html");
        ComparePage.write(page, result);
        assertThat(page).content().contains("Beyond the forgetting budget");
        var again = new Compare(recipe, settings, Hardware.builtIn(), new Watcher() {}).run();
        assertThat(again.made()).isZero();
        assertThat(again.beyond()).isEqualTo(result.beyond());
    }

    /// Of the usual numbers of labels those that there are; what is asked for must be there.
    @Test
    void fewerRecordsThanTheUsualNumbersAreStudiedToo() throws IOException {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base(), ""))
                                        .replaceFirst(
                                                "compare: none", "compare: {arms: [majority]}"),
                                "study");
        var said = new ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String what) {
                        said.add(what);
                    }
                };
        var usual = java.util.Objects.requireNonNull(recipe.compare());
        var result = new Compare(recipe, usual, Hardware.builtIn(), watcher).run();
        assertThat(result.means()).extracting(Compare.Mean::labels).containsExactly(16, 60);
        assertThat(said)
                .contains(
                        "of the usual numbers of labels 64, 256, 1024 are more than the 60 that there are");
        assertThatThrownBy(() ->
                        new Compare(
                                recipe,
                                settings(List.of(Arm.MAJORITY), 64, 1),
                                Hardware.builtIn(),
                                watcher))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("--labels: 64 are more than the 60");
    }

    /// What varies over seeds is the initial weights too, where they are drawn.
    @Test
    void eachSeedFromScratchBeginsWithWeightsOfItsOwn() throws IOException {
        var settings =
                new CompareRecipe(List.of(Arm.SCRATCH), List.of("8"), 2, 1, 1, 1, null, 10, 0.5);
        new Compare(recipe(base(), ""), settings, Hardware.builtIn(), new Watcher() {}).run();
        var study = folder.resolve("study-compare");
        for (var seed = 1; seed <= 2; seed++) {
            assertThat(study.resolve("cells/scratch-8-%d/recipe.yaml".formatted(seed)))
                    .content()
                    .contains("path: " + study.resolve("scratch").resolve("" + seed));
        }
        assertThat(study.resolve("scratch/1/model.safetensors"))
                .exists()
                .satisfies(f ->
                        assertThat(Files.mismatch(f, study.resolve("scratch/2/model.safetensors")))
                                .isNotNegative());
    }

    @Test
    void pairsOfTextsAreStudiedAsSingleOnes() throws IOException {
        var base = base();
        for (var file : List.of("train.csv", "validation.csv", "test.csv")) {
            var rows = Files.readString(folder.resolve(file));
            Files.writeString(
                    folder.resolve(file),
                    rows.replace("text,", "text,other,")
                            .replace(" they sold", ", they sold")
                            .replaceAll("(?m)^On day (\\d+), ", "On day $1,"));
        }
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base, ""))
                                        .replaceFirst("pair: none", "pair: other"),
                                "study");
        var result = study(recipe, List.of(Arm.BAG_OF_WORDS, Arm.FROZEN, Arm.FURTHER));
        assertThat(result.made()).isEqualTo(3);
        assertThat(result.means().getFirst().accuracy().value()).isGreaterThan(0.6);
        assertThat(folder.resolve("study-compare/cells/frozen-8-1/recipe.yaml"))
                .content()
                .contains("pair: pair");
        assertThat(folder.resolve("study-compare/unlabelled.jsonl")).content().hasLineCount(120);
    }

    @Test
    void weightsInSeveralFilesAreStudiedToo() throws IOException {
        var base = base();
        var single = base.resolve("model.safetensors");
        var index = Json.mapper().createObjectNode();
        var places = index.putObject("weight_map");
        try (var tensors = SafeTensors.open(single)) {
            var all = tensors.entries();
            for (var part = 0; part < 2; part++) {
                var file = "model-0000%d-of-00002.safetensors".formatted(part + 1);
                var half = all.subList(part * all.size() / 2, (part + 1) * all.size() / 2);
                SafeTensors.write(base.resolve(file), half);
                half.forEach(entry -> places.put(entry.name(), file));
            }
        }
        Files.writeString(base.resolve("model.safetensors.index.json"), Json.pretty(index));
        Files.delete(single);
        var result = study(recipe(base, ""), List.of(Arm.SCRATCH, Arm.FROZEN));
        assertThat(result.made()).isEqualTo(2);
        assertThat(result.means()).hasSize(2);
    }

    @Test
    void anInterruptedTrainingGoesOnFromItsCheckpoint() throws IOException {
        var base = base();
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base, ""))
                                        .replace("for: 2 steps", "for: 6 steps"),
                                "study");
        var steps = new AtomicInteger();
        var stopping =
                new Watcher() {
                    @Override
                    public boolean stop() {
                        return steps.incrementAndGet() == 4;
                    }
                };
        var settings = settings(List.of(Arm.FULL), 8, 1);
        assertThatThrownBy(() -> new Compare(recipe, settings, Hardware.builtIn(), stopping).run())
                .isInstanceOfSatisfying(
                        EspalierException.class,
                        e -> assertThat(e.kind()).isEqualTo(EspalierException.Kind.INTERRUPTED));
        var resumed = new Compare(recipe, settings, Hardware.builtIn(), stopping).run();
        // It is asked after each of the six steps but the last one.
        assertThat(steps).hasValue(5);
        var cell = folder.resolve("study-compare/cells/full-8-1");
        assertThat(cell.resolve("metrics.jsonl")).content().hasLineCount(6);
        assertThat(cell.resolve("checkpoints")).doesNotExist();
        AtomicFiles.delete(folder.resolve("study-compare"));
        var whole = new Compare(recipe, settings, Hardware.builtIn(), new Watcher() {}).run();
        assertThat(resumed.means().getFirst().accuracy())
                .isEqualTo(whole.means().getFirst().accuracy());
        assertThat(resumed.means().getFirst().rise()).isEqualTo(whole.means().getFirst().rise());
    }

    @Test
    void drawsAreBalancedAndPartOfLargerOnes() {
        var records = new ArrayList<LabelledText>();
        for (var i = 0; i < 40; i++) {
            records.add(new LabelledText("text " + i, i % 4 == 0 ? "rare" : "often", "line " + i));
        }
        var small = Draws.balanced(records, 8, 5);
        var large = Draws.balanced(records, 20, 5);
        assertThat(small).hasSize(8).filteredOn(r -> r.label().equals("rare")).hasSize(4);
        assertThat(large).containsAll(small).doesNotHaveDuplicates();
        assertThat(Draws.balanced(records, 8, 6)).isNotEqualTo(small);
        assertThat(Draws.balanced(records, 99, 5)).hasSize(40);
    }

    private static final Path RECIPES = Path.of("../recipes");

    /// A shipped recipe, cut down to two steps.
    private FinetuneRecipe shipped(
            String name, Path model, String train, String test, String... more) {
        var overrides =
                new ArrayList<>(
                        List.of(
                                "output=" + folder.resolve("study"),
                                "data.train=" + RECIPES.resolve("data").resolve(train),
                                "data.test=" + RECIPES.resolve("data").resolve(test),
                                "model={path: %s}".formatted(Json.line(model.toString())),
                                "training.for=2 steps",
                                "training.early-stopping=none",
                                "evaluate.every=2 steps"));
        overrides.addAll(List.of(more));
        return (FinetuneRecipe)
                Recipes.read(RECIPES.resolve("finetune/" + name + ".yaml"), overrides);
    }

    @Test
    void taggedWordsAreStudiedByTheirEntities() throws IOException {
        var base =
                new Run(
                                Recipes.parse(
                                        """
                                        output: %s/base
                                        data: {sources: [{type: text, path: %s/data/village.txt}], validation: 10%%}
                                        tokenizer: {type: wordpiece, vocabulary: 300}
                                        model: {type: bert, layers: 1, heads: 2, width: 16, context: 64, dropout: 0}
                                        objective: {type: masked}
                                        training: {for: 2 steps, batch: 4}
                                        """
                                                .formatted(folder, RECIPES),
                                        "base"))
                        .train(s -> {})
                        .model();
        // One more text to choose by has a tag that no draw has.
        var lines = Files.readString(RECIPES.resolve("data/village-tagged.conll"));
        var middle = lines.indexOf("\n\n", lines.length() * 9 / 10) + 2;
        Files.writeString(folder.resolve("train.conll"), lines.substring(0, middle));
        Files.writeString(
                folder.resolve("validation.conll"), "Xanadu B-RARE\n\n" + lines.substring(middle));
        var recipe =
                shipped(
                        "token-labelling-toy",
                        base,
                        folder.resolve("train.conll").toString(),
                        "village-tagged-test.conll",
                        "data.validation=" + folder.resolve("validation.conll"));
        var all = study(recipe, List.of(Arm.values()));
        assertThat(all.metric()).isEqualTo("f1");
        assertThat(all.made()).isEqualTo(6);
        assertThat(all.means()).hasSize(7);
        assertThat(all.comparisons()).hasSize(7 * 6 / 2);
        // Words of no entity are the commonest, and who tells no entity has found none.
        assertThat(all.means().getFirst().accuracy().value()).isZero();
        assertThat(all.means().get(1).arm()).isEqualTo(Arm.BAG_OF_WORDS);
        assertThat(all.means().get(1).accuracy().value()).isGreaterThan(0.3);
        assertThat(all.comparisons())
                .filteredOn(v -> v.better() == Arm.BAG_OF_WORDS && v.other() == Arm.MAJORITY)
                .singleElement()
                .satisfies(v -> assertThat(v.holm()).isLessThan(0.05))
                .satisfies(v ->
                        assertThat(v.difference().value())
                                .isCloseTo(all.means().get(1).accuracy().value(), within(1e-12)));
        // A word a line, an empty one behind each of eight sentences.
        assertThat(folder.resolve("study-compare/draws/8-1.conll"))
                .content()
                .matches("(?s)((\\S+ [OBI]\\S*\\n)+\\n){8}");
        assertThat(folder.resolve("study-compare/draws/8-1-validation.conll"))
                .content()
                .isNotEmpty()
                .doesNotContain("Xanadu");
        assertThat(ComparePage.text(all)).contains("F1 on ");
        var page = folder.resolve("report.html");
        ComparePage.write(page, all);
        assertThat(page).content().contains("F1 over labels", "<svg");
        assertThat(study(recipe, List.of(Arm.values())).made()).isZero();
    }

    @Test
    void picturesAreStudiedOnAModelThatExistsAndOnANewOne() throws IOException {
        var base =
                new Run(
                                Recipes.read(
                                        RECIPES.resolve("pretrain/vit-mae-toy.yaml"),
                                        List.of(
                                                "output=" + folder.resolve("base"),
                                                "data.sources=[{type: images, path: %s/data/shapes-test-images-idx3-ubyte}]"
                                                        .formatted(RECIPES),
                                                "model.layers=1",
                                                "model.width=12",
                                                "training.for=2 steps",
                                                "evaluate.every=2 steps")))
                        .train(s -> {})
                        .model();
        var recipe =
                shipped(
                        "image-classification-toy",
                        base,
                        "shapes-train-images-idx3-ubyte",
                        "shapes-test-images-idx3-ubyte");
        var said = new ArrayList<String>();
        var watcher =
                new Watcher() {
                    @Override
                    public void said(String what) {
                        said.add(what);
                    }
                };
        var all =
                new Compare(
                                recipe,
                                settings(List.of(Arm.values()), 8, 1),
                                Hardware.builtIn(),
                                watcher)
                        .run();
        assertThat(said).contains("of this task and model there is no copy, bag of words, further");
        assertThat(all.metric()).isEqualTo("accuracy");
        assertThat(all.means().stream().map(Compare.Mean::arm))
                .containsExactly(Arm.MAJORITY, Arm.SCRATCH, Arm.FROZEN, Arm.LORA, Arm.FULL);
        assertThat(all.made()).isEqualTo(4);
        // Three shapes, equally often.
        assertThat(all.means().getFirst().accuracy().value()).isEqualTo(1 / 3.0);
        assertThat(all.breakEven())
                .hasSize(1)
                .allSatisfy(b -> assertThat(b.seconds()).isPositive());
        // Eight to train on and a tenth of all to choose by.
        try (var pictures = Files.list(folder.resolve("study-compare/pictures"))) {
            assertThat(pictures).hasSizeBetween(9, 8 + 45);
        }
        assertThat(study(recipe, List.of(Arm.values())).made()).isZero();

        var anew =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe)
                                        .replaceFirst(
                                                "(?s)model:.*?task:",
                                                "model: {type: vit, image: 16, patch: 4, width: 12, layers: 1, heads: 3}\ntask:"),
                                "anew");
        assertThat(study(anew, List.of(Arm.values())).means().stream().map(Compare.Mean::arm))
                .containsExactly(Arm.MAJORITY, Arm.SCRATCH);
        assertThatThrownBy(() -> study(anew, List.of(Arm.FULL, Arm.BAG_OF_WORDS)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("there is no full, bag of words");
    }

    @Test
    void writtenTextsAreStudiedByTheScoreOfTheirRun() throws IOException {
        var rows = Files.readAllLines(RECIPES.resolve("data/dates-train.csv"));
        Files.writeString(
                folder.resolve("train.csv"), String.join("\n", rows.subList(0, 121)) + "\n");
        var test = Files.readAllLines(RECIPES.resolve("data/dates-test.csv"));
        Files.writeString(
                folder.resolve("test.csv"), String.join("\n", test.subList(0, 41)) + "\n");
        var train = folder.resolve("train.csv").toString();
        var toy = folder.resolve("test.csv").toString();
        var base =
                new Run(
                                Recipes.read(
                                        RECIPES.resolve("pretrain/bart-toy.yaml"),
                                        List.of(
                                                "output=" + folder.resolve("base"),
                                                "data.sources=[{type: text, path: %s/data/village-later.txt}]"
                                                        .formatted(RECIPES),
                                                "model.layers=1",
                                                "model.heads=2",
                                                "model.width=16",
                                                "training.for=2 steps",
                                                "evaluate.every=2 steps")))
                        .train(s -> {})
                        .model();
        var recipe = shipped("sequence-to-sequence-bart-toy", base, train, toy, "tokenizer=null");
        var all = study(recipe, List.of(Arm.values()));
        assertThat(all.metric()).isEqualTo("chrf");
        assertThat(all.testRecords()).isEqualTo(40);
        assertThat(all.labels()).isEmpty();
        // The table that a BART reads by is what it writes by.
        assertThat(all.means().stream().map(Compare.Mean::arm))
                .containsExactly(
                        Arm.MAJORITY, Arm.COPY, Arm.SCRATCH, Arm.LORA, Arm.FULL, Arm.FURTHER);
        assertThat(all.made()).isEqualTo(5);
        var right = PairReader.read(Path.of(toy), "written", "date", Ledger.strict());
        assertThat(all.means().get(1).accuracy().value())
                .isCloseTo(
                        ChrF.CHARACTERS.score(
                                        right.stream().map(TextPair::input).toList(),
                                        right.stream().map(p -> List.of(p.target())).toList())
                                / 100,
                        within(1e-12));
        assertThat(all.comparisons()).hasSize(6 * 5 / 2);
        // Inputs alone are what is there without labels.
        assertThat(folder.resolve("study-compare/unlabelled.jsonl"))
                .content()
                .contains("24 May 2007")
                .doesNotContain("2007-05-24");
        assertThat(folder.resolve("study-compare/draws/8-1.jsonl")).content().hasLineCount(8);
        assertThat(ComparePage.text(all)).contains("ChrF on 40 test records");
        assertThat(study(recipe, List.of(Arm.values())).made()).isZero();
        // By what the run stops early.
        var exact =
                Recipes.write(recipe)
                        .replaceFirst("early-stopping: none", "early-stopping: {metric: WANTED}");
        var judged =
                study(
                        (FinetuneRecipe)
                                Recipes.parse(exact.replace("WANTED", "exact-match"), "exact"),
                        List.of(Arm.MAJORITY, Arm.COPY));
        assertThat(judged.metric()).isEqualTo("exact-match");
        assertThat(judged.means().get(1).accuracy().value()).isZero();
        assertThat(judged.means().get(1).accuracy().high()).isPositive();
        assertThatThrownBy(() ->
                        study(
                                (FinetuneRecipe)
                                        Recipes.parse(
                                                exact.replace("WANTED", "word-error-rate"), "rate"),
                                List.of(Arm.COPY)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("training.early-stopping.metric")
                .hasMessageContaining("allowed:");
    }

    @Test
    void otherTasksAreRefusedByName() {
        for (var task :
                List.of(
                        "{type: instruction}",
                        "{type: classification, problem: {type: multi-label}}")) {
            assertThatThrownBy(() ->
                            study(
                                    (FinetuneRecipe)
                                            Recipes.parse(
                                                    """
                                                    data: {train: a.csv, validation: b.csv, test: c.csv}
                                                    model: {path: none}
                                                    task: %s
                                                    """
                                                            .formatted(task),
                                                    "study"),
                                    List.of(Arm.FULL)))
                    .as(task)
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("compare")
                    .hasMessageContaining("allowed:");
        }
    }

    /// A draw with as many of each label has no commonest one.
    @Test
    void theMajorityIsOfAllRecordsToTrainOn() throws IOException {
        var csv = new StringBuilder("text,label\n");
        var tagged = new StringBuilder();
        for (var i = 0; i < 12; i++) {
            csv.append("sold %d,%s\n".formatted(i, i % 3 == 0 ? "mill" : "sea"));
            tagged.append("sold%d %s\n\n".formatted(i, i % 3 == 0 ? "B-MILL" : "O"));
        }
        for (var part : List.of("train", "validation", "test")) {
            Files.writeString(folder.resolve(part + ".csv"), csv);
            Files.writeString(folder.resolve(part + ".conll"), tagged);
        }
        for (var task :
                List.of(
                        "csv {type: classification}",
                        "conll {type: token-labelling}",
                        "csv {type: sequence-to-sequence, input: text, target: label}")) {
            var words = task.split(" ", 2);
            var recipe =
                    (FinetuneRecipe)
                            Recipes.parse(
                                    """
                                    output: %1$s/study
                                    data: {train: %1$s/train.%2$s, validation: %1$s/validation.%2$s, test: %1$s/test.%2$s}
                                    model: {path: none}
                                    task: %3$s
                                    """
                                            .formatted(folder, words[0], words[1]),
                                    "study");
            var studied = Studied.of(recipe, folder.resolve("study"), new Watcher() {});
            for (var seed = 1; seed <= 20; seed++) {
                assertThat(studied.drawn(1, seed).untrained(Arm.MAJORITY))
                        .as(task)
                        .hasSize(12)
                        .containsOnly(words[0].equals("conll") ? "O" : "sea");
            }
            assertThat(studied.balanced()).isEqualTo(task.contains("classification") ? 8 : null);
        }
    }

    /// Of rises by e - 1 and e³ - 1 the mean is e² - 1; their logarithms lie 12.7 about 2.
    @Test
    void risesAreAveragedAsRatios() {
        var rise = Compare.rise(Math.expm1(1), Math.expm1(3));
        assertThat(rise.value()).isCloseTo(Math.expm1(2), within(1e-9));
        assertThat(rise.low())
                .isGreaterThan(-1)
                .isCloseTo(Math.expm1(2 - 12.7062047), within(1e-6));
        assertThat(Math.log1p(rise.high())).isCloseTo(2 + 12.7062047, within(1e-6));
        assertThat(Compare.rise(0.5).low()).isEqualTo(-1);
        var held = 0;
        for (var study = 0; study < 2000; study++) {
            var rng = Rng.at(3, study);
            var rises = new double[3];
            Arrays.setAll(rises, i -> Math.expm1(1 + 0.8 * rng.nextGaussian()));
            held += Compare.rise(rises).excludes(Math.expm1(1)) ? 0 : 1;
        }
        // Of so many studies 95 % are 1900 and 10 either way.
        assertThat(held).isBetween(1860, 1940);
    }

    /// Pre-training further spends of the budget too.
    @Test
    void theBudgetCountsFromTheBaseModel() {
        var before = Map.of("general", exactly(0.04), "law", exactly(0.5));
        var cell = cell(Arm.FURTHER, 0.04, Map.of("law perplexity-rise", 0.1));
        var told = Compare.fromBase(cell, before, 1.0);
        assertThat(told.beyond()).isNull();
        assertThat(told.rise()).isCloseTo(0.0816, within(1e-12));
        assertThat(Objects.requireNonNull(told.changes()))
                .containsOnlyKeys("law perplexity-rise")
                .allSatisfy((_, rise) -> assertThat(rise).isCloseTo(0.65, within(1e-12)));
        assertThat(Compare.fromBase(cell, before, 0.6).beyond())
                .contains("law rose by 65.0 %", "forgetting.budget of 60.0 %");
        assertThat(Compare.fromBase(cell(Arm.FURTHER, 0.04, null), before, 0.08).beyond())
                .contains("general rose by 8.2 %");
        // Where it cannot be told, what fine-tuning alone forgot does not stand for it.
        var unknown =
                Compare.fromBase(
                        cell(Arm.FURTHER, 0.04, Map.of("law accuracy-change", -0.5)),
                        Map.of(),
                        0.05);
        assertThat(unknown.rise()).isNull();
        assertThat(unknown.changes()).isEmpty();
        var full = cell(Arm.FULL, 0.04, Map.of("law accuracy-change", -0.5));
        assertThat(Compare.fromBase(full, before, 0.05)).isEqualTo(full);
    }

    private static Interval exactly(double value) {
        return new Interval(value, value, value);
    }

    private static Compare.Cell cell(Arm arm, double rise, @Nullable Map<String, Double> changes) {
        return new Compare.Cell(arm, 8, 1, 0.5, 1, 1, rise, changes, List.of(0), null, null);
    }

    /// Whatever is measured is told, and what older cells lack is not missed.
    @Test
    void allThatIsMeasuredIsTold() throws IOException {
        var base = base();
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                Recipes.write(recipe(base, "")),
                                "study",
                                List.of(
                                        "forgetting={measure: {domains: [{name: law, corpus: %s}]}}"
                                                .formatted(folder.resolve("prose.txt"))));
        var arms = List.of(Arm.FULL, Arm.FURTHER);
        var result = study(recipe, arms);
        assertThat(result.means())
                .hasSize(2)
                .allSatisfy(m -> assertThat(m.rise()).isNull())
                .allSatisfy(m -> assertThat(m.changes()).containsOnlyKeys("law perplexity-rise"));
        var page = folder.resolve("report.html");
        ComparePage.write(page, result);
        assertThat(page).content().contains("Forgetting", "law perplexity-rise");
        var file = folder.resolve("study-compare/cells/full-8-1/kept.json");
        var note = Json.read(file);
        ((ObjectNode) note.path("told")).remove("changes");
        Files.writeString(file, Json.pretty(note));
        var again = study(recipe, arms);
        assertThat(again.made()).isZero();
        assertThat(again.means().getFirst().changes()).isEmpty();
        assertThat(again.means().getLast()).isEqualTo(result.means().getLast());
    }

    /// Only the cells of another number are made.
    @Test
    void anotherNumberOfLabelsThrowsNothingAway() throws IOException {
        var recipe = recipe(base(), "");
        var made = new ArrayList<Integer>();
        var history = new History(folder.resolve("runs.jsonl"));
        for (var labels : List.of(List.of("8"), List.of("8", "12", "16"))) {
            var settings =
                    new CompareRecipe(List.of(Arm.FROZEN), labels, 1, 2, 1, 1, null, 10, 0.5);
            made.add(
                    new Compare(recipe, settings, Hardware.builtIn(), history, new Watcher() {})
                            .run()
                            .made());
        }
        assertThat(made).containsExactly(3, 2);
        assertThat(history.entries())
                .hasSize(5)
                .allSatisfy(run -> assertThat(run.predicted()).isNotEmpty());
    }

    /// 100 s for all, 2 s instead of 12 s of each task, and 8 labels instead of 16 at 0.5.
    @Test
    void whatABreakEvenLacksIsNamed() {
        var tuned = new Compare.Mean(Arm.FULL, 8, exactly(0.9), 2, 1, null, Map.of());
        var scratch = new Compare.Mean(Arm.SCRATCH, 16, exactly(0.9), 12, 1, null, Map.of());
        Largest.Prices hundredth = seconds -> seconds / 100;
        Largest.Prices none = seconds -> null;
        // 1 once, and 4.02 instead of 8.12 of each task.
        assertThat(Compare.breakEven(tuned, scratch, 100.0, 0.5, hundredth))
                .isEqualTo(new Compare.BreakEven(8, 100.0, 16, 1.0, List.of()));
        assertThat(Compare.breakEven(tuned, scratch, 100.0, null, none).missing())
                .containsExactly(Compare.Missing.NO_LABEL_PRICE, Compare.Missing.NO_PRICE_HERE);
        assertThat(Compare.breakEven(tuned, null, null, null, none).missing())
                .containsExactly(Compare.Missing.NO_RUN_OF_THE_BASE, Compare.Missing.NOT_REACHED);
        // As many labels cost as much, whatever that is.
        var same = new Compare.Mean(Arm.SCRATCH, 8, exactly(0.9), 12, 1, null, Map.of());
        assertThat(Compare.breakEven(tuned, same, 100.0, 0.5, none).tasks()).isEqualTo(10.0);
        var quick = new Compare.Mean(Arm.SCRATCH, 8, exactly(0.9), 1, 1, null, Map.of());
        assertThat(Compare.breakEven(tuned, quick, 100.0, 0.5, none).missing())
                .containsExactly(Compare.Missing.NOTHING_SAVED);
    }

    @Test
    void pretrainingPaysFromSoManyTasksOn() {
        // 100 for all, and 2 instead of 12 for each.
        assertThat(Compare.tasks(100, 2, 12)).isEqualTo(10.0);
        assertThat(Compare.tasks(101, 2, 12)).isEqualTo(11.0);
        assertThat(Compare.tasks(100, 12, 12)).isNull();
    }

    @Test
    void whatCannotBeStudiedIsRefused() {
        assertThatThrownBy(() ->
                        new Compare(
                                (FinetuneRecipe)
                                        Recipes.parse(
                                                """
                                                data: {train: a.csv, validation: b.csv}
                                                model: {path: none}
                                                task: {type: classification}
                                                """,
                                                "study"),
                                settings(List.of(Arm.FULL), 4, 1),
                                Hardware.builtIn(),
                                new Watcher() {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("data.test");
    }
}
