package dev.espalier.data;

import java.util.List;

/// A picture and what it is labelled with.
///
/// @param labels one; where several may hold, any number of different ones
public record LabelledImage(Picture picture, List<String> labels) {
    public LabelledImage {
        labels = List.copyOf(labels);
    }

    /// The only label, or the first.
    public String label() {
        return labels.getFirst();
    }

    /// Where the picture stands.
    public String where() {
        return picture.where();
    }
}
