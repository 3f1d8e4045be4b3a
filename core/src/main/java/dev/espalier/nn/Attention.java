package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.jspecify.annotations.Nullable;

/// Scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762), eq. 1: Attention(Q, K, V)
/// = softmax(Q Kᵀ / √d + M) V M is 0 where a position may be attended to and very negative
/// elsewhere.
///
/// Where there are fewer heads of keys and values than of queries (grouped-query attention, Ainslie
/// et al. 2023, arXiv:2305.13245), neighbouring queries share one.
public final class Attention {
    private Attention() {}

    /// `mask` is (T, S) or (B, 1, T, S), additive; null stands for the plain causal mask of a whole
    /// sequence, which the fused kernel applies without one. `scale` replaces 1/√d by a factor of
    /// it.
    ///
    /// In fp32 libtorch's fused kernel is the fastest; in bf16 it falls back to a slow product on
    /// processors, and its dropout draws from a stream of its own, so there two products and a
    /// softmax are used.
    public static Tensor attend(
            Tensor q,
            Tensor k,
            Tensor v,
            @Nullable Tensor mask,
            double scale,
            double dropout) { // (B, H, T|S, d), of keys and values (B, G, S, d)
        if (k.size(1) != q.size(1) && q.size(2) == 1) {
            // Of a single position no query is before another, so that those which share keys stand
            // in the place of positions, and a cache is not copied for every token.
            var together = q.reshape(q.size(0), k.size(1), -1, q.size(3)); // (B, G, H/G, d)
            return attendToAll(together, k, v, mask, scale, dropout).reshape(q.shape());
        }
        if (k.size(1) != q.size(1)) {
            return attend(q, shared(k, q.size(1)), shared(v, q.size(1)), mask, scale, dropout);
        }
        if (isFused(dropout)) {
            return scaled(q, scale).attention(k, v, mask, mask == null);
        }
        var shown = mask == null ? causal(q.size(-2), k.size(-2)) : mask;
        return unfused(q, k, v, shown, scale, dropout);
    }

    /// As [#attend], where every position sees all others but what `mask`, which may be null,
    /// hides: (B, 1, 1, S) for padding, (1, H, T, S) for a bias of each head.
    public static Tensor attendToAll(
            Tensor q,
            Tensor k,
            Tensor v,
            @Nullable Tensor mask,
            double scale,
            double dropout) { // (B, H, T|S, d)
        return isFused(dropout)
                ? scaled(q, scale).attention(k, v, mask, false)
                : unfused(q, k, v, mask, scale, dropout);
    }

    private static boolean isFused(double dropout) {
        return !Torch.inBf16() && dropout == 0;
    }

    private static Tensor unfused(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, double scale, double dropout) {
        return weights(q, k, mask, scale).dropout(dropout, dropout > 0).matmul(v); // (B, H, T, d)
    }

    /// softmax(Q Kᵀ / √d + M): how much each position attends to each, (B, H, T, S).
    public static Tensor weights(Tensor q, Tensor k, @Nullable Tensor mask, double scale) {
        var d = q.size(-1);
        var scores = q.mul(scale / Math.sqrt(d)).matmul(k.transpose(-2, -1)); // (B, H, T, S)
        var shown = mask == null ? scores : scores.add(mask.to(scores.dtype()));
        return shown.softmax(-1);
    }

    /// Each of G heads for H / G queries.
    private static Tensor shared(Tensor x, long heads) { // (B, G, S, d)
        long b = x.size(0), g = x.size(1), s = x.size(2), d = x.size(3);
        return x.unsqueeze(2).expand(b, g, heads / g, s, d).reshape(b, heads, s, d);
    }

    private static Tensor scaled(Tensor q, double scale) {
        return scale == 1 ? q : q.mul(scale);
    }

    /// The additive mask (T, S) of the last T of S positions, each of which sees itself and what is
    /// before it.
    public static Tensor causal(long t, long s) {
        return Tensor.full(LEAST, t, s).triu(s - t + 1);
    }

    /// As [#causal], and blind to keys where `keep` (B, S) is 0: (B, 1, T, S).
    public static Tensor causal(long t, Tensor keep) {
        return causal(t, keep.size(1)).add(padding(keep)).clampMin(LEAST);
    }

    /// The additive mask (B, 1, T, T) of rows in which several documents stand one behind the
    /// other: each position sees itself and what is before it in its own. `documents` (B, T)
    /// numbers them.
    public static Tensor causalWithin(Tensor documents) {
        long b = documents.size(0), t = documents.size(1);
        var same = documents.unsqueeze(2).sub(documents.unsqueeze(1)).eq(0); // (B, T, T)
        return Tensor.full(LEAST, b, t, t)
                .maskedFill(same, 0)
                .add(causal(t, t))
                .clampMin(LEAST)
                .unsqueeze(1);
    }

    /// The additive mask (B, 1, 1, S) that hides keys where `keep` (B, S) is 0.
    public static Tensor padding(Tensor keep) {
        return keep.to(DType.FLOAT).add(-1).mul(-LEAST).view(-1, 1, 1, keep.size(1));
    }

    /// `mask`, which may be null for the plain causal one, narrowed to a sliding window (Beltagy et
    /// al. 2020, arXiv:2004.05150): the last `t` of `s` positions see themselves and the `window` -
    /// 1 before.
    public static @Nullable Tensor within(long window, @Nullable Tensor mask, long t, long s) {
        if (s <= window) {
            return mask;
        }
        var all = Tensor.full(LEAST, t, s);
        var outside = all.sub(all.triu(s - t - window + 1)); // LEAST left of the window
        return (mask == null ? causal(t, s) : mask).add(outside).clampMin(LEAST);
    }

    /// Finite in bf16 too, whose largest number is a little smaller than fp32's, since a row in
    /// which everything is masked must stay a number.
    static final double LEAST = -3.3e38;
}
