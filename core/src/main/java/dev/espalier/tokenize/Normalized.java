package dev.espalier.tokenize;

import org.jspecify.annotations.Nullable;

/// A text, or a stretch of one, as it is after normalization, and where its characters come from.
///
/// @param text what is read on
/// @param starts for each char of `text` where its origin begins in the text that was given, or
///   null if every char comes from its own place
/// @param ends where each origin ends
record Normalized(String text, int @Nullable [] starts, int @Nullable [] ends) {
    static Normalized unchanged(String text) {
        return new Normalized(text, null, null);
    }

    /// Where in the given text a stretch begins that begins at `at` here.
    int start(int at) {
        return starts == null ? at : starts[at];
    }

    /// Where in the given text a stretch ends that ends before `at`, which is not 0, here.
    int end(int at) {
        return ends == null ? at : ends[at - 1];
    }
}
