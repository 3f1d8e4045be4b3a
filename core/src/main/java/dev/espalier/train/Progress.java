package dev.espalier.train;

/// The only clock: schedules, durations and reports read it.
///
/// @param step updates made
/// @param tokens tokens that the model was trained on
/// @param epoch passes over the training data, broken
public record Progress(long step, long tokens, double epoch) {
    public static final Progress START = new Progress(0, 0, 0);
}
