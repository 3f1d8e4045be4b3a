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
                                            + " digits; in scripts that put no spaces between words, such as Chinese,"
                                            + " Japanese and Thai, a letter.",
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

    @Doc(
            "Write a text from one that was spoilt, as BART does (Lewis et al. 2019). Counts are exact on"
                    + " average. Needs an encoder with a decoder, and a tokenizer with `<s>`, `</s>`,"
                    + " `<pad>` and `<mask>`.")
    record Denoising(
            @Doc(
                            value =
                                    "The most tokens of a text, those around it included; `auto` is the model's"
                                            + " context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[4, 1048576]")
                    @Nullable Integer length,
            @Doc(
                            value =
                                    "The share of the words that are hidden in spans, one mask a span.",
                            byDefault = "30%",
                            in = "[0, 1]")
                    double infilling,
            @Doc(
                            value =
                                    "The mean of the Poisson distribution from which the words of a span are drawn; a"
                                            + " span of none inserts a mask where the text gets no longer by it.",
                            byDefault = "3",
                            in = "(0, 100]")
                    double span,
            @Doc(
                            value = "The share of the sentences that change places.",
                            byDefault = "100%",
                            in = "[0, 1]")
                    double permuteSentences,
            @Doc(
                            value = "The share of the tokens that become masks.",
                            byDefault = "0%",
                            in = "[0, 1]")
                    double masking,
            @Doc(value = "The share of the tokens that disappear.", byDefault = "0%", in = "[0, 1)")
                    double deletion,
            @Doc(
                            value =
                                    "How often a document begins with one of its tokens, and what stood before that"
                                            + " follows its end.",
                            byDefault = "0%",
                            in = "[0, 1]")
                    double rotation)
            implements ObjectiveRecipe {}

    @Doc(
            "Write the spans that dropped out of a text, each behind its sentinel, as T5 does (Raffel et"
                    + " al. 2020). Needs an encoder with a decoder, and a tokenizer with `</s>` and `<pad>`."
                    + " A new one gets `<extra_id_0>` to `<extra_id_99>`, and any as many more as the lengths"
                    + " can need, unless the model exists: then `model.add-tokens` must name them.")
    record SpanCorruption(
            @Doc(
                            value =
                                    "The most tokens that the encoder sees, with the end; `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[4, 1048576]")
                    @Nullable Integer length,
            @Doc(
                            value =
                                    "The most tokens that the decoder is to write, with the end. The length of the text"
                                            + " follows from both; `auto` is what the text has that fills the encoder.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[3, 1048576]")
                    @Nullable Integer targetLength,
            @Doc(value = "The share of the tokens that drop out.", byDefault = "15%", in = "(0, 1)")
                    double density,
            @Doc(value = "The mean length of a span.", byDefault = "3", in = "[1, 1000]")
                    double span)
            implements ObjectiveRecipe {}

    @Doc(
            "Go on with a text, of which the encoder reads the beginning (prefix language modelling; Raffel"
                    + " et al. 2020, section 3.3.1). Needs an encoder with a decoder, and a tokenizer with"
                    + " `</s>` and `<pad>`.")
    record Prefix(
            @Doc(
                            value =
                                    "The tokens of a text, cut anywhere; `auto` is what the model's context has room"
                                            + " for.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[2, 1048576]")
                    @Nullable Integer length)
            implements ObjectiveRecipe {}

    @Doc(
            "Predict each token from those before it, where documents have their middle moved to their"
                    + " end, so that the model learns to fill gaps (Bavarian et al. 2022). For decoders;"
                    + " `<|fim_prefix|>`, `<|fim_middle|>` and `<|fim_suffix|>` are added to a new"
                    + " tokenizer.")
    record FillInTheMiddle(
            @Doc(
                            value =
                                    "The tokens of a training sequence; `auto` is the model's context.",
                            byDefault = "auto",
                            nothing = "auto",
                            in = "[8, 1048576]")
                    @Nullable Integer length,
            @Doc(
                            value = "The share of the documents that are rearranged.",
                            byDefault = "50%",
                            in = "[0, 1]")
                    double rate,
            @Doc(
                            value =
                                    "The share of these that are written suffix, prefix, middle (SPM); the others are"
                                            + " prefix, suffix, middle (PSM).",
                            byDefault = "50%",
                            in = "[0, 1]")
                    double suffixFirst)
            implements ObjectiveRecipe {}

    @Doc(
            "Tell the pixels of patches that were hidden from the few that are seen (He et al. 2021); which are hidden"
                    + " is drawn anew each time a picture is seen. For a ViT-MAE on sources of images.")
    record MaskedImage(
            @Doc(
                            value = "The share of the patches that are hidden.",
                            byDefault = "0.75",
                            in = "(0, 1)")
                    double ratio,
            @Doc(
                            value =
                                    "Whether each patch's pixels are told as so many of its own standard deviations around"
                                            + " its mean, from which more is learnt.",
                            byDefault = "true")
                    boolean normalised,
            @Doc(
                            value = "How pictures are changed at random.",
                            byDefault = "{crop: {area: [0.2, 1]}, flip: horizontal}")
                    AugmentRecipe augment)
            implements ObjectiveRecipe {}
}
