package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// Root mean square layer normalization (Zhang and Sennrich 2019, arXiv:1910.07467), eq. 4: y = g x
/// / √(mean(x²) + ε), over the last dimension, in fp32.
public final class RmsNorm extends Module {
    private final Parameter weight;
    private final double epsilon;

    public RmsNorm(long width, double epsilon) {
        weight = parameter("weight", width);
        this.epsilon = epsilon;
    }

    public Tensor forward(Tensor x) { // (..., D)
        return x.rmsNorm(weight.value(), epsilon);
    }
}
