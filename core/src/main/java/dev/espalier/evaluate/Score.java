package dev.espalier.evaluate;

/// One line of `evaluation.json`: a metric of some data with its 95 % interval.
///
/// @param data what was measured, for example `validation` or `test`
/// @param metric its name, in kebab-case
/// @param value in the metric's own unit; shares are in [0, 1]
/// @param low the interval's lower end
/// @param high the interval's upper end
/// @param n how many units the value is an average over: records, tokens or bytes
public record Score(String data, String metric, double value, double low, double high, long n) {
    public static Score of(String data, String metric, Interval interval, long n) {
        return new Score(data, metric, interval.value(), interval.low(), interval.high(), n);
    }

    public Interval interval() {
        return new Interval(value, low, high);
    }
}
