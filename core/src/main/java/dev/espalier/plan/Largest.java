package dev.espalier.plan;

import dev.espalier.EspalierException;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/// The largest model that a budget of time, money or memory pays for: a GPT-2 that is trained on as
/// many tokens as its size deserves (see [Plan.Deserved]), by AdamW, one sequence at once.
///
/// @param tokens that it deserves
/// @param memory bytes at the peak of a step
/// @param price null where it is not known
/// @param limit what the next larger one would break
public record Largest(
        Anatomy model,
        double tokens,
        double seconds,
        long memory,
        @Nullable Double price,
        String limit) {
    /// What may be spent; null is no limit.
    public record Budget(@Nullable Double seconds, @Nullable Double price, @Nullable Long memory) {}

    /// The smallest model that is considered, in weights beside its tables, and the largest.
    private static final double SMALLEST = 5e4;

    private static final double LARGEST = 1e13;

    /// @param rate operations a second that training such a model reaches
    /// @param bf16 whether the machine multiplies in it
    /// @throws EspalierException (CHECK) if not even the smallest fits
    public static Largest of(
            Budget budget,
            ToDoubleFunction<Anatomy> rate,
            Prices price,
            int vocabulary,
            int context,
            boolean bf16,
            long process) {
        Largest best = null;
        var broken = "";
        for (var weights = SMALLEST; weights < LARGEST; weights *= 1.05) {
            var model = Anatomy.near(weights, vocabulary, context);
            if (best != null && model.equals(best.model())) {
                continue;
            }
            var one = of(model, rate.applyAsDouble(model), price, bf16, process);
            broken = broken(budget, one);
            if (!broken.isEmpty()) {
                break;
            }
            best = one;
        }
        if (best == null) {
            throw EspalierException.check(
                    "not even a model of %.0f k weights beside its tables, with a vocabulary of %,d, is within the %s"
                            .formatted(SMALLEST / 1000, vocabulary, broken));
        }
        return new Largest(
                best.model(), best.tokens(), best.seconds(), best.memory(), best.price(), broken);
    }

    private static String broken(Budget budget, Largest one) {
        if (budget.memory() != null && one.memory() > budget.memory()) {
            return "memory";
        }
        if (budget.seconds() != null && one.seconds() > budget.seconds()) {
            return "time";
        }
        if (budget.price() != null && one.price() != null && one.price() > budget.price()) {
            return "money";
        }
        return "";
    }

    private static Largest of(
            Anatomy model, double rate, Prices prices, boolean bf16, long process) {
        var weights = model.parameterCount();
        var tokens = Plan.TOKENS_PER_PARAMETER * weights;
        var seconds = tokens * Cost.flopsPerToken(model, model.context(), 0, 1) / rate;
        var pass = new Cost.Pass(1, model.context(), 0, 1, 1, bf16, false, weights, false);
        var memory = Cost.trainingMemory(model, pass, 8 * weights, 0, process).total();
        return new Largest(model, tokens, seconds, memory, prices.of(seconds), "");
    }

    /// What time costs.
    public interface Prices {
        @Nullable Double of(double seconds);

        /// Of renting `kind`, or of the electricity that it draws; null where neither is known.
        static Prices on(Hardware.Kind kind, @Nullable Double pricePerKwh) {
            return seconds -> {
                if (kind.pricePerHour() != null) {
                    return kind.pricePerHour() * seconds / 3600;
                }
                return kind.watts() == null || pricePerKwh == null
                        ? null
                        : Double.valueOf(kind.watts() * seconds / 3.6e6 * pricePerKwh);
            };
        }
    }
}
