package dev.espalier.model;

import dev.espalier.nn.Activation;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.Tensor;

/// The layer between an encoder's hidden states and the scores of the vocabulary, LN(φ(W h + b)),
/// and the bias of the scores.
final class MaskedHead extends Module {
    private final Linear dense;
    private final LayerNorm norm;
    private final Parameter bias;
    private final String activation;

    /// @param dense the path of the linear map
    /// @param norm that of the norm
    /// @param bias that of the scores' bias
    MaskedHead(EncoderConfig c, String dense, String norm, String bias, String activation) {
        this.bias = parameter(bias, c.vocabulary());
        this.dense = child(dense, Linear.of(c.width(), c.width(), true));
        this.norm = child(norm, new LayerNorm(c.width(), c.epsilon()));
        this.activation = activation;
    }

    Tensor transform(Tensor hidden) { // (…, D)
        return norm.forward(Activation.apply(activation, dense.forward(hidden)));
    }

    Tensor bias() {
        return bias.value();
    }
}
