package dev.espalier.task;

import dev.espalier.data.LabelledText;
import dev.espalier.model.Problem;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

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

    /// `truth` as a person reads it.
    static String shown(Problem problem, double[] truth) {
        return switch (problem) {
            case Problem.SingleLabel one -> one.labels().get((int) truth[0]);
            case Problem.MultiLabel several ->
                    IntStream.range(0, truth.length)
                            .filter(l -> truth[l] > 0)
                            .mapToObj(several.labels()::get)
                            .collect(Collectors.joining(", "));
            case Problem.Regression _ -> String.valueOf(truth[0]);
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
