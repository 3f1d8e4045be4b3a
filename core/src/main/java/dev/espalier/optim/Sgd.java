package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Stochastic gradient descent with momentum (Polyak 1964; Nesterov 1983, as Sutskever et al. 2013
/// put it), as PyTorch has it, the decay being a part of the gradient:
///
///     g ← g + λ w;  m ← μ m + (1 - τ) g, at the first step m ← g
///     w ← w - η m, or after Nesterov w ← w - η (g + μ m)
public final class Sgd implements Optimizer {
    private final FlatParameters parameters;
    private final Options options;
    private final List<Segment> segments;
    private final @Nullable Tensor m; // of the segments, one after the other
    private long steps;

    /// @param momentum μ in [0, 1); 0 keeps no state
    /// @param dampening τ in [0, 1)
    public record Options(double momentum, double dampening, boolean nesterov) {}

    public Sgd(FlatParameters parameters, Options options, List<Segment> segments) {
        this.parameters = parameters;
        this.options = options;
        this.segments = List.copyOf(segments);
        m = options.momentum() == 0 ? null : Tensor.zeros(DType.FLOAT, Segment.length(segments));
    }

    @Override
    public void step(double rate) {
        steps++;
        Torch.noGrad(() -> {
            for (var part : Segment.pieces(segments)) {
                try (var scope = new Scope()) {
                    var w = part.of(parameters.weights());
                    var g = part.of(parameters.gradients());
                    if (part.segment().decay() != 0) {
                        g = g.add(w.mul(part.segment().decay()));
                    }
                    var eta = rate * part.segment().rateFactor();
                    w.addInPlace((m == null ? g : direction(part.state(m), g)).mul(-eta));
                }
            }
        });
    }

    private Tensor direction(Tensor m, Tensor g) {
        var mu = options.momentum();
        if (steps == 1) {
            m.copyInPlace(g);
        } else {
            m.mulInPlace(mu).addInPlace(g.mul(1 - options.dampening()));
        }
        return options.nesterov() ? g.add(m.mul(mu)) : m;
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        if (m != null) {
            state.put("m", m);
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
