package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

/// What a model learns from raw text.
public sealed interface ObjectiveRecipe {
    @Doc("Predict each token from those before it, as GPT does.")
    record Causal(
            @Doc(
                            value =
                                    "The tokens of a training sequence; `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[1, 1048576]")
                    @Nullable Integer length,
            @Doc(
                            value =
                                    "Whether a token sees the documents before its own in the sequence. `false` keeps"
                                            + " documents apart: positions begin anew with each, no document foretells the"
                                            + " next one's first token, and validation measures each by itself.",
                            byDefault = "true")
                    boolean acrossDocuments)
            implements ObjectiveRecipe {}

    @Doc(
            "Tell tokens that were hidden from all the others, as BERT does; which are hidden is drawn anew"
                    + " each time a text is seen, as RoBERTa does (Liu et al. 2019). For encoders.")
    record Masked(
            @Doc(
                            value =
                                    "The most tokens of a training sequence, those around the text included; `auto` is"
                                            + " the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[3, 1048576]")
                    @Nullable Integer length,
            @Doc(
                            value = "The share of the tokens, or of the words, to be told.",
                            byDefault = "15%",
                            in = "(0, 1]")
                    double rate,
            @Doc(
                            value = "The share of these that the mask hides.",
                            byDefault = "80%",
                            in = "[0, 1]")
                    double masked,
            @Doc(
                            value =
                                    "The share of these in whose place a random token stands; the others stay as they"
                                            + " are.",
                            byDefault = "10%",
                            in = "[0, 1]")
                    double random,
            @Doc(
                            value =
                                    "Whether all tokens of a word are told together. A word is a run of letters and"
                                            + " digits.",
                            byDefault = "false")
                    boolean wholeWords,
            @Doc(
                            value =
                                    "What a training sequence holds: as many whole sentences as fit, across the ends of"
                                            + " documents (`full-sentences`) or from one document"
                                            + " (`doc-sentences`).",
                            byDefault = "full-sentences")
                    Blocks blocks)
            implements ObjectiveRecipe {
        /// The paper's input formats without next sentence prediction.
        public enum Blocks {
            FULL_SENTENCES,
            DOC_SENTENCES
        }
    }
}
