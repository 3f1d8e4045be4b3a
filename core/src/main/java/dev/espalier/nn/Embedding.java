package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// A table of one row an id.
public final class Embedding extends Module {
    private final Parameter weight;

    public Embedding(long rows, long width) {
        weight = parameter("weight", rows, width);
    }

    public Tensor forward(Tensor ids) { // (...)
        return weight.value().embedding(ids); // (..., D)
    }

    /// The table itself (rows, width), for a head that is tied to it.
    public Parameter weight() {
        return weight;
    }
}
