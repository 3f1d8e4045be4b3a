package dev.espalier.data;

/// A text and what is to be written for it.
///
/// @param where it stands: `file:line`
public record TextPair(String input, String target, String where) {}
