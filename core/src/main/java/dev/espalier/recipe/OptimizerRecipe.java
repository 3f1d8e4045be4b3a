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
                    double weightDecay,
            @Doc(
                            value =
                                    "Whether to divide by the largest second moment so far (AMSGrad, Reddi et al. 2018).",
                            byDefault = "false")
                    boolean amsgrad,
            @Doc(
                            value =
                                    "Whether the decay shrinks the weights; or else it is a part of their gradients, as"
                                            + " Adam's was before AdamW.",
                            byDefault = "true")
                    boolean decoupled)
            implements OptimizerRecipe {
        public AdamW {
            betas = List.copyOf(betas);
        }

        /// As published.
        public AdamW(double rate, List<Double> betas, double epsilon, double weightDecay) {
            this(rate, betas, epsilon, weightDecay, false, true);
        }
    }

    @Doc(
            "Adafactor (Shazeer and Stern 2018): of a matrix's second moments only the means of its rows and columns are"
                    + " kept, so that its state is small beside the weights.")
    record Adafactor(
            @Doc(
                            value =
                                    "The peak learning rate, relative to the weights' size where `scale-parameter` is on.",
                            byDefault = "1e-2",
                            in = "(0, 10]")
                    double rate,
            @Doc(
                            value =
                                    "Whether the rate is at most 1 / √t at step t, as published: with `schedule: {type:"
                                            + " constant}`, which a warm-up of 10000 steps makes Hugging Face's `warmup_init`.",
                            byDefault = "true")
                    boolean relativeStep,
            @Doc(
                            value =
                                    "Whether the rate is a factor of the root mean square of a parameter's weights.",
                            byDefault = "true")
                    boolean scaleParameter,
            @Doc(
                            value = "The decay of the first moment; 0 keeps none.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double momentum,
            @Doc(
                            value =
                                    "The largest root mean square of a parameter's update, in rates.",
                            byDefault = "1",
                            in = "(0, ∞)")
                    double clipThreshold,
            @Doc(
                            value = "Each step shrinks the weights by this times the rate.",
                            byDefault = "0",
                            in = "[0, 100]")
                    double weightDecay)
            implements OptimizerRecipe {}

    @Doc(
            "Lion (Chen et al. 2023): each weight goes as far as the rate, by the sign of momentum and gradient mixed;"
                    + " half of AdamW's state.")
    record Lion(
            @Doc(
                            value = "The peak learning rate, 3 to 10 times smaller than AdamW's.",
                            byDefault = "1e-4",
                            in = "(0, 10]")
                    double rate,
            @Doc(
                            value =
                                    "The share of the momentum in the direction, and the decay of the momentum.",
                            byDefault = "[0.9, 0.99]",
                            in = "[0, 1)")
                    List<Double> betas,
            @Doc(
                            value =
                                    "Each step shrinks the weights by this times the rate; 3 to 10 times AdamW's.",
                            byDefault = "1",
                            in = "[0, 100]")
                    double weightDecay)
            implements OptimizerRecipe {
        public Lion {
            betas = List.copyOf(betas);
        }
    }

    @Doc("Stochastic gradient descent with momentum.")
    record Sgd(
            @Doc(value = "The peak learning rate.", byDefault = "0.1", in = "(0, 100]") double rate,
            @Doc(
                            value = "The decay of the momentum; 0 keeps none.",
                            byDefault = "0.9",
                            in = "[0, 1)")
                    double momentum,
            @Doc(
                            value =
                                    "The share of the gradient that is left out of the momentum, but for the first step's.",
                            byDefault = "0",
                            in = "[0, 1)")
                    double dampening,
            @Doc(value = "Whether the momentum looks ahead, after Nesterov.", byDefault = "false")
                    boolean nesterov,
            @Doc(
                            value = "This times the weights is added to their gradients.",
                            byDefault = "0",
                            in = "[0, 100]")
                    double weightDecay)
            implements OptimizerRecipe {}

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
