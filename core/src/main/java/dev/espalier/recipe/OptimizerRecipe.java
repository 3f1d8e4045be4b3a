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

    @Doc(
            "Muon (Jordan 2024) for the matrices of the model's blocks: momentum whose direction is made nearly orthogonal."
                    + " Embeddings, heads, biases, norms and adapters go by AdamW.")
    record Muon(
            @Doc(
                            value = "The peak learning rate of the matrices.",
                            byDefault = "0.02",
                            in = "(0, 10]")
                    double rate,
            @Doc(value = "The momentum, after Nesterov.", byDefault = "0.95", in = "[0, 1)")
                    double momentum,
            @Doc(
                            value = "Each step shrinks the matrices by this times the rate.",
                            byDefault = "0.1",
                            in = "[0, 100]")
                    double weightDecay,
            @Doc(
                            value =
                                    "How all else is updated; its rate follows the schedule as well.",
                            key = "adamw",
                            byDefault = "{rate: 1e-3}")
                    AdamW others)
            implements OptimizerRecipe {}
}
