package dev.espalier.data;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// A text, or a pair of texts, and what it is labelled with.
///
/// @param second the second text of a pair, else null
/// @param labels one; where several may hold, any number of different ones; a number is one that
///   [Double#parseDouble] reads
/// @param where it stands: `file:line` for a record, the file for a paragraph of it
public record LabelledText(
        String text, @Nullable String second, List<String> labels, String where) {
    public LabelledText {
        labels = List.copyOf(labels);
    }

    /// One text with one label.
    public LabelledText(String text, String label, String where) {
        this(text, null, List.of(label), where);
    }

    /// The text, or the two of a pair.
    public List<String> texts() {
        return second == null ? List.of(text) : List.of(text, second);
    }

    /// The only label, or the first.
    public String label() {
        return labels.getFirst();
    }

    /// The number that the text is labelled with.
    public double number() {
        return Double.parseDouble(label());
    }
}
