package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.Problem;
import dev.espalier.model.Segformer;
import dev.espalier.model.SegformerConfig;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.Unet;
import dev.espalier.model.UnetConfig;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.model.VitConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import dev.espalier.nn.Module;
import dev.espalier.optim.FlatParameters;
import dev.espalier.recipe.Duration;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.GroupRecipe;
import dev.espalier.recipe.OptimizerRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.ScheduleRecipe;
import dev.espalier.recipe.Share;
import dev.espalier.recipe.TrainingRecipe;
import dev.espalier.torch.Scope;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.JsonNodeFactory;

class OptimizersTest {
    private static final double RATE = 0.01;
    private static final OptimizerRecipe.AdamW ADAMW =
            new OptimizerRecipe.AdamW(RATE, List.of(0.9, 0.95), 1e-12, 0);

    private static TrainingRecipe recipe(
            OptimizerRecipe optimizer, List<GroupRecipe> groups, double layerDecay) {
        return new TrainingRecipe(
                Duration.steps(1),
                1,
                null,
                optimizer,
                groups,
                layerDecay,
                new ScheduleRecipe.Constant(new Share(0)),
                0,
                TrainingRecipe.BadLoss.STOP,
                0,
                0,
                TrainingRecipe.Precision.FP32,
                false,
                null);
    }

    /// How far each weight goes in the first step for a gradient of 1 everywhere, in rates.
    private static Map<String, Double> steps(TrainingRecipe recipe) {
        return steps(new Gpt2(Gpt2Config.of(20, 8, 8, 2, 2, 0)).initialize(1), recipe);
    }

    private static Map<String, Double> steps(Module model, TrainingRecipe recipe) {
        return steps(model, Set.of(), recipe);
    }

    private static Map<String, Double> steps(
            Module model, Set<String> begun, TrainingRecipe recipe) {
        try (var flat = new FlatParameters(model);
                var scope = new Scope();
                var optimizer = Optimizers.of(model, begun, flat, recipe, null, false)) {
            var before = flat.weights().floats();
            flat.gradients().addInPlace(1);
            optimizer.step(RATE);
            var after = flat.weights().floats();
            var steps = new HashMap<String, Double>();
            for (var slot : flat.slots()) {
                var i = (int) slot.offset();
                steps.put(slot.name(), (before[i] - after[i]) / RATE);
            }
            return steps;
        }
    }

    @Test
    void aLayerDecayIsAPowerForEachBlockBelow() {
        var steps = steps(recipe(ADAMW, List.of(), 0.5));
        assertThat(steps.get("transformer.ln_f.weight")).isCloseTo(1, within(1e-4));
        assertThat(steps.get("transformer.h.1.mlp.c_fc.weight")).isCloseTo(0.5, within(1e-4));
        assertThat(steps.get("transformer.h.0.mlp.c_fc.bias")).isCloseTo(0.25, within(1e-4));
        assertThat(steps.get("transformer.wte.weight")).isCloseTo(0.125, within(1e-4));
        assertThat(steps.get("transformer.wpe.weight")).isCloseTo(0.125, within(1e-4));
    }

    /// A classifier as fine-tuning trains it.
    private static SequenceClassifier classifier() {
        var body = new Gpt2(Gpt2Config.of(20, 8, 8, 2, 2, 0)).initialize(1);
        var classifier = new SequenceClassifier(body, List.of("a", "b"));
        classifier.initializeHead(1);
        return classifier;
    }

    @Test
    void aClassifiersHeadHasTheWholeRateAndItsAdaptersThatOfTheirBlocks() {
        var steps = steps(classifier(), recipe(ADAMW, List.of(), 0.5));
        assertThat(steps.get("score.weight")).isCloseTo(1, within(1e-4));
        assertThat(steps.get("transformer.h.1.attn.c_attn.weight")).isCloseTo(0.5, within(1e-4));
        assertThat(steps.get("transformer.wte.weight")).isCloseTo(0.125, within(1e-4));

        var adapted = classifier();
        Lora.attach(adapted, new Lora.Settings(2, 4, 0, List.of("c_attn"), false, true), 1);
        adapted.trainHead();
        var ofAdapters = steps(adapted, recipe(ADAMW, List.of(), 0.5));
        assertThat(ofAdapters).hasSize(7);
        for (var name : List.of("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")) {
            assertThat(ofAdapters.get("transformer.h.0.attn.c_attn." + name))
                    .as(name)
                    .isCloseTo(0.25, within(1e-4));
        }
        assertThat(ofAdapters.get("score.weight")).isCloseTo(1, within(1e-4));
    }

