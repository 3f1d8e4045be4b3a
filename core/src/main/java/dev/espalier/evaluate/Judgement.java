package dev.espalier.evaluate;

import java.util.List;

/// What was told of a set of records, beside what is true of them.
public sealed interface Judgement permits Classification, LabelSets, Regression {
    /// The metrics over all records, each with its 95 % interval.
    ///
    /// @param seed of the bootstrap
    List<Score> scores(String data, long seed);

    /// The metrics of each label, as `f1:LABEL` and so on.
    List<Score> labelScores(String data);
}
