package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// A slot for a weight. What it holds may be replaced by a tensor of the same shape, which is how
/// an optimizer lays all weights out in one buffer and how a checkpoint is loaded.
public final class Parameter {
    private Tensor value;
    private boolean trained = true;

    public Parameter(Tensor value) {
        this.value = value;
    }

    public Tensor value() {
        return value;
    }

    public void replace(Tensor other) {
        if (!java.util.Arrays.equals(value.shape(), other.shape())) {
            throw new IllegalArgumentException("a " + value + " cannot be replaced by a " + other);
        }
        value = other;
    }

    /// Whether training changes it; a frozen body's parameters are not trained.
    public boolean trained() {
        return trained;
    }

    public void trained(boolean trained) {
        this.trained = trained;
    }

    /// Biases and norms have one dimension, matrices and tables two or more. Decay and LoRA ask.
    public boolean isMatrix() {
        return value.dimensions() >= 2;
    }
}
