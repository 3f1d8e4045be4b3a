package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.recipe.Recipes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What a run tells of its labelled records.
class LabelledDataTest {
    @TempDir Path folder;

    /// What a run of one step says on its way.
    private List<String> run(String data, String task) {
        var said = new ArrayList<String>();
        var recipe =
                Recipes.parse(
                        """
                        name: run
                        output: %s/run
                        data: {%s}
                        tokenizer: {type: wordpiece, vocabulary: 60}
                        model: {type: bert, layers: 1, heads: 1, width: 8, context: 16}
                        task: {%s}
                        training: {for: 1 steps, batch: 4, optimizer: {type: adamw, rate: 1e-3}}
                        """
                                .formatted(folder, data.replace("@", folder + "/"), task),
                        "run");
        new Run(recipe)
                .train(
                        new Watcher() {
                            @Override
                            public void said(String line) {
                                said.add(line);
                            }
                        },
                        false);
        return said;
    }

    private static final String CLASSES = "type: classification, text: text, label: label";

    private static String record(String text, String label) {
        return "{\"text\": \"%s\", \"label\": \"%s\"}\n".formatted(text, label);
    }

    private void write(String file, String text) throws IOException {
        Files.writeString(folder.resolve(file), text);
    }

    @Test
    void recordsThatAreLeftOutAndLabelsThatAreRareAreNamed() throws IOException {
        var lines = new StringBuilder("{\"text\": \"torn off\n").append(record("no label", " "));
        for (var i = 0; i < 40; i++) {
            lines.append(record("the mill " + i, "place"));
        }
        for (var i = 0; i < 3; i++) {
            lines.append(record("the miller " + i, "person"));
        }
        write("train.jsonl", lines.toString());
        write("dev.jsonl", record("a mill", "place") + "[1\n" + record("a miller", "person"));
        var said = run("train: @train.jsonl, validation: @dev.jsonl", CLASSES);
        var rejects = folder.resolve("run/rejects.jsonl");
        assertThat(said)
                .contains(
                        "45 records; dropped 1: empty label; set aside 2: broken JSON; those set aside are in "
                                + rejects)
                .filteredOn(line -> line.startsWith("few labels: "))
                .singleElement()
                .asString()
                .startsWith(
                        "few labels: of 2 labels 1 have fewer than 16 records to train on ('person' has 3)");
        assertThat(Files.readAllLines(rejects)).hasSize(2).allMatch(l -> l.contains(".jsonl"));
    }

    @Test
    void rareTypesOfEntitiesAreNamedAndSpansThatWereWidened() throws IOException {
        var lines = new StringBuilder("{\"text\": \"no spans\"}\n");
        for (var i = 0; i < 40; i++) {
            lines.append(
                    "{\"text\": \"Anna %d left\", \"spans\": [{\"start\": 0, \"end\": %d, \"label\": \"%s\"}]}\n"
                            .formatted(i, i == 0 ? 3 : 4, i < 5 ? "SHIP" : "PER"));
        }
        write("train.jsonl", lines.toString());
        var said = run("train: @train.jsonl, validation-share: 25%", "type: token-labelling");
        assertThat(said)
                .contains(
                        "40 records; changed 1: a span widened to whole words; set aside 1: missing field; those set aside are in "
                                + folder.resolve("run/rejects.jsonl"));
        assertThat(said)
                .anyMatch(line ->
                        line.startsWith("few labels: of 2 labels 1 have fewer than 16")
                                && line.contains("('SHIP' has 4)"));
    }

    @Test
    void whereNothingIsAmissNothingIsSaid() throws IOException {
        var lines = new StringBuilder();
        for (var i = 0; i < 40; i++) {
            lines.append(record("the mill " + i, i % 2 == 0 ? "place" : "thing"));
        }
        write("train.jsonl", lines.toString());
        assertThat(run("train: @train.jsonl, validation-share: 20%", CLASSES))
                .filteredOn(line -> !line.startsWith("validation: ")) // what came of it
                .noneMatch(line -> line.contains("few") || line.contains("records"));
    }

    /// A rare label once went to validation as a whole, and the rest was said to have no other.
    @Test
    void aRareLabelStaysToBeTrainedOn() throws IOException {
        for (var seed = 0; seed < 3; seed++) {
            var lines = new StringBuilder(record("the miller", "person"));
            for (var i = 0; i < 12; i++) {
                lines.append(record("the mill " + i + " of " + seed, "place"));
            }
            write("train.jsonl", lines.toString());
            assertThat(run("train: @train.jsonl, validation-share: 50%", CLASSES))
                    .anyMatch(line -> line.contains("'person' has 1"));
            dev.espalier.io.AtomicFiles.deleteTree(folder.resolve("run"));
        }
    }

    @Test
    void oneLabelAloneAndTooFewRecordsAreRefused() throws IOException {
        write("train.jsonl", record("the mill", "place") + record("a mill", "place"));
        assertThatThrownBy(() -> run("train: @train.jsonl, validation-share: 50%", CLASSES))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("all records have the label [place]");
        write("train.jsonl", record("the mill", "place") + record("a miller", "person"));
        assertThatThrownBy(() -> run("train: @train.jsonl, validation-share: 50%", CLASSES))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("2 records are too few to keep 0.5 of them back");
    }
}
