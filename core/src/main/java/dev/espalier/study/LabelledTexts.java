package dev.espalier.study;

import dev.espalier.data.LabelledReader;
import dev.espalier.data.LabelledText;
import dev.espalier.evaluate.BagOfWords;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.task.Answers;
import dev.espalier.task.Example;
import dev.espalier.task.TextClassifier;
import dev.espalier.train.TextData;
import dev.espalier.train.Watcher;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/// Texts, or pairs of them.
///
/// @param file of the test
record LabelledTexts(TaskRecipe.Classification task, Path file)
        implements OneLabel.Kind<LabelledText> {
    static Studied of(
            FinetuneRecipe recipe,
            TaskRecipe.Classification task,
            Path file,
            Path output,
            Watcher watcher) {
        return OneLabel.of(
                new LabelledTexts(task, file),
                TextData.labelled(recipe.data(), task, recipe.seed(), output, watcher));
    }

    @Override
    public String label(LabelledText record) {
        return record.label();
    }

    @Override
    public void requireKnown(List<LabelledText> records, List<String> labels) {
        LabelledReader.requireKnown(records, labels);
    }

    @Override
    public ObjectNode line(LabelledText record) {
        var line = Json.mapper().createObjectNode();
        line.put("text", record.text());
        if (record.second() != null) {
            line.put("pair", record.second());
        }
        return line;
    }

    @Override
    public List<String> overrides() {
        var changed = new ArrayList<>(List.of("task.text=text", "task.label=label"));
        if (task.pair() != null) {
            changed.add("task.pair=pair");
        }
        return changed;
    }

    @Override
    public boolean has(Arm arm) {
        return arm != Arm.COPY;
    }

    @Override
    public List<String> texts(LabelledText record) {
        return record.texts();
    }

    @Override
    public String asked(List<LabelledText> test, List<String> labels) {
        return AtomicFiles.sha256(file)
                + Json.line(
                        List.of(task.text(), String.valueOf(task.pair()), task.label(), labels));
    }

    @Override
    public List<String> linear(
            List<LabelledText> drawn, List<LabelledText> test, List<String> labels) {
        var problem = new Problem.SingleLabel(labels);
        var truth = drawn.stream().map(t -> Example.truth(problem, t)).toArray(double[][]::new);
        var answers = BagOfWords.fit(problem, drawn, truth).answers(test);
        return Arrays.stream(Answers.likeliest(answers)).mapToObj(labels::get).toList();
    }

    @Override
    public List<String> told(Path model, List<LabelledText> test) {
        try (var classifier = TextClassifier.load(model)) {
            return classifier
                    .predict(
                            test.stream()
                                    .map(r -> new TextClassifier.Input(r.text(), r.second()))
                                    .toList())
                    .stream()
                    .map(TextClassifier.Prediction::label)
                    .toList();
        }
    }
}
