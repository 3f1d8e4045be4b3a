package dev.espalier.parity;

import org.jspecify.annotations.Nullable;

/// One part of a reference, compared.
///
/// @param part what was compared: `logits`, `loss`, `gradient`, `generation`, …
/// @param name which one: the case, and the parameter or step
/// @param difference the largest that was found; null if the part could not be checked
/// @param tolerance the largest that is allowed
/// @param reason why the part could not be checked; else empty
public record Comparison(
        String part, String name, @Nullable Double difference, double tolerance, String reason) {
    /// Whether the part was checked and lies within the tolerance. A difference that is not a
    /// number does not.
    public boolean ok() {
        return difference != null && difference <= tolerance;
    }
}
