package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

@Doc("What fine-tuning may forget of general text, and how it is kept from forgetting.")
public record ForgettingRecipe(
        @Doc("Where forgetting is measured, before and after.") Measure measure,
        @Doc(
                        value =
                                "The relative rise of the general text's perplexity that is allowed (0.05 is 5 %); the"
                                        + " run stops beyond it. `none` only measures.",
                        byDefault = "none",
                        in = "[0, ∞)")
                @Nullable Double budget,
        @Doc(value = "What keeps the model from forgetting.", byDefault = "{type: none}")
                DefenceRecipe defence) {

    @Doc("General text to measure perplexity on.")
    public record Measure(
            @Doc(
                            "A text file or a glob, whose first 65,536 tokens are measured; best not the text that is"
                                    + " replayed.")
                    String corpus) {}

    /// What keeps a model from forgetting.
    public sealed interface DefenceRecipe {
        @Doc("Nothing.")
        record None() implements DefenceRecipe {}

        @Doc("General text is trained on again beside the task, by the causal objective.")
        record Replay(
                @Doc(
                                value = "The share of a step's sequences that is general text.",
                                byDefault = "5%",
                                in = "(0, 1)")
                        double fraction,
                @Doc("A text file or a glob, whose first 65,536 tokens are replayed.")
                        String corpus)
                implements DefenceRecipe {}
    }
}
