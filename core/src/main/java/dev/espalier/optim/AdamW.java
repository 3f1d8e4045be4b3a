package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Adam with decoupled weight decay (Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter
/// 2019, arXiv:1711.05101, algorithm 2), with the learning rate as a factor of the decay, as
/// PyTorch has it:
///
///     w ← w - η λ w
///     m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²
///     w ← w - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
///
/// The decay λ and a factor of the rate η are those of each [Segment]. Of the [Variant]s, AMSGrad
/// (Reddi, Kale and Kumar 2018, arXiv:1904.09237) divides by the root of the largest v so far, and
/// Adam with a decay that is not decoupled begins with g ← g + λ w instead of shrinking w.
public final class AdamW implements Optimizer {
    private final FlatParameters parameters;
    private final double beta1;
    private final double beta2;
    private final double epsilon;
    private final Variant variant;
    private final List<Segment> segments;
    private final Tensor m; // of the segments, one after the other
    private final Tensor v;
    private final @Nullable Tensor largest; // v so far
    private long steps;

    /// What is done otherwise than by AdamW.
    ///
    /// @param amsgrad whether to divide by the largest second moment so far
    /// @param decoupled whether the decay shrinks the weights, or is a part of their gradients
    public record Variant(boolean amsgrad, boolean decoupled) {
        public static final Variant ADAMW = new Variant(false, true);
    }

    /// With decay for matrices and tables alone, not for biases and norms.
    public AdamW(
            FlatParameters parameters, double beta1, double beta2, double epsilon, double decay) {
        this(
                parameters,
                beta1,
                beta2,
                epsilon,
                Variant.ADAMW,
                Segment.of(parameters, slot -> true, Segment.Settings.plain(decay)));
    }

    /// For the weights of `segments`; the others stay as they are.
    public AdamW(
            FlatParameters parameters,
            double beta1,
            double beta2,
            double epsilon,
            Variant variant,
            List<Segment> segments) {
        this.parameters = parameters;
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        this.variant = variant;
        this.segments = List.copyOf(segments);
        var count = Segment.length(segments);
        m = Tensor.zeros(DType.FLOAT, count);
        v = Tensor.zeros(DType.FLOAT, count);
        largest = variant.amsgrad() ? Tensor.zeros(DType.FLOAT, count) : null;
    }

    @Override
    public void step(double rate) {
        steps++;
        Torch.noGrad(() -> {
            var offset = 0L;
            for (var segment : segments) {
                update(segment, offset, rate * segment.rateFactor());
                offset += segment.length();
            }
        });
    }

    private void update(Segment segment, long offset, double rate) {
        long from = segment.from(), length = segment.length();
        try (var scope = new Scope()) {
            parameters
                    .weights()
                    .narrow(0, from, length)
                    .adamwInPlace(
                            parameters.gradients().narrow(0, from, length),
                            m.narrow(0, offset, length),
                            v.narrow(0, offset, length),
                            largest == null ? null : largest.narrow(0, offset, length),
                            steps,
                            rate,
                            beta1,
                            beta2,
                            epsilon,
                            segment.decay(),
                            variant.decoupled());
        }
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        state.put("m", m);
        state.put("v", v);
        if (largest != null) {
            state.put("largest", largest);
        }
        return state;
    }

    @Override
    public long steps() {
        return steps;
    }

    @Override
    public void steps(long steps) {
        this.steps = steps;
    }
}
