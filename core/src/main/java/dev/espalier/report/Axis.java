package dev.espalier.report;

import java.util.ArrayList;
import java.util.List;

/// A scale from values to pixels, with ticks at numbers that a person would choose.
///
/// @param from the pixel of `low`
/// @param to the pixel of `high`
/// @param decimals that tell the ticks apart
record Axis(
        double low,
        double high,
        boolean log,
        double from,
        double to,
        List<Double> ticks,
        int decimals) {
    /// A linear axis that holds [low, high] and begins and ends at a tick.
    static Axis linear(double low, double high, int wanted, double from, double to) {
        if (!(high > low)) {
            var around = Math.max(1e-9, Math.abs(low) * 0.1);
            low -= around;
            high += around;
        }
        var step = niceStep((high - low) / wanted);
        double first = Math.floor(low / step + 1e-9), last = Math.ceil(high / step - 1e-9);
        var ticks = new ArrayList<Double>();
        for (var k = first; k <= last; k++) {
            ticks.add(k * step);
        }
        var decimals = (int) Math.clamp(Math.ceil(-Math.log10(step) - 1e-9), 0, 9);
        return new Axis(first * step, last * step, false, from, to, List.copyOf(ticks), decimals);
    }

    /// A logarithmic axis of exactly [low, high], low > 0, with ticks at 1, 2 and 5 times powers of
    /// ten, or at powers of ten alone where there are many.
    static Axis log(double low, double high, double from, double to) {
        if (!(high > low)) {
            low /= 2;
            high *= 2;
        }
        var ticks = new ArrayList<Double>();
        var decades = Math.log10(high / low);
        var factors = decades > 3 ? new double[] {1} : new double[] {1, 2, 5};
        for (var power = (int) Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
            for (var factor : factors) {
                var tick = factor * Math.pow(10, power);
                if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) {
                    ticks.add(tick);
                }
            }
        }
        return new Axis(low, high, true, from, to, List.copyOf(ticks), 0);
    }

    /// This axis with its ticks at `values`.
    Axis at(List<Double> values) {
        return new Axis(low, high, log, from, to, List.copyOf(values), decimals);
    }

    /// This axis ending at `value`, which need not be a tick.
    Axis endingAt(double value) {
        return value > low
                ? new Axis(
                        low,
                        value,
                        log,
                        from,
                        to,
                        ticks.stream().filter(t -> t <= value).toList(),
                        decimals)
                : this;
    }

    double pixel(double value) {
        var share =
                log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
        return from + share * (to - from);
    }

    String label(double tick) {
        return Math.abs(tick) >= 10_000 || log && tick >= 1
                ? Numbers.compact(tick)
                : Numbers.fixed(tick, log ? decimals(tick) : decimals);
    }

    /// Of a tick below 1, up to its first digit.
    private static int decimals(double tick) {
        return (int) Math.clamp(Math.ceil(-Math.log10(tick) - 1e-9), 0, 9);
    }

    private static double niceStep(double rough) {
        var power = Math.pow(10, Math.floor(Math.log10(rough)));
        var factor = rough / power;
        return power * (factor <= 1.0000001 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
    }
}
