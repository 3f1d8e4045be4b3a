package dev.espalier.optim;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against the steps that PyTorch's SGD makes from the same gradients.
class SgdTest {
    @ParameterizedTest
    @ValueSource(strings = {"sgd", "sgd_momentum", "sgd_momentum_wd_dampening", "sgd_nesterov_wd"})
    void everyStepIsPyTorchs(String setting) {
        GoldenSteps.check(
                setting,
                2e-6,
                (flat, args) -> {
                    var decay = args.path("weight_decay").asDouble(0);
                    return new Sgd(
                            flat,
                            new Sgd.Options(
                                    args.path("momentum").asDouble(0),
                                    args.path("dampening").asDouble(0),
                                    args.path("nesterov").asBoolean(false)),
                            Segment.of(flat, _ -> true, _ -> new Segment.Setting(1, decay)));
                });
    }
}
