package dev.espalier.optim;

import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;

/// Holds weights w to places w⁰ as if by springs: it adds ½ Σ sᵢ (wᵢ - w⁰ᵢ)² to a step's loss, and
/// so sᵢ (wᵢ - w⁰ᵢ) to its gradient, once a step however it is split.
///
/// With s = α for the weights of a model that exists, and s = β and w⁰ = 0 for those of a new head,
/// this is L2-SP (Xuhong Li et al. 2018, arXiv:1802.01483, eq. 3); with s = λ F, F the diagonal of
/// the Fisher information, it is elastic weight consolidation (Kirkpatrick et al. 2017,
/// arXiv:1612.00796, eq. 3).
///
/// Owns both tensors.
public final class Anchor implements AutoCloseable {
    private final Tensor start;
    private final Tensor strength;

    /// @param start w⁰, laid out as [FlatParameters#weights]
    /// @param strength s, likewise, none below 0
    public Anchor(Tensor start, Tensor strength) {
        this.start = start;
        this.strength = strength;
    }

    /// Whether it holds the weight in `slot` at all.
    public boolean holds(FlatParameters.Slot slot) {
        try (var scope = new Scope()) {
            return strength.narrow(0, slot.offset(), slot.count()).sum().item() > 0;
        }
    }

    /// Adds its gradient to that of `parameters`, and gives its loss.
    public double pull(FlatParameters parameters) {
        try (var scope = new Scope()) {
            // In one place, since each takes as much memory as the model.
            var away = parameters.weights().sub(start);
            parameters.gradients().addcmulInPlace(away, strength, 1);
            return 0.5 * away.mulInPlace(away).mulInPlace(strength).sum().item();
        }
    }

    @Override
    public void close() {
        start.close();
        strength.close();
    }
}
