package dev.espalier.model;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.generate.TokenGenerator;
import dev.espalier.io.Json;
import dev.espalier.nn.Attention;
import dev.espalier.plan.Anatomy;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LlamaTest {
    private static final int[] IDS = {3, 1, 4, 1, 5, 9, 2, 6};

    private static LlamaConfig config(String type, String more) {
        return config(type, "2", more);
    }

    private static LlamaConfig config(String type, String keyValueHeads, String more) {
        return LlamaConfig.of(
                Json.mapper()
                        .readTree(
                                """
                                {'model_type': '%s', 'vocab_size': 40, 'hidden_size': 24,
                                 'num_attention_heads': 4, 'num_key_value_heads': %s,
                                 'num_hidden_layers': 3, 'intermediate_size': 20,
                                 'max_position_embeddings': 32 %s}\
                                """
                                        .formatted(type, keyValueHeads, more)
                                        .replace('\'', '"')));
    }

    /// Weights large enough that attention is far from even; biases too.
    private static Llama lively(LlamaConfig config) {
        Torch.seed(7);
        var model = new Llama(config).initialize(1);
        model.parameters()
                .forEach((name, p) -> {
                    if (p.isMatrix() || name.endsWith(".bias")) {
                        Torch.noGrad(() -> p.value().normalInPlace(0.3));
                    }
                });
        return model;
    }

    private static void copy(Llama from, Llama to) {
        to.parameters()
                .forEach((name, p) ->
                        Torch.noGrad(() -> {
                            var source = from.parameters().get(name);
                            if (source != null) {
                                p.value().copyInPlace(source.value());
                            }
                        }));
    }

    private static float[] hidden(Llama model, @Nullable Tensor mask) {
        var positions = Tensor.arange(0, IDS.length).unsqueeze(0);
        return Torch.noGrad(
                () -> model.hidden(Tensor.of(IDS, 1, IDS.length), positions, mask, null).floats());
    }

    @Test
    void aWindowAsLongAsTheTextIsNone() {
        try (var scope = new Scope()) {
            var llama = lively(config("llama", ""));
            var mistral = new Llama(config("mistral", ", 'sliding_window': 8"));
            copy(llama, mistral);
            assertThat(hidden(mistral, null)).isEqualTo(hidden(llama, null));
        }
    }

    @Test
    void aWindowIsTheMaskThatHidesWhatIsFartherBack() {
        try (var scope = new Scope()) {
            var mistral = lively(config("mistral", ", 'sliding_window': 3"));
            var llama = new Llama(config("llama", ""));
            copy(mistral, llama);
            var t = IDS.length;
            var mask = new float[t * t];
            for (var i = 0; i < t; i++) {
                for (var j = 0; j < t; j++) {
                    mask[i * t + j] = j <= i && i - j < 3 ? 0 : -Float.MAX_VALUE;
                }
            }
            var want = hidden(llama, Tensor.of(mask, t, t));
            assertThat(hidden(mistral, null)).containsExactly(want, within(1e-5f));
            assertThat(hidden(llama, null)).isNotEqualTo(want);
        }
    }

    @Test
    void qwenHasTheWindowInItsLastBlocksAlone() {
        try (var scope = new Scope()) {
            var whole =
                    lively(config("qwen2", ", 'use_sliding_window': false, 'sliding_window': 2"));
            var last = new Llama(qwenWindow(2));
            var none = new Llama(qwenWindow(3));
            var all = new Llama(qwenWindow(0));
            for (var model : List.of(last, none, all)) {
                copy(whole, model);
            }
            var positions = Tensor.arange(0, IDS.length).unsqueeze(0);
            var ids = Tensor.of(IDS, 1, IDS.length);
            Torch.noGrad(() -> {
                var a = whole.states(ids, positions, null);
                var b = last.states(ids, positions, null);
                assertThat(b.get(2).floats()).isEqualTo(a.get(2).floats());
                assertThat(b.get(3).floats()).isNotEqualTo(a.get(3).floats());
            });
            assertThat(hidden(none, null)).isEqualTo(hidden(whole, null));
            assertThat(hidden(all, null)).isNotEqualTo(hidden(last, null));
        }
    }

    private static LlamaConfig qwenWindow(int from) {
        return config(
                "qwen2",
                ", 'use_sliding_window': true, 'sliding_window': 2, 'max_window_layers': " + from);
    }

    @Test
    void qwensBiasesAreThoseOfQueriesKeysAndValues() {
        var qwen = new Llama(config("qwen2", ""));
        assertThat(qwen.parameters().keySet())
                .contains(
                        "model.layers.0.self_attn.q_proj.bias",
                        "model.layers.0.self_attn.k_proj.bias",
                        "model.layers.0.self_attn.v_proj.bias")
                .doesNotContain(
                        "model.layers.0.self_attn.o_proj.bias", "model.layers.0.mlp.up_proj.bias");
        // A Llama with all of its biases but those of the output computes the same.
        try (var scope = new Scope()) {
            var from = lively(config("qwen2", ""));
            var llama = new Llama(config("llama", ", 'attention_bias': true"));
            copy(from, llama);
            assertThat(hidden(llama, null)).isEqualTo(hidden(from, null));
            var bias =
                    requireNonNull(llama.parameters().get("model.layers.2.self_attn.v_proj.bias"));
            Torch.noGrad(() -> bias.value().addInPlace(1));
            assertThat(hidden(llama, null)).isNotEqualTo(hidden(from, null));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "llama, false, false",
        "llama, true, false",
        "llama, true, true",
        "mistral, false, false",
        "qwen2, false, false"
    })
    void weightsAreThoseOfThePublishedLayout(String type, boolean attention, boolean mlp) {
        var model =
                new Llama(
                        config(
                                type,
                                ", 'head_dim': 8, 'attention_bias': "
                                        + attention
                                        + ", 'mlp_bias': "
                                        + mlp));
        var block = 24 * 8 * (4 + 2 + 2) + 8 * 4 * 24 + 3 * 24 * 20 + 2 * 24;
        var qkv = attention || type.equals("qwen2") ? 8 * (4 + 2 + 2) : 0;
        var others = (attention ? 24 : 0) + (mlp ? 2 * 20 + 24 : 0);
        assertThat(model.parameterCount()).isEqualTo(2 * 40 * 24 + 24 + 3 * (block + qkv + others));
        assertThat(model.matrixWeights()).isEqualTo(model.parameterCount() - 40 * 24);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "qwen2"})
    void theCacheGivesWhatTheWholeSequenceGives(String type) {
        try (var scope = new Scope()) {
            var model =
                    lively(
                            config(
                                    type,
                                    ", 'use_sliding_window': true, 'max_window_layers': 1,"
                                            + " 'sliding_window': 3"));
            var want = hidden(model, null);
            var cache = model.cache(1, IDS.length);
            var width = model.width();
            // Three at first, then one by one.
            for (var i = 0; i < IDS.length; i += i == 0 ? 3 : 1) {
                var count = i == 0 ? 3 : 1;
                var ids = java.util.Arrays.copyOfRange(IDS, i, i + count);
                var positions = Tensor.arange(i, i + count).unsqueeze(0);
                var mask = Attention.causal(count, i + count);
                var got =
                        Torch.noGrad(() ->
                                        model.hidden(
                                                Tensor.of(ids, 1, count), positions, mask, cache))
                                .floats();
                for (var c = 0; c < got.length; c++) {
                    assertThat(got[c]).isCloseTo(want[i * width + c], within(2e-5f));
                }
            }
        }
    }

    @Test
    void newWeightsHaveThePublishedStatisticsAndDependOnTheSeedAlone() {
        var shape = config("qwen2", ", 'initializer_range': 0.05, 'tie_word_embeddings': true");
        var model = new Llama(shape).initialize(1);
        assertThat(model.parameters()).doesNotContainKey("lm_head.weight");
        model.parameters()
                .forEach((name, parameter) -> {
                    var square = 0.0;
                    var values = parameter.value().floats();
                    for (var v : values) {
                        square += v * v / values.length;
                    }
                    var want = parameter.isMatrix() ? 0.05 : name.endsWith(".bias") ? 0 : 1;
                    assertThat(Math.sqrt(square)).as(name).isCloseTo(want, within(0.15 * want));
                });
        assertThat(new Llama(shape).initialize(1).head().floats()).isEqualTo(model.head().floats());
        assertThat(new Llama(shape).initialize(2).head().floats())
                .isNotEqualTo(model.head().floats());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "'num_attention_heads': 5 | num_attention_heads",
                "'num_key_value_heads': 3 | num_key_value_heads",
                "'head_dim': 3 | head_dim",
                "'hidden_size': 99999999999 | hidden_size",
                "'hidden_act': 'swiglu2' | hidden_act",
                "'attention_dropout': 1.5 | attention_dropout",
                "'attention_bias': 'yes' | attention_bias",
                "'rms_norm_eps': 0 | rms_norm_eps",
                "'rope_theta': -1 | rope_theta",
                "'partial_rotary_factor': 0.5 | partial_rotary_factor",
                "'quantization_config': {} | quantization_config",
                "'rope_scaling': {'type': 'longrope', 'factor': 2} | longrope",
                "'rope_scaling': {'type': 'linear'} | factor",
                "'rope_scaling': {'type': 'linear', 'factor': 2, 'mscale': 1} | mscale",
                "'rope_scaling': {'type': 'yarn', 'factor': 2, 'mscale_all_dim': 1} | mscale_all_dim",
                "'rope_parameters': {'rope_type': 'default', 'partial_rotary_factor': 0.5} | partial",
                "'model_type': 'qwen2', 'use_sliding_window': true,"
                        + " 'layer_types': ['sliding_attention', 'full_attention', 'full_attention']"
                        + " | layer_types"
            })
    void configsThatCannotBeHonouredAreRefusedByName(String change, String named) {
        var json = config("llama", "").json();
        var changes = Json.mapper().readTree("{" + change.replace('\'', '"') + "}");
        changes.properties().forEach(e -> json.set(e.getKey(), e.getValue()));
        assertThatThrownBy(() -> LlamaConfig.of(json))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(named);
    }

    @Test
    void configsOfOlderAndNewerReleasesSayTheSame() {
        var old =
                config(
                        "llama",
                        ", 'rope_theta': 5e5, 'rope_scaling': {'type': 'linear', 'factor': 2}");
        var newer =
                config(
                        "llama",
                        ", 'rope_parameters': {'rope_theta': 5e5, 'rope_type': 'linear', 'factor': 2.0}");
        assertThat(newer).isEqualTo(old);
        for (var type : List.of("llama", "mistral", "qwen2")) {
            // None means as many as there are heads of queries.
            assertThat(config(type, "null", "")).isEqualTo(config(type, "4", ""));
        }
        assertThat(
                        config(
                                "qwen2",
                                ", 'use_sliding_window': true, 'sliding_window': 2, 'layer_types':"
                                        + " ['full_attention', 'sliding_attention', 'sliding_attention']"))
                .isEqualTo(qwenWindow(1));
    }

    /// Of 32 positions as `max_position_embeddings` has them.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`` | 32",
                "{'type': 'linear', 'factor': 4} | 32",
                "{'type': 'dynamic', 'factor': 2.5} | 80",
                "{'type': 'yarn', 'factor': 4} | 128",
                "{'type': 'yarn', 'factor': 4, 'original_max_position_embeddings': 32} | 128",
                "{'type': 'yarn', 'factor': 4, 'original_max_position_embeddings': 8} | 32",
                "{'type': 'yarn', 'original_max_position_embeddings': 8} | 32",
                "{'type': 'llama3', 'factor': 4, 'original_max_position_embeddings': 8} | 32",
                "{'type': 'dynamic', 'factor': 1e12} | 2147483647"
            })
    void scaledPositionsStretchTheContext(String scaling, int context) {
        var more = scaling.isEmpty() ? "" : ", 'rope_scaling': " + scaling;
        for (var type : List.of("llama", "mistral", "qwen2")) {
            var config = config(type, more);
            var model = new Llama(config);
            assertThat(model.context()).isEqualTo(context);
            assertThat(new TokenGenerator(model, 40).room(30)).isEqualTo(context - 30);
            assertThat(LlamaConfig.of(config.json()).stretched()).isEqualTo(context);
            assertThat(Anatomy.of(config.json()).context()).isEqualTo(context);
            model.free();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ", 'rope_scaling': {'rope_type': 'llama3', 'factor': 8.0, 'low_freq_factor': 1.0,"
                        + " 'high_freq_factor': 4.0, 'original_max_position_embeddings': 16}",
                ", 'rope_scaling': {'type': 'yarn', 'factor': 4.0, 'attention_factor': 1.5}",
                ", 'head_dim': 10, 'tie_word_embeddings': true, 'attention_bias': true",
                ", 'use_sliding_window': true, 'sliding_window': 4, 'max_window_layers': 1"
            })
    void aConfigIsReadBackAsItIsWritten(String more) {
        for (var type : List.of("llama", "mistral", "qwen2")) {
            var config = config(type, more);
            assertThat(LlamaConfig.of(config.json())).isEqualTo(config);
            assertThat(config.withDropout(0.5).attentionDropout()).isEqualTo(0.5);
        }
    }
}
