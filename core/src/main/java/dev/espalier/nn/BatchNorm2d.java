package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;

/// Batch normalization of the channels of pictures (Ioffe and Szegedy 2015, arXiv:1502.03167): in
/// training by the mean and the variance of the batch at hand, else by running ones. So a batch's
/// loss depends on how it is split, and its parts must pass one after another.
public final class BatchNorm2d extends Module {
    private static final double MOMENTUM = 0.1;
    private static final double EPSILON = 1e-5;

    private final Parameter weight;
    private final Parameter bias;
    private final Parameter mean;
    private final Parameter variance;
    private final Parameter batches;

    public BatchNorm2d(long channels) {
        weight = parameter("weight", channels);
        bias = parameter("bias", channels);
        mean = running("running_mean", Tensor.zeros(DType.FLOAT, channels));
        variance = running("running_var", Tensor.full(1, channels));
        batches = running("num_batches_tracked", Tensor.zeros(DType.LONG));
    }

    public Tensor forward(Tensor x) { // (B, C, H, W)
        if (training()) {
            batches.value().addInPlace(Tensor.of(new long[] {1}));
        }
        return x.to(DType.FLOAT)
                .batchNorm(
                        weight.value(),
                        bias.value(),
                        mean.value(),
                        variance.value(),
                        training(),
                        MOMENTUM,
                        EPSILON);
    }
}
