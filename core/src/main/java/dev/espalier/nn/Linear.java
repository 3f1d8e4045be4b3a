package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// y = x Wᵀ + b, with W stored as (out, in); or y = x W + b with W stored as (in, out), as GPT-2's
/// files have it (their "Conv1D").
public final class Linear extends Module {
    private final long inputs;
    private final long outputs;
    private final boolean transposed;
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private @Nullable Adapter adapter;
    private @Nullable HalfMatrix half;

    private Linear(long inputs, long outputs, boolean biased, boolean transposed) {
        this.inputs = inputs;
        this.outputs = outputs;
        this.transposed = transposed;
        weight =
                transposed
                        ? parameter("weight", inputs, outputs)
                        : parameter("weight", outputs, inputs);
        bias = biased ? parameter("bias", outputs) : null;
    }

    public static Linear of(long inputs, long outputs, boolean biased) {
        return new Linear(inputs, outputs, biased, false);
    }

    /// The weight stored as (in, out), always with a bias.
    public static Linear conv1d(long inputs, long outputs) {
        return new Linear(inputs, outputs, true, true);
    }

    public Tensor forward(Tensor x) { // (..., in)
        var y =
                half != null && x.isOneRow()
                        ? half.times(x)
                        : transposed
                                ? timesStoredWeight(x)
                                : x.linear(weight.value(), bias == null ? null : bias.value());
        return adapter == null ? y : y.add(adapter.delta(x, y)); // (..., out)
    }

    /// x W (…, out) for `x` (…, in), without bias and adapter.
    public Tensor times(Tensor x) {
        return transposed ? x.matmul(weight.value()) : x.linear(weight.value(), null);
    }

    private Tensor timesStoredWeight(Tensor x) {
        var shape = x.shape();
        shape[shape.length - 1] = outputs;
        return x.reshape(-1, inputs)
                .addmm(Objects.requireNonNull(bias).value(), weight.value())
                .view(shape);
    }

    public long inputs() {
        return inputs;
    }

    public long outputs() {
        return outputs;
    }

    public Parameter weight() {
        return weight;
    }

    public @Nullable Parameter bias() {
        return bias;
    }

    /// Whether the weight is stored as (in, out).
    public boolean transposed() {
        return transposed;
    }

    /// Has single rows multiplied by `matrix`, a copy of weight and bias, or by the weight again.
    public void halve(@Nullable HalfMatrix matrix) {
        half = matrix;
    }

    /// Fills the slot, which is empty. The adapter's weights become parameters of this part.
    public <A extends Module & Adapter> void attach(A module) {
        if (adapter != null) {
            throw new IllegalStateException("there is an adapter already");
        }
        child("", module);
        adapter = module;
    }

    /// Empties the slot. The adapter's weights live on.
    public void detach() {
        remove("");
        adapter = null;
    }

    public @Nullable Adapter adapter() {
        return adapter;
    }
}
