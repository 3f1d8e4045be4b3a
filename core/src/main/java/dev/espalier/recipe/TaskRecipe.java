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
}
