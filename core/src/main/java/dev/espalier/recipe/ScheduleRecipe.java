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
}
