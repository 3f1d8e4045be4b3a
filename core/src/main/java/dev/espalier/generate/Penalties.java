package dev.espalier.generate;

import dev.espalier.EspalierException;
import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What changes the scores before a token is chosen, in the order of the components, as in the
/// Hugging Face library. The prompt counts as written; its padding, which that library counts too,
/// does not, so that a prompt is answered alike in every batch.
///
/// @param repetition tokens that are there already have positive scores divided and negative ones
///   multiplied by it (Keskar et al. 2019, arXiv:1909.05858, 4.1); 1 for no penalty
/// @param noRepeatNgram no sequence of so many tokens may come twice; 0 for no such rule
/// @param minNewTokens tokens before which the text may not end
/// @param forcedFirst the token that must follow a first one, such as that with which the decoder
///   of an encoder-decoder begins; null for none
/// @param forcedLast the token that must be the last of as many as are wanted; null for none
public record Penalties(
        double repetition,
        int noRepeatNgram,
        int minNewTokens,
        @Nullable Integer forcedFirst,
        @Nullable Integer forcedLast) {
    public static final Penalties NONE = new Penalties(1, 0, 0);

    /// Forcing nothing.
    public Penalties(double repetition, int noRepeatNgram, int minNewTokens) {
        this(repetition, noRepeatNgram, minNewTokens, null, null);
    }

    public Penalties {
        if (!(repetition > 0 && repetition < Double.POSITIVE_INFINITY)) {
            throw EspalierException.usage(
                    "the repetition penalty is "
                            + repetition
                            + "; a number above 0 is needed (1 for none)");
        }
        if (noRepeatNgram < 0) {
            throw EspalierException.usage(
                    "no-repeat-ngram is "
                            + noRepeatNgram
                            + "; a whole number of at least 0 is needed (0 for no rule)");
        }
        if (minNewTokens < 0) {
            throw EspalierException.usage(
                    "the least number of new tokens is "
                            + minNewTokens
                            + ", but must be at least 0");
        }
    }

    /// Changes the `vocabulary` scores from `offset` on, of what follows `ids`, which begin with
    /// the prompt. A token that is ruled out gets negative infinity, one that is forced 0.
    ///
    /// @param last whether no other token may follow
    void apply(
            float[] scores,
            int offset,
            int vocabulary,
            int[] ids,
            int promptTokens,
            boolean last,
            Set<Integer> ends) {
        if (repetition != 1) {
            penalise(scores, offset, vocabulary, ids);
        }
        if (noRepeatNgram > 0) {
            forbidRepeats(scores, offset, ids);
        }
        if (ids.length - promptTokens < minNewTokens) {
            for (var end : ends) {
                if (end < vocabulary) {
                    scores[offset + end] = Float.NEGATIVE_INFINITY;
                }
            }
        }
        if (forcedFirst != null && ids.length == 1) {
            force(scores, offset, vocabulary, forcedFirst);
        }
        if (forcedLast != null && last) {
            force(scores, offset, vocabulary, forcedLast);
        }
    }

    private static void force(float[] scores, int offset, int vocabulary, int id) {
        if (id >= vocabulary) {
            throw EspalierException.data(
                    "the token id %d is forced, but the model's go from 0 to %d"
                            .formatted(id, vocabulary - 1));
        }
        Arrays.fill(scores, offset, offset + vocabulary, Float.NEGATIVE_INFINITY);
        scores[offset + id] = 0;
    }

    private void penalise(float[] scores, int offset, int vocabulary, int[] ids) {
        var seen = new boolean[vocabulary];
        var penalty = (float) repetition;
        for (var id : ids) {
            if (id < vocabulary && !seen[id]) {
                seen[id] = true;
                var score = scores[offset + id];
                scores[offset + id] = score < 0 ? score * penalty : score / penalty;
            }
        }
    }

    private void forbidRepeats(float[] scores, int offset, int[] ids) {
        var before = noRepeatNgram - 1;
        var last = ids.length - before;
        for (var start = 0; start + before < ids.length; start++) {
            if (Arrays.equals(ids, start, start + before, ids, last, ids.length)) {
                scores[offset + ids[start + before]] = Float.NEGATIVE_INFINITY;
            }
        }
    }
}
