/// Comparisons that answer a question by doing the work: what pre-training, fine-tuning and
/// adapters gain, cost and forget.
@org.jspecify.annotations.NullMarked
package dev.espalier.study;
