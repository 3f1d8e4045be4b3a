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
                    @Nullable Integer length)
            implements ObjectiveRecipe {}
}
