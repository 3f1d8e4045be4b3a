package dev.espalier.train;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One line of `metrics.jsonl`. All but the last four is a pure function of the recipe.
///
/// @param step updates made, this one included
/// @param tokens tokens trained on so far
/// @param epoch passes over the training data so far
/// @param loss the step's training loss: each term's sum over its count, weighted and added
/// @param terms the loss of each term, where there is more than one; else empty
/// @param rate the learning rate of the update; 0 where the step was skipped
/// @param gradientNorm the gradient's norm before clipping
/// @param skipped steps so far that were skipped for their loss, this one included
/// @param fault why this step was skipped, and the examples that it saw; else null
/// @param tokensPerSecond of this step
/// @param matmulShare the share of this machine's matrix product rate that the step reached; 0
///   where unknown
/// @param memory bytes of the process in memory
/// @param seconds since the start of the run, those before a resumption included
public record StepFigures(
        long step,
        long tokens,
        double epoch,
        double loss,
        Map<String, Double> terms,
        double rate,
        double gradientNorm,
        long skipped,
        @Nullable String fault,
        double tokensPerSecond,
        double matmulShare,
        long memory,
        double seconds) {
    public StepFigures {
        terms = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(terms));
    }

    public Progress progress() {
        return new Progress(step, tokens, epoch);
    }
}
