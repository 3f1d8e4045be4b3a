package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import org.jspecify.annotations.Nullable;

/// A convolution over pictures with a square kernel, its weight stored as (out, in / groups,
/// kernel, kernel).
public final class Conv2d extends Module {
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final Shape shape;

    /// @param stride pixels from one place of the kernel to the next
    /// @param padding zeros put around the picture
    /// @param groups into which inputs and outputs are divided; an output reads its own group alone
    public record Shape(
            long inputs, long outputs, long kernel, long stride, long padding, long groups) {
        /// Pictures of `inputs` channels cut into squares that do not overlap.
        public static Shape patches(long inputs, long outputs, long patch) {
            return new Shape(inputs, outputs, patch, patch, 0, 1);
        }

        /// A kernel of an odd size that leaves the picture's size as it is.
        public static Shape same(long inputs, long outputs, long kernel, long groups) {
            return new Shape(inputs, outputs, kernel, 1, kernel / 2, groups);
        }
    }

    public Conv2d(Shape shape, boolean biased) {
        this.shape = shape;
        weight =
                parameter(
                        "weight",
                        shape.outputs(),
                        shape.inputs() / shape.groups(),
                        shape.kernel(),
                        shape.kernel());
        bias = biased ? parameter("bias", shape.outputs()) : null;
    }

    public Tensor forward(Tensor x) { // (B, in, H, W)
        return x.conv2d(
                weight.value(),
                bias == null ? null : bias.value(),
                shape.stride(),
                shape.padding(),
                shape.groups()); // (B, out, H', W')
    }
}
