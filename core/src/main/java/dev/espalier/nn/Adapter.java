package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// What may be added to the output of a [Linear] without changing its weight.
public interface Adapter {
    /// What to add to `xW + b` for the input `x`, which has the width `inputs` in its last
    /// dimension.
    Tensor delta(Tensor x);

    /// The same change as an addition to the weight, in the weight's own layout.
    Tensor weightDelta();
}
