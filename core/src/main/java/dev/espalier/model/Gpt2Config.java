package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a GPT-2, as its `config.json` says it.
///
/// @param inner the width of the MLP's hidden layer
/// @param activation one of [Activation#NAMES]
/// @param attentionDropout the share of attention weights dropped while training
/// @param scaleByLayer whether scores are divided by the block's number, counted from 1
public record Gpt2Config(
        int vocabulary,
        int context,
        int width,
        int layers,
        int heads,
        int inner,
        String activation,
        double residualDropout,
        double embeddingDropout,
        double attentionDropout,
        double epsilon,
        double initializerRange,
        boolean scale,
        boolean scaleByLayer) {
    public Gpt2Config {
        positive("vocab_size", vocabulary);
        positive("n_positions", context);
        positive("n_embd", width);
        positive("n_layer", layers);
        positive("n_head", heads);
        positive("n_inner", inner);
        if (width % heads != 0) {
            throw EspalierException.data(
                    "n_embd " + width + " is not divisible by n_head " + heads);
        }
        Activation.check("activation_function", activation);
        for (var share : new double[] {residualDropout, embeddingDropout, attentionDropout}) {
            if (!(share >= 0 && share < 1)) {
                throw EspalierException.data("a dropout of " + share + " is not in [0, 1)");
            }
        }
    }

    /// A new model of the published recipe at another size.
    public static Gpt2Config of(
            int vocabulary, int context, int width, int layers, int heads, double dropout) {
        return new Gpt2Config(
                vocabulary,
                context,
                width,
                layers,
                heads,
                4 * width,
                "gelu_new",
                dropout,
                dropout,
                dropout,
                1e-5,
                0.02,
                true,
                false);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static Gpt2Config of(JsonNode json) {
        var keys = new ConfigKeys(json);
        if (keys.flag("add_cross_attention", false)) {
            throw EspalierException.data("add_cross_attention is not supported for gpt2");
        }
        if (!keys.flag("tie_word_embeddings", true)) {
            throw EspalierException.data("tie_word_embeddings: false is not supported for gpt2");
        }
        var width = keys.integer("n_embd", 768);
        return new Gpt2Config(
                keys.integer("vocab_size", 50257),
                keys.integer("n_positions", 1024),
                width,
                keys.integer("n_layer", 12),
                keys.integer("n_head", 12),
                keys.integer("n_inner", 4L * width),
                keys.text("activation_function", "gelu_new"),
                keys.number("resid_pdrop", 0.1),
                keys.number("embd_pdrop", 0.1),
                keys.number("attn_pdrop", 0.1),
                keys.positive("layer_norm_epsilon", 1e-5),
                keys.number("initializer_range", 0.02),
                keys.flag("scale_attn_weights", true),
                keys.flag("scale_attn_by_inverse_layer_idx", false));
    }

    /// This shape with another activation: `gelu`, the exact one, is the faster on processors.
    public Gpt2Config withActivation(String other) {
        return new Gpt2Config(
                vocabulary,
                context,
                width,
                layers,
                heads,
                inner,
                other,
                residualDropout,
                embeddingDropout,
                attentionDropout,
                epsilon,
                initializerRange,
                scale,
                scaleByLayer);
    }

    /// This shape with every dropout set to `share`.
    public Gpt2Config withDropout(double share) {
        return new Gpt2Config(
                vocabulary,
                context,
                width,
                layers,
                heads,
                inner,
                activation,
                share,
                share,
                share,
                epsilon,
                initializerRange,
                scale,
                scaleByLayer);
    }

    public Gpt2Config withVocabulary(int size) {
        return new Gpt2Config(
                size,
                context,
                width,
                layers,
                heads,
                inner,
                activation,
                residualDropout,
                embeddingDropout,
                attentionDropout,
                epsilon,
                initializerRange,
                scale,
                scaleByLayer);
    }

    /// The weights of the body's tables and matrices.
    public double bodyWeights() {
        return (double) width * ((double) vocabulary + context)
                + layers * (double) width * (4.0 * width + 2.0 * inner);
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("activation_function", activation);
        json.put("attn_pdrop", attentionDropout);
        json.put("embd_pdrop", embeddingDropout);
        json.put("initializer_range", initializerRange);
        json.put("layer_norm_epsilon", epsilon);
        json.put("model_type", "gpt2");
        json.put("n_embd", width);
        json.put("n_head", heads);
        if (inner == 4 * width) {
            json.putNull("n_inner");
        } else {
            json.put("n_inner", inner);
        }
        json.put("n_layer", layers);
        json.put("n_positions", context);
        json.put("resid_pdrop", residualDropout);
        json.put("scale_attn_by_inverse_layer_idx", scaleByLayer);
        json.put("scale_attn_weights", scale);
        json.put("vocab_size", vocabulary);
        return json;
    }

    private static void positive(String key, int value) {
        if (value < 1) {
            throw EspalierException.data(key + " is " + value + ", but must be at least 1");
        }
    }
}
