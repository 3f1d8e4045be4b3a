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
