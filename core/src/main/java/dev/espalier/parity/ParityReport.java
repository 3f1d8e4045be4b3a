package dev.espalier.parity;

import java.util.List;

/// All that a reference holds, compared; a part that could not be checked counts as failed.
public record ParityReport(List<Comparison> comparisons) {
    public ParityReport {
        comparisons = List.copyOf(comparisons);
    }

    /// Whether everything holds. A reference without a single part proves nothing, and fails.
    public boolean ok() {
        return !comparisons.isEmpty() && failures().isEmpty();
    }

    public List<Comparison> failures() {
        return comparisons.stream().filter(c -> !c.ok()).toList();
    }
}
