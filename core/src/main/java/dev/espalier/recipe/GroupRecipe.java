package dev.espalier.recipe;

import org.jspecify.annotations.Nullable;

@Doc("Weights that are updated in their own way.")
public record GroupRecipe(
        @Doc(
                        "The group's weights: those whose name, as in the model's files, holds a match of this regular"
                                + " expression, such as `wte|wpe` or `\\.bias$`. Of several groups the last that matches counts.")
                String match,
        @Doc(
                        value =
                                "The factor of the learning rate; 0 leaves the weights as they are.",
                        byDefault = "1",
                        in = "[0, 1000]")
                double rateFactor,
        @Doc(
                        value =
                                "The group's weight decay, its biases and norms included; `auto` leaves it to the optimizer.",
                        byDefault = "auto",
                        nothing = "auto",
                        in = "[0, 100]")
                @Nullable Double weightDecay) {}
