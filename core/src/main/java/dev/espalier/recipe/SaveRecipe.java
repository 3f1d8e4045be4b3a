package dev.espalier.recipe;

@Doc("When checkpoints are saved; at the end, and when the run is stopped, one always is.")
public record SaveRecipe(
        @Doc("How far apart two checkpoints are.") Duration every,
        @Doc(
                        value = "How many checkpoints are kept, the latest ones.",
                        byDefault = "3",
                        in = "[1, ∞)")
                int keep) {}
