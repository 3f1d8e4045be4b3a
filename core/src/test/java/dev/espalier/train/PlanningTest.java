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

    /// What is computed in parts takes less memory, which a run of the whole says nothing of.
    @Test
    void runsInSmallerPartsAreNotOfOneKey() {
        var more = "training: {for: 10 steps, batch: 8}";
        var whole = new Cost.Pass(8, 32, 0, 1, 1, false, false, 1000, false);
        var byTwo = new Cost.Pass(4, 32, 0, 2, 1, false, false, 1000, false);
        assertThat(key(PASS, more)).contains("batch 8 by 4 x 32");
        assertThat(key(whole, more)).contains("batch 8 x 32").isEqualTo(key(byTwo, more));
    }

    /// Mixtures of weights are measured behind the training, each as a finished model is.
    @Test
    void whatIsMixedIsMeasured() {
        var times =
                Stream.of("none", "wise-ft, steps: 4", "soup, models: [a, b, c]")
                        .map(d ->
                                "forgetting: {measure: {corpus: a.txt}, defence: {type: %s}}"
                                        .formatted(d))
                        .map(d -> Averaging.measured(recipe(d)));
        assertThat(times).containsExactly(0, 5, 7);
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
        // Whole blocks are trained: of a quarter of two one.
        assertThat(GPT2.layers()).isEqualTo(2);
        requireOperations("{type: frozen, last-blocks: 0.25}", maps * 2 / 3, attention * 2 / 3);
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
        return defended(defence).loader();
    }

    private static Plan.Request defended(String defence) {
        var recipe =
                recipe(
                        """
                        training: {for: 10 steps, batch: 16, micro-batch: 16}
                        forgetting: {measure: {corpus: a.txt}, defence: {type: %s}}
                        """
                                .formatted(defence));
        return Planning.request(recipe, GPT2, null);
    }

    /// By hand: four windows as long as the context to sixteen texts, which score the vocabulary;
    /// of a texts' class nothing does.
    @Test
    void whatIsReplayedIsInThePlan() {
        var alone = defended("none");
        var replay = defended("replay, corpus: a.txt, fraction: 20%");
        double texts = 16 * GPT2.context(), windows = 4 * GPT2.context();
        assertThat(alone.work().replayed()).isZero();
        assertThat(replay.work().replayed()).isEqualTo(windows);
        assertThat(replay.work().tokensPerStep()).isEqualTo(texts + windows);
        assertThat(replay.work().tokens()).isEqualTo(10 * (texts + windows));
        var head = 6.0 * GPT2.vocabulary() * GPT2.width();
        var each = alone.flopsPerToken() + head;
        assertThat(replay.flopsPerToken() * (texts + windows))
                .isCloseTo(texts * alone.flopsPerToken() + windows * each, within(1.0));
        assertThat(replay.attention()).isCloseTo(alone.attention(), within(1e-6));
        assertThat(alone.memory(false).logits()).isZero();
        var few = defended("replay, corpus: a.txt, fraction: 94%");
        assertThat(few.memory(false).logits())
                .isEqualTo(
                        Cost.trainingMemory(
                                        GPT2,
                                        new Cost.Pass(
                                                16,
                                                GPT2.context(),
                                                0,
                                                1,
                                                1,
                                                false,
                                                false,
                                                0,
                                                false),
                                        0,
                                        0,
                                        0)
                                .logits())
                .isPositive();
    }

    /// By hand: five windows forward and back, with their scores once more to draw from.
    @Test
    void whatEwcAsksBeforehandIsInThePlan() {
        assertThat(defended("none").work().before()).isZero();
        var tokens = 5.0 * GPT2.context();
        assertThat(defended("ewc, corpus: a.txt, windows: 5").work().before())
                .isCloseTo(
                        tokens
                                * (Cost.flopsPerToken(GPT2, GPT2.context(), 0, 1)
                                        + 2.0 * GPT2.vocabulary() * GPT2.width()),
                        within(1.0));
    }

    /// By hand: each block's fused map of queries, keys and values and what follows attention, and
    /// a head of two classes where one is told.
    @Test
    void whatIsTrainedBesideFrozenWeightsIsWhatIsMade() {
        long d = GPT2.width(), n = GPT2.layers();
        var own = n * 4 * (4 * d + 2 * d);
        assertThat(request("{type: lora, rank: 4}").pass().trained()).isEqualTo(own + 2 * d);
        assertThat(request("{type: lora, rank: 4, dora: true}").pass().trained())
                .isEqualTo(own + n * 4 * d + 2 * d);
        assertThat(request("{type: lora, rank: 4, targets: [c_attn]}").pass().trained())
                .isEqualTo(n * 4 * 4 * d + 2 * d);
        assertThat(request("{type: frozen}").pass().trained()).isEqualTo(2 * d);
        var answers =
                Recipes.parse(
                        """
                        data: {train: a.jsonl}
                        model: {path: some}
                        task: {type: instruction}
                        adapter: {type: lora, rank: 4}
                        """,
                        "study");
        assertThat(Planning.request(answers, GPT2, null).pass().trained()).isEqualTo(own);
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
