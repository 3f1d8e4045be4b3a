package dev.espalier.generate;

import dev.espalier.EspalierException;

/// How the next token is chosen from the model's scores. The steps apply in the order of the
/// components, as in the Hugging Face library: scores are divided by the temperature, then all but
/// the best `topK` are dropped (those that equal the last of them stay), then all but the nucleus
/// of probability `topP` (Holtzman et al. 2020, arXiv:1904.09751), then those much less likely than
/// the best (Nguyen et al. 2024, arXiv:2407.01082), and from the rest one is drawn.
///
/// @param temperature 0 takes the best token always; below 1 sharpens, above 1 flattens
/// @param topK how many of the best tokens may be drawn; 0 for all
/// @param topP the least probability that the kept tokens have together; 1 for all
/// @param minP the least probability of a kept token, as a share of the best one's; 0 for all
/// @param seed of the draws; the same scores and seed give the same tokens on every machine
public record Sampling(double temperature, int topK, double topP, double minP, long seed) {
    public Sampling {
        if (!(temperature >= 0 && temperature < Double.POSITIVE_INFINITY)) {
            throw EspalierException.usage(
                    "temperature is " + temperature + "; a number of at least 0 is needed");
        }
        if (topK < 0) {
            throw EspalierException.usage(
                    "top-k is " + topK + "; a whole number of at least 0 is needed (0 for all)");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw EspalierException.usage(
                    "top-p is " + topP + "; a number above 0 and up to 1 is needed");
        }
        if (!(minP >= 0 && minP <= 1)) {
            throw EspalierException.usage(
                    "min-p is " + minP + "; a number from 0 to 1 is needed (0 for all)");
        }
    }

    /// Without `minP`.
    public Sampling(double temperature, int topK, double topP, long seed) {
        this(temperature, topK, topP, 0, seed);
    }

    /// Always the best token; of equal ones that with the lowest id.
    public static Sampling greedy() {
        return new Sampling(0, 0, 1, 0);
    }

    /// The same with other draws.
    public Sampling withSeed(long other) {
        return new Sampling(temperature, topK, topP, minP, other);
    }
}
