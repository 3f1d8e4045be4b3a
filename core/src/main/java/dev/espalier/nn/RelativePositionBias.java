package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// What T5 adds to the scores of attention in place of positions (Raffel et al. 2020,
/// arXiv:1910.10683, section 2.1): a learnt number for each head and each bucket of distances. Half
/// of the buckets hold one distance each, the other half ever wider ranges of them, up to `most`,
/// beyond which all distances are alike.
public final class RelativePositionBias extends Module {
    private final Parameter weight;
    private final int buckets;
    private final int most;
    private final boolean bidirectional;

    /// @param bidirectional whether what comes after a position has buckets of its own, half of
    ///   them
    public RelativePositionBias(int buckets, int most, long heads, boolean bidirectional) {
        weight = parameter("weight", buckets, heads);
        this.buckets = buckets;
        this.most = most;
        this.bidirectional = bidirectional;
    }

    /// For the last `t` of `s` positions.
    public Tensor forward(long t, long s) {
        var bucket = new long[Math.toIntExact(t * s)];
        for (var i = 0; i < t; i++) {
            for (var j = 0; j < s; j++) {
                bucket[(int) (i * s + j)] = bucket(j - (s - t + i), bidirectional, buckets, most);
            }
        }
        var bias = weight.value().indexSelect(0, Tensor.of(bucket, bucket.length)); // (T S, H)
        return bias.transpose(0, 1).reshape(1, -1, t, s); // (1, H, T, S)
    }

    /// The table (buckets, H).
    Parameter weight() {
        return weight;
    }

    /// The bucket of a position that stands `distance` after the one that looks at it; in fp32, as
    /// the weights were trained with.
    static int bucket(long distance, boolean bidirectional, int buckets, int most) {
        var first = 0;
        var n = -distance;
        if (bidirectional) {
            buckets /= 2;
            first = n < 0 ? buckets : 0;
            n = Math.abs(n);
        } else {
            n = Math.max(n, 0);
        }
        var exact = buckets / 2;
        if (n < exact) {
            return first + (int) n;
        }
        var share = (float) Math.log((float) n / exact) / (float) Math.log((double) most / exact);
        return first + Math.min(exact + (int) (share * (buckets - exact)), buckets - 1);
    }
}