    private static Segformer segformer() {
        var config = SegformerConfig.of(List.of(8, 8, 8, 8), List.of(1, 2, 1, 1), 16, 0);
        return new Segformer(config, List.of("a", "b")).initialize(1);
    }

    private static Vit vit() {
        return new Vit(VIT, new Problem.SingleLabel(List.of("a", "b"))).initialize(1);
    }

    private static Yolos yolos() {
        return new Yolos(YolosConfig.of(VIT, 3), List.of("a", "b")).initialize(1);
    }

    private static final VitConfig VIT = VitConfig.of(16, 8, 8, 2, 2, 0);

    /// @param expected powers of a layer decay of a half
    private static void assertPowers(Map<String, Double> steps, Map<String, Integer> expected) {
        expected.forEach((name, power) ->
                assertThat(steps.get(name)).as(name).isCloseTo(Math.pow(0.5, power), within(1e-4)));
    }

    /// Five blocks in four stages.
    @Test
    void theDepthCountsThroughTheStagesOfASegformer() {
        var steps = steps(segformer(), recipe(ADAMW, List.of(), 0.5));
        var encoder = "segformer.encoder.";
        assertPowers(
                steps,
                Map.of(
                        encoder + "patch_embeddings.0.proj.weight",
                        6,
                        encoder + "block.0.0.mlp.dense1.weight",
                        5,
                        encoder + "patch_embeddings.1.layer_norm.weight",
                        4,
                        encoder + "block.1.0.attention.self.query.weight",
                        4,
                        encoder + "block.1.1.mlp.dwconv.dwconv.weight",
                        3,
                        encoder + "patch_embeddings.2.proj.bias",
                        2,
                        encoder + "block.2.0.mlp.dense2.weight",
                        2,
                        encoder + "block.3.0.layer_norm_1.weight",
                        1,
                        encoder + "layer_norm.3.weight",
                        0,
                        "decode_head.classifier.weight",
                        0));
    }

    @Test
    void theDepthOfAVitAndAYolosIsThatOfItsBlocks() {
        var decayed = recipe(ADAMW, List.of(), 0.5);
        var blocks =
                Map.of(
                        "vit.embeddings.cls_token", 3,
                        "vit.embeddings.patch_embeddings.projection.weight", 3,
                        "vit.encoder.layer.0.attention.attention.query.weight", 2,
                        "vit.encoder.layer.1.output.dense.weight", 1,
                        "vit.layernorm.weight", 0);
        var vit = steps(vit(), decayed);
        assertPowers(vit, blocks);
        assertPowers(vit, Map.of("classifier.weight", 0));
        var yolos = steps(yolos(), decayed);
        assertPowers(yolos, blocks);
        assertPowers(
                yolos,
                Map.of(
                        "vit.embeddings.detection_tokens", 3,
                        "class_labels_classifier.layers.0.weight", 0,
                        "bbox_predictor.layers.2.bias", 0));
    }

    @Test
    void whatBeginsNewHasTheWholeRateHoweverDeepItLies() {
        var tokens = "vit.embeddings.detection_tokens";
        var steps = steps(yolos(), Set.of(tokens), recipe(ADAMW, List.of(), 0.5));
        assertPowers(steps, Map.of(tokens, 0, "vit.embeddings.cls_token", 3));
    }

    @Test
    void aUnetHasNoDepthAndNothingToAdapt() {
        var unet = new Unet(new UnetConfig(3, 16, 8, 2), List.of("a", "b")).initialize(1);
        assertThatThrownBy(() -> steps(unet, recipe(ADAMW, List.of(), 0.5)))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("training.layer-decay: goes by blocks");
        assertThatThrownBy(() -> Vision.adapt(lora("attention"), ready(unet)))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(
                        "adapter: lora is for linear maps, of which a unet has none");
        assertThatThrownBy(() -> Vision.adapt(adapted("frozen, last-blocks: 25%"), ready(unet)))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith("adapter.last-blocks: a unet has no blocks");
    }

