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

    /// What records are for, by the keys of a file that describes several parts, as YOLO's
    /// `data.yaml`: the first of them that is there.
    public enum Part {
        TRAIN("train"),
        VALIDATION("val", "validation"),
        TEST("test"),
        /// What a model that was trained is judged by.
        HELD_OUT("test", "val", "validation");

        private final List<String> keys;

        Part(String... keys) {
            this.keys = List.of(keys);
        }

        List<String> keys() {
            return keys;
        }
    }

    /// Where data lie.
    ///
    /// @param data a folder or file
    /// @param pictures the folder from which a file names its pictures; null for the one that it
    ///   lies in
    /// @param part what of them is wanted, where they have several
    public record Place(Path data, @Nullable Path pictures, Part part) {
        /// Of data to train on.
        public Place(Path data, @Nullable Path pictures) {
            this(data, pictures, Part.TRAIN);
        }

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
