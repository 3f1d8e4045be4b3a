package dev.espalier.optim;

import dev.espalier.torch.Tensor;
import java.util.SequencedMap;

/// Turns gradients into updates of the weights of one [FlatParameters].
public interface Optimizer extends AutoCloseable {
    /// One update at the learning rate `rate`.
    void step(double rate);

    /// What must be saved to go on, by name; restored by copying into the tensors.
    SequencedMap<String, Tensor> state();

    /// Updates made, which is part of the state.
    long steps();

    void steps(long steps);

    /// Frees the state.
    @Override
    default void close() {
        state().values().forEach(Tensor::close);
    }
}
