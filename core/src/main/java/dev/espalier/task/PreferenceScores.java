package dev.espalier.task;

import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import java.util.List;
import java.util.stream.IntStream;

/// How a model stands to pairs of a chosen and a rejected answer, pair by pair.
///
/// @param losses of each pair
/// @param margins the reward of the chosen answer less that of the rejected one; 0 where no more
///   than rounding lies between model and reference
/// @param preferred by how much the chosen answer is likelier than the rejected one, the logarithm
/// @param perToken as `preferred`, for the mean over an answer's tokens
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record PreferenceScores(
        double[] losses, double[] margins, double[] preferred, double[] perToken) {
    /// Of an answer's log-probability, what other batches round otherwise: model and reference are
    /// asked in batches of their own.
    private static final double ROUNDING = 1e-6;

    /// @param policy the model's log-probabilities, of each pair's chosen and rejected answer
    static PreferenceScores of(
            List<AnswerPair> pairs, PreferenceLoss loss, double[] policy, double divergence) {
        var n = pairs.size();
        var scores =
                new PreferenceScores(new double[n], new double[n], new double[n], new double[n]);
        for (var i = 0; i < n; i++) {
            var pair = pairs.get(i);
            double w = policy[2 * i], l = policy[2 * i + 1];
            scores.losses[i] = pair.value(loss, w, l, divergence).loss();
            var moved = w - pair.reference()[0] - (l - pair.reference()[1]);
            var rounding = ROUNDING * (Math.abs(w) + Math.abs(l));
            scores.margins[i] = Math.abs(moved) <= rounding ? 0 : loss.beta() * moved;
            scores.preferred[i] = w - l;
            scores.perToken[i] = w / pair.chosen().count() - l / pair.rejected().count();
        }
        return scores;
    }

    /// Without a reference: of a finished model.
    static PreferenceScores of(
            List<Answered> chosen, double[] w, List<Answered> rejected, double[] l) {
        var n = chosen.size();
        var scores =
                new PreferenceScores(new double[0], new double[0], new double[n], new double[n]);
        for (var i = 0; i < n; i++) {
            scores.preferred[i] = w[i] - l[i];
            scores.perToken[i] = w[i] / chosen.get(i).count() - l[i] / rejected.get(i).count();
        }
        return scores;
    }

    /// Loss, reward accuracy and margin, where a reference was asked; and in how many pairs the
    /// chosen answer is the likelier one.
    public List<Score> scores(String data) {
        var own =
                List.of(
                        share(data, "preference-accuracy", preferred),
                        share(data, "preference-accuracy-per-token", perToken));
        if (losses.length == 0) {
            return own;
        }
        var all =
                new java.util.ArrayList<>(
                        List.of(
                                Score.of(data, "loss", Interval.mean(losses), losses.length),
                                share(data, "reward-accuracy", margins),
                                Score.of(
                                        data,
                                        "reward-margin",
                                        Interval.mean(margins),
                                        margins.length)));
        all.addAll(own);
        return all;
    }

    private static Score share(String data, String metric, double[] differences) {
        var right = IntStream.range(0, differences.length).filter(i -> differences[i] > 0).count();
        return Score.of(
                data, metric, Interval.share(right, differences.length), differences.length);
    }
}
