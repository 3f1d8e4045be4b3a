package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a T5, as its `config.json` says it.
///
/// @param context the length that it is trained on (`n_positions`), which limits nothing
/// @param headWidth of a head; the heads together may be wider or narrower than `width`
/// @param inner the width of the MLPs' hidden layers
/// @param activation one of [Activation#NAMES]
/// @param gated whether the MLPs are gated, as in T5 1.1
/// @param tied whether the head is the table of tokens, as in T5 1.0
/// @param buckets of distances
/// @param mostDistance the distance from which all are alike
/// @param padding the id of padding
/// @param start the token that the decoder begins with
/// @param end the token that ends a text
public record T5Config(
        int vocabulary,
        int context,
        int width,
        int headWidth,
        int heads,
        int inner,
        int encoderLayers,
        int decoderLayers,
        String activation,
        boolean gated,
        boolean tied,
        int buckets,
        int mostDistance,
        double dropout,
        double epsilon,
        double initializerFactor,
        int padding,
        int start,
        int end) {
    private static final String GATED = "gated-";

    public T5Config {
        Activation.check("feed_forward_proj", activation);
        if (!(dropout >= 0 && dropout < 1)) {
            throw EspalierException.data("dropout_rate is " + dropout + ", not in [0, 1)");
        }
        if (buckets < 4 || buckets % 4 != 0 || mostDistance <= buckets / 2) {
            throw EspalierException.data(
                    "relative_attention_num_buckets must be a multiple of 4, and"
                            + " relative_attention_max_distance more than half of it, but they are "
                            + buckets
                            + " and "
                            + mostDistance);
        }
        ConfigKeys.requireId("pad_token_id", padding, vocabulary);
        ConfigKeys.requireId("decoder_start_token_id", start, vocabulary);
        ConfigKeys.requireId("eos_token_id", end, vocabulary);
    }

    /// A new model of the published recipe at another size, with as many layers in the encoder as
    /// in the decoder. Its decoder begins with padding.
    ///
    /// @param gated whether it is a T5 1.1, gated by GELU and with a head of its own, or a T5 1.0
    public static T5Config of(
            int vocabulary,
            int context,
            int width,
            int layers,
            int heads,
            int headWidth,
            int inner,
            boolean gated,
            double dropout,
            int padding,
            int end) {
        return new T5Config(
                vocabulary,
                context,
                width,
                headWidth,
                heads,
                inner,
                layers,
                layers,
                gated ? "gelu_new" : "relu",
                gated,
                !gated,
                32,
                128,
                dropout,
                1e-6,
                1,
                padding,
                padding,
                end);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static T5Config of(JsonNode json) {
        var keys = new ConfigKeys(json);
        var form = keys.text("feed_forward_proj", "relu");
        var gated = form.startsWith(GATED);
        var named = gated ? form.substring(GATED.length()) : form;
        // This name alone means the approximation.
        var activation = gated && named.equals("gelu") ? "gelu_new" : named;
        // The library computes by these two where a file has them, which it writes alike.
        if (keys.flag("is_gated_act", gated) != gated
                || !keys.text("dense_act_fn", activation).equals(activation)) {
            throw EspalierException.data(
                    "feed_forward_proj '%s' contradicts is_gated_act %s and dense_act_fn %s"
                            .formatted(form, json.get("is_gated_act"), json.get("dense_act_fn")));
        }
        var layers = keys.integer("num_layers", 6);
        var padding = keys.id("pad_token_id", 0);
        return new T5Config(
                keys.integer("vocab_size", 32128),
                keys.integer("n_positions", 512),
                keys.integer("d_model", 512),
                keys.integer("d_kv", 64),
                keys.integer("num_heads", 8),
                keys.integer("d_ff", 2048),
                layers,
                keys.integer("num_decoder_layers", layers),
                activation,
                gated,
                keys.flag("tie_word_embeddings", true),
                keys.integer("relative_attention_num_buckets", 32),
                keys.integer("relative_attention_max_distance", 128),
                keys.number("dropout_rate", 0.1),
                keys.positive("layer_norm_epsilon", 1e-6),
                keys.number("initializer_factor", 1),
                padding,
                keys.id("decoder_start_token_id", padding),
                keys.id("eos_token_id", 1));
    }

    /// This shape with another dropout, which is the same everywhere.
    public T5Config withDropout(double share) {
        return of(json().put("dropout_rate", share));
    }

    public T5Config withVocabulary(int size) {
        return of(json().put("vocab_size", size));
    }

    /// The weights of the body's table and matrices.
    public double bodyWeights() {
        var attention = 4.0 * heads * headWidth;
        var mlp = (gated ? 3.0 : 2.0) * inner;
        return (double) width
                        * (vocabulary
                                + encoderLayers * (attention + mlp)
                                + decoderLayers * (2 * attention + mlp))
                + 2.0 * buckets * heads;
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("d_ff", inner);
        json.put("d_kv", headWidth);
        json.put("d_model", width);
        json.put("decoder_start_token_id", start);
        json.put("dense_act_fn", activation);
        json.put("dropout_rate", dropout);
        json.put("eos_token_id", end);
        json.put(
                "feed_forward_proj",
                (gated ? GATED : "")
                        + (gated && activation.equals("gelu_new") ? "gelu" : activation));
        json.put("initializer_factor", initializerFactor);
        json.put("is_encoder_decoder", true);
        json.put("is_gated_act", gated);
        json.put("layer_norm_epsilon", epsilon);
        json.put("model_type", "t5");
        json.put("n_positions", context);
        json.put("num_decoder_layers", decoderLayers);
        json.put("num_heads", heads);
        json.put("num_layers", encoderLayers);
        json.put("pad_token_id", padding);
        json.put("relative_attention_max_distance", mostDistance);
        json.put("relative_attention_num_buckets", buckets);
        if (!tied) {
            json.put("tie_word_embeddings", false);
        }
        json.put("vocab_size", vocabulary);
        return json;
    }
}
