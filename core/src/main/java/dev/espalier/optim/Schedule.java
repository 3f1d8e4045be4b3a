package dev.espalier.optim;

/// The learning rate at each step, counted from 0, as a factor of the peak rate. A pure function.
@FunctionalInterface
public interface Schedule {
    double factor(long step);

    /// Rises linearly over `warmup` steps, the first of which is not wasted on a rate of zero:
    /// factor (step + 1) / (warmup + 1); then stays at 1.
    static Schedule constant(long warmup) {
        return step -> step < warmup ? (step + 1.0) / (warmup + 1.0) : 1;
    }

    /// Warm-up as [#constant], then half a cosine down to `floor` at step `total` (Loshchilov and
    /// Hutter 2017, arXiv:1608.03983, without restarts).
    static Schedule cosine(long warmup, long total, double floor) {
        return step -> {
            if (step < warmup) {
                return (step + 1.0) / (warmup + 1.0);
            }
            var progress = Math.min(1, (step - warmup) / (double) Math.max(1, total - warmup));
            return floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress));
        };
    }
}
