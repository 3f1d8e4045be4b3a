package dev.espalier.train;

import dev.espalier.recipe.TrainingRecipe.BadLoss;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// Tells steps that must not change the weights from others: those whose loss or gradient is no
/// finite number, and those whose loss is so many times the running mean of the good steps before.
/// To leave such a step out and go on with other data is what the training of PaLM came to
/// (Chowdhery et al. 2022, arXiv:2204.02311, section 5.1), where the data alone was not at fault.
final class LossGuard {
    /// Good steps before spikes are looked for, since the first losses say little.
    private static final int FIRST = 20;

    /// The most good steps that the running mean is one of: further back it fades by 1 - 1/50 a
    /// step.
    private static final int SPAN = 50;

    /// What a checkpoint holds of it.
    ///
    /// @param mean of the good steps' losses
    /// @param good steps
    /// @param skipped steps
    /// @param inARow steps skipped since the last good one
    record State(double mean, long good, long skipped, int inARow) {}

    private final BadLoss recipe;
    private State state = new State(0, 0, 0, 0);

    LossGuard(BadLoss recipe) {
        this.recipe = recipe;
    }

    /// What is wrong with a step, or null.
    @Nullable String fault(double loss, double gradientNorm) {
        if (!Double.isFinite(loss)) {
            return "the loss is " + loss;
        }
        if (!Double.isFinite(gradientNorm)) {
            return "the gradient's norm is " + gradientNorm;
        }
        var spike = recipe.spike();
        return spike == null || state.good < FIRST || loss <= spike * state.mean
                ? null
                : String.format(
                        Locale.ROOT,
                        "the loss is %.4g, %.1f times the mean of %.4g before it",
                        loss,
                        loss / state.mean,
                        state.mean);
    }

    void good(double loss) {
        var good = state.good + 1;
        var mean = state.mean + (loss - state.mean) / Math.min(good, SPAN);
        state = new State(mean, good, state.skipped, 0);
    }

    /// Whether a bad step may be left out, which is then counted.
    boolean skip() {
        if (recipe.then() == BadLoss.Then.STOP || state.inARow + 1 >= recipe.most()) {
            return false;
        }
        state = new State(state.mean, state.good, state.skipped + 1, state.inARow + 1);
        return true;
    }

    State state() {
        return state;
    }

    void state(State state) {
        this.state = state;
    }
}
