/// What a model is fine-tuned for: how labelled records become micro-batches, their loss, and
/// predictions.
@org.jspecify.annotations.NullMarked
package dev.espalier.task;
