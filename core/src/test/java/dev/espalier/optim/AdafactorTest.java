package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against the steps that Hugging Face's Adafactor makes from the same gradients.
class AdafactorTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "adafactor_manual_lr",
                "adafactor_default",
                "adafactor_beta1_wd_scaled",
                "adafactor_warmup_init"
            })
    void everyStepIsHuggingFaces(String setting) {
        GoldenSteps.check(
                setting,
                3e-6,
                (flat, args) -> {
                    var decay = args.path("weight_decay").asDouble(0);
                    var adafactor =
                            new Adafactor(
                                    flat,
                                    new Adafactor.Options(
                                            args.path("relative_step").asBoolean(true),
                                            args.path("scale_parameter").asBoolean(true),
                                            args.path("beta1").asDouble(0),
                                            args.path("clip_threshold").asDouble(1)),
                                    _ -> new Segment.Setting(1, decay));
                    return switch (setting) {
                        // The rates that Hugging Face makes up where it is given none.
                        case "adafactor_default" -> at(adafactor, step -> 1e-2);
                        case "adafactor_warmup_init" -> at(adafactor, step -> 1e-6 * step);
                        default -> adafactor;
                    };
                });
    }

    /// `optimizer` at the rate of each step, from 1.
    private static Optimizer at(Adafactor optimizer, java.util.function.LongToDoubleFunction rate) {
        return new Optimizer() {
            @Override
            public void step(double unused) {
                optimizer.step(rate.applyAsDouble(optimizer.steps() + 1));
            }

            @Override
            public java.util.SequencedMap<String, Tensor> state() {
                return optimizer.state();
            }

            @Override
            public long steps() {
                return optimizer.steps();
            }

            @Override
            public void steps(long steps) {
                optimizer.steps(steps);
            }

            @Override
            public void close() {
                optimizer.close();
            }
        };
    }

    private static final class Weights extends Module {
        final Parameter matrix = parameter("matrix", 200, 300);
        final Parameter bias = parameter("bias", 300);
    }

    @Test
    void ofAMatrixARowAndAColumnAreKept() {
        try (var flat = new FlatParameters(new Weights());
                var plain =
                        new Adafactor(
                                flat,
                                new Adafactor.Options(true, true, 0, 1),
                                Segment.Settings.plain(0));
                var momentum =
                        new Adafactor(
                                flat,
                                new Adafactor.Options(true, true, 0.9, 1),
                                Segment.Settings.plain(0))) {
            assertThat(plain.state().values().stream().mapToLong(Tensor::count).sum())
                    .isEqualTo(200 + 300 + 300);
            assertThat(java.util.Objects.requireNonNull(momentum.state().get("m")).count())
                    .isEqualTo(60_300);
        }
    }

    @Test
    void theRateFallsWithTheRootOfTheStepsWhereItIsRelative() {
        var module = new Weights();
        try (var flat = new FlatParameters(module);
                var scope = new Scope();
                var adafactor =
                        new Adafactor(
                                flat,
                                new Adafactor.Options(true, false, 0, 1),
                                Segment.Settings.plain(0))) {
            flat.gradients().addInPlace(1);
            adafactor.steps(24);
            adafactor.step(1);
            // Second moments that begin at 0 make the step too long; it is cut to a rate of 1 /
            // √25.
            assertThat(flat.weights().floats()[0]).isBetween(-0.2001f, -0.1999f);
        }
    }
}
