package dev.espalier.image;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A picture for a person to look at, with what is marked in it.
///
/// @param marks what is drawn over it
/// @param areas what its pixels are, laid over it in colours; null where that is not told
/// @param caption what stands below it; may be empty
public record ShownImage(Image image, List<Mark> marks, @Nullable Areas areas, String caption) {
    /// A box with its name.
    ///
    /// @param kind boxes of one kind have one colour
    public record Mark(Box box, String name, int kind) {}

    /// The classes of pixels. Class 0 and what is ignored have no colour.
    ///
    /// @param names of the classes, by their numbers: those that are there stand below the picture
    public record Areas(Mask mask, List<String> names) {
        public Areas {
            names = List.copyOf(names);
        }
    }

    public ShownImage {
        marks = List.copyOf(marks);
    }

    /// A picture alone.
    public ShownImage(Image image, String caption) {
        this(image, List.of(), null, caption);
    }

    /// The things of a picture, each kind in the colour of its place in `classes`.
    public static List<Mark> marks(List<Region> regions, List<String> classes) {
        return regions.stream()
                .map(r -> new Mark(r.box(), r.label(), classes.indexOf(r.label())))
                .toList();
    }

    /// What was seen of at least `score`, with its score.
    public static List<Mark> seen(List<Detection> detections, List<String> classes, double score) {
        return detections.stream()
                .filter(d -> d.score() >= score)
                .map(d ->
                        new Mark(
                                d.box(),
                                "%s %.2f".formatted(d.label(), d.score()),
                                classes.indexOf(d.label())))
                .toList();
    }
}
