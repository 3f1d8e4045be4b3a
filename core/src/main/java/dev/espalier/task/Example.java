package dev.espalier.task;

import dev.espalier.data.LabelledText;
import dev.espalier.model.Problem;
import java.util.Arrays;

/// A text, or a window of one, as a classifier reads it, and what it is to be told as.
///
/// @param truth what it is labelled with, as [#truth] has it
/// @param weight of its loss, 1 on average over the training examples
/// @param where it stands
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Example(TextReader.Tokens tokens, double[] truth, double weight, String where) {
    /// What `record` is labelled with, in numbers: the index of its only label; of any number of
    /// labels 1 or 0 for each; or the number.
    public static double[] truth(Problem problem, LabelledText record) {
        return switch (problem) {
            case Problem.SingleLabel one -> new double[] {one.labels().indexOf(record.label())};
            case Problem.MultiLabel several -> {
                var truth = new double[several.labels().size()];
                record.labels().forEach(label -> truth[several.labels().indexOf(label)] = 1);
                yield truth;
            }
            case Problem.Regression _ -> new double[] {record.number()};
        };
    }

    @Override
    public boolean equals(@org.jspecify.annotations.Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(truth);
    }
}
