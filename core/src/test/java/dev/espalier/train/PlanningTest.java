package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Cost;
import dev.espalier.plan.Plan;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PlanningTest {
    private static final Anatomy GPT2 =
            Anatomy.of(HuggingFace.config(Path.of(System.getProperty("espalier.goldens"), "gpt2")));

    private static final Cost.Pass PASS = new Cost.Pass(4, 32, 0, 1, 1, false, false, 1000, false);

    private static String key(String adapter) {
        return key(PASS, "adapter: " + adapter);
    }

    private static String key(Cost.Pass pass, String more) {
        return Planning.key(GPT2, pass, recipe(more));
    }

    private static Recipe recipe(String more) {
        return Recipes.parse(
                """
                data: {train: a.csv}
                model: {path: some}
                task: {type: classification}
                %s
                """
                        .formatted(more),
                "study");
    }

    /// Blocks that are trained take time and memory, by which others would be foretold.
    @Test
    void runsThatTrainMoreBlocksAreNotOfOneKey() {
        assertThat(
                        Stream.of(
                                        "{type: none}",
                                        "{type: frozen}",
                                        "{type: frozen, last-blocks: 0.5}",
                                        "{type: frozen, last-blocks: 1}",
                                        "{type: lora}",
                                        "{type: lora, rank: 4}",
                                        "{type: lora, targets: all}",
                                        "{type: lora, dora: true}")
                                .map(PlanningTest::key))
                .doesNotHaveDuplicates();
        assertThat(key("{type: frozen}")).contains(" classification frozen adamw batch ");
    }

    /// A frozen body goes forward alone, one with adapters back into its states too; attention's
    /// own products have no weights, and go back wholly.
    @Test
    void operationsAreThoseThatTheRecipeMakes() {
        var whole = request("{type: none}");
        var attention = Objects.requireNonNull(whole.attention());
        assertThat(attention).isPositive();
        var maps = whole.flopsPerToken() - attention;
        requireOperations("{type: lora}", maps * 2 / 3, attention);
        requireOperations("{type: frozen}", maps / 3, attention / 3);
        requireOperations("{type: frozen, last-blocks: 0.5}", maps * 2 / 3, attention * 2 / 3);
    }

    /// By hand: the best weights; where weights are held to and how strongly, or those of before,
    /// at the end and mixed; or the parent, and ten tensors of scores of 16 texts.
    @Test
    void whatADefenceHoldsIsInMemory() {
        var one = 4L * GPT2.parameterCount();
        assertThat(kept("none")).isEqualTo(one);
        assertThat(kept("l2-sp")).isEqualTo(3 * one);
        assertThat(kept("ewc, corpus: a.txt")).isEqualTo(3 * one);
        assertThat(kept("wise-ft")).isEqualTo(4 * one);
        assertThat(kept("soup, models: [a, b, c]")).isEqualTo(6 * one);
        assertThat(kept("lwf"))
                .isEqualTo(2 * one + 10L * 4 * 16 * GPT2.context() * GPT2.vocabulary());
    }

    @Test
    void theBestWeightsOfPreTrainingAreInMemoryWhereTheyAreChosen() {
        for (var stopping : List.of("none", "{patience: 3}")) {
            var recipe =
                    Recipes.parse(
                            """
                            name: a
                            data: {sources: [{type: text, path: a.txt}]}
                            tokenizer: {type: bpe}
                            model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 8}
                            objective: {type: causal}
                            training: {for: 1 epoch, early-stopping: %s}
                            """
                                    .formatted(stopping),
                            "a");
            assertThat(Planning.request(recipe, GPT2, null).loader())
                    .isEqualTo(stopping.equals("none") ? 0 : 4L * GPT2.parameterCount());
        }
    }

    private static long kept(String defence) {
        var recipe =
                recipe(
                        """
                        training: {for: 1 epoch, batch: 16, micro-batch: 16}
                        forgetting: {measure: {corpus: a.txt}, defence: {type: %s}}
                        """
                                .formatted(defence));
        return Planning.request(recipe, GPT2, null).loader();
    }

    /// With AdamW, whose state is twice the trained weights: four numbers each of those that are
    /// trained, one of the others.
    @Test
    void whatIsNotTrainedTakesItsWeightsAlone() {
        var whole = GPT2.parameterCount();
        assertThat(Planning.least(request("{type: none}"))).isEqualTo(16 * whole);
        var lora = request("{type: lora}");
        assertThat(Planning.least(lora))
                .isEqualTo(4 * whole + 12 * lora.pass().trained())
                .isLessThan(8 * whole);
    }

    private static void requireOperations(String adapter, double maps, double attention) {
        var request = request(adapter);
        assertThat(request.attention()).isCloseTo(attention, within(1e-9 * attention));
        assertThat(request.flopsPerToken())
                .isCloseTo(maps + attention, within(1e-9 * (maps + attention)));
    }

    private static Plan.Request request(String adapter) {
        return Planning.request(recipe("adapter: " + adapter), GPT2, null);
    }

    /// So does what is computed beside the task, and how weights are changed.
    @Test
    void runsThatComputeOtherThingsAreNotOfOneKey() {
        var text = "measure: {corpus: a.txt}, defence: {type: %s}";
        assertThat(
                        Stream.of(
                                        "training: {for: 1 epoch}",
                                        "training: {for: 1 epoch, optimizer: {type: sgd, rate: 0.1}}",
                                        "forgetting: {%s}".formatted(text.formatted("lwf")),
                                        "forgetting: {%s}".formatted(text.formatted("l2-sp")),
                                        "forgetting: {%s}"
                                                .formatted(text.formatted("replay, corpus: b.txt")),
                                        "forgetting: {%s}"
                                                .formatted(
                                                        text.formatted(
                                                                "replay, corpus: b.txt, fraction: 30%")))
                                .map(more -> key(PASS, more)))
                .doesNotHaveDuplicates();
        var none = "training: {for: 1 epoch}";
        assertThat(key(PASS, "forgetting: {measure: {corpus: a.txt}}")).isEqualTo(key(PASS, none));
        assertThat(
                        Stream.of(
                                        PASS,
                                        new Cost.Pass(4, 32, 16, 1, 1, false, false, 1000, false),
                                        new Cost.Pass(4, 32, 0, 1, 1, false, false, 1000, true))
                                .map(pass -> key(pass, none)))
                .doesNotHaveDuplicates();
    }
}
