package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;

/// A table of one row an id.
public final class Embedding extends Module {
    private static final long NO_PADDING = -1;

    private final Parameter weight;
    private final long padding;

    public Embedding(long rows, long width) {
        this(rows, width, NO_PADDING);
    }

    /// A table in which looking up the row `padding` trains it not.
    public Embedding(long rows, long width, long padding) {
        weight = parameter("weight", rows, width);
        this.padding = padding;
    }

    public Tensor forward(Tensor ids) { // (...)
        return weight.value().embedding(ids, padding); // (..., D)
    }

    /// Zeroes the row of the padding, as a new table has it.
    public void clearPadding() {
        if (padding != NO_PADDING) {
            Torch.noGrad(() -> weight.value().select(0, padding).zeroInPlace());
        }
    }

    /// The table itself (rows, width), for a head that is tied to it.
    public Parameter weight() {
        return weight;
    }
}
