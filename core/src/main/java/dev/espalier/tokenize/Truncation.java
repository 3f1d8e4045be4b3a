package dev.espalier.tokenize;

/// Which of two texts gives up its last tokens when both together are too long.
public enum Truncation {
    /// The longer one, token by token; the second if they are equally long.
    LONGEST_FIRST,
    ONLY_FIRST,
    ONLY_SECOND
}
