package dev.espalier.study;

import dev.espalier.data.LabelledImage;
import dev.espalier.image.Drawing;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.recipe.CompareRecipe.Arm;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.task.PictureClassifier;
import dev.espalier.train.PictureData;
import dev.espalier.train.Watcher;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ObjectNode;

/// Pictures. Those that are drawn are written as PNG, each once, under a name that says what it
/// shows, so that a study notices when it shows something else.
///
/// @param pictures the folder for them
record LabelledPictures(Path pictures) implements OneLabel.Kind<LabelledImage> {
    static Studied of(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Path output,
            Watcher watcher) {
        return OneLabel.of(
                new LabelledPictures(output.resolve("pictures")),
                PictureData.labelled(recipe, task, output, watcher));
    }

    @Override
    public String label(LabelledImage record) {
        return record.label();
    }

    @Override
    public void requireKnown(List<LabelledImage> records, List<String> labels) {
        PictureClassifier.requireKnown(records, labels);
    }

    @Override
    public ObjectNode line(LabelledImage record) {
        var name = record.picture().content() + ".png";
        var file = pictures.resolve(name);
        if (!Files.exists(file)) {
            var png = Drawing.png(record.picture().image());
            AtomicFiles.write(file, aside -> Files.write(aside, png));
        }
        return Json.mapper().createObjectNode().put("image", name);
    }

    @Override
    public List<String> overrides() {
        return List.of("task.image=image", "task.label=label", "task.pictures=" + pictures);
    }

    @Override
    public boolean has(Arm arm) {
        return arm != Arm.COPY && arm != Arm.BAG_OF_WORDS && arm != Arm.FURTHER;
    }

    @Override
    public List<String> texts(LabelledImage record) {
        return List.of();
    }

    @Override
    public String asked(List<LabelledImage> test, List<String> labels) {
        var shown =
                test.stream()
                        .map(r -> r.picture().content() + " " + r.label() + "\n")
                        .collect(Collectors.joining());
        return HexFormat.of().formatHex(AtomicFiles.sha256(shown.getBytes(StandardCharsets.UTF_8)))
                + Json.line(labels);
    }

    @Override
    public List<String> linear(
            List<LabelledImage> drawn, List<LabelledImage> test, List<String> labels) {
        throw new IllegalArgumentException("pictures have no words");
    }

    @Override
    public List<String> told(Path model, List<LabelledImage> test) {
        try (var classifier = PictureClassifier.load(model)) {
            return classifier.predict(test.stream().map(LabelledImage::picture).toList()).stream()
                    .map(p -> p.labels().getFirst())
                    .toList();
        }
    }
}
