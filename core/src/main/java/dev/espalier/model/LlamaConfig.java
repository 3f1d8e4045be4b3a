package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import dev.espalier.nn.RotaryEmbedding;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a Llama, a Mistral or a Qwen2, as its `config.json` says it. The three differ in
/// where biases stand, in the window, and in what `config.json` may leave out.
///
/// @param width of the hidden states
/// @param heads of queries
/// @param keyValueHeads of keys and values, a divisor of `heads`
/// @param headWidth even, since rotation takes pairs
/// @param hidden the width of the MLP's hidden layer
/// @param activation one of [Activation#NAMES]
/// @param theta the base of the rotary angles
/// @param tied whether the head is the token table
/// @param queryBias whether the maps to queries, keys and values have biases
/// @param outputBias whether the map out of attention has one
/// @param mlpBias whether the MLP's maps have them
/// @param window positions that a token sees, itself included; null for all before it
/// @param windowFrom the first block that has the window
public record LlamaConfig(
        Kind kind,
        int vocabulary,
        int context,
        int width,
        int layers,
        int heads,
        int keyValueHeads,
        int headWidth,
        int hidden,
        String activation,
        double theta,
        RotaryEmbedding.Scaling scaling,
        double epsilon,
        double initializerRange,
        double attentionDropout,
        boolean tied,
        boolean queryBias,
        boolean outputBias,
        boolean mlpBias,
        @Nullable Integer window,
        int windowFrom) {
    /// The families that this code serves.
    public enum Kind {
        /// Touvron et al. 2023 (arXiv:2302.13971) and its successors.
        LLAMA,
        /// Jiang et al. 2023 (arXiv:2310.06825): a sliding window.
        MISTRAL,
        /// Yang et al. 2024 (arXiv:2407.10671): biases on queries, keys and values.
        QWEN2;

        /// As `model_type` has it.
        String type() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private static final String ROPE = "rope_scaling";

    public LlamaConfig {
        if (heads % keyValueHeads != 0) {
            throw EspalierException.data(
                    "num_attention_heads "
                            + heads
                            + " is not divisible by num_key_value_heads "
                            + keyValueHeads);
        }
        if (headWidth % 2 != 0) {
            throw EspalierException.data(
                    "head_dim " + headWidth + " is odd, but rotary positions turn pairs");
        }
        Activation.check("hidden_act", activation);
        if (!(attentionDropout >= 0 && attentionDropout < 1)) {
            throw EspalierException.data(
                    "attention_dropout " + attentionDropout + " is not in [0, 1)");
        }
    }

    /// A new model of the published recipe at another size.
    ///
    /// @param window positions that a token sees; null for all
    public static LlamaConfig of(
            Kind kind,
            int vocabulary,
            int context,
            int width,
            int layers,
            int heads,
            int keyValueHeads,
            int hidden,
            double theta,
            double dropout,
            boolean tied,
            @Nullable Integer window) {
        return new LlamaConfig(
                kind,
                vocabulary,
                context,
                width,
                layers,
                heads,
                keyValueHeads,
                width / heads,
                hidden,
                "silu",
                theta,
                new RotaryEmbedding.None(),
                kind == Kind.QWEN2 ? 1e-6 : 1e-5,
                0.02,
                dropout,
                tied,
                kind == Kind.QWEN2,
                false,
                false,
                window,
                0);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static LlamaConfig of(JsonNode json) {
        var type = json.path("model_type").asString("llama");
        var kind =
                List.of(Kind.values()).stream()
                        .filter(k -> k.type().equals(type))
                        .findFirst()
                        .orElseThrow(() ->
                                EspalierException.data("model_type '" + type + "' is no Llama"));
        var keys = new ConfigKeys(json);
        refuse(json);
        var width = keys.integer("hidden_size", 4096);
        var heads = keys.integer("num_attention_heads", 32);
        if (!keys.has("head_dim") && width % heads != 0) {
            throw EspalierException.data(
                    "hidden_size "
                            + width
                            + " is not divisible by num_attention_heads "
                            + heads
                            + ", and there is no head_dim");
        }
        var layers = keys.integer("num_hidden_layers", 32);
        var context =
                keys.integer(
                        "max_position_embeddings",
                        switch (kind) {
                            case LLAMA -> 2048;
                            case MISTRAL -> 131_072;
                            case QWEN2 -> 32_768;
                        });
        // Since version 5 of the library theta stands among the other settings of the angles.
        var rope = keys.has("rope_parameters") ? json.path("rope_parameters") : json.path(ROPE);
        var windowed =
                kind == Kind.QWEN2 ? keys.flag("use_sliding_window", false) : kind == Kind.MISTRAL;
        var noWindow = json.path("sliding_window").isNull();
        var window = windowed && !noWindow ? (Integer) keys.integer("sliding_window", 4096) : null;
        return new LlamaConfig(
                kind,
                keys.integer("vocab_size", kind == Kind.QWEN2 ? 151_936 : 32_000),
                context,
                width,
                layers,
                heads,
                keys.integer(
                        "num_key_value_heads",
                        json.path("num_key_value_heads").isNull() || kind == Kind.LLAMA
                                ? heads
                                : kind == Kind.MISTRAL ? 8 : 32),
                keys.integer("head_dim", width / heads),
                keys.integer(
                        "intermediate_size",
                        switch (kind) {
                            case LLAMA -> 11_008;
                            case MISTRAL -> 14_336;
                            case QWEN2 -> 22_016;
                        }),
                keys.text("hidden_act", "silu"),
                new ConfigKeys(rope).positive("rope_theta", keys.positive("rope_theta", 10_000)),
                scaling(rope, context),
                keys.positive("rms_norm_eps", 1e-6),
                keys.positive("initializer_range", 0.02),
                keys.number("attention_dropout", 0),
                keys.flag("tie_word_embeddings", false),
                kind == Kind.QWEN2 || kind == Kind.LLAMA && keys.flag("attention_bias", false),
                kind == Kind.LLAMA && keys.flag("attention_bias", false),
                kind == Kind.LLAMA && keys.flag("mlp_bias", false),
                window,
                windowFrom(json, kind, keys, window, layers));
    }

    /// `pretraining_tp` only splits products into parts, and so is passed over.
    private static void refuse(JsonNode json) {
        var keys = new ConfigKeys(json);
        if (keys.number("partial_rotary_factor", 1) != 1) {
            throw EspalierException.data("partial_rotary_factor is not supported");
        }
        if (keys.has("quantization_config")) {
            throw EspalierException.data(
                    "quantization_config is not supported; save the weights as they were before");
        }
    }

    /// Qwen2's first blocks may see everything; newer files name the kind of each block.
    private static int windowFrom(
            JsonNode json, Kind kind, ConfigKeys keys, @Nullable Integer window, int layers) {
        var from =
                kind == Kind.QWEN2
                        ? (int) Math.clamp(keys.number("max_window_layers", 28), 0, layers)
                        : 0;
        if (window == null || !keys.has("layer_types")) {
            return window == null ? 0 : from;
        }
        var types = json.path("layer_types").valueStream().map(t -> t.asString("")).toList();
        var first = types.indexOf("sliding_attention");
        var split = first < 0 ? types.size() : first;
        if (types.size() != layers
                || !types.subList(0, split).stream().allMatch("full_attention"::equals)
                || !types.subList(split, layers).stream().allMatch("sliding_attention"::equals)) {
            throw EspalierException.data(
                    "layer_types "
                            + types
                            + " is not supported; allowed: full_attention for the first blocks and"
                            + " sliding_attention for the others, one for each of "
                            + layers);
        }
        return split;
    }

    private static RotaryEmbedding.Scaling scaling(JsonNode rope, int context) {
        if (rope.isMissingNode() || rope.isNull()) {
            return new RotaryEmbedding.None();
        }
        var keys = new ConfigKeys(rope);
        var type = keys.text("rope_type", keys.text("type", "default"));
        if (type.equals("default")) {
            known(rope, type, Set.of());
            return new RotaryEmbedding.None();
        }
        var factor = keys.number("factor", Double.NaN);
        if (!(factor >= 1) && !(type.equals("yarn") && !keys.has("factor"))) {
            throw EspalierException.data(
                    ROPE
                            + ": factor is "
                            + rope.path("factor")
                            + "; a number of at least 1 is needed");
        }
        var original = "original_max_position_embeddings";
        return switch (type) {
            case "linear" -> {
                known(rope, type, Set.of("factor"));
                yield new RotaryEmbedding.Linear(factor);
            }
            case "dynamic" -> {
                known(rope, type, Set.of("factor"));
                yield new RotaryEmbedding.Dynamic(factor);
            }
            case "llama3" -> {
                known(
                        rope,
                        type,
                        Set.of("factor", "low_freq_factor", "high_freq_factor", original));
                var low = keys.positive("low_freq_factor", 1);
                var high = keys.positive("high_freq_factor", 4);
                if (high <= low) {
                    throw EspalierException.data(
                            ROPE
                                    + ": high_freq_factor "
                                    + high
                                    + " must be above low_freq_factor "
                                    + low);
                }
                yield new RotaryEmbedding.Llama3(factor, low, high, keys.integer(original, 8192));
            }
            case "yarn" -> {
                known(
                        rope,
                        type,
                        Set.of(
                                "factor",
                                original,
                                "attention_factor",
                                "beta_fast",
                                "beta_slow",
                                "truncate"));
                var positions = keys.integer(original, context);
                yield new RotaryEmbedding.Yarn(
                        keys.has("factor") ? factor : context / (double) positions,
                        positions,
                        keys.has("attention_factor")
                                ? (Double) keys.positive("attention_factor", 1)
                                : null,
                        keys.positive("beta_fast", 32),
                        keys.positive("beta_slow", 1),
                        keys.flag("truncate", true));
            }
            default ->
                    throw EspalierException.data(
                            ROPE
                                    + ": type '"
                                    + type
                                    + "' is not supported; allowed: default, linear, dynamic, llama3,"
                                    + " yarn");
        };
    }

    private static void known(JsonNode rope, String type, Set<String> allowed) {
        for (var key : rope.propertyNames()) {
            if (!allowed.contains(key)
                    && !Set.of("type", "rope_type", "rope_theta").contains(key)) {
                throw EspalierException.data(
                        ROPE + ": " + key + " is not supported with the type " + type);
            }
        }
    }

    /// The positions that the model knows, scaled ones included. What `context` says of YaRN's and
    /// Llama 3.1's is stretched already where it is more than they were first trained on. Of linear
    /// scaling no file says which of the two it tells, and so it is taken as it stands.
    public int stretched() {
        var most =
                switch (scaling) {
                    case RotaryEmbedding.None _,
                            RotaryEmbedding.Linear _,
                            RotaryEmbedding.Llama3 _ ->
                            context;
                    case RotaryEmbedding.Dynamic dynamic -> dynamic.factor() * context;
                    case RotaryEmbedding.Yarn yarn ->
                            yarn.original() < context
                                    ? context
                                    : Math.max(context, yarn.factor() * yarn.original());
                };
        return (int) Math.min(Integer.MAX_VALUE, most);
    }

    /// This shape with another dropout of attention weights, the only one that the families have.
    public LlamaConfig withDropout(double share) {
        return of(json().put("attention_dropout", share));
    }

    public LlamaConfig withVocabulary(int size) {
        return of(json().put("vocab_size", size));
    }

    /// The weights of the body's table and matrices.
    public double bodyWeights() {
        var attention = 2.0 * headWidth * (heads + keyValueHeads);
        return (double) width * vocabulary + layers * (double) width * (attention + 3.0 * hidden);
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        if (kind == Kind.LLAMA) {
            json.put("attention_bias", outputBias);
            json.put("mlp_bias", mlpBias);
            json.put("pretraining_tp", 1);
        }
        json.put("attention_dropout", attentionDropout);
        if (headWidth * heads != width) {
            json.put("head_dim", headWidth);
        }
        json.put("hidden_act", activation);
        json.put("hidden_size", width);
        json.put("initializer_range", initializerRange);
        json.put("intermediate_size", hidden);
        json.put("max_position_embeddings", context);
        json.put("model_type", kind.type());
        json.put("num_attention_heads", heads);
        json.put("num_hidden_layers", layers);
        json.put("num_key_value_heads", keyValueHeads);
        json.put("rms_norm_eps", epsilon);
        json.set(ROPE, scalingJson());
        json.put("rope_theta", theta);
        if (kind == Kind.QWEN2) {
            json.put("max_window_layers", window == null ? layers : windowFrom);
            json.put("use_sliding_window", window != null);
        }
        if (kind != Kind.LLAMA) {
            json.put("sliding_window", window);
        }
        json.put("tie_word_embeddings", tied);
        json.put("vocab_size", vocabulary);
        return json;
    }

    private JsonNode scalingJson() {
        var json = JsonNodeFactory.instance.objectNode();
        switch (scaling) {
            case RotaryEmbedding.None _ -> {
                return JsonNodeFactory.instance.nullNode();
            }
            case RotaryEmbedding.Linear s ->
                    json.put("factor", s.factor()).put("rope_type", "linear");
            case RotaryEmbedding.Dynamic s ->
                    json.put("factor", s.factor()).put("rope_type", "dynamic");
            case RotaryEmbedding.Llama3 s ->
                    json.put("factor", s.factor())
                            .put("high_freq_factor", s.high())
                            .put("low_freq_factor", s.low())
                            .put("original_max_position_embeddings", (long) s.original())
                            .put("rope_type", "llama3");
            case RotaryEmbedding.Yarn s -> {
                json.put("factor", s.factor())
                        .put("original_max_position_embeddings", (long) s.original())
                        .put("beta_fast", s.fast())
                        .put("beta_slow", s.slow())
                        .put("truncate", s.truncate())
                        .put("rope_type", "yarn");
                if (s.attention() != null) {
                    json.put("attention_factor", s.attention());
                }
            }
        }
        return json;
    }
}
