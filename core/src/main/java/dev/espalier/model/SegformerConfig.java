package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.image.Mask;
import dev.espalier.nn.Activation;
import dev.espalier.nn.Conv2d;
import java.util.Arrays;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a SegFormer, as its `config.json` says it.
///
/// @param stages from the finest to the coarsest
/// @param decoderWidth to which the decoder brings all stages
/// @param activation one of [Activation#NAMES]
/// @param attentionDropout the share of attention weights dropped while training
/// @param classifierDropout that of what the last map reads
/// @param dropPath that of pictures that pass over the last block's sums; earlier ones' is less,
///   from 0 for the first (Huang et al. 2016, arXiv:1603.09382)
public record SegformerConfig(
        int channels,
        List<Stage> stages,
        int decoderWidth,
        String activation,
        double dropout,
        double attentionDropout,
        double classifierDropout,
        double dropPath,
        double initializerRange) {
    /// A stage of the encoder.
    ///
    /// @param patch height and width of the overlapping patches that it begins with
    /// @param stride pixels from one of them to the next
    /// @param reduction by which height and width of keys and values are divided
    /// @param mlpRatio the MLP's hidden layer is so many times wider
    public record Stage(
            int layers, int width, int heads, int patch, int stride, int reduction, int mlpRatio) {
        public Stage {
            if (width % heads != 0) {
                throw EspalierException.data(
                        "a width of " + width + " is not divisible by " + heads + " heads");
            }
        }

        Conv2d.Shape patches(int channels) {
            return new Conv2d.Shape(channels, width, patch, stride, patch / 2, 1);
        }
    }

    public SegformerConfig {
        stages = List.copyOf(stages);
        Activation.check("hidden_act", activation);
        for (var share : new double[] {dropout, attentionDropout, classifierDropout, dropPath}) {
            if (!(share >= 0 && share < 1)) {
                throw EspalierException.data("a dropout of " + share + " is not in [0, 1)");
            }
        }
    }

    /// A new model of the published shape, B0, with four stages of these widths and layers.
    public static SegformerConfig of(
            List<Integer> widths, List<Integer> layers, int decoderWidth, double dropPath) {
        var heads = new int[] {1, 2, 5, 8};
        var stages = new java.util.ArrayList<Stage>();
        for (var i = 0; i < 4; i++) {
            var width = widths.get(i);
            stages.add(
                    new Stage(
                            layers.get(i),
                            width,
                            width % heads[i] == 0 ? heads[i] : 1 << i,
                            i == 0 ? 7 : 3,
                            i == 0 ? 4 : 2,
                            8 >> i,
                            4));
        }
        return new SegformerConfig(3, stages, decoderWidth, "gelu", 0, 0, 0.1, dropPath, 0.02);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name. `layer_norm_eps`
    /// is 1e-5 in the library, whatever the file says.
    public static SegformerConfig of(JsonNode json) {
        var keys = new ConfigKeys(json);
        keys.require("reshape_last_stage", true, "segformer");
        var n = keys.integer("num_encoder_blocks", 4);
        if (n > 16) {
            throw EspalierException.data("num_encoder_blocks is " + n + "; allowed: 1 to 16");
        }
        var layers = keys.integers("depths", n, 2, 2, 2, 2);
        var widths = keys.integers("hidden_sizes", n, 32, 64, 160, 256);
        var heads = keys.integers("num_attention_heads", n, 1, 2, 5, 8);
        var patches = keys.integers("patch_sizes", n, 7, 3, 3, 3);
        var strides = keys.integers("strides", n, 4, 2, 2, 2);
        var reductions = keys.integers("sr_ratios", n, 8, 4, 2, 1);
        var ratios = keys.integers("mlp_ratios", n, 4, 4, 4, 4);
        var stages = new Stage[n];
        for (var i = 0; i < n; i++) {
            stages[i] =
                    new Stage(
                            layers[i],
                            widths[i],
                            heads[i],
                            patches[i],
                            strides[i],
                            reductions[i],
                            ratios[i]);
        }
        return new SegformerConfig(
                keys.channels(),
                Arrays.asList(stages),
                keys.integer("decoder_hidden_size", 256),
                keys.text("hidden_act", "gelu"),
                keys.number("hidden_dropout_prob", 0),
                keys.number("attention_probs_dropout_prob", 0),
                keys.number("classifier_dropout_prob", 0.1),
                keys.number("drop_path_rate", 0.1),
                keys.number("initializer_range", 0.02));
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("attention_probs_dropout_prob", attentionDropout);
        json.put("classifier_dropout_prob", classifierDropout);
        json.put("decoder_hidden_size", decoderWidth);
        json.put("drop_path_rate", dropPath);
        json.put("hidden_act", activation);
        json.put("hidden_dropout_prob", dropout);
        json.put("initializer_range", initializerRange);
        json.put("model_type", "segformer");
        json.put("num_channels", channels);
        json.put("num_encoder_blocks", stages.size());
        json.put("reshape_last_stage", true);
        json.put(Segmenter.IGNORED, Mask.IGNORED);
        var lists =
                List.of(
                        json.putArray("depths"),
                        json.putArray("hidden_sizes"),
                        json.putArray("num_attention_heads"),
                        json.putArray("patch_sizes"),
                        json.putArray("strides"),
                        json.putArray("sr_ratios"),
                        json.putArray("mlp_ratios"));
        for (var s : stages) {
            var numbers =
                    new int[] {
                        s.layers, s.width, s.heads, s.patch, s.stride, s.reduction, s.mlpRatio
                    };
            for (var i = 0; i < numbers.length; i++) {
                lists.get(i).add(numbers[i]);
            }
        }
        return json;
    }

    /// This shape with every dropout set to `share`; whole blocks are dropped as before.
    public SegformerConfig withDropout(double share) {
        return new SegformerConfig(
                channels,
                stages,
                decoderWidth,
                activation,
                share,
                share,
                share,
                share == 0 ? 0 : dropPath,
                initializerRange);
    }

    /// The side at which each stage has as many pixels as its keys and values are reduced by.
    public int leastSide() {
        var needed = 1L;
        for (var s : stages.reversed()) {
            // Of n pixels there are ⌊(n + 2 ⌊p / 2⌋ - p) / stride⌋ + 1.
            needed = (Math.max(needed, s.reduction) - 1) * s.stride + s.patch % 2;
            needed = Math.clamp(needed, 1, Integer.MAX_VALUE);
        }
        return (int) needed;
    }

    int layers() {
        return stages.stream().mapToInt(Stage::layers).sum();
    }

    /// The weights of the matrices.
    public double bodyWeights() {
        var sum = decoderWidth * (double) decoderWidth * stages.size();
        var before = (double) channels;
        for (var s : stages) {
            var width = (double) s.width;
            var reducing = s.reduction > 1 ? (double) s.reduction * s.reduction : 0;
            sum += before * s.patch * s.patch * width;
            sum += s.layers * width * width * (4 + 2.0 * s.mlpRatio + reducing);
            sum += width * decoderWidth;
            before = width;
        }
        return sum;
    }
}
