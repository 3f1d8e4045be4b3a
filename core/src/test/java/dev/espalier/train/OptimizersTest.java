package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.model.Bert;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LanguageModel;
import dev.espalier.model.SequenceClassifier;
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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

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
        try (var flat = new FlatParameters(model);
                var scope = new Scope();
                var optimizer = Optimizers.of(model, flat, recipe, false)) {
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
