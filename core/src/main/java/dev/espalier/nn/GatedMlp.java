package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// The gated MLP of Shazeer 2020 (arXiv:2002.05202), eq. 6: (σ(x W) ⊗ x V) W₂, which is SwiGLU
/// where the activation σ is `silu`. The three maps have the names of Llama's files.
public final class GatedMlp extends Module {
    private final Linear gate;
    private final Linear up;
    private final Linear down;
    private final String activation;

    /// `activation` is one of [Activation#NAMES].
    public GatedMlp(long width, long hidden, String activation, boolean biased) {
        gate = child("gate_proj", Linear.of(width, hidden, biased));
        up = child("up_proj", Linear.of(width, hidden, biased));
        down = child("down_proj", Linear.of(hidden, width, biased));
        this.activation = activation;
    }

    public Tensor forward(Tensor x) { // (..., D)
        var gated =
                Activation.apply(activation, gate.forward(x)).mul(up.forward(x)); // (..., hidden)
        return down.forward(gated);
    }
}
