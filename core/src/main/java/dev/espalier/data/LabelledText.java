package dev.espalier.data;

/// A text and its label.
///
/// @param where it stands: `file:line` for a record, the file for a paragraph of it
public record LabelledText(String text, String label, String where) {}
