package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.image.Mask;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a U-Net, as its `config.json` says it. The Hugging Face library has no such class;
/// the file is ours.
///
/// @param image height and width of the pictures that it was made for, in pixels
/// @param width channels of the finest level; each coarser one has twice as many
/// @param levels the finest included
public record UnetConfig(int channels, int image, int width, int levels) {
    static final String TYPE = "espalier-unet";

    public UnetConfig {
        if (levels > 8) {
            throw EspalierException.data("levels is " + levels + "; allowed: 1 to 8");
        }
        if (width % 8 != 0) {
            throw EspalierException.data("width " + width + " is not divisible by 8");
        }
    }

    public static UnetConfig of(JsonNode json) {
        var keys = new ConfigKeys(json);
        return new UnetConfig(
                keys.channels(),
                keys.integer("image_size", 256),
                keys.integer("width", 32),
                keys.integer("levels", 4));
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("image_size", image);
        json.put("levels", levels);
        json.put("model_type", TYPE);
        json.put("num_channels", channels);
        json.put(Segmenter.IGNORED, Mask.IGNORED);
        json.put("width", width);
        return json;
    }

    /// The side of which the coarsest level has a pixel.
    public int leastSide() {
        return 1 << (levels - 1);
    }

    long width(int level) {
        return (long) width << level;
    }

    /// The weights of the encoder's convolutions.
    public double bodyWeights() {
        var sum = 0.0;
        for (var level = 1; level < levels; level++) {
            sum += 9.0 * width(level) * (width(level) + width(level - 1));
        }
        return sum;
    }
}
