package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.MaskSource;
import dev.espalier.image.Fit;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.ModelRecipe;
import dev.espalier.recipe.TaskRecipe;
import dev.espalier.task.PictureClassifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The pictures that a recipe names.
public final class PictureData {
    private static final String IDX_IMAGES = "images-idx3";
    private static final String IDX_LABELS = "labels-idx1";

    private PictureData() {}

    /// Which pictures the model that a recipe names sees. New ones see all, of one size.
    private static Fit fit(ModelRecipe recipe) {
        return switch (recipe) {
            case ModelRecipe.Saved saved -> PictureClassifier.fit(saved.path());
            case ModelRecipe.VisionEncoderDecoder both
                    when both.encoder() instanceof ModelRecipe.Saved saved ->
                    PictureClassifier.fit(saved.path());
            default -> Fit.ANY;
        };
    }

    /// Pictures with labels. Copies of a picture stay on one side of a split.
    public static TextData.Labelled<LabelledImage> labelled(
            FinetuneRecipe recipe,
            TaskRecipe.ImageClassification task,
            Path folder,
            Watcher watcher) {
        return labelled(recipe, fit(recipe.model()), task, folder, watcher);
    }

    /// As the other, of pictures that another model than the recipe's sees.
    static TextData.Labelled<LabelledImage> labelled(
            FinetuneRecipe recipe,
            Fit fit,
            TaskRecipe.ImageClassification task,
            Path folder,
            Watcher watcher) {
        var room = new ImageReader.Room();
        return TextData.labelled(
                recipe.data(),
                recipe.seed(),
                folder,
                watcher,
                new TextData.Kind<>(
                        (path, part, ledger) -> read(path, part, task, ledger, room, fit),
                        r -> r.picture().content(),
                        LabelledImage::labels));
    }

    private static List<LabelledImage> read(
            Path path,
            ImageData.Part part,
            TaskRecipe.ImageClassification task,
            Ledger ledger,
            ImageReader.Room room,
            Fit fit) {
        var labels = TextData.labels(task.problem());
        return ImageReader.read(
                        new ImageData.Place(path, task.pictures(), part),
                        new ImageData.Wanted.Labels(task.image(), task.label(), labels),
                        ledger,
                        room,
                        fit)
                .images();
    }

    /// What is read where a recipe names `path`: itself, and the labels of pictures in IDX.
    static List<Path> files(Path path) {
        var name = path.getFileName().toString();
        return Files.isDirectory(path) || !name.contains(IDX_IMAGES)
                ? List.of(path)
                : List.of(path, path.resolveSibling(name.replace(IDX_IMAGES, IDX_LABELS)));
    }

    /// Pictures with boxes, and the names of their kinds.
    static Named boxed(
            FinetuneRecipe recipe, TaskRecipe.ObjectDetection task, Path folder, Watcher watcher) {
        return named(
                recipe,
                folder,
                watcher,
                new ImageData.Wanted.Boxes(),
                task.pictures(),
                LabelledImage::labels);
    }

    /// Pictures with masks, and the names of the classes of their pixels.
    static Named masked(
            FinetuneRecipe recipe, TaskRecipe.Segmentation task, Path folder, Watcher watcher) {
        for (var option : List.of("classes", "colours")) {
            var given = option.equals("classes") ? task.classes() : task.colours();
            if (!given.isEmpty() && recipe.data().train().toString().endsWith(".json")) {
                throw EspalierException.usage(
                        "task.%s: not for %s, since COCO's JSON names its classes itself; allowed: none"
                                .formatted(option, recipe.data().train()));
            }
        }
        return named(
                recipe,
                folder,
                watcher,
                new ImageData.Wanted.Masks(
                        task.classes().isEmpty()
                                ? null
                                : new MaskSource.Classes(task.classes(), colours(task))),
                task.pictures(),
                _ -> List.of());
    }

    /// Pictures with captions.
    static TextData.Labelled<LabelledImage> captioned(
            FinetuneRecipe recipe, TaskRecipe.Captioning task, Path folder, Watcher watcher) {
        return named(
                        recipe,
                        folder,
                        watcher,
                        new ImageData.Wanted.Captions(task.image(), task.caption()),
                        task.pictures(),
                        _ -> List.of())
                .records();
    }

    /// Pictures, and the names of the classes that are told.
    ///
    /// @param classes in the order of their numbers
    record Named(TextData.Labelled<LabelledImage> records, List<String> classes) {}

    private static Named named(
            FinetuneRecipe recipe,
            Path folder,
            Watcher watcher,
            ImageData.Wanted wanted,
            @Nullable Path pictures,
            Function<LabelledImage, List<String>> labels) {
        var classes = new ArrayList<String>();
        var room = new ImageReader.Room();
        var fit = fit(recipe.model());
        var records =
                TextData.labelled(
                        recipe.data(),
                        recipe.seed(),
                        folder,
                        watcher,
                        new TextData.Kind<>(
                                (path, part, ledger) ->
                                        named(
                                                new ImageData.Place(path, pictures, part),
                                                wanted,
                                                ledger,
                                                room,
                                                fit,
                                                classes),
                                r -> r.picture().content(),
                                labels));
        return new Named(records, classes);
    }

    /// @param known the classes of the training pictures, which are read first; the others may have
    ///   some of them alone, but in masks, where a number stands for a class
    private static List<LabelledImage> named(
            ImageData.Place place,
            ImageData.Wanted wanted,
            Ledger ledger,
            ImageReader.Room room,
            Fit fit,
            List<String> known) {
        var read = ImageReader.read(place, wanted, ledger, room, fit);
        if (known.isEmpty()) {
            known.addAll(read.classes());
            return read.images();
        }
        if (wanted instanceof ImageData.Wanted.Masks && !known.equals(read.classes())) {
            throw EspalierException.data(
                    "%s: has the classes %s, but the training data %s"
                            .formatted(place.data(), read.classes(), known));
        }
        if (wanted instanceof ImageData.Wanted.Boxes) {
            PictureClassifier.requireKnown(read.images(), known);
        }
        return read.images();
    }

    static @Nullable List<Integer> colours(TaskRecipe.Segmentation task) {
        return task.colours().isEmpty()
                ? null
                : task.colours().stream().map(c -> Integer.parseInt(c.substring(1), 16)).toList();
    }
}
