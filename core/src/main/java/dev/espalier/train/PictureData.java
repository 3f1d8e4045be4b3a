package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageReader;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.Picture;
import dev.espalier.io.AtomicFiles;
import dev.espalier.recipe.FinetuneData;
import dev.espalier.recipe.TaskRecipe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;

/// The pictures that a recipe or a command names.
public final class PictureData {
    private static final String IDX_IMAGES = "images-idx3";
    private static final String IDX_LABELS = "labels-idx1";

    private PictureData() {}

    /// Pictures with labels. Copies of a picture stay on one side of a split.
    static TextData.Labelled<LabelledImage> labelled(
            FinetuneData data,
            TaskRecipe.ImageClassification task,
            long seed,
            Path folder,
            Watcher watcher) {
        return TextData.labelled(
                data,
                seed,
                folder,
                watcher,
                new TextData.Kind<>(
                        PictureData::read, r -> content(r.picture()), LabelledImage::labels));
    }

    /// What is read where a recipe names `path`: itself, and the labels of pictures in IDX.
    static List<Path> files(Path path) {
        var name = path.getFileName().toString();
        return Files.isDirectory(path) || !name.contains(IDX_IMAGES)
                ? List.of(path)
                : List.of(path, path.resolveSibling(name.replace(IDX_IMAGES, IDX_LABELS)));
    }

    /// The pictures of a folder of labels, or of an IDX file with the labels beside it.
    public static List<LabelledImage> read(Path path, Ledger ledger) {
        if (Files.isDirectory(path)) {
            return ImageReader.folders(path, ledger);
        }
        var files = files(path);
        if (files.size() < 2) {
            throw EspalierException.data(
                    path
                            + ": not pictures with labels; allowed: a folder with a folder for each"
                            + " label, or an IDX file named as `train-images-idx3-ubyte`, plain or"
                            + " with `.gz`");
        }
        return ImageReader.idx(files.getFirst(), files.getLast(), ledger);
    }

    private static String content(Picture picture) {
        return HexFormat.of().formatHex(AtomicFiles.sha256(picture.image().rgb()));
    }
}
