package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import org.jspecify.annotations.Nullable;

/// An encoder's block (Vaswani et al. 2017, arXiv:1706.03762, section 3.1): every position attends
/// to every other, and norms follow the sums:
///
///     x ← LN(x + Attention(x));  x ← LN(x + W₂ φ(W₁ x))
public final class PostNormBlock extends Module {
    private final MultiHeadAttention attention;
    private final LayerNorm attentionNorm;
    private final Linear up;
    private final Linear down;
    private final LayerNorm mlpNorm;
    private final String activation;
    private final Dropout dropout;

    /// The paths of the parts.
    public record Names(
            MultiHeadAttention.Names attention,
            String attentionNorm,
            String up,
            String down,
            String mlpNorm) {}

    /// @param inner the width of the MLP's hidden layer
    /// @param activation one of [Activation#NAMES]
    public record Shape(int width, int heads, int inner, String activation, double epsilon) {}

    /// The shares dropped while training: of attention weights, of what attention gives, of the
    /// MLP's hidden layer and of what the MLP gives.
    public record Dropout(double weights, double attention, double hidden, double mlp) {}

    public PostNormBlock(Names names, Shape shape, Dropout dropout) {
        long width = shape.width(), inner = shape.inner();
        attention =
                child(
                        "",
                        new MultiHeadAttention(
                                names.attention(),
                                new MultiHeadAttention.Shape(
                                        width, shape.heads(), width / shape.heads(), true, true),
                                dropout.weights()));
        attentionNorm = child(names.attentionNorm(), new LayerNorm(width, shape.epsilon()));
        up = child(names.up(), Linear.of(width, inner, true));
        down = child(names.down(), Linear.of(inner, width, true));
        mlpNorm = child(names.mlpNorm(), new LayerNorm(width, shape.epsilon()));
        activation = shape.activation();
        this.dropout = dropout;
    }

    /// `mask` is the additive (B, 1, 1, T) mask of padding, or null.
    public Tensor forward(Tensor x, @Nullable Tensor mask) { // (B, T, D)
        var y = attention.forward(x, attention.read(x), mask);
        x = attentionNorm.forward(x.add(y.dropout(dropout.attention(), training())));
        var h = Activation.apply(activation, up.forward(x)); // (B, T, inner)
        y = down.forward(h.dropout(dropout.hidden(), training()));
        return mlpNorm.forward(x.add(y.dropout(dropout.mlp(), training())));
    }
}
