package dev.espalier.data;

/// Two sentences that differ in one point of grammar, of which the first alone is acceptable.
///
/// @param paradigm the point in which they differ
/// @param field the part of grammar that it belongs to; empty where none is named
/// @param where they stand, for a person who wants to look at them
public record MinimalPair(String good, String bad, String paradigm, String field, String where) {}
