package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Against the steps that PyTorch's AdamW makes from the same gradients.
class AdamWTest {
    private static final Path GOLDEN =
            Path.of(System.getProperty("espalier.goldens"), "optimisers");

    private static final class Weights extends Module {
        final Parameter w1 = parameter("w1", 8, 6);
        final Parameter w2 = parameter("w2", 3, 8);
    }

    @ParameterizedTest
    @ValueSource(strings = {"adamw", "adamw_b95_wd0.1", "adamw_eps0.01"})
    void everyStepIsPyTorchs(String setting) {
        var args =
                Json.read(GOLDEN.resolve("golden.json"))
                        .path("optimisers")
                        .path(setting)
                        .path("args");
        var module = new Weights();
        try (var tensors = SafeTensors.open(GOLDEN.resolve("golden.safetensors"));
                var scope = new Scope()) {
            for (var p : module.parameters().entrySet()) {
                p.getValue().value().copyInPlace(at(tensors, setting, p.getKey(), 0));
            }
            try (var flat = new FlatParameters(module);
                    var adam =
                            new AdamW(
                                    flat,
                                    args.path("betas").get(0).asDouble(),
                                    args.path("betas").get(1).asDouble(),
                                    args.path("eps").asDouble(),
                                    args.path("weight_decay").asDouble())) {
                for (var step = 0; step < 20; step++) {
                    for (var slot : flat.slots()) {
                        flat.gradients()
                                .narrow(0, slot.offset(), 24L * (slot.name().equals("w1") ? 2 : 1))
                                .copyInPlace(
                                        at(tensors, setting, slot.name() + ".grad", step)
                                                .reshape(-1));
                    }
                    adam.step(args.path("lr").asDouble());
                    for (var p : module.parameters().entrySet()) {
                        var got = p.getValue().value().detach().floats();
                        var want = at(tensors, setting, p.getKey(), step + 1).floats();
                        for (var i = 0; i < want.length; i++) {
                            assertThat(got[i])
                                    .as("%s, step %d", p.getKey(), step)
                                    .isCloseTo(want[i], within(2e-6f));
                        }
                    }
                }
                assertThat(adam.steps()).isEqualTo(20);
            }
        }
    }

    private static Tensor at(SafeTensors tensors, String setting, String name, int step) {
        var entry = tensors.find(setting + ".mlp." + name).orElseThrow();
        return Tensor.of(DType.FLOAT, entry.data(), entry.shape()).select(0, step);
    }
}
