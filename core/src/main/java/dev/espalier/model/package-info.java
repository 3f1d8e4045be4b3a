/// The model families, one file each that reads like its paper, with the record of its
/// `config.json`; and the heads that families share.
///
/// Letters in shapes: B batch, T time (positions), S positions attended to, D model width, H heads,
/// d head width, V vocabulary.
@org.jspecify.annotations.NullMarked
package dev.espalier.model;
