package dev.espalier.model;

import dev.espalier.EspalierException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a ViT with a GPT-2 that writes of what it sees, as its `config.json` says it.
///
/// @param start the token that the decoder begins with
/// @param end the token that ends a text
/// @param padding the id to fill short texts with
public record VisionEncoderDecoderConfig(
        VitConfig encoder, Gpt2Config decoder, int start, int end, int padding) {
    static final String TYPE = "vision-encoder-decoder";

    public VisionEncoderDecoderConfig {
        ConfigKeys.requireId("decoder_start_token_id", start, decoder.vocabulary());
        ConfigKeys.requireId("eos_token_id", end, decoder.vocabulary());
        ConfigKeys.requireId("pad_token_id", padding, decoder.vocabulary());
    }

    /// Reads `config.json`; an encoder or a decoder of another family is refused by name.
    public static VisionEncoderDecoderConfig of(JsonNode json) {
        if (!(part(json, "decoder", "gpt2").deepCopy() instanceof ObjectNode own)
                || !own.path("add_cross_attention").asBoolean(false)) {
            throw EspalierException.data(
                    "decoder.add_cross_attention must be true for a decoder that reads an encoder");
        }
        var keys = new ConfigKeys(json);
        // Alone a GPT-2 reads nothing.
        own.put("add_cross_attention", false);
        var decoder = Gpt2Config.of(own);
        var parts = new ConfigKeys(own);
        var end = keys.id("eos_token_id", parts.id("eos_token_id", 50256));
        return new VisionEncoderDecoderConfig(
                VitConfig.of(part(json, "encoder", "vit")),
                decoder,
                keys.id("decoder_start_token_id", parts.id("bos_token_id", 50256)),
                end,
                keys.id("pad_token_id", parts.id("pad_token_id", end)));
    }

    private static JsonNode part(JsonNode json, String key, String type) {
        var part = json.path(key);
        if (!part.path("model_type").asString("").equals(type)) {
            throw EspalierException.data(
                    "%s.model_type is %s; allowed: %s"
                            .formatted(key, part.path("model_type"), type));
        }
        return part;
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = encoder.json("vit").objectNode();
        json.set(
                "decoder", decoder.json().put("add_cross_attention", true).put("is_decoder", true));
        json.put("decoder_start_token_id", start);
        json.set("encoder", encoder.json("vit"));
        json.put("eos_token_id", end);
        json.put("is_encoder_decoder", true);
        json.put("model_type", TYPE);
        json.put("pad_token_id", padding);
        json.put("tie_word_embeddings", false);
        return json;
    }

    /// This shape with every dropout set to `share`.
    public VisionEncoderDecoderConfig withDropout(double share) {
        return new VisionEncoderDecoderConfig(
                encoder.withDropout(share), decoder.withDropout(share), start, end, padding);
    }

    VisionEncoderDecoderConfig withVocabulary(int size) {
        return new VisionEncoderDecoderConfig(
                encoder, decoder.withVocabulary(size), start, end, padding);
    }
}
