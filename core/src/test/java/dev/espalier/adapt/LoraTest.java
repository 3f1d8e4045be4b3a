package dev.espalier.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

class LoraTest {
    private static final Lora.Settings SETTINGS =
            new Lora.Settings(4, 8, 0, List.of("attn.c_attn", "mlp.c_proj"));

    private static Gpt2 model() {
        return new Gpt2(Gpt2Config.of(30, 8, 16, 2, 2, 0)).initialize(1);
    }

    private static float[] output(Gpt2 model) {
        try (var scope = new Scope()) {
            return Torch.noGrad(
                    () -> model.hidden(Tensor.of(new int[] {1, 2, 3, 4}, 1, 4)).floats());
        }
    }

    private static void fillB(Gpt2 model) {
        var rng = Rng.at(9);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.contains("lora_B")) {
                        var values = new float[(int) p.value().count()];
                        for (var i = 0; i < values.length; i++) {
                            values[i] = (float) (0.1 * rng.nextGaussian());
                        }
                        p.value().segment().copyFrom(MemorySegment.ofArray(values));
                    }
                });
    }

    @Test
    void trainingStartsFromTheModelAsItIsAndTrainsTheAdaptersAlone() {
        var model = model();
        var before = output(model);
        var paths = Lora.attach(model, SETTINGS, 1);
        assertThat(paths)
                .containsExactly(
                        "transformer.h.0.attn.c_attn",
                        "transformer.h.0.mlp.c_proj",
                        "transformer.h.1.attn.c_attn",
                        "transformer.h.1.mlp.c_proj");
        assertThat(output(model)).isEqualTo(before);
        model.parameters()
                .forEach((name, p) ->
                        assertThat(p.trained()).as(name).isEqualTo(name.contains(".lora_")));
        assertThat(model.parameters()).containsKey("transformer.h.0.attn.c_attn.lora_A.weight");
    }

    @Test
    void mergingChangesTheWeightsAndNotTheOutputs() {
        var model = model();
        var plain = output(model);
        Lora.attach(model, SETTINGS, 1);
        fillB(model);
        var adapted = output(model);
        assertThat(adapted).isNotEqualTo(plain);
        Lora.merge(model);
        assertThat(model.parameters().keySet()).noneMatch(name -> name.contains("lora"));
        var merged = output(model);
        for (var i = 0; i < merged.length; i++) {
            assertThat(merged[i]).isCloseTo(adapted[i], within(1e-5f));
        }
    }

    @Test
    void aTargetThatNamesNothingIsRefusedWithWhatThereIs() {
        var model = model();
        assertThatThrownBy(
                        () -> Lora.attach(model, new Lora.Settings(4, 8, 0, List.of("q_proj")), 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("q_proj")
                .hasMessageContaining("c_attn");
    }
}
