package dev.espalier.task;

import java.util.List;
import java.util.stream.Stream;

/// Two answers to one prompt as tokens, with what the reference model thinks of them.
///
/// @param others the prompt with answers to another one, by which [PreferenceLoss.Kto] measures how
///   far the model is from the reference; else empty
/// @param reference the reference's log-probabilities of [#all], in that order
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record AnswerPair(
        Answered chosen, Answered rejected, List<Answered> others, double[] reference) {
    public AnswerPair {
        others = List.copyOf(others);
    }

    /// The chosen answer, the rejected one, and the others.
    public List<Answered> all() {
        return Stream.concat(Stream.of(chosen, rejected), others.stream()).toList();
    }

    /// Tokens of both answers with their prompts.
    public int length() {
        return chosen.ids().length + rejected.ids().length - 2;
    }

    /// The two answers with the trained model's log-probabilities.
    PreferenceLoss.Value value(
            PreferenceLoss loss, double policyChosen, double policyRejected, double divergence) {
        return loss.of(
                new PreferenceLoss.Answer(policyChosen, reference[0], chosen.count()),
                new PreferenceLoss.Answer(policyRejected, reference[1], rejected.count()),
                divergence);
    }
}
