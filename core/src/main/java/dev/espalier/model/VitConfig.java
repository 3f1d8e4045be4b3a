package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import dev.espalier.nn.Conv2d;
import dev.espalier.nn.MultiHeadAttention;
import dev.espalier.nn.Positions.Grid;
import dev.espalier.nn.PostNormBlock;
import dev.espalier.nn.PreNormBlock;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a ViT's encoder, as the `config.json` of a ViT, a ViT-MAE or a YOLOS says it.
///
/// @param imageHeight of the pictures whose patches the learnt positions are for, in pixels
/// @param imageWidth likewise
/// @param patch height and width of a patch in pixels
/// @param inner the width of the MLP's hidden layer
/// @param activation one of [Activation#NAMES]
/// @param attentionDropout the share of attention weights dropped while training
public record VitConfig(
        int imageHeight,
        int imageWidth,
        int patch,
        int channels,
        int width,
        int layers,
        int heads,
        int inner,
        String activation,
        double dropout,
        double attentionDropout,
        double epsilon,
        double initializerRange) {
    public VitConfig {
        if (width % heads != 0) {
            throw EspalierException.data(
                    "a width of " + width + " is not divisible by " + heads + " heads");
        }
        if (imageHeight < patch || imageWidth < patch) {
            throw EspalierException.data(
                    "image_size %d x %d is smaller than patch_size %d"
                            .formatted(imageHeight, imageWidth, patch));
        }
        Activation.check("hidden_act", activation);
        for (var share : new double[] {dropout, attentionDropout}) {
            if (!(share >= 0 && share < 1)) {
                throw EspalierException.data("a dropout of " + share + " is not in [0, 1)");
            }
        }
    }

    /// A new model of the published recipe at another size, for square pictures of three channels.
    /// Its weights start about as wide as Xavier's rule has them (Glorot and Bengio 2010), as in
    /// the paper's own code: the library's 0.02 is for widths of about 768, and leaves a small
    /// model where it is for many epochs.
    public static VitConfig of(
            int image, int patch, int width, int layers, int heads, double dropout) {
        return new VitConfig(
                image,
                image,
                patch,
                3,
                width,
                layers,
                heads,
                4 * width,
                "gelu",
                dropout,
                dropout,
                1e-12,
                Math.sqrt(0.5 / width));
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static VitConfig of(JsonNode json) {
        var type = json.path("model_type").asString("vit");
        var keys = new ConfigKeys(json);
        keys.require("qkv_bias", true, type);
        var yolos = type.equals("yolos");
        var size = keys.size("image_size", yolos ? 512 : 224, yolos ? 864 : 224);
        return new VitConfig(
                size[0],
                size[1],
                keys.integer("patch_size", 16),
                keys.channels(),
                keys.integer("hidden_size", 768),
                keys.integer("num_hidden_layers", 12),
                keys.integer("num_attention_heads", 12),
                keys.integer("intermediate_size", 3072),
                keys.text("hidden_act", "gelu"),
                keys.number("hidden_dropout_prob", 0),
                keys.number("attention_probs_dropout_prob", 0),
                keys.positive("layer_norm_eps", 1e-12),
                keys.number("initializer_range", 0.02));
    }

    /// The keys of `config.json` that this record decides, for a model of this type.
    public ObjectNode json(String type) {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("attention_probs_dropout_prob", attentionDropout);
        json.put("hidden_act", activation);
        json.put("hidden_dropout_prob", dropout);
        json.put("hidden_size", width);
        if (imageHeight == imageWidth && !type.equals("yolos")) {
            json.put("image_size", imageHeight);
        } else {
            json.putArray("image_size").add(imageHeight).add(imageWidth);
        }
        json.put("initializer_range", initializerRange);
        json.put("intermediate_size", inner);
        json.put("layer_norm_eps", epsilon);
        json.put("model_type", type);
        json.put("num_attention_heads", heads);
        json.put("num_channels", channels);
        json.put("num_hidden_layers", layers);
        json.put("patch_size", patch);
        json.put("qkv_bias", true);
        return json;
    }

    /// This shape with every dropout set to `share`.
    public VitConfig withDropout(double share) {
        return new VitConfig(
                imageHeight,
                imageWidth,
                patch,
                channels,
                width,
                layers,
                heads,
                inner,
                activation,
                share,
                share,
                epsilon,
                initializerRange);
    }

    /// The patches of the pictures that the positions are for.
    Grid grid() {
        return grid(imageHeight, imageWidth);
    }

    /// The whole patches of a picture; what is left over at its right and below is not seen.
    Grid grid(long height, long width) {
        return new Grid(height / patch, width / patch);
    }

    Conv2d.Shape patches() {
        return Conv2d.Shape.patches(channels, width, patch);
    }

    private static final PreNormBlock.Names BLOCK =
            new PreNormBlock.Names(
                    "layernorm_before",
                    new MultiHeadAttention.Names(
                            "attention.attention.query",
                            "attention.attention.key",
                            "attention.attention.value",
                            "attention.output.dense"),
                    "layernorm_after",
                    "intermediate.dense",
                    "output.dense");

    PreNormBlock block() {
        return new PreNormBlock(
                BLOCK,
                new PostNormBlock.Shape(width, heads, inner, activation, epsilon),
                attentionDropout,
                dropout);
    }

    /// Those of the forward pass of a picture of which `tokens` pass through the blocks.
    double multiplications(long height, long pictureWidth, double tokens) {
        return grid(height, pictureWidth).count() * (double) channels * patch * patch * width
                + tokens * layers * width * (4.0 * width + 2.0 * inner + 2 * tokens);
    }

    /// The weights of the body's tables and matrices.
    public double bodyWeights() {
        return (double) width * (grid().count() + (double) channels * patch * patch)
                + layers * (double) width * (4.0 * width + 2.0 * inner);
    }
}
