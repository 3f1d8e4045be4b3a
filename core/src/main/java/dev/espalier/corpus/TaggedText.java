package dev.espalier.corpus;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/// A text whose words have a tag each.
///
/// @param starts where each word begins in `text`, in chars, ascending
/// @param ends where it ends; no word reaches into the next
/// @param tags one for each word
/// @param where it stands: `file:line`
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record TaggedText(String text, int[] starts, int[] ends, List<String> tags, String where) {
    /// What words without a meaning of interest are tagged with.
    public static final String OUTSIDE = "O";

    public TaggedText {
        tags = List.copyOf(tags);
        if (starts.length != tags.size() || ends.length != tags.size()) {
            throw new IllegalArgumentException(
                    "%d starts, %d ends, %d tags"
                            .formatted(starts.length, ends.length, tags.size()));
        }
    }

    /// What words are tagged as, whether at an entity's begin or within it.
    public Set<String> types() {
        return tags.stream()
                .filter(tag -> !tag.equals(OUTSIDE))
                .map(tag -> tag.replaceFirst("^[BIES]-(?=.)", ""))
                .collect(Collectors.toSet());
    }

    public int words() {
        return starts.length;
    }
}
