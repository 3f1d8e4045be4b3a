package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;

/// Group normalization of the channels of pictures (Wu and He 2018, arXiv:1803.08494): by the mean
/// and the variance of each group of a picture's channels, so that pictures of a batch know nothing
/// of each other.
public final class GroupNorm extends Module {
    private static final double EPSILON = 1e-5;

    private final Parameter weight;
    private final Parameter bias;
    private final long groups;

    public GroupNorm(long groups, long channels) {
        weight = parameter("weight", channels);
        bias = parameter("bias", channels);
        this.groups = groups;
    }

    public Tensor forward(Tensor x) { // (B, C, H, W)
        return x.to(DType.FLOAT).groupNorm(groups, weight.value(), bias.value(), EPSILON);
    }
}
