package dev.espalier.recipe;

import java.util.Locale;

/// How long a run goes on, or how far apart two events in it are: `2000 steps`, `3 epochs`, `50M
/// tokens`. Steps and tokens are whole; epochs may be broken (`0.5 epochs`).
public record Duration(double amount, Unit unit) implements Span {
    /// What is counted.
    public enum Unit {
        /// Updates of the optimizer.
        STEPS,
        /// Passes over the training data.
        EPOCHS,
        /// Tokens that the model was trained on.
        TOKENS
    }

    /// The largest amount: every whole number up to it is exact.
    private static final double LARGEST = 1L << 53;

    /// Within so many units of its last place a number of steps is a whole one: the roundings of an
    /// epoch's steps, of the amount and of their product make no step.
    private static final int ROUNDING = 4;

    public Duration {
        if (!(amount > 0 && amount <= LARGEST)) {
            throw new IllegalArgumentException("an amount lies in (0, 2^53]: " + amount);
        }
        if (unit != Unit.EPOCHS && amount != Math.rint(amount)) {
            throw new IllegalArgumentException("broken " + unit + ": " + amount);
        }
    }

    public static Duration steps(long amount) {
        return new Duration(amount, Unit.STEPS);
    }

    public static Duration epochs(double amount) {
        return new Duration(amount, Unit.EPOCHS);
    }

    public static Duration tokens(long amount) {
        return new Duration(amount, Unit.TOKENS);
    }

    /// The steps that this takes, at least 1 and rounded up, where an epoch has `stepsPerEpoch`
    /// steps and a step trains on `tokensPerStep` tokens (means, where they vary).
    public long toSteps(double stepsPerEpoch, double tokensPerStep) {
        var steps =
                switch (unit) {
                    case STEPS -> amount;
                    case EPOCHS -> amount * stepsPerEpoch;
                    case TOKENS -> amount / tokensPerStep;
                };
        var whole = Math.rint(steps);
        var noise = Math.abs(steps - whole) <= ROUNDING * Math.ulp(steps);
        return Math.max(1, (long) (noise ? whole : Math.ceil(steps)));
    }

    @Override
    public String toString() {
        var word = unit.name().toLowerCase(Locale.ROOT);
        return Numbers.plain(amount)
                + " "
                + (amount == 1 ? word.substring(0, word.length() - 1) : word);
    }
}
