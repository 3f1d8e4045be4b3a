package dev.espalier.model;

import dev.espalier.EspalierException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a YOLOS and how its boxes are matched and weighed, as its `config.json` says it.
///
/// @param detections tokens, each of which tells one thing or none
/// @param everyLayer whether positions are added between the blocks, too
/// @param none the weight of a token that is to tell nothing, where the others have 1
/// @param cost of matching a token to a thing
/// @param loss weights of the boxes' losses beside the classes'
public record YolosConfig(
        VitConfig encoder,
        int detections,
        boolean everyLayer,
        double none,
        Weights cost,
        Weights loss) {
    /// Weights of classes, distances of boxes, and what they do not share of their area.
    public record Weights(double label, double box, double overlap) {}

    public YolosConfig {
        if (detections < 1) {
            throw EspalierException.data("num_detection_tokens must be at least 1");
        }
        if (!(none > 0 && none <= 1)) {
            throw EspalierException.data("eos_coefficient " + none + " is not in (0, 1]");
        }
    }

    /// A new model of the published recipe, without positions between the blocks.
    public static YolosConfig of(VitConfig encoder, int detections) {
        return new YolosConfig(
                encoder, detections, false, 0.1, new Weights(1, 5, 2), new Weights(1, 5, 2));
    }

    /// Reads `config.json`; see [VitConfig#of(JsonNode)].
    public static YolosConfig of(JsonNode json) {
        var keys = new ConfigKeys(json);
        keys.require("auxiliary_loss", false, "yolos");
        return new YolosConfig(
                VitConfig.of(json),
                keys.integer("num_detection_tokens", 100),
                keys.flag("use_mid_position_embeddings", true),
                keys.number("eos_coefficient", 0.1),
                new Weights(
                        keys.number("class_cost", 1),
                        keys.number("bbox_cost", 5),
                        keys.number("giou_cost", 2)),
                new Weights(
                        1,
                        keys.number("bbox_loss_coefficient", 5),
                        keys.number("giou_loss_coefficient", 2)));
    }

    /// How many weights a model of this shape has at the least.
    public double bodyWeights() {
        var between = everyLayer ? encoder.layers() - 1.0 : 0;
        return encoder.bodyWeights()
                + encoder.width()
                        * (2.0 * detections + between * (encoder.grid().count() + detections));
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = encoder.json("yolos");
        json.put("auxiliary_loss", false);
        number(json, "bbox_cost", cost.box());
        number(json, "bbox_loss_coefficient", loss.box());
        number(json, "class_cost", cost.label());
        json.put("eos_coefficient", none);
        number(json, "giou_cost", cost.overlap());
        number(json, "giou_loss_coefficient", loss.overlap());
        json.put("num_detection_tokens", detections);
        json.put("use_mid_position_embeddings", everyLayer);
        return json;
    }

    /// Whole numbers stand without a fraction, as the library writes them.
    private static void number(ObjectNode json, String key, double value) {
        if (value == Math.rint(value)) {
            json.put(key, (int) value);
        } else {
            json.put(key, value);
        }
    }

    /// This shape with every dropout set to `share`.
    public YolosConfig withDropout(double share) {
        return new YolosConfig(
                encoder.withDropout(share), detections, everyLayer, none, cost, loss);
    }

    /// Tokens of a picture of the size that the positions are for.
    long tokens() {
        return 1 + encoder.grid().count() + detections;
    }
}
