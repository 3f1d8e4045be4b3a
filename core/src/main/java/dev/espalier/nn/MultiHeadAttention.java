package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import org.jspecify.annotations.Nullable;

/// Multi-head attention (Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2): the heads
/// Attention(x Wᵠ, y Wᵏ, y Wᵛ) side by side, times Wᵒ. x asks, and y, which is x itself or what
/// another stack gave, is attended to.
public final class MultiHeadAttention extends Module {
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear projection;
    private final long headWidth;
    private final double scale;
    private final double dropout;

    /// The paths of the four maps.
    public record Names(String query, String key, String value, String projection) {}

    /// @param width of the states
    /// @param headWidth of a head; the heads together may be wider or narrower than the states
    /// @param biased whether the maps have biases
    /// @param scaled whether scores are divided by √d
    public record Shape(long width, long heads, long headWidth, boolean biased, boolean scaled) {}

    /// What is attended to, both (B, H, S, d).
    public record KeysAndValues(Tensor keys, Tensor values) {}

    /// @param dropout the share of attention weights dropped while training
    public MultiHeadAttention(Names names, Shape shape, double dropout) {
        long width = shape.width(), inner = shape.heads() * shape.headWidth();
        query = child(names.query(), Linear.of(width, inner, shape.biased()));
        key = child(names.key(), Linear.of(width, inner, shape.biased()));
        value = child(names.value(), Linear.of(width, inner, shape.biased()));
        projection = child(names.projection(), Linear.of(inner, width, shape.biased()));
        headWidth = shape.headWidth();
        scale = shape.scaled() ? 1 : Math.sqrt(headWidth);
        this.dropout = dropout;
    }

    /// What of `y` is attended to.
    public KeysAndValues read(Tensor y) { // (B, S, D)
        return new KeysAndValues(heads(key.forward(y)), heads(value.forward(y)));
    }

    /// What `x` gathers from `read`, all of which it sees but what the additive `mask`, which must
    /// broadcast to (B, H, T, S), hides.
    public Tensor forward(Tensor x, KeysAndValues read, @Nullable Tensor mask) { // (B, T, D)
        return projected(
                x,
                Attention.attendToAll(
                        heads(query.forward(x)),
                        read.keys(),
                        read.values(),
                        mask,
                        scale,
                        training() ? dropout : 0));
    }

    /// How much each position of `x` attends to each of `read`, without dropout: (B, H, T, S).
    public Tensor weights(Tensor x, KeysAndValues read) { // (B, T, D)
        return Attention.weights(heads(query.forward(x)), read.keys(), null, scale);
    }

    /// As [#forward], where each of the last T of S positions sees itself and what is before it.
    public Tensor forwardCausal(Tensor x, KeysAndValues read) { // (B, T, D)
        return projected(
                x,
                Attention.attend(
                        heads(query.forward(x)),
                        read.keys(),
                        read.values(),
                        x.size(1) == read.keys().size(2)
                                ? null
                                : Attention.causal(x.size(1), read.keys().size(2)),
                        scale,
                        training() ? dropout : 0));
    }

    private Tensor projected(Tensor x, Tensor y) { // (B, T, D), (B, H, T, d)
        return projection.forward(y.transpose(1, 2).reshape(x.size(0), x.size(1), -1));
    }

    private Tensor heads(Tensor x) { // (B, T, H d)
        return x.view(x.size(0), x.size(1), -1, headWidth).transpose(1, 2); // (B, H, T, d)
    }
}
