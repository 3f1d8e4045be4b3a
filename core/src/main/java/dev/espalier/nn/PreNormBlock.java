package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// An encoder's block whose norms stand before what they are for (Dosovitskiy et al. 2020,
/// arXiv:2010.11929, eq. 2 and 3):
///
///     x ← x + Attention(LN(x));  x ← x + W₂ φ(W₁ LN(x))
public final class PreNormBlock extends Module {
    private final LayerNorm attentionNorm;
    private final MultiHeadAttention attention;
    private final LayerNorm mlpNorm;
    private final Linear up;
    private final Linear down;
    private final String activation;
    private final double dropout;

    /// The paths of the parts.
    public record Names(
            String attentionNorm,
            MultiHeadAttention.Names attention,
            String mlpNorm,
            String up,
            String down) {}

    /// @param weightsDropout the share of attention weights dropped while training
    /// @param dropout that of what attention and MLP give
    public PreNormBlock(
            Names names, PostNormBlock.Shape shape, double weightsDropout, double dropout) {
        long width = shape.width(), inner = shape.inner();
        attentionNorm = child(names.attentionNorm(), new LayerNorm(width, shape.epsilon()));
        attention =
                child(
                        "",
                        new MultiHeadAttention(
                                names.attention(),
                                new MultiHeadAttention.Shape(
                                        width, shape.heads(), width / shape.heads(), true, true),
                                weightsDropout));
        mlpNorm = child(names.mlpNorm(), new LayerNorm(width, shape.epsilon()));
        up = child(names.up(), Linear.of(width, inner, true));
        down = child(names.down(), Linear.of(inner, width, true));
        activation = shape.activation();
        this.dropout = dropout;
    }

    /// How much `count` positions of `x`, from `first` on, attend to each: (B, H, count, T).
    public Tensor weights(Tensor x, long first, long count) { // (B, T, D)
        var y = attentionNorm.forward(x);
        return attention.weights(y.narrow(1, first, count), attention.read(y));
    }

    public Tensor forward(Tensor x) { // (B, T, D)
        var y = attentionNorm.forward(x);
        y = attention.forward(y, attention.read(y), null);
        x = x.add(y.dropout(dropout, training()));
        y = Activation.apply(activation, up.forward(mlpNorm.forward(x))); // (B, T, inner)
        return x.add(down.forward(y).dropout(dropout, training()));
    }
}
