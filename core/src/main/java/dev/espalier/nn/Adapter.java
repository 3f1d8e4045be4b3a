package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// What may be added to the output of a [Linear] without changing its weight.
public interface Adapter {
    /// What to add to the map's own output `y` = xW + b (…, out) for the input `x` (…, in).
    Tensor delta(Tensor x, Tensor y);

    /// The same change as an addition to the weight, in the weight's own layout.
    Tensor weightDelta();
}
