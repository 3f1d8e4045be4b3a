package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.plan.History;
import dev.espalier.recipe.Recipe;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KeptRunsTest {
    /// Leaps about, which a loss a tenth above the mean of those before it ends.
    private static final String HIGH =
            "optimizer: {type: adamw, rate: 10}, bad-loss: {then: stop, spike: 1.1}";

    private static final String LOW = "optimizer: {type: adamw, rate: 1e-3}";

    @TempDir Path folder;

    private Recipe recipe(String optimizer) throws IOException {
        var records = new StringBuilder("text,label\n");
        for (var i = 0; i < 40; i++) {
            records.append(i % 2 == 0 ? "flour and bread " : "boats and nets ")
                    .append(i)
                    .append(i % 2 == 0 ? ",mill\n" : ",sea\n");
        }
        Files.writeString(folder.resolve("labelled.csv"), records);
        return Recipes.parse(
                """
                output: %1$s/run
                data: {train: %1$s/labelled.csv, validation-share: 25%%}
                tokenizer: {type: characters}
                model: {type: gpt2, layers: 1, heads: 1, width: 8, context: 16}
                task: {type: classification}
                training: {for: 60 steps, batch: 4, early-stopping: none, schedule: {type: constant}, %2$s}
                """
                        .formatted(folder, optimizer),
                "run");
    }

    private static String made(KeptRuns runs, Recipe recipe) {
        return runs.of("a run", recipe, "", String.class, _ -> "done", (_, why) -> why);
    }

    /// One of a study's rates may be too high; the others are tried all the same.
    @Test
    void aLossThatEndsARunIsAnAnswerAndKept() throws IOException {
        var recipe = recipe(HIGH);
        var runs = new KeptRuns(new Watcher() {}, History.NONE);
        assertThat(made(runs, recipe)).contains("step ", "training.optimizer.rate");
        assertThat(runs.made()).isOne();
        var again = new KeptRuns(new Watcher() {}, History.NONE);
        assertThat(made(again, recipe)).contains("step ");
        assertThat(again.kept()).isOne();
        assertThat(made(again, recipe(LOW))).isEqualTo("done");
        // Who needs the run is told that there is none.
        assertThatThrownBy(() ->
                        new KeptRuns(new Watcher() {}, History.NONE)
                                .of("a run", recipe, "", String.class, _ -> "done"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("training.optimizer.rate");
    }

    @Test
    void dataThatCannotBeUsedIsNoAnswer() throws IOException {
        var recipe = recipe(LOW);
        Files.writeString(folder.resolve("labelled.csv"), "text,label\n");
        assertThatThrownBy(() -> made(new KeptRuns(new Watcher() {}, History.NONE), recipe))
                .isInstanceOf(EspalierException.class);
    }
}
