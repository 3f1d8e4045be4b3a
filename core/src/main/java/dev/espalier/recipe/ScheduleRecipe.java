package dev.espalier.recipe;

/// How the learning rate goes over a run.
public sealed interface ScheduleRecipe {
    /// How long the rate rises linearly from zero to its peak.
    Span warmup();

    @Doc(
            "After the warm-up the rate falls along half a cosine to the floor, reached at the run's end.")
    record Cosine(
            @Doc(
                            value =
                                    "How long the rate rises from zero: a share of the run (`2%`) or a duration (`100 steps`).",
                            byDefault = "2%")
                    Span warmup,
            @Doc(value = "The last rate as a share of the peak.", byDefault = "10%", in = "[0, 1]")
                    double floor)
            implements ScheduleRecipe {}

    @Doc("After the warm-up the rate stays at its peak.")
    record Constant(
            @Doc(
                            value =
                                    "How long the rate rises from zero: a share of the run (`2%`) or a duration (`100 steps`).",
                            byDefault = "2%")
                    Span warmup)
            implements ScheduleRecipe {}

    @Doc("After the warm-up the rate falls along a line to the floor, reached at the run's end.")
    record Linear(
            @Doc(
                            value =
                                    "How long the rate rises from zero: a share of the run (`2%`) or a duration (`100 steps`).",
                            byDefault = "2%")
                    Span warmup,
            @Doc(value = "The last rate as a share of the peak.", byDefault = "0%", in = "[0, 1]")
                    double floor)
            implements ScheduleRecipe {}

    @Doc(
            "After the warm-up the rate falls with the square root of the steps made (Vaswani et al. 2017); the run's length"
                    + " does not matter.")
    record InverseSquareRoot(
            @Doc(
                            value =
                                    "How long the rate rises from zero: a share of the run (`2%`) or a duration (`100 steps`).",
                            byDefault = "2%")
                    Span warmup)
            implements ScheduleRecipe {}

    @Doc(
            "After the warm-up the rate stays at its peak and falls only at the end (Hu et al. 2024), so that a run can be"
                    + " prolonged from a checkpoint before the fall.")
    record WarmupStableDecay(
            @Doc(
                            value =
                                    "How long the rate rises from zero: a share of the run (`2%`) or a duration (`100 steps`).",
                            byDefault = "2%")
                    Span warmup,
            @Doc(
                            value =
                                    "How long the rate falls, as 1 - √progress (Hägele et al. 2024): the last share of the run or a duration.",
                            byDefault = "20%")
                    Span decay,
            @Doc(value = "The last rate as a share of the peak.", byDefault = "0%", in = "[0, 1]")
                    double floor)
            implements ScheduleRecipe {}
}
