package dev.espalier.image;

/// A thing that a model believes to see.
///
/// @param score how sure it is, 0 to 1
public record Detection(Box box, String label, double score) {}
