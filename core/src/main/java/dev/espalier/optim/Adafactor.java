package dev.espalier.optim;

import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Adafactor (Shazeer and Stern 2018, arXiv:1804.04235, algorithms 4 and 5): of a matrix's second
/// moments only the means of the rows and of the columns are kept, so that its state is small. For
/// a matrix w of n numbers with the gradient g, at step t from 1:
///
///     β₂ = 1 - t^-0.8;  u = g² + ε₁
///     r ← β₂ r + (1 - β₂) mean over columns of u;  c ← β₂ c + (1 - β₂) mean over rows of u
///     x = g / √(r c / mean(r));  x ← x / max(1, RMS(x) / d)
///     α = ρ max(ε₂, RMS(w));  w ← w - α λ w - α x
///
/// with RMS(x) = ‖x‖ / √n, ε₁ = 1e-30 and ε₂ = 1e-3; of biases and norms all second moments are
/// kept. ρ is the learning rate, or the smaller of that and 1 / √t. With a momentum β₁, m ← β₁ m +
/// (1 - β₁) α x takes the place of α x, as in Hugging Face's.
public final class Adafactor implements Optimizer {
    private static final double EPSILON_1 = 1e-30;
    private static final double EPSILON_2 = 1e-3;
    private static final double DECAY_EXPONENT = 0.8;

    private final FlatParameters parameters;
    private final Options options;
    private final List<Part> parts;
    private final Tensor rows; // each of one matrix after the other's
    private final Tensor columns;
    private final Tensor v; // of what is no matrix
    private final @Nullable Tensor m; // of all
    private long steps;

    /// @param relativeStep whether 1 / √t bounds the learning rate
    /// @param scaleParameter whether the step is relative to the weights' size; or else the factor
    ///   max(ε₂, RMS(w)) is left out
    /// @param momentum β₁ in [0, 1); 0 keeps no first moment
    /// @param clip d
    public record Options(
            boolean relativeStep, boolean scaleParameter, double momentum, double clip) {}

    /// A parameter, and where its state stands in `rows` and `columns`, or in `v`.
    private record Part(FlatParameters.Slot slot, Segment.Setting setting, long row, long column) {
        /// The shape without the dimension `i` from the end.
        long[] without(int i) {
            var shape = slot.shape().clone();
            shape[shape.length - i] = 1;
            return shape;
        }
    }

    public Adafactor(FlatParameters parameters, Options options, Segment.Settings settings) {
        this.parameters = parameters;
        this.options = options;
        var all = new ArrayList<Part>();
        long row = 0, column = 0, vector = 0;
        for (var slot : parameters.slots()) {
            var part = new Part(slot, settings.of(slot), slot.isMatrix() ? row : vector, column);
            all.add(part);
            if (slot.isMatrix()) {
                row += product(part.without(1));
                column += product(part.without(2));
            } else {
                vector += slot.count();
            }
        }
        parts = List.copyOf(all);
        rows = Tensor.zeros(DType.FLOAT, row);
        columns = Tensor.zeros(DType.FLOAT, column);
        v = Tensor.zeros(DType.FLOAT, vector);
        m = options.momentum() == 0 ? null : Tensor.zeros(DType.FLOAT, parameters.count());
    }

    private static long product(long[] shape) {
        return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    }

    @Override
    public void step(double rate) {
        steps++;
        var rho = options.relativeStep() ? Math.min(rate, 1 / Math.sqrt(steps)) : rate;
        Torch.noGrad(() -> {
            for (var part : parts) {
                try (var scope = new Scope()) {
                    update(part, rho * part.setting().rateFactor());
                }
            }
        });
    }

    private void update(Part part, double rho) {
        var slot = part.slot();
        var w = place(parameters.weights(), slot.offset(), slot.shape());
        var g = place(parameters.gradients(), slot.offset(), slot.shape());
        var x = direction(part, g);
        var alpha =
                options.scaleParameter()
                        ? rms(w).clampMin(EPSILON_2).mul(rho)
                        : Tensor.full(rho); // ()
        x.mulInPlace(alpha.div(rms(x).mul(1 / options.clip()).clampMin(1)));
        if (part.setting().decay() != 0) {
            w.mulInPlace(Tensor.full(1).sub(alpha.mul(part.setting().decay())));
        }
        if (m == null) {
            w.addInPlace(x.mulInPlace(-1));
        } else {
            var moment = place(m, slot.offset(), slot.shape());
            moment.mulInPlace(options.momentum()).addInPlace(x.mulInPlace(1 - options.momentum()));
            w.addInPlace(moment.mul(-1));
        }
    }

    /// g over the root of its second moments.
    private Tensor direction(Part part, Tensor g) {
        var beta = 1 - Math.pow(steps, -DECAY_EXPONENT);
        var u = g.mul(g).addInPlace(EPSILON_1);
        var shape = part.slot().shape();
        if (!part.slot().isMatrix()) {
            var moments = place(v, part.row(), shape);
            return g.div(moments.lerpInPlace(u, 1 - beta).sqrt());
        }
        var last = shape.length - 1;
        var r = place(rows, part.row(), part.without(1)); // (…, R, 1)
        var c = place(columns, part.column(), part.without(2)); // (…, 1, C)
        r.lerpInPlace(u.sum(last).mul(1.0 / shape[last]), 1 - beta);
        c.lerpInPlace(u.sum(last - 1).mul(1.0 / shape[last - 1]), 1 - beta);
        var mean = r.sum(last - 1).mul(1.0 / shape[last - 1]); // (…, 1, 1)
        return g.div(r.div(mean).sqrt()).mulInPlace(Tensor.full(1, part.without(2)).div(c.sqrt()));
    }

    private static Tensor rms(Tensor x) {
        return x.norm().mul(1 / Math.sqrt(x.count()));
    }

    private static Tensor place(Tensor buffer, long offset, long[] shape) {
        return buffer.narrow(0, offset, product(shape)).view(shape);
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        if (rows.count() > 0) {
            state.put("rows", rows);
            state.put("columns", columns);
        }
        if (v.count() > 0) {
            state.put("v", v);
        }
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

    @Override
    public void close() {
        rows.close();
        columns.close();
        v.close();
        if (m != null) {
            m.close();
        }
    }
}
