package dev.espalier.objective;

import dev.espalier.torch.Tensor;

/// The sum of a loss over a micro-batch, not yet divided by anything: the loop divides by the
/// counts added up over all micro-batches, so that any split of a batch gives the same gradient.
public interface Loss {
    /// Adds `scale` times the gradient of the sum to every trained parameter, and gives the sum as
    /// a scalar. To be called once.
    Tensor backward(double scale);
}
