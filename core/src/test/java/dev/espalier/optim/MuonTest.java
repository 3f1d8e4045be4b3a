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
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Against the steps that Keller Jordan's code makes from the same gradients.
class MuonTest {
    private static final Path GOLDEN =
            Path.of(System.getProperty("espalier.goldens"), "optimisers");

    private static final class Weights extends Module {
        final Parameter w1;
        final Parameter w2;
        final Parameter bias = parameter("bias", 3);

        Weights(boolean transposed) {
            w1 = transposed ? parameter("w1", 6, 8) : parameter("w1", 8, 6);
            w2 = transposed ? parameter("w2", 8, 3) : parameter("w2", 3, 8);
        }

        Tensor weight(String name) {
            return (name.equals("w1") ? w1 : w2).value();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "muon_fp, false, 3e-6",
        "muon_fp, true, 3e-6",
        "muon_bf16, false, 0.05",
        "muon_2024_10_bf16, false, 0.05"
    })
    void everyStepIsTheOriginals(String setting, boolean transposed, double tolerance) {
        var args =
                Json.read(GOLDEN.resolve("golden.json"))
                        .path("optimisers")
                        .path(setting)
                        .path("args");
        var module = new Weights(transposed);
        try (var tensors = SafeTensors.open(GOLDEN.resolve("golden.safetensors"));
                var scope = new Scope()) {
            for (var name : List.of("w1", "w2")) {
                module.weight(name).copyInPlace(stored(at(tensors, setting, name, 0), transposed));
            }
            try (var flat = new FlatParameters(module);
                    var muon = muon(flat, transposed, setting, args.path("momentum").asDouble())) {
                for (var step = 0; step < 20; step++) {
                    for (var slot : flat.slots()) {
                        if (slot.isMatrix()) {
                            flat.gradients()
                                    .narrow(0, slot.offset(), slot.count())
                                    .copyInPlace(
                                            stored(
                                                            at(
                                                                    tensors,
                                                                    setting,
                                                                    slot.name() + ".grad",
                                                                    step),
                                                            transposed)
                                                    .reshape(-1));
                        }
                    }
                    muon.step(args.path("lr").asDouble());
                    for (var name : List.of("w1", "w2")) {
                        var got = module.weight(name).detach();
                        var want = at(tensors, setting, name, step + 1);
                        assertThat(stored(got, transposed).contiguous().floats())
                                .as("%s, step %d", name, step)
                                .containsExactly(want.floats(), within((float) tolerance));
                    }
                }
                assertThat(muon.steps()).isEqualTo(20);
                assertThat(muon.state()).containsOnlyKeys("momentum", "m", "v");
                assertThat(muon.state().values().stream().map(Tensor::count))
                        .containsExactly(72L, 3L, 3L);
            }
        }
    }

    @Test
    void allElseGoesByAdamWAtItsOwnRate() {
        var module = new Weights(false);
        try (var flat = new FlatParameters(module);
                var scope = new Scope();
                var muon = muon(flat, false, "muon_fp", 0.95)) {
            flat.gradients().addInPlace(1);
            muon.step(0.02);
            // Adam's first step goes as far as its rate, a tenth of Muon's here.
            assertThat(module.bias.value().detach().floats())
                    .containsExactly(new float[] {-0.002f, -0.002f, -0.002f}, within(1e-6f));
        }
    }

    /// Muon as it was first published goes √in further, which a factor of the rate says as well.
    private static Segment.Setting setting(String setting, FlatParameters.Slot slot) {
        return setting.startsWith("muon_2024")
                ? new Segment.Setting(Math.sqrt(slot.shape()[1]), 0)
                : new Segment.Setting(1, 0.1);
    }

    private static Muon muon(
            FlatParameters flat, boolean transposed, String setting, double momentum) {
        var matrices =
                flat.slots().stream()
                        .filter(FlatParameters.Slot::isMatrix)
                        .map(s -> new Muon.Matrix(s, transposed, setting(setting, s)))
                        .toList();
        var others = Segment.of(flat, s -> !s.isMatrix(), Segment.Settings.plain(0.1));
        var adamw = new AdamW(flat, 0.9, 0.95, 1e-8, AdamW.Variant.ADAMW, others);
        return new Muon(flat, matrices, momentum, setting.endsWith("bf16"), adamw, 0.1);
    }

    private static Tensor stored(Tensor weight, boolean transposed) {
        return Torch.noGrad(() -> transposed ? weight.transpose(0, 1) : weight);
    }

    private static Tensor at(SafeTensors tensors, String setting, String name, int step) {
        var entry = tensors.find(setting + ".mlp." + name).orElseThrow();
        return Tensor.of(DType.FLOAT, entry.data(), entry.shape()).select(0, step);
    }
}
