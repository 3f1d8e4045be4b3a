/// Scores with their uncertainty: classification metrics, perplexity, comparisons of models on one
/// test set, and the simple models that stand beside every result.
///
/// Every interval is a 95 % one. `docs/decisions/041-intervals.md` says how each is made.
@org.jspecify.annotations.NullMarked
package dev.espalier.evaluate;
