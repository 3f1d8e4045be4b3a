package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import org.jspecify.annotations.Nullable;

/// An encoder's block (Vaswani et al. 2017, arXiv:1706.03762, section 3.1): every position attends
/// to every other, and norms follow the sums:
///
///     x ← LN(x + Attention(x));  x ← LN(x + W₂ φ(W₁ x))
public final class PostNormBlock extends Module {
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear projection;
    private final LayerNorm attentionNorm;
    private final Linear up;
    private final Linear down;
    private final LayerNorm mlpNorm;
    private final int heads;
    private final String activation;
    private final Dropout dropout;

    /// The paths of the parts.
    public record Names(
            String query,
            String key,
            String value,
            String projection,
            String attentionNorm,
            String up,
            String down,
            String mlpNorm) {}

    /// @param inner the width of the MLP's hidden layer
    /// @param activation one of [Activation#NAMES]
    public record Shape(int width, int heads, int inner, String activation, double epsilon) {}

    /// The shares dropped while training: of attention weights, of what attention gives and of what
    /// the MLP gives.
    public record Dropout(double weights, double attention, double mlp) {}

    public PostNormBlock(Names names, Shape shape, Dropout dropout) {
        long width = shape.width(), inner = shape.inner();
        query = child(names.query(), Linear.of(width, width, true));
        key = child(names.key(), Linear.of(width, width, true));
        value = child(names.value(), Linear.of(width, width, true));
        projection = child(names.projection(), Linear.of(width, width, true));
        attentionNorm = child(names.attentionNorm(), new LayerNorm(width, shape.epsilon()));
        up = child(names.up(), Linear.of(width, inner, true));
        down = child(names.down(), Linear.of(inner, width, true));
        mlpNorm = child(names.mlpNorm(), new LayerNorm(width, shape.epsilon()));
        heads = shape.heads();
        activation = shape.activation();
        this.dropout = dropout;
    }

    /// `mask` is the additive (B, 1, 1, T) mask of padding, or null.
    public Tensor forward(Tensor x, @Nullable Tensor mask) { // (B, T, D)
        x = attentionNorm.forward(x.add(attention(x, mask)));
        var h = Activation.apply(activation, up.forward(x)); // (B, T, inner)
        return mlpNorm.forward(x.add(down.forward(h).dropout(dropout.mlp(), training())));
    }

    private Tensor attention(Tensor x, @Nullable Tensor mask) {
        var y =
                Attention.attendToAll(
                        split(query.forward(x)),
                        split(key.forward(x)),
                        split(value.forward(x)),
                        mask,
                        training() ? dropout.weights() : 0); // (B, H, T, d)
        return projection
                .forward(y.transpose(1, 2).reshape(x.shape()))
                .dropout(dropout.attention(), training());
    }

    private Tensor split(Tensor x) { // (B, T, D)
        long b = x.size(0), t = x.size(1), width = x.size(2);
        return x.view(b, t, heads, width / heads).transpose(1, 2); // (B, H, T, d)
    }
}