    /// Whatever is declared behind a stack's blocks: an embedding lies below them.
    @Test
    void embeddingsOfAnEncoderAndItsDecoderLieBelowTheBlocks() {
        var bart =
                HuggingFace.readModel(Path.of(System.getProperty("espalier.goldens"), "bart"), null)
                        .model();
        var depths = Depths.of(bart);
        assertThat(bart.parameters().keySet())
                .filteredOn(name -> name.contains("embed") || name.contains("shared"))
                .hasSizeGreaterThan(6)
                .allSatisfy(name ->
                        assertThat(depths.get(name))
                                .isNotNull()
                                .satisfies(d -> assertThat(d.blocks()).isEqualTo(d.of() + 1)));
        for (var half : List.of("encoder", "decoder")) {
            assertThat(depths)
                    .containsEntry(
                            "model.%s.layers.1.fc1.weight".formatted(half), new Depths.Depth(1, 2));
        }
        bart.free();
    }

    private static Vision.Ready<?> ready(VisionModel model) {
        return new Vision.Ready<>(
                model, Preprocessor.vit(16, 16), JsonNodeFactory.instance.objectNode());
    }

    private static FinetuneRecipe lora(String targets) {
        return adapted("lora, rank: 2, targets: " + targets);
    }

    private static FinetuneRecipe adapted(String adapter) {
        return (FinetuneRecipe)
                Recipes.parse(
                        """
                        data: {train: pictures}
                        model: {path: model}
                        task: {type: image-classification}
                        adapter: {type: %s}
                        """
                                .formatted(adapter),
                        "x");
    }

    /// @param maps that each block has for these targets
    @ParameterizedTest
    @CsvSource({"attention, 4", "all, 6"})
    void adaptersOfModelsThatSeeAreTrainedWithTheHeadAlone(String targets, int maps) {
        for (var model : List.of(vit(), segformer(), yolos())) {
            var before = model.parameters().size();
            Vision.adapt(lora(targets), ready(model));
            var blocks = model instanceof Segformer ? 5 : 2;
            assertThat(model.parameters().size() - before).isEqualTo(2 * maps * blocks);
            var steps = steps(model, recipe(ADAMW, List.of(), 0.5));
            var trained =
                    model.parameters().keySet().stream()
                            .filter(p -> p.contains(".lora_") || model.isHead(p))
                            .filter(p -> !p.contains("running_") && !p.contains("num_batches"))
                            .toList();
            assertThat(steps.keySet()).containsExactlyInAnyOrderElementsOf(trained);
            steps.forEach((name, step) ->
                    assertThat(step)
                            .as(name)
                            .isCloseTo(
                                    model.isHead(name) ? 1 : Math.pow(0.5, above(name)),
                                    within(1e-4)));
        }
    }

    /// Blocks from this one on to the last.
    private static int above(String path) {
        var stages = Pattern.compile("block\\.(\\d)\\.(\\d)\\.").matcher(path);
        if (stages.find()) {
            return switch (stages.group(1)) {
                case "0" -> 5;
                case "1" -> 4 - Integer.parseInt(stages.group(2));
                case "2" -> 2;
                default -> 1;
            };
        }
        return path.contains("layer.0.") ? 2 : 1;
    }

    @Test
    void muonNeedsMatricesThatAreTrained() {
        var muon = recipe(new OptimizerRecipe.Muon(RATE, 0.95, 0, ADAMW), List.of(), 1);
        var steps = steps(classifier(), muon);
        assertThat(steps.get("score.weight")).isCloseTo(1, within(1e-4));
        assertThat(steps.get("transformer.h.1.attn.c_proj.weight")).isBetween(0.05, 0.2);
        var frozen = classifier();
        frozen.body().parameters().values().forEach(p -> p.trained(false));
        assertThatThrownBy(() -> steps(frozen, muon))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("of which none is trained here");
    }

