package dev.espalier.study;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// How tasks that are learnt one after the other help and harm each other (Lopez-Paz and Ranzato
/// 2017, arXiv:1706.08840, section 2, eq. 2 to 4), of T tasks:
///
///     ACC = 1/T Σᵢ R_Tᵢ,  BWT = 1/(T-1) Σᵢ R_Tᵢ - Rᵢᵢ,  FWT = 1/(T-1) Σᵢ R_{i-1,i} - b̄ᵢ
///
/// with R_ij the score on task j after task i was learnt.
///
/// @param average ACC
/// @param backward BWT: below 0 where earlier tasks were forgotten
/// @param forward FWT: above 0 where earlier tasks help later ones before these are learnt
public record Transfer(double average, double backward, double forward) {
    /// @param scores R, a row for each task that was learnt; what is not known is null
    /// @param before b̄, the score on each task before any was learnt
    public static Transfer of(
            List<? extends List<@Nullable Double>> scores, List<@Nullable Double> before) {
        var n = scores.size();
        double average = 0, backward = 0, forward = 0;
        for (var i = 0; i < n; i++) {
            var last = known(scores.getLast().get(i));
            average += last / n;
            if (i < n - 1) {
                backward += (last - known(scores.get(i).get(i))) / (n - 1);
            }
            if (i > 0) {
                forward += (known(scores.get(i - 1).get(i)) - known(before.get(i))) / (n - 1);
            }
        }
        return new Transfer(average, backward, forward);
    }

    private static double known(@Nullable Double score) {
        return score == null ? Double.NaN : score;
    }
}
