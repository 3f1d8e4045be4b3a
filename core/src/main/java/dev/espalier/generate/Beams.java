package dev.espalier.generate;

import dev.espalier.EspalierException;

/// Beam search: of each prompt's continuations the `count` most probable ones are followed, and the
/// finished ones are ranked by the sum of their log-probabilities divided by their length, without
/// the prompt, to the power of `lengthPenalty`.
///
/// @param count how many beams; 1 for none
/// @param lengthPenalty 0 ranks by the sum; above 0 favours long texts, below 0 short ones
/// @param earlyStopping when a prompt that has `count` finished texts is done
public record Beams(int count, double lengthPenalty, EarlyStopping earlyStopping) {
    public static final Beams NONE = new Beams(1, 1, EarlyStopping.NO);

    private static final int MOST = 256;

    /// When to stop looking for better texts, as the Hugging Face library's `early_stopping`.
    public enum EarlyStopping {
        /// At once (`true`).
        YES,
        /// When the best open beam, ended now, would rank below all finished ones (`false`).
        NO,
        /// When no open beam can ever rank above a finished one (`"never"`).
        NEVER
    }

    public Beams {
        if (count < 1 || count > MOST) {
            throw EspalierException.usage(
                    "the number of beams is "
                            + count
                            + "; a whole number from 1 to "
                            + MOST
                            + " is needed (1 for no beam search)");
        }
        if (!Double.isFinite(lengthPenalty)) {
            throw EspalierException.usage(
                    "the length penalty is " + lengthPenalty + "; a finite number is needed");
        }
    }
}
