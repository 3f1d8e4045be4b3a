package dev.espalier.optim;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against the steps that the authors' Lion makes from the same gradients.
class LionTest {
    @ParameterizedTest
    @ValueSource(strings = {"lion", "lion_wd"})
    void everyStepIsTheAuthors(String setting) {
        GoldenSteps.check(
                setting,
                1e-6,
                (flat, args) -> {
                    var decay = args.path("weight_decay").asDouble();
                    return new Lion(
                            flat,
                            args.path("betas").get(0).asDouble(),
                            args.path("betas").get(1).asDouble(),
                            Segment.of(flat, _ -> true, _ -> new Segment.Setting(1, decay)));
                });
    }
}
