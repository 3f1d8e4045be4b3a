package dev.espalier.tokenize;

/// A token that is searched for in the text before the model splits it, as the Hugging Face
/// libraries define it.
///
/// @param id its id
/// @param content its text
/// @param singleWord found only where no letter, digit or underscore touches it
/// @param lstrip takes the white space to its left with it
/// @param rstrip takes the white space to its right with it
/// @param normalized searched for after those that are not, in the text between them
/// @param special stands for no text: padding, end of text and the like
public record AddedToken(
        int id,
        String content,
        boolean singleWord,
        boolean lstrip,
        boolean rstrip,
        boolean normalized,
        boolean special) {
    public AddedToken {
        if (content.isEmpty()) {
            throw new IllegalArgumentException("an added token without content");
        }
    }

    static AddedToken special(int id, String content) {
        return new AddedToken(id, content, false, false, false, false, true);
    }

    static AddedToken word(int id, String content) {
        return new AddedToken(id, content, false, false, false, true, false);
    }
}
