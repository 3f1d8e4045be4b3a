package dev.espalier.tokenize;

/// The tokens of a text with the places that they come from.
///
/// Token `i` covers the characters (UTF-16, as in `String`) from `starts[i]` to before `ends[i]`. A
/// token that holds only some of the bytes of a character covers the whole character.
///
/// @param ids the tokens
/// @param starts where each begins in the text
/// @param ends where each ends, exclusive
public record Encoding(int[] ids, int[] starts, int[] ends) {
    public Encoding {
        if (ids.length != starts.length || ids.length != ends.length) {
            throw new IllegalArgumentException(
                    "%d ids, %d starts, %d ends".formatted(ids.length, starts.length, ends.length));
        }
    }
}
