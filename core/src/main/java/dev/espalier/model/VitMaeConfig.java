package dev.espalier.model;

import dev.espalier.EspalierException;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a ViT-MAE, as its `config.json` says it.
///
/// @param maskRatio the share of the patches that are hidden
/// @param normalised whether the pixels of each patch are to be told as so many of its own standard
///   deviations around its mean
public record VitMaeConfig(
        VitConfig encoder,
        int decoderWidth,
        int decoderLayers,
        int decoderHeads,
        int decoderInner,
        double maskRatio,
        boolean normalised) {
    /// The keys of `config.json` that a ViT has no use for.
    public static final List<String> OWN =
            List.of(
                    "decoder_hidden_size",
                    "decoder_intermediate_size",
                    "decoder_num_attention_heads",
                    "decoder_num_hidden_layers",
                    "mask_ratio",
                    "norm_pix_loss");

    public VitMaeConfig {
        if (!(maskRatio > 0 && maskRatio < 1)) {
            throw EspalierException.data("mask_ratio " + maskRatio + " is not in (0, 1)");
        }
        if (decoderWidth % decoderHeads != 0) {
            throw EspalierException.data(
                    "a decoder_hidden_size of "
                            + decoderWidth
                            + " is not divisible by "
                            + decoderHeads
                            + " heads");
        }
        if (encoder.width() % 4 != 0 || decoderWidth % 4 != 0) {
            throw EspalierException.data(
                    "hidden_size %d and decoder_hidden_size %d must be divisible by 4"
                            .formatted(encoder.width(), decoderWidth));
        }
    }

    /// A new model of the published recipe with a decoder of this size.
    public static VitMaeConfig of(
            VitConfig encoder, int decoderWidth, int decoderLayers, int decoderHeads) {
        return new VitMaeConfig(
                encoder, decoderWidth, decoderLayers, decoderHeads, 4 * decoderWidth, 0.75, false);
    }

    /// Reads `config.json`; see [VitConfig#of(JsonNode)].
    public static VitMaeConfig of(JsonNode json) {
        var keys = new ConfigKeys(json);
        return new VitMaeConfig(
                VitConfig.of(json),
                keys.integer("decoder_hidden_size", 512),
                keys.integer("decoder_num_hidden_layers", 8),
                keys.integer("decoder_num_attention_heads", 16),
                keys.integer("decoder_intermediate_size", 2048),
                keys.number("mask_ratio", 0.75),
                keys.flag("norm_pix_loss", false));
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = encoder.json("vit_mae");
        json.put("decoder_hidden_size", decoderWidth);
        json.put("decoder_intermediate_size", decoderInner);
        json.put("decoder_num_attention_heads", decoderHeads);
        json.put("decoder_num_hidden_layers", decoderLayers);
        json.put("mask_ratio", maskRatio);
        json.put("norm_pix_loss", normalised);
        return json;
    }

    /// This shape with another task.
    public VitMaeConfig with(double ratio, boolean normalise) {
        return new VitMaeConfig(
                encoder, decoderWidth, decoderLayers, decoderHeads, decoderInner, ratio, normalise);
    }

    /// This shape with every dropout set to `share`.
    public VitMaeConfig withDropout(double share) {
        return new VitMaeConfig(
                encoder.withDropout(share),
                decoderWidth,
                decoderLayers,
                decoderHeads,
                decoderInner,
                maskRatio,
                normalised);
    }

    /// How many of `patches` are seen; in doubles, as the library reckons.
    public int seen(int patches) {
        return (int) (patches * (1 - maskRatio));
    }

    /// The weights of both bodies' tables and matrices.
    public double bodyWeights() {
        return encoder.bodyWeights()
                + decoder().bodyWeights()
                + encoder.width() * (double) decoderWidth;
    }

    /// The decoder as an encoder of its own width.
    VitConfig decoder() {
        var e = encoder;
        return new VitConfig(
                e.imageHeight(),
                e.imageWidth(),
                e.patch(),
                e.channels(),
                decoderWidth,
                decoderLayers,
                decoderHeads,
                decoderInner,
                e.activation(),
                e.dropout(),
                e.attentionDropout(),
                e.epsilon(),
                e.initializerRange());
    }
}
