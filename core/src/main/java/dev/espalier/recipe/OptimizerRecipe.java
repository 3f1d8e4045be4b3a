package dev.espalier.recipe;

import java.util.List;

/// How gradients become updates.
public sealed interface OptimizerRecipe {
    /// The peak learning rate.
    double rate();

    @Doc(
            value =
                    "AdamW (Loshchilov and Hutter 2019): Adam with decoupled weight decay, none on biases and norms.",
            key = "adamw")
    record AdamW(
            @Doc(value = "The peak learning rate.", byDefault = "1e-3", in = "(0, 10]") double rate,
            @Doc(
                            value = "The decay of the first and of the second moment.",
                            byDefault = "[0.9, 0.95]",
                            in = "[0, 1)")
                    List<Double> betas,
            @Doc(
                            value = "Added to the root of the second moment.",
                            byDefault = "1e-8",
                            in = "(0, 1]")
                    double epsilon,
            @Doc(
                            value = "Each step shrinks the weights by this times the rate.",
                            byDefault = "0.1",
                            in = "[0, 100]")
                    double weightDecay)
            implements OptimizerRecipe {
        public AdamW {
            betas = List.copyOf(betas);
        }
    }
}
