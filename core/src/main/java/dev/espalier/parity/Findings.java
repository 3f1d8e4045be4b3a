package dev.espalier.parity;

import java.util.ArrayList;
import java.util.List;

/// Collects comparisons.
final class Findings {
    private final List<Comparison> comparisons = new ArrayList<>();

    void add(String part, String name, double difference, double tolerance) {
        comparisons.add(new Comparison(part, name, difference, tolerance, ""));
    }

    void unchecked(String part, String name, String reason) {
        comparisons.add(new Comparison(part, name, null, 0, reason));
    }

    ParityReport report() {
        return new ParityReport(comparisons);
    }

    /// The largest difference of two arrays; infinite if they are not of one length, and not a
    /// number if an element is none.
    static double largest(float[] ours, float[] theirs) {
        if (ours.length != theirs.length) {
            return Double.POSITIVE_INFINITY;
        }
        var largest = 0.0;
        for (var i = 0; i < ours.length; i++) {
            largest = Math.max(largest, Math.abs((double) ours[i] - theirs[i]));
        }
        return largest;
    }
}
