package dev.espalier.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.io.Json;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.train.Run;
import dev.espalier.train.Watcher;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SequenceTest {
    @TempDir Path folder;

    /// By hand, of three tasks.
    @Test
    void transferIsThatOfThePaper() {
        var scores = List.of(row(0.9, 0.3, null), row(0.8, 0.7, 0.5), row(0.6, 0.65, 0.8));
        var transfer = Transfer.of(scores, row(null, 0.2, 0.35));
        isClose(transfer.average(), (0.6 + 0.65 + 0.8) / 3, 0.1 / Math.sqrt(3));
        isClose(transfer.backward(), ((0.6 - 0.9) + (0.65 - 0.7)) / 2, 0.1);
        isClose(transfer.forward(), ((0.3 - 0.2) + (0.5 - 0.35)) / 2, 0.1);
    }

    /// Scores that are known within a tenth.
    private static List<@Nullable Interval> row(@Nullable Double... scores) {
        var row = new ArrayList<@Nullable Interval>();
        for (var s : scores) {
            row.add(s == null ? null : new Interval(s, s - 0.1, s + 0.1));
        }
        return row;
    }

    private static void isClose(Interval found, double value, double margin) {
        assertThat(found.value()).isCloseTo(value, within(1e-12));
        assertThat(found.high() - value).isCloseTo(margin, within(1e-12));
        assertThat(value - found.low()).isCloseTo(margin, within(1e-12));
    }

    private FinetuneRecipe recipe(String name, Path base, String task, String data) {
        return (FinetuneRecipe)
                Recipes.parse(
                        """
                        name: %2$s
                        data: {train: %1$s/%5$s, test: %1$s/test-%5$s, validation-share: 20%%}
                        model: {path: %3$s, dropout: 0.1}
                        task: {type: %4$s}
                        training: {for: 6 steps, batch: 8, precision: fp32, optimizer: {type: adamw, rate: 2e-2}}
                        evaluate: {every: 3 steps}
                        save: {every: 6 steps}
                        """
                                .formatted(folder, name, base, task, data),
                        name);
    }

    @Test
    void tasksInTurnFillTheMatrixAndNothingIsMadeTwice() throws IOException {
        var prose = new StringBuilder();
        var places = new StringBuilder("text,label\n");
        var tags = new StringBuilder();
        var words = List.of("flour", "bread", "boats", "nets");
        for (var i = 0; i < 80; i++) {
            var word = words.get(i % 4);
            var text = "On day " + i % 17 + " they sold the " + word;
            prose.append(text).append(".\n");
            places.append(text).append(i % 4 < 2 ? ",mill\n" : ",sea\n");
            tags.append("they O\nsold O\n").append(word).append(i % 4 < 2 ? " B-MILL" : " B-SEA");
            tags.append("\n\n");
        }
        Files.writeString(folder.resolve("prose.txt"), prose);
        for (var prefix : List.of("", "test-")) {
            Files.writeString(folder.resolve(prefix + "places.csv"), places);
            Files.writeString(folder.resolve(prefix + "tags.conll"), tags);
        }
        var base =
                new Run(
                                Recipes.parse(
                                        """
                                        output: %1$s/base
                                        data: {sources: [{type: text, path: "%1$s/prose.txt"}], validation: 10%%}
                                        tokenizer: {type: characters}
                                        model: {type: gpt2, layers: 1, heads: 2, width: 16, context: 48}
                                        objective: {type: causal}
                                        training: {for: 20 steps, batch: 4, optimizer: {type: adamw, rate: 1e-2}}
                                        """
                                                .formatted(folder),
                                        "base"))
                        .train(s -> {})
                        .model();
        var tasks =
                List.of(
                        recipe("places", base, "classification", "places.csv"),
                        recipe("tags", base, "token-labelling", "tags.conll"));
        var settings =
                new Sequence.Settings(
                        List.of("none", "l2-sp"), 1, folder + "/prose.txt", null, null);
        var output = folder.resolve("sequence");
        var result = new Sequence(tasks, settings, output, new Watcher() {}).run();
        // Two probes of the base, and for each defence two tasks and a probe.
        assertThat(result.made()).isEqualTo(2 + 2 * 3);
        assertThat(result.metrics()).containsExactly("accuracy", "f1");
        for (var outcome : result.outcomes()) {
            var run = output.resolve("1-" + outcome.defence()).resolve("tags");
            var told = List.of(Json.read(run.resolve("evaluation.json"), Score[].class));
            assertThat(value(outcome, 1, 0)).isEqualTo(value(told, "places-test-after"));
            // What the first run reached is what the second begins with.
            assertThat(value(outcome, 0, 0)).isEqualTo(value(told, "places-test-before"));
            assertThat(Objects.requireNonNull(outcome.backward()).value())
                    .isCloseTo(value(outcome, 1, 0) - value(outcome, 0, 0), within(1e-12));
            assertThat(Objects.requireNonNull(outcome.forward()).value())
                    .isCloseTo(
                            value(outcome, 0, 1)
                                    - Objects.requireNonNull(outcome.before().get(1)).value(),
                            within(1e-12));
            assertThat(outcome.generalRise()).isNotNull();
            assertThat(run.resolve("recipe.yaml")).content().contains("dropout: 0.1");
        }
        var page = folder.resolve("report.html");
        SequencePage.write(page, result);
        assertThat(page).content().contains("l2-sp", "<svg");
        assertThat(folder.resolve("tasks.svg")).content().contains("Mean score", "l2-sp");
        assertThat(SequencePage.text(result)).contains("backward", "places, accuracy");
        var again = new Sequence(tasks, settings, output, new Watcher() {}).run();
        assertThat(again.made()).isZero();
        assertThat(again.outcomes()).isEqualTo(result.outcomes());

        // The first is what the others stand beside; other seeds widen what is known.
        var averages =
                result.outcomes().stream()
                        .map(o -> Objects.requireNonNull(o.average()).value())
                        .toList();
        assertThat(result.versus())
                .singleElement()
                .satisfies(v -> {
                    assertThat(v.defence()).isEqualTo("l2-sp");
                    assertThat(v.difference().value())
                            .isCloseTo(averages.get(1) - averages.get(0), within(1e-12));
                    assertThat(v.holm()).isBetween(0.0, 1.0);
                });
        var seeds =
                new Sequence.Settings(
                        List.of("none", "l2-sp"), 2, folder + "/prose.txt", null, null);
        var both = new Sequence(tasks, seeds, output, new Watcher() {}).run();
        assertThat(both.made()).isEqualTo(result.made());
        for (var row : both.outcomes().getFirst().scores()) {
            assertThat(row)
                    .filteredOn(Objects::nonNull)
                    .allSatisfy(s -> assertThat(s.low()).isBetween(0.0, s.value()))
                    .allSatisfy(s -> assertThat(s.high()).isBetween(s.value(), 1.0));
        }
        assertThat(SequencePage.text(both)).contains("over 2 seeds", "beside that of none");

        // A glob stands for what its files say. What learns nothing of the text is not made again.
        Files.createDirectories(folder.resolve("texts"));
        Files.writeString(folder.resolve("texts/a.txt"), prose);
        var glob = new Sequence.Settings(List.of("none"), 1, folder + "/texts/*.txt", null, null);
        assertThat(new Sequence(tasks, glob, output, new Watcher() {}).run().made()).isPositive();
        assertThat(new Sequence(tasks, glob, output, new Watcher() {}).run().made()).isZero();
        Files.writeString(folder.resolve("texts/a.txt"), "On day 1 they sold the boats. " + prose);
        assertThat(new Sequence(tasks, glob, output, new Watcher() {}).run().made()).isEqualTo(2);

        // What is not there is said before anything is made.
        var nowhere = new Sequence.Settings(List.of("none"), 1, null, folder + "/no.txt", null);
        assertThatThrownBy(() -> new Sequence(tasks, nowhere, output, new Watcher() {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("no.txt");

        // What cannot be done is too, of the last task as of the first.
        for (var wrong :
                List.of("training.optimizer={type: muon}", "adapter={type: lora, merge: true}")) {
            var last =
                    (FinetuneRecipe)
                            Recipes.parse(Recipes.write(tasks.getLast()), "tags", List.of(wrong));
            var elsewhere = folder.resolve("refused");
            assertThatThrownBy(() ->
                            new Sequence(
                                            List.of(tasks.getFirst(), last),
                                            settings,
                                            elsewhere,
                                            new Watcher() {})
                                    .run())
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining(wrong.contains("muon") ? "tags: " : "adapter");
            assertThat(elsewhere.resolve("1-probes")).doesNotExist();
        }

        // Whoever goes beyond the budget is recorded, and the others go on.
        var budget = new Sequence.Settings(List.of("none", "wise-ft"), 1, null, null, 0.0);
        var tight = new Sequence(tasks, budget, output, new Watcher() {}).run();
        var free = tight.outcomes().getFirst();
        assertThat(free.beyond()).singleElement().asString().contains("tags: ", "beyond");
        assertThat(free.average()).isNull();
        assertThat(free.scores().get(0).get(0)).isNotNull();
        assertThat(free.scores().get(1).get(0)).isNull();
        assertThat(tight.outcomes().getLast().beyond()).isEmpty();
        assertThat(tight.outcomes().getLast().average()).isNotNull();
        assertThat(SequencePage.text(tight)).contains("ended early", "tags: ");
        SequencePage.write(page, tight);
        assertThat(page).content().contains("ended early");
        assertThat(new Sequence(tasks, budget, output, new Watcher() {}).run().made()).isZero();

        assertThatThrownBy(() ->
                        new Sequence(
                                tasks,
                                new Sequence.Settings(List.of("lwf"), 1, null, null, null),
                                output,
                                new Watcher() {}))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("lwf is for classification");
        assertThatThrownBy(() ->
                        new Sequence(
                                List.of(tasks.get(0), tasks.get(0)),
                                settings,
                                output,
                                new Watcher() {}))
                .hasMessageContaining("stands twice");
    }

    private static double value(Sequence.Outcome outcome, int after, int task) {
        return Objects.requireNonNull(outcome.scores().get(after).get(task)).value();
    }

    private static double value(List<Score> scores, String data) {
        return scores.stream()
                .filter(s -> s.data().equals(data) && s.metric().equals("accuracy"))
                .mapToDouble(Score::value)
                .findFirst()
                .orElseThrow();
    }
}
