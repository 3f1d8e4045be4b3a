/// Espalier's library: pre-training and fine-tuning of language and vision models on the JVM.
///
/// This package holds only what every other one needs: [EspalierException], the one exception that
/// a caller is meant to catch. `docs/reading-order.md` says in which order to read the rest.
@org.jspecify.annotations.NullMarked
package dev.espalier;
