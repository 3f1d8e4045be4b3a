package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// Adam with decoupled weight decay (Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter
/// 2019, arXiv:1711.05101, algorithm 2), with the learning rate as a factor of the decay, as
/// PyTorch has it:
///
///     w ← w - η λ w
///     m ← β₁ m + (1 - β₁) g;  v ← β₂ v + (1 - β₂) g²
///     w ← w - η (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + ε)
///
/// The first line is for matrices and tables alone, not for biases and norms.
public final class AdamW implements Optimizer {
    private final FlatParameters parameters;
    private final double beta1;
    private final double beta2;
    private final double epsilon;
    private final double decay;
    private final Tensor m;
    private final Tensor v;
    private long steps;

    public AdamW(
            FlatParameters parameters, double beta1, double beta2, double epsilon, double decay) {
        this.parameters = parameters;
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.epsilon = epsilon;
        this.decay = decay;
        m = Tensor.zeros(DType.FLOAT, parameters.count());
        v = Tensor.zeros(DType.FLOAT, parameters.count());
    }

    @Override
    public void step(double rate) {
        steps++;
        Torch.noGrad(() -> {
            update(0, parameters.decayed(), rate, decay);
            update(parameters.decayed(), parameters.count(), rate, 0);
        });
    }

    private void update(long from, long to, double rate, double decay) {
        if (from == to) {
            return;
        }
        try (var scope = new Scope()) {
            parameters
                    .weights()
                    .narrow(0, from, to - from)
                    .adamwInPlace(
                            parameters.gradients().narrow(0, from, to - from),
                            m.narrow(0, from, to - from),
                            v.narrow(0, from, to - from),
                            steps,
                            rate,
                            beta1,
                            beta2,
                            epsilon,
                            decay);
        }
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        state.put("m", m);
        state.put("v", v);
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

    @Override
    public void close() {
        m.close();
        v.close();
    }
}
