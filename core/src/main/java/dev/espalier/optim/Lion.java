package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// Lion (Chen et al. 2023, arXiv:2302.06675, algorithm 2): each weight goes as far as the rate, in
/// the direction of a mixture of the momentum and the gradient; one number of state a weight.
///
///     w ← w - η λ w - η sign(β₁ m + (1 - β₁) g)
///     m ← β₂ m + (1 - β₂) g
///
/// The paper takes a rate 3 to 10 times smaller than AdamW's, and a decay as much larger.
public final class Lion implements Optimizer {
    private final FlatParameters parameters;
    private final double beta1;
    private final double beta2;
    private final List<Segment> segments;
    private final Tensor m; // of the segments, one after the other
    private long steps;

    public Lion(FlatParameters parameters, double beta1, double beta2, List<Segment> segments) {
        this.parameters = parameters;
        this.beta1 = beta1;
        this.beta2 = beta2;
        this.segments = List.copyOf(segments);
        m = Tensor.zeros(DType.FLOAT, Segment.length(segments));
    }

    @Override
    public void step(double rate) {
        steps++;
        Torch.noGrad(() -> {
            for (var part : Segment.pieces(segments)) {
                try (var scope = new Scope()) {
                    var eta = rate * part.segment().rateFactor();
                    var w = part.of(parameters.weights());
                    var g = part.of(parameters.gradients());
                    var m = part.state(this.m);
                    var u = m.mul(beta1).addInPlace(g.mul(1 - beta1)).sign();
                    w.mulInPlace(1 - eta * part.segment().decay());
                    w.addInPlace(u.mulInPlace(-eta));
                    m.mulInPlace(beta2).addInPlace(g.mul(1 - beta2));
                }
            }
        });
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        state.put("m", m);
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
