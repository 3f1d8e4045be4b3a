package dev.espalier.data;

/// Tokens in a row that a model sees at once, and where they stand.
///
/// @param tokens their ids
/// @param starts the places in `tokens` at which a document begins, ascending; a window may begin
///   inside one
/// @param where for a person who wants to look at the text
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Window(int[] tokens, int[] starts, String where) {
    /// Tokens of one document.
    public static Window of(int[] tokens, String where) {
        return new Window(tokens, new int[0], where);
    }
}
