package dev.espalier.data;

import dev.espalier.image.Region;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A picture and what it is labelled with: as a whole, by things in it, pixel by pixel, in words.
///
/// @param labels one; where several may hold, any number of different ones
/// @param regions the things in it; none where the data tell of none
/// @param mask the class of each pixel, null where the data do not tell
/// @param captions sentences, each of which describes it
public record LabelledImage(
        Picture picture,
        List<String> labels,
        List<Region> regions,
        @Nullable MaskSource mask,
        List<String> captions) {
    public LabelledImage {
        labels = List.copyOf(labels);
        regions = List.copyOf(regions);
        captions = List.copyOf(captions);
    }

    /// Labelled as a whole.
    public LabelledImage(Picture picture, List<String> labels) {
        this(picture, labels, List.of(), null, List.of());
    }

    /// The only label, or the first.
    public String label() {
        return labels.getFirst();
    }

    /// Where the picture stands.
    public String where() {
        return picture.where();
    }

    /// The same with this caption alone.
    public LabelledImage captioned(String caption) {
        return new LabelledImage(picture, labels, regions, mask, List.of(caption));
    }

    /// The same with its picture, and its mask if it has one, in memory.
    LabelledImage held(Picture.Held picture, @Nullable MaskSource mask) {
        return new LabelledImage(picture, labels, regions, mask, captions);
    }
}
