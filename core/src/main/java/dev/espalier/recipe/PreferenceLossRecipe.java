package dev.espalier.recipe;

/// How a preference becomes a loss.
public sealed interface PreferenceLossRecipe {
    @Doc("Direct preference optimization (Rafailov et al. 2023).")
    record Dpo(
            @Doc(
                            value = "How strongly the model is held to where it started.",
                            byDefault = "0.1",
                            in = "(0, ∞)")
                    double beta,
            @Doc(
                            value =
                                    "The share of pairs that may be labelled the wrong way round (Mitchell 2023).",
                            byDefault = "0",
                            in = "[0, 0.5)")
                    double labelSmoothing)
            implements PreferenceLossRecipe {}

    @Doc(
            "Identity preference optimization (Azar et al. 2023), which does not drive sure pairs on for ever.")
    record Ipo(
            @Doc(
                            value = "How strongly the model is held to where it started.",
                            byDefault = "0.1",
                            in = "(0, ∞)")
                    double beta,
            @Doc(
                            value =
                                    "Whether log-probabilities are averaged over an answer's tokens, or summed as the"
                                            + " paper has it.",
                            byDefault = "true")
                    boolean average)
            implements PreferenceLossRecipe {}

    @Doc(
            "Kahneman–Tversky optimization (Ethayarajh et al. 2024): chosen answers are desirable and rejected ones"
                    + " undesirable, each by itself. A step's pairs pass through the model together but for"
                    + " memory, `training.micro-batch` at once.")
    record Kto(
            @Doc(
                            value = "How strongly the model is held to where it started.",
                            byDefault = "0.1",
                            in = "(0, ∞)")
                    double beta,
            @Doc(value = "The weight of chosen answers.", byDefault = "1", in = "[0, ∞)")
                    double desirableWeight,
            @Doc(value = "The weight of rejected answers.", byDefault = "1", in = "[0, ∞)")
                    double undesirableWeight)
            implements PreferenceLossRecipe {}
}
