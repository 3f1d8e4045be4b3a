package dev.espalier.corpus;

import java.util.List;

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

    public int words() {
        return starts.length;
    }
}
