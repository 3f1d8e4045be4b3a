package dev.espalier.recipe;

/// A part of a run: a [Duration], or a [Share] of the whole.
public sealed interface Span permits Duration, Share {}
