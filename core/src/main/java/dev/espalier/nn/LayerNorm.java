package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// Layer normalization (Ba, Kiros and Hinton 2016, arXiv:1607.06450) with weight and bias.
public final class LayerNorm extends Module {
    private final Parameter weight;
    private final Parameter bias;
    private final double epsilon;

    public LayerNorm(long width, double epsilon) {
        weight = parameter("weight", width);
        bias = parameter("bias", width);
        this.epsilon = epsilon;
    }

    public Tensor forward(Tensor x) { // (..., D)
        return x.layerNorm(weight.value(), bias.value(), epsilon);
    }

    /// The gain, which starts at one.
    public Parameter weight() {
        return weight;
    }
}
