/// The parts that models are made of: [dev.espalier.nn.Module], linear maps with a slot for an
/// adapter, embeddings, norms, attention and its cache. Single-device code that never closes a
/// tensor and knows nothing of training.
///
/// Letters in shapes: B batch, T time (positions), S positions attended to, D model width, H heads,
/// d head width.
@org.jspecify.annotations.NullMarked
package dev.espalier.nn;
