package dev.espalier.data;

import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Pictures with what they are labelled with.
///
/// @param classes the names of what is told apart, in the order of a model's outputs; none where
///   pictures are told in words
public record ImageData(List<LabelledImage> images, List<String> classes) {
    /// What a task wants to know of pictures.
    public sealed interface Wanted {
        /// What they are as a whole.
        ///
        /// @param image the column of a table that names the picture
        /// @param label the column of its label, or labels
        record Labels(String image, String label, LabelledReader.Labels labels) implements Wanted {}

        /// Sentences that describe them.
        ///
        /// @param image the column of a table that names the picture
        /// @param caption the column of a sentence; a picture may have several rows
        record Captions(String image, String caption) implements Wanted {}

        /// Which things are where in them.
        record Boxes() implements Wanted {}

        /// The class of each pixel.
        ///
        /// @param classes null where the data name them, as COCO does
        record Masks(MaskSource.@Nullable Classes classes) implements Wanted {}
    }

    /// Where data lie.
    ///
    /// @param data a folder or file
    /// @param pictures the folder from which a file names its pictures; null for the one that it
    ///   lies in
    public record Place(Path data, @Nullable Path pictures) {
        /// The folder from which pictures are named.
        Path root() {
            if (pictures != null) {
                return pictures;
            }
            var folder = data.getParent();
            return folder == null ? Path.of("") : folder;
        }
    }

    public ImageData {
        images = List.copyOf(images);
        classes = List.copyOf(classes);
    }
}
