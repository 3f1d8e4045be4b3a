package dev.espalier.recipe;

/// An interval of numbers as [Doc#in] writes it: `[1, ∞)`, `(0, 1]`.
record Interval(double low, boolean withLow, double high, boolean withHigh) {
    static Interval of(String text) {
        var ends = text.substring(1, text.length() - 1).split(", ");
        return new Interval(
                Double.parseDouble(ends[0]),
                text.startsWith("["),
                ends[1].equals("∞") ? Double.POSITIVE_INFINITY : Double.parseDouble(ends[1]),
                text.endsWith("]"));
    }

    boolean contains(double number) {
        return (withLow ? number >= low : number > low)
                && (withHigh ? number <= high : number < high);
    }
}
