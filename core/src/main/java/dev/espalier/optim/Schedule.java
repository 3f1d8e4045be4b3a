package dev.espalier.optim;

import java.util.function.DoubleUnaryOperator;

/// The learning rate at each step, counted from 0, as a factor of the peak rate. A pure function.
///
/// All begin by rising linearly over `warmup` steps, the first of which is not wasted on a rate of
/// zero: factor (step + 1) / (warmup + 1).
@FunctionalInterface
public interface Schedule {
    double factor(long step);

    /// Stays at 1.
    static Schedule constant(long warmup) {
        return step -> step < warmup ? ramp(step, warmup) : 1;
    }

    /// Falls along half a cosine to `floor` at step `total` (Loshchilov and Hutter 2017,
    /// arXiv:1608.03983, without restarts).
    static Schedule cosine(long warmup, long total, double floor) {
        return falling(warmup, warmup, total, floor, p -> 0.5 * (1 + Math.cos(Math.PI * p)));
    }

    /// Falls along a line to `floor` at step `total`.
    static Schedule linear(long warmup, long total, double floor) {
        return falling(warmup, warmup, total, floor, p -> 1 - p);
    }

    /// Falls as √((warmup + 1) / (step + 1)), without an end (Vaswani et al. 2017,
    /// arXiv:1706.03762, section 5.3).
    static Schedule inverseSquareRoot(long warmup) {
        return step -> step < warmup ? ramp(step, warmup) : Math.sqrt(1 / ramp(step, warmup));
    }

    /// Stays at 1 until `decay` steps before step `total`, then falls as 1 - √p to `floor` (warm-up
    /// - stable - decay, Hu et al. 2024, arXiv:2404.06395; the shape of the fall is that of Hägele
    ///   et al. 2024, arXiv:2405.18392, section 3).
    static Schedule warmupStableDecay(long warmup, long decay, long total, double floor) {
        var start = Math.max(warmup, total - decay);
        return falling(warmup, start, total, floor, p -> 1 - Math.sqrt(p));
    }

    /// 1 from the warm-up to step `start`, then down to `floor` at step `total`; `shape` goes from
    /// 1 at 0 to 0 at 1.
    private static Schedule falling(
            long warmup, long start, long total, double floor, DoubleUnaryOperator shape) {
        var before = constant(warmup);
        return step -> {
            if (step < start) {
                return before.factor(step);
            }
            var progress = Math.min(1, (step - start) / (double) Math.max(1, total - start));
            return floor + (1 - floor) * shape.applyAsDouble(progress);
        };
    }

    private static double ramp(long step, long warmup) {
        return (step + 1.0) / (warmup + 1.0);
    }
}
