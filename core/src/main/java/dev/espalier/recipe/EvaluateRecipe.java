package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

@Doc("When and on how much validation data a run is measured; at the end it always is.")
public record EvaluateRecipe(
        @Doc("How far apart two measurements are.") Duration every,
        @Doc(
                        value = "The most validation tokens of a measurement during the run.",
                        byDefault = "all",
                        nothing = "all",
                        in = "[1, ∞)")
                @Nullable Long tokens) {}
