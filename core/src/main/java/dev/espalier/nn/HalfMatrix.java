package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/// A copy of a linear map's weights in half precision (binary16 of IEEE 754), for one row at a
/// time: y = x W + b. Such a product reads each weight once and hardly computes with it, so that it
/// takes as long as memory takes to give the weights, and half the bytes take half the time.
///
/// Weights are rounded to 11 significant bits, those below 2⁻¹⁴ to multiples of 2⁻²⁴; x, b and the
/// sums are fp32. Each sum has one order, however many threads there are.
///
/// The columns stand in panels, one behind the other as (in, width), so that a panel's sums stay in
/// the first cache while its weights are read as they lie in memory, from four places at once,
/// since a processor fetches ahead at several places faster than at one. It is plain Java, which
/// the compiler turns into vectors (docs/decisions/140-half-precision.md).
public final class HalfMatrix {
    /// The most columns of a panel.
    private static final int WIDEST = 256;

    /// Panels are as wide as a multiple of what the widest vectors hold, but the last.
    private static final int LANES = 16;

    private final int inputs;
    private final int outputs;
    private final int width;
    private final Tensor weights;
    private final MemorySegment memory;
    private final float[] bias;
    private final Crew crew;

    /// @param weight (in, out) in fp32, of any strides
    /// @param bias (out), or null for zeros
    /// @param crew whom the panels are shared out to, each as many
    public HalfMatrix(Tensor weight, @Nullable Tensor bias, Crew crew) {
        inputs = Math.toIntExact(weight.size(0));
        outputs = Math.toIntExact(weight.size(1));
        this.crew = crew;
        var each = Math.ceilDiv(Math.ceilDiv(outputs, WIDEST), crew.size());
        width = Math.ceilDiv(Math.ceilDiv(outputs, each * crew.size()), LANES) * LANES;
        weights = Tensor.zeros(DType.HALF, weight.count());
        for (var from = 0; from < outputs; from += width) {
            var wide = Math.min(width, outputs - from);
            weights.narrow(0, (long) from * inputs, (long) wide * inputs)
                    .view(inputs, wide)
                    .copyInPlace(weight.narrow(1, from, wide));
        }
        memory = weights.segment();
        this.bias = bias == null ? new float[outputs] : bias.floats();
    }

    /// The weights in their order here, which whoever made this keeps and closes.
    public Tensor weights() {
        return weights;
    }

    /// x W + b (…, out) for `x` (…, in), which is one row in fp32.
    public Tensor times(Tensor x) {
        var in = new float[inputs];
        MemorySegment.copy(x.contiguous().segment(), ValueLayout.JAVA_FLOAT, 0, in, 0, inputs);
        var out = bias.clone();
        crew.run(Math.ceilDiv(outputs, width), panel -> add(panel, in, out));
        var shape = x.shape();
        shape[shape.length - 1] = outputs;
        return Tensor.of(out, shape);
    }

    private void add(int panel, float[] x, float[] y) {
        var from = panel * width;
        var wide = Math.min(width, outputs - from);
        var row = (long) from * inputs;
        var quarter = inputs / 4;
        var apart = (long) quarter * wide;
        for (var i = 0; i < quarter; i++) {
            add(
                    memory,
                    row,
                    row + apart,
                    row + 2 * apart,
                    row + 3 * apart,
                    wide,
                    x[i],
                    x[i + quarter],
                    x[i + 2 * quarter],
                    x[i + 3 * quarter],
                    y,
                    from);
            row += wide;
        }
        row += 3 * apart;
        for (var i = 4 * quarter; i < inputs; i++) {
            add(memory, row, wide, x[i], y, from);
            row += wide;
        }
    }

    /// Adds to the sums from `from` the `wide` weights from each of four rows, times each its x. Of
    /// its own, without branches, so that it is done in vectors.
    private static void add(
            MemorySegment weights,
            long row0,
            long row1,
            long row2,
            long row3,
            int wide,
            float x0,
            float x1,
            float x2,
            float x3,
            float[] y,
            int from) {
        for (var j = 0; j < wide; j++) {
            y[from + j] +=
                    x0 * at(weights, row0 + j)
                            + x1 * at(weights, row1 + j)
                            + x2 * at(weights, row2 + j)
                            + x3 * at(weights, row3 + j);
        }
    }

    /// As above, of one row.
    private static void add(
            MemorySegment weights, long row, int wide, float x, float[] y, int from) {
        for (var j = 0; j < wide; j++) {
            y[from + j] += x * at(weights, row + j);
        }
    }

    private static float at(MemorySegment weights, long index) {
        return Float.float16ToFloat(weights.getAtIndex(ValueLayout.JAVA_SHORT, index));
    }
}
