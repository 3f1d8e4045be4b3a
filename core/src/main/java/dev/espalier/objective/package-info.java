/// How a model is pre-trained, and what every objective and task hands to the loop: micro-batches
/// and their losses.
///
/// A [dev.espalier.objective.Loss] owns its backward pass, since the vocabulary head goes forward
/// and backward chunk by chunk and libtorch's Java binding has no custom autograd functions.
@org.jspecify.annotations.NullMarked
package dev.espalier.objective;
