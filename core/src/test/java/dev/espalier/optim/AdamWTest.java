package dev.espalier.optim;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against the steps that PyTorch's AdamW and Adam make from the same gradients.
class AdamWTest {
    @ParameterizedTest
    @ValueSource(
            strings = {"adamw", "adamw_b95_wd0.1", "adamw_eps0.01", "adamw_amsgrad", "adam_l2"})
    void everyStepIsPyTorchs(String setting) {
        GoldenSteps.check(
                setting,
                2e-6,
                (flat, args) -> {
                    var decay = args.path("weight_decay").asDouble();
                    return new AdamW(
                            flat,
                            args.path("betas").get(0).asDouble(),
                            args.path("betas").get(1).asDouble(),
                            args.path("eps").asDouble(),
                            new AdamW.Variant(
                                    args.path("amsgrad").asBoolean(false),
                                    !setting.equals("adam_l2")),
                            Segment.of(flat, _ -> true, _ -> new Segment.Setting(1, decay)));
                });
    }
}
