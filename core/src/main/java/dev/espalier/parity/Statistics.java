package dev.espalier.parity;

import tools.jackson.databind.JsonNode;

/// What a reference tells of a tensor without its elements.
///
/// @param cosdot Σ gᵢ cos(0.37 i + 0.1) in row-major order, which tells a tensor from its transpose
record Statistics(double norm, double sum, double absmax, double cosdot) {
    static Statistics of(JsonNode json) {
        return new Statistics(
                json.path("norm").asDouble(Double.NaN),
                json.path("sum").asDouble(Double.NaN),
                json.path("absmax").asDouble(Double.NaN),
                json.path("cosdot").asDouble(Double.NaN));
    }

    static Statistics of(float[] values) {
        double squares = 0, sum = 0, absmax = 0, cosdot = 0;
        for (var i = 0; i < values.length; i++) {
            double value = values[i];
            squares += value * value;
            sum += value;
            absmax = Math.max(absmax, Math.abs(value));
            cosdot += value * Math.cos(0.37 * i + 0.1);
        }
        return new Statistics(Math.sqrt(squares), sum, absmax, cosdot);
    }

    /// The error of single elements that explains the difference: errors that are independent add
    /// up to √count of it in sums, and in the norm at most to that.
    double differencePerElement(Statistics other, long count) {
        var root = Math.sqrt(count);
        return Math.max(
                Math.max(Math.abs(absmax - other.absmax), Math.abs(norm - other.norm) / root),
                Math.max(Math.abs(sum - other.sum), Math.abs(cosdot - other.cosdot)) / root);
    }
}
