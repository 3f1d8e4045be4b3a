package dev.espalier.evaluate;

import java.util.List;
import java.util.Optional;

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

    /// The first of `scores` with this metric of this data.
    public static Optional<Score> find(List<Score> scores, String data, String metric) {
        return scores.stream()
                .filter(s -> s.data().equals(data) && s.metric().equals(metric))
                .findFirst();
    }

    public Interval interval() {
        return new Interval(value, low, high);
    }
}
