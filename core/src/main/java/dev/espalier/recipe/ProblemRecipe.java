package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

/// What is told of a text; `problem_type` in Hugging Face's `config.json`.
public sealed interface ProblemRecipe {
    @Doc("One of several labels.")
    record SingleLabel() implements ProblemRecipe {}

    @Doc("Any number of labels, each by itself. In JSONL they may be a list.")
    record MultiLabel(
            @Doc(
                            value = "What stands between the labels of a record in a text.",
                            byDefault = "\";\"")
                    String separator,
            @Doc(
                            value =
                                    "The probability from which on a label is told; `validation` takes the one that"
                                            + " gives the highest micro-F1 on the validation records, whose own"
                                            + " figures are too good by that.",
                            byDefault = "0.5",
                            nothing = "validation",
                            in = "(0, 1)")
                    @Nullable Double threshold,
            @Doc(
                            value =
                                    "Whether a record may have none of the labels; else one without any is set aside"
                                            + " as broken.",
                            byDefault = "false")
                    boolean allowNone)
            implements ProblemRecipe {}

    @Doc(
            "A number. It is learnt in units of its standard deviation around its mean in the training records, and"
                    + " told in its own.")
    record Regression() implements ProblemRecipe {}
}
