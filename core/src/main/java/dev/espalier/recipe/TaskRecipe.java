package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

/// What a model learns from labelled records.
public sealed interface TaskRecipe {
    @Doc("Tell which one of several labels a text has.")
    record Classification(
            @Doc(value = "The column or key that holds the text.", byDefault = "text") String text,
            @Doc(value = "The column or key that holds the label.", byDefault = "label")
                    String label,
            @Doc(
                            value =
                                    "The most tokens of a text; longer ones are cut, and counted. `auto` is the model's"
                                            + " context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxLength,
            @Doc(
                            value =
                                    "`balanced` weighs each label's loss by the inverse of its frequency; `none` weighs"
                                            + " every record alike.",
                            byDefault = "none")
                    ClassWeights classWeights,
            @Doc(
                            value =
                                    "What learns to tell the label. `every-token`: the states of all tokens, later ones"
                                            + " with more weight, which learns more from few labels. `last-token`: the"
                                            + " state of the last alone. Labels are predicted from the last token"
                                            + " either way. Encoders learn and predict by the first token's"
                                            + " state.",
                            byDefault = "every-token")
                    LearnFrom learnFrom)
            implements TaskRecipe {
        /// How the labels' losses are weighed.
        public enum ClassWeights {
            NONE,
            BALANCED
        }

        /// Whose states learn to tell the label.
        public enum LearnFrom {
            EVERY_TOKEN,
            LAST_TOKEN
        }
    }

    @Doc(
            "Tell a tag of each word of a text: named entities in IOB1, IOB2 or IOBES, or word classes. The"
                    + " data are CoNLL, CoNLL-U (`.conllu`) or spans of characters (`.jsonl`).")
    record TokenLabelling(
            @Doc(
                            value =
                                    "Where a word's tag is: in CoNLL the number of a column from 1, in CoNLL-U a column's"
                                            + " name; `auto` is the last column, and `upos`.",
                            byDefault = "auto",
                            nothing = "auto")
                    @Nullable String column,
            @Doc(value = "The key of the text in JSONL.", byDefault = "text") String text,
            @Doc(
                            value =
                                    "The key of the list of spans in JSONL, each `{start, end, label}` with places in"
                                            + " characters.",
                            byDefault = "spans")
                    String spans,
            @Doc(
                            value =
                                    "The most tokens that the model sees at once; longer texts are read in pieces of"
                                            + " whole words. `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer maxLength)
            implements TaskRecipe {}
}