    @Test
    void groupsHaveTheirOwnRateAndDecay() {
        var groups =
                List.of(
                        new GroupRecipe("wte|wpe", 0.1, null),
                        new GroupRecipe("wpe", 0, null),
                        new GroupRecipe("ln_f.weight", 1, 2.0));
        var steps = steps(recipe(ADAMW, groups, 1));
        assertThat(steps.get("transformer.wte.weight")).isCloseTo(0.1, within(1e-4));
        assertThat(steps.get("transformer.wpe.weight")).isEqualTo(0);
        // A norm's gain of 1 shrinks by 2 times the rate.
        assertThat(steps.get("transformer.ln_f.weight")).isCloseTo(3, within(1e-3));
        assertThat(steps.get("transformer.h.0.attn.c_attn.weight")).isCloseTo(1, within(1e-4));
        assertThatThrownBy(() -> steps(recipe(ADAMW, List.of(new GroupRecipe("wtf", 1, null)), 1)))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("`wtf` matches no trained weight");
    }

    @Test
    void everyOptimizerTakesRatesAndGroupsFromTheRecipe() {
        var groups = List.of(new GroupRecipe("wpe", 0, null), new GroupRecipe("wte", 0.5, null));
        for (var optimizer :
                List.of(
                        new OptimizerRecipe.Adafactor(RATE, true, false, 0, 1, 0),
                        new OptimizerRecipe.Lion(RATE, List.of(0.9, 0.99), 0),
                        new OptimizerRecipe.Sgd(RATE, 0.9, 0, false, 0))) {
            var steps = steps(recipe(optimizer, groups, 1));
            assertThat(steps.get("transformer.h.0.mlp.c_fc.weight")).isCloseTo(1, within(1e-4));
            assertThat(steps.get("transformer.h.0.mlp.c_fc.bias")).isCloseTo(1, within(1e-4));
            assertThat(steps.get("transformer.wte.weight")).isCloseTo(0.5, within(1e-4));
            assertThat(steps.get("transformer.wpe.weight")).isEqualTo(0);
        }
    }

    @Test
    void muonTakesTheMatricesOfTheBlocks() {
        var steps = steps(recipe(new OptimizerRecipe.Muon(RATE, 0.95, 0, ADAMW), List.of(), 1));
        for (var name : List.of("wte.weight", "wpe.weight", "ln_f.bias", "h.0.attn.c_attn.bias")) {
            assertThat(steps.get("transformer." + name)).as(name).isCloseTo(1, within(1e-4));
        }
        // A matrix of equal gradients has one direction: 1 / 8 in each of 8 x 8 places.
        assertThat(steps.get("transformer.h.1.attn.c_proj.weight")).isBetween(0.05, 0.2);
    }

    @Test
    void ofAFrozenBodyTheLastBlocksAreTrainedWhereThatIsAsked() {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                """
                                data: {train: a.csv}
                                model: {path: none}
                                task: {type: classification}
                                adapter: {type: frozen, last-blocks: 25%}
                                """,
                                "last");
        var decoder = new Gpt2(Gpt2Config.of(20, 8, 8, 6, 2, 0));
        var encoder = new Bert(EncoderConfig.of(EncoderConfig.Kind.BERT, 20, 8, 8, 6, 2, 0, 0));
        for (var body : List.<LanguageModel>of(decoder, encoder)) {
            var model = new SequenceClassifier(body, List.of("a", "b"));
            Finetuning.adapt(recipe, model, body);
            model.trainHead();
            var trained =
                    model.parameters().entrySet().stream()
                            .filter(e -> e.getValue().trained())
                            .map(e -> e.getKey().replaceAll("\\.(h|layer)\\.(\\d)\\..*", " $2"))
                            .distinct();
            // A fourth of six blocks is two.
            if (body == decoder) {
                assertThat(trained)
                        .containsExactly(
                                "transformer 4",
                                "transformer 5",
                                "transformer.ln_f.weight",
                                "transformer.ln_f.bias",
                                "score.weight");
            } else {
                assertThat(trained)
                        .containsExactly(
                                "bert.encoder 4",
                                "bert.encoder 5",
                                "bert.pooler.dense.weight",
                                "bert.pooler.dense.bias",
                                "classifier.weight",
                                "classifier.bias");
            }
        }
    }
}
