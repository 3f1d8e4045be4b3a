package dev.espalier.study;

import dev.espalier.evaluate.Interval;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// How tasks that are learnt one after the other help and harm each other (Lopez-Paz and Ranzato
/// 2017, arXiv:1706.08840, section 2, eq. 2 to 4), of T tasks:
///
///     ACC = 1/T Σᵢ R_Tᵢ,  BWT = 1/(T-1) Σᵢ R_Tᵢ - Rᵢᵢ,  FWT = 1/(T-1) Σᵢ R_{i-1,i} - b̄ᵢ
///
/// with R_ij the score on task j after task i was learnt; each with its interval over the records of
/// the tasks, those of a task as if they were others each time.
///
/// @param average ACC
/// @param backward BWT: below 0 where earlier tasks were forgotten
/// @param forward FWT: above 0 where earlier tasks help later ones before these are learnt
public record Transfer(Interval average, Interval backward, Interval forward) {
    /// @param scores R, a row for each task that was learnt, with all that the sums name
    /// @param before b̄, the score on each task before any was learnt
    public static Transfer of(
            List<? extends List<@Nullable Interval>> scores, List<@Nullable Interval> before) {
        var last = scores.getLast();
        var average = new ArrayList<Interval>();
        var backward = new ArrayList<Interval>();
        var forward = new ArrayList<Interval>();
        for (var i = 0; i < scores.size(); i++) {
            average.add(known(last, i));
            if (i < scores.size() - 1) {
                backward.add(known(last, i).minus(known(scores.get(i), i)));
            }
            if (i > 0) {
                forward.add(known(scores.get(i - 1), i).minus(known(before, i)));
            }
        }
        return new Transfer(
                Interval.mean(average), Interval.mean(backward), Interval.mean(forward));
    }

    private static Interval known(List<@Nullable Interval> row, int task) {
        return Objects.requireNonNull(row.get(task));
    }
}
