package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.plan.Anatomy;
import dev.espalier.plan.Cost;
import dev.espalier.recipe.Recipes;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class PlanningTest {
    private static String key(String adapter) {
        return Planning.key(
                Anatomy.of(
                        HuggingFace.config(
                                Path.of(System.getProperty("espalier.goldens"), "gpt2"))),
                new Cost.Pass(4, 32, 0, 1, 1, false, false, 1000, false),
                Recipes.parse(
                        """
                        data: {train: a.csv}
                        model: {path: some}
                        task: {type: classification}
                        adapter: %s
                        """
                                .formatted(adapter),
                        "study"));
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
                                        "{type: lora}")
                                .map(PlanningTest::key))
                .doesNotHaveDuplicates();
        assertThat(key("{type: frozen}")).contains(" classification frozen batch ");
    }
}
