package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import java.util.SequencedMap;

/// Muon (Jordan 2024, "Muon: an optimizer for hidden layers in neural networks"): momentum whose
/// direction is made nearly orthogonal, for the matrices inside of a model, and [AdamW] for all
/// else: embeddings, heads, biases and norms. For a matrix w of `out` rows and `in` columns:
///
///     m ← μ m + (1 - μ) g;  u = (1 - μ) g + μ m
///     w ← w - η λ w - η √max(1, out / in) NewtonSchulz(u)
///
/// Five Newton–Schulz steps X ← a X + (b A + c A²) X with A = X Xᵀ take the singular values of u /
/// ‖u‖ to about 1.
public final class Muon implements Optimizer {
    private static final double A = 3.4445;
    private static final double B = -4.7750;
    private static final double C = 2.0315;

    private final FlatParameters parameters;
    private final List<Matrix> matrices;
    private final double momentum;
    private final boolean bf16;
    private final AdamW others;
    private final double othersRate;
    private final Tensor m; // of the matrices, one after the other

    /// A matrix that Muon updates.
    ///
    /// @param transposed whether it is stored as (in, out)
    public record Matrix(FlatParameters.Slot slot, boolean transposed, Segment.Setting setting) {}

    /// @param bf16 whether the Newton–Schulz steps are made in bf16
    /// @param others the optimizer of the remaining weights, which this one owns from now on
    /// @param othersRate their learning rate, as a factor of this one's
    public Muon(
            FlatParameters parameters,
            List<Matrix> matrices,
            double momentum,
            boolean bf16,
            AdamW others,
            double othersRate) {
        this.parameters = parameters;
        this.matrices = List.copyOf(matrices);
        this.momentum = momentum;
        this.bf16 = bf16;
        this.others = others;
        this.othersRate = othersRate;
        m = Tensor.zeros(DType.FLOAT, matrices.stream().mapToLong(x -> x.slot().count()).sum());
    }

    @Override
    public void step(double rate) {
        Torch.noGrad(() -> {
            var offset = 0L;
            for (var matrix : matrices) {
                try (var scope = new Scope()) {
                    update(matrix, part(m, offset, matrix.slot()), rate);
                }
                offset += matrix.slot().count();
            }
        });
        others.step(rate * othersRate);
    }

    private void update(Matrix matrix, Tensor m, double rate) {
        var slot = matrix.slot();
        var eta = rate * matrix.setting().rateFactor();
        var w = part(parameters.weights(), slot.offset(), slot);
        var g = part(parameters.gradients(), slot.offset(), slot);
        m.mulInPlace(momentum).addInPlace(g.mul(1 - momentum));
        var u = g.mul(1 - momentum).addInPlace(m.mul(momentum));
        var aspect = w.size(0) / (double) w.size(1);
        var scale = Math.sqrt(Math.max(1, matrix.transposed() ? 1 / aspect : aspect));
        w.mulInPlace(1 - eta * matrix.setting().decay());
        w.addInPlace(orthogonal(u).mul(-eta * scale));
    }

    private static Tensor part(Tensor buffer, long offset, FlatParameters.Slot slot) {
        return buffer.narrow(0, offset, slot.count()).view(slot.shape());
    }

    private Tensor orthogonal(Tensor u) {
        var tall = u.size(0) > u.size(1);
        var x = bf16 ? u.to(DType.BFLOAT16) : u;
        x = x.div(x.norm().add(1e-7));
        x = tall ? x.transpose(0, 1) : x;
        for (var i = 0; i < 5; i++) {
            var a = x.matmul(x.transpose(0, 1));
            x = x.mul(A).add(a.mul(B).add(a.matmul(a).mul(C)).matmul(x));
        }
        return (tall ? x.transpose(0, 1) : x).to(DType.FLOAT);
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = others.state();
        state.putFirst("momentum", m);
        return state;
    }

    @Override
    public long steps() {
        return others.steps();
    }

    @Override
    public void steps(long steps) {
        others.steps(steps);
    }
}
