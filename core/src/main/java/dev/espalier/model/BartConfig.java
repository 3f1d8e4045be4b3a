package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a BART, as its `config.json` says it.
///
/// @param positions the most tokens of an input or an output
/// @param encoderInner the width of the MLPs' hidden layers
/// @param activation one of [Activation#NAMES]
/// @param activationDropout the share of the MLPs' hidden layers dropped while training
/// @param classifierDropout that of what a classifier's maps read
/// @param scaleEmbedding whether tokens are multiplied by √D before positions are added
/// @param padding the id of padding, whose embedding is not trained by look-ups
/// @param start the token that the decoder begins with
/// @param end the token that ends a text
public record BartConfig(
        int vocabulary,
        int positions,
        int width,
        int encoderLayers,
        int decoderLayers,
        int encoderHeads,
        int decoderHeads,
        int encoderInner,
        int decoderInner,
        String activation,
        double dropout,
        double attentionDropout,
        double activationDropout,
        double classifierDropout,
        boolean scaleEmbedding,
        double initStd,
        int padding,
        int start,
        int end) {
    public BartConfig {
        for (var heads : new int[] {encoderHeads, decoderHeads}) {
            if (width % heads != 0) {
                throw EspalierException.data(
                        "d_model " + width + " is not divisible by " + heads + " heads");
            }
        }
        Activation.check("activation_function", activation);
        for (var share :
                new double[] {dropout, attentionDropout, activationDropout, classifierDropout}) {
            if (!(share >= 0 && share < 1)) {
                throw EspalierException.data("a dropout of " + share + " is not in [0, 1)");
            }
        }
        ConfigKeys.requireId("pad_token_id", padding, vocabulary);
        ConfigKeys.requireId("decoder_start_token_id", start, vocabulary);
        ConfigKeys.requireId("eos_token_id", end, vocabulary);
    }

    /// A new model of the published recipe at another size, with as many layers in the encoder as
    /// in the decoder and MLPs of four times the width. Its decoder begins with the token that ends
    /// a text.
    public static BartConfig of(
            int vocabulary,
            int context,
            int width,
            int layers,
            int heads,
            double dropout,
            int padding,
            int end) {
        return new BartConfig(
                vocabulary,
                context,
                width,
                layers,
                layers,
                heads,
                heads,
                4 * width,
                4 * width,
                "gelu",
                dropout,
                dropout,
                0,
                0,
                false,
                0.02,
                padding,
                end,
                end);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static BartConfig of(JsonNode json) {
        var keys = new ConfigKeys(json);
        keys.require("tie_word_embeddings", true, "bart");
        keys.require("normalize_embedding", true, "bart");
        for (var key :
                new String[] {
                    "normalize_before",
                    "add_final_layer_norm",
                    "add_bias_logits",
                    "static_position_embeddings"
                }) {
            keys.require(key, false, "bart");
        }
        for (var key : new String[] {"encoder_layerdrop", "decoder_layerdrop"}) {
            if (keys.number(key, 0) != 0) {
                throw EspalierException.data(key + " is not supported for bart; allowed: 0");
            }
        }
        return new BartConfig(
                keys.integer("vocab_size", 50265),
                keys.integer("max_position_embeddings", 1024),
                keys.integer("d_model", 1024),
                keys.integer("encoder_layers", 12),
                keys.integer("decoder_layers", 12),
                keys.integer("encoder_attention_heads", 16),
                keys.integer("decoder_attention_heads", 16),
                keys.integer("encoder_ffn_dim", 4096),
                keys.integer("decoder_ffn_dim", 4096),
                keys.text("activation_function", "gelu"),
                keys.number("dropout", 0.1),
                keys.number("attention_dropout", 0),
                keys.number("activation_dropout", 0),
                // Older files have the other name.
                keys.number("classifier_dropout", keys.number("classif_dropout", 0)),
                keys.flag("scale_embedding", false),
                keys.number("init_std", 0.02),
                keys.id("pad_token_id", 1),
                keys.id("decoder_start_token_id", 2),
                keys.id("eos_token_id", 2));
    }

    /// This shape with every dropout set to `share`.
    public BartConfig withDropout(double share) {
        return of(
                json().put("dropout", share)
                        .put("attention_dropout", share)
                        .put("activation_dropout", share)
                        .put("classifier_dropout", share));
    }

    public BartConfig withVocabulary(int size) {
        return of(json().put("vocab_size", size));
    }

    /// The weights of the body's tables and matrices.
    public double bodyWeights() {
        return (double) width * (vocabulary + 2.0 * positions)
                + encoderLayers * (double) width * (4.0 * width + 2.0 * encoderInner)
                + decoderLayers * (double) width * (8.0 * width + 2.0 * decoderInner);
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("activation_dropout", activationDropout);
        json.put("activation_function", activation);
        json.put("attention_dropout", attentionDropout);
        json.put("classifier_dropout", classifierDropout);
        json.put("d_model", width);
        json.put("decoder_attention_heads", decoderHeads);
        json.put("decoder_ffn_dim", decoderInner);
        json.put("decoder_layerdrop", 0.0);
        json.put("decoder_layers", decoderLayers);
        json.put("decoder_start_token_id", start);
        json.put("dropout", dropout);
        json.put("encoder_attention_heads", encoderHeads);
        json.put("encoder_ffn_dim", encoderInner);
        json.put("encoder_layerdrop", 0.0);
        json.put("encoder_layers", encoderLayers);
        json.put("eos_token_id", end);
        json.put("init_std", initStd);
        json.put("is_encoder_decoder", true);
        json.put("max_position_embeddings", positions);
        json.put("model_type", "bart");
        json.put("num_hidden_layers", encoderLayers);
        json.put("pad_token_id", padding);
        json.put("scale_embedding", scaleEmbedding);
        json.put("vocab_size", vocabulary);
        return json;
    }
}
