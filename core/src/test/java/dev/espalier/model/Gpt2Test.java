package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Gpt2Test {
    private static final Gpt2Config SMALL = Gpt2Config.of(50, 16, 32, 2, 4, 0);

    @Test
    void thePublishedSizeHasThePublishedNumberOfWeights() {
        // Radford et al. say 117 M for the smallest; their file has 124 439 808.
        var c = Gpt2Config.of(50257, 1024, 768, 12, 12, 0.1);
        var block = 12L * c.width() * c.width() + 13L * c.width();
        assertThat(50257L * 768 + 1024L * 768 + 12 * block + 2 * 768).isEqualTo(124_439_808);
        var model = new Gpt2(SMALL);
        assertThat(model.parameterCount())
                .isEqualTo(50 * 32 + 16 * 32 + 2 * (12 * 32 * 32 + 13 * 32) + 2 * 32);
    }

    @Test
    void newWeightsHaveThePublishedStatisticsAndDependOnTheSeedAlone() {
        var model = new Gpt2(Gpt2Config.of(500, 16, 64, 8, 4, 0)).initialize(1);
        model.parameters()
                .forEach((name, parameter) -> {
                    var values = parameter.value().floats();
                    var mean = 0.0;
                    var square = 0.0;
                    for (var v : values) {
                        mean += v / values.length;
                        square += v * v / values.length;
                    }
                    var want =
                            name.contains("ln_") && name.endsWith("weight")
                                    ? 1
                                    : name.endsWith("bias")
                                            ? 0
                                            : name.endsWith("c_proj.weight")
                                                    ? 0.02 / Math.sqrt(16)
                                                    : 0.02;
                    assertThat(Math.sqrt(square)).as(name).isCloseTo(want, within(0.08 * want));
                    if (parameter.isMatrix()) {
                        assertThat(mean).as(name).isCloseTo(0, within(0.1 * want));
                    }
                });
        var again = new Gpt2(model.config()).initialize(1);
        var other = new Gpt2(model.config()).initialize(2);
        assertThat(again.head().floats()).isEqualTo(model.head().floats());
        assertThat(other.head().floats()).isNotEqualTo(model.head().floats());
    }

    @Test
    void noTokenSeesWhatFollowsIt() {
        try (var scope = new Scope()) {
            var model = new Gpt2(SMALL).initialize(1);
            var a = Torch.noGrad(() -> model.hidden(Tensor.of(new int[] {1, 2, 3, 4}, 1, 4)));
            var b = Torch.noGrad(() -> model.hidden(Tensor.of(new int[] {1, 2, 3, 9}, 1, 4)));
            assertThat(a.narrow(1, 0, 3).floats()).isEqualTo(b.narrow(1, 0, 3).floats());
            assertThat(a.narrow(1, 3, 1).floats()).isNotEqualTo(b.narrow(1, 3, 1).floats());
        }
    }

    @Test
    void theCacheGivesWhatTheWholeSequenceGives() {
        try (var scope = new Scope()) {
            var model = new Gpt2(SMALL).initialize(1);
            var ids = new int[] {3, 1, 4, 1, 5, 9};
            var whole = Torch.noGrad(() -> model.hidden(Tensor.of(ids, 1, 6))).floats();
            var cache = model.cache(1, 6);
            for (var i = 0; i < ids.length; i++) {
                var at = i;
                var step =
                        Torch.noGrad(() ->
                                model.hidden(
                                        Tensor.of(new int[] {ids[at]}, 1, 1),
                                        Tensor.of(new int[] {at}, 1, 1),
                                        dev.espalier.nn.Attention.causal(1, at + 1L),
                                        cache));
                var got = step.floats();
                for (var c = 0; c < 32; c++) {
                    assertThat(got[c]).isCloseTo(whole[i * 32 + c], within(1e-5f));
                }
            }
            assertThat(cache.length()).isEqualTo(6);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'n_head': 5}",
                "{'n_layer': 0}",
                "{'vocab_size': -3}",
                "{'vocab_size': 99999999999}",
                "{'activation_function': 'swish'}",
                "{'add_cross_attention': true}",
                "{'tie_word_embeddings': false}",
                "{'attn_pdrop': 1.5}",
                "{'n_embd': 'wide'}"
            })
    void configsThatCannotBeHonouredAreRefusedByName(String json) {
        var node = Json.mapper().readTree(json.replace('\'', '"'));
        assertThatThrownBy(() -> Gpt2Config.of(node))
                .isInstanceOf(EspalierException.class)
                .message()
                .containsAnyOf(
                        "n_head",
                        "n_layer",
                        "vocab_size",
                        "swish",
                        "cross",
                        "tie_word",
                        "dropout",
                        "n_embd");
    }

    @Test
    void aConfigIsReadBackAsItIsWritten() {
        var config = Gpt2Config.of(50, 16, 32, 2, 4, 0.2);
        assertThat(Gpt2Config.of(config.json())).isEqualTo(config);
    }
}
