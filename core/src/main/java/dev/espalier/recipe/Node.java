package dev.espalier.recipe;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A recipe as it was written, with the place of each part; scalars are still text.
sealed interface Node {
    Place place();

    /// Where something was written. Line and column count from 1; line 0 is a source without lines.
    record Place(String source, int line, int column) {
        @Override
        public String toString() {
            return line == 0 ? source : source + ":" + line + ":" + column;
        }
    }

    /// A piece of text; `plain` if it was written without quotes, so that it may be a word such as
    /// `auto` or `none`.
    record Scalar(Place place, String text, boolean plain) implements Node {
        boolean says(String word) {
            return plain && text.equals(word);
        }

        boolean isNull() {
            return plain && (text.isEmpty() || text.equals("~") || text.equals("null"));
        }
    }

    record Sequence(Place place, List<Node> items) implements Node {}

    /// Keys in the order in which they were written.
    record Mapping(Place place, Map<String, Entry> entries) implements Node {
        @Nullable Node get(String key) {
            var entry = entries.get(key);
            return entry == null ? null : entry.value();
        }
    }

    /// A value of a mapping, and the place of its key.
    record Entry(Place place, Node value) {}
}
