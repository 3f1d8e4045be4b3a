package dev.espalier.model;

import dev.espalier.nn.Conv2d;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.nn.Positions;
import dev.espalier.nn.PreNormBlock;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// YOLOS (Fang et al. 2021, arXiv:2106.00666): a ViT with tokens for things behind those of the
/// patches; from what each has gathered two small MLPs tell of which class its thing is, or that it
/// has none, and where it is.
///
/// Q tokens for things, K classes.
public final class Yolos extends VisionModel {
    private static final Family FAMILY =
            new Family(
                    "Yolos",
                    "vit",
                    "",
                    Pattern.compile("(?!)"),
                    Vit.ATTENTION,
                    Vit.MLP,
                    List.of("query", "value"),
                    Map.of(),
                    Map.of());

    private final YolosConfig config;
    private final List<String> labels;
    private final Body vit;
    private final Mlp classes;
    private final Mlp boxes;

    public Yolos(YolosConfig config, List<String> labels) {
        this.config = config;
        this.labels = List.copyOf(labels);
        vit = child("vit", new Body(config));
        var width = config.encoder().width();
        classes = child("class_labels_classifier", new Mlp(width, labels.size() + 1L));
        boxes = child("bbox_predictor", new Mlp(width, 4));
    }

    /// What is told of pictures.
    ///
    /// @param states what each block reads, and what the last one gives: (B, T, D) each
    /// @param scores of the classes and, last, of none: (B, Q, K + 1)
    /// @param boxes x and y of the middle, width and height, as shares of the picture: (B, Q, 4)
    public record Told(List<Tensor> states, Tensor scores, Tensor boxes) {
        public Told {
            states = List.copyOf(states);
        }
    }

    public Told tell(Tensor pixels) { // (B, C, H, W)
        var states = new ArrayList<Tensor>();
        return told(states, vit.forward(pixels, states::add));
    }

    /// As [#tell], without the states.
    public Told tellOnly(Tensor pixels) {
        return told(List.of(), vit.forward(pixels, state -> {}));
    }

    private Told told(List<Tensor> states, Tensor hidden) { // (B, T, D)
        var things = hidden.narrow(1, hidden.size(1) - config.detections(), config.detections());
        return new Told(states, classes.forward(things), boxes.forward(things).sigmoid());
    }

    /// How much the token of each thing attends to each patch of `pixels`, of which `told` was told
    /// with its states, in the last block: the mean of the heads' weights, (B, Q, h, w), all of a
    /// token's together at most 1.
    public Tensor looks(Told told, Tensor pixels) { // (B, C, H, W)
        var blocks = vit.blocks.blocks();
        var state = told.states().get(blocks.size() - 1); // (B, T, D)
        long b = state.size(0), things = config.detections();
        var weights =
                blocks.getLast().weights(state, state.size(1) - things, things); // (B, H, Q, T)
        var grid = config.encoder().grid(pixels.size(2), pixels.size(3));
        return weights.sum(1)
                .mul(1.0 / weights.size(1))
                .select(1, 0) // (B, Q, T)
                .narrow(2, 1, grid.count())
                .reshape(b, things, grid.height(), grid.width());
    }

    /// Where things and patches of pictures of another size lie; see [Positions].
    public List<Tensor> positions(long height, long width, boolean between) {
        var table = between ? vit.between : vit.positions;
        return table == null ? List.of() : List.of(vit.placed(table.value(), height, width));
    }

    public YolosConfig config() {
        return config;
    }

    private static final class Body extends Module {
        private final YolosConfig config;
        private final Parameter classToken;
        private final Parameter things;
        private final Parameter positions;
        private final Conv2d patches;
        private final @Nullable Parameter between;
        private final Stack<PreNormBlock> blocks;
        private final LayerNorm norm;

        Body(YolosConfig c) {
            config = c;
            var e = c.encoder();
            classToken = parameter("embeddings.cls_token", 1, 1, e.width());
            things = parameter("embeddings.detection_tokens", 1, c.detections(), e.width());
            positions = parameter(VitBody.POSITIONS, 1, c.tokens(), e.width());
            patches =
                    child("embeddings.patch_embeddings.projection", new Conv2d(e.patches(), true));
            between =
                    c.everyLayer() && e.layers() > 1
                            ? parameter(
                                    "encoder.mid_position_embeddings",
                                    e.layers() - 1L,
                                    1,
                                    c.tokens(),
                                    e.width())
                            : null;
            blocks = child("encoder.layer", new Stack<>());
            for (var i = 0; i < e.layers(); i++) {
                blocks.add(e.block());
            }
            norm = child("layernorm", new LayerNorm(e.width(), e.epsilon()));
        }

        Tensor forward(Tensor pixels, Consumer<Tensor> states) { // (B, C, H, W)
            long b = pixels.size(0), height = pixels.size(2), width = pixels.size(3);
            var wide = config.encoder().width();
            var x =
                    Tensor.concat(
                                    1,
                                    classToken.value().expand(b, 1, wide),
                                    VitBody.patchRows(patches, pixels),
                                    things.value().expand(b, config.detections(), wide))
                            .add(placed(positions.value(), height, width)); // (B, T, D)
            x = x.dropout(config.encoder().dropout(), training());
            var more =
                    between == null
                            ? List.<Tensor>of()
                            : List.of(placed(between.value(), height, width));
            var order = blocks.blocks();
            x =
                    blocks.forward(
                            x,
                            more,
                            (block, input, shared) -> {
                                states.accept(input);
                                var y = block.forward(input);
                                var i = order.indexOf(block);
                                return shared.isEmpty() || i == order.size() - 1
                                        ? y
                                        : y.add(shared.getFirst().select(0, i));
                            });
            states.accept(x);
            return norm.forward(x);
        }

        /// The positions (…, T, D) in a picture of this size: those of the patches interpolated,
        /// those of the class and the things as they are.
        Tensor placed(Tensor table, long height, long width) {
            var from = config.encoder().grid();
            var to = config.encoder().grid(height, width);
            var along = table.dimensions() - 2;
            return Tensor.concat(
                    along,
                    table.narrow(along, 0, 1),
                    Positions.interpolated(table.narrow(along, 1, from.count()), from, to),
                    table.narrow(along, 1 + from.count(), config.detections()));
        }
    }

    /// W₃ relu(W₂ relu(W₁ x)).
    private static final class Mlp extends Module {
        private final List<Linear> layers;

        Mlp(long width, long outputs) {
            layers =
                    List.of(
                            child("layers.0", Linear.of(width, width, true)),
                            child("layers.1", Linear.of(width, width, true)),
                            child("layers.2", Linear.of(width, outputs, true)));
        }

        Tensor forward(Tensor x) {
            var y = layers.getFirst().forward(x).relu();
            return layers.get(2).forward(layers.get(1).forward(y).relu());
        }
    }

    /// New weights: matrices N(0, 2 / (inputs + outputs)) (Glorot and Bengio 2010), tokens for
    /// things N(0, 1), positions of sines and as [#spread] has them, biases 0 but those of
    /// [#beginSmall], gains 1. From 0.02 for all, which suits a body that was pre-trained, narrow
    /// models hardly learn where things are.
    @Override
    public Yolos initialize(long seed) {
        fill(this, seed);
        VitMae.sines(vit.positions, config.encoder().grid());
        return this;
    }

    @Override
    public void initializeHead(long seed) {
        fill(classes, seed);
        fill(boxes, seed + 1);
    }

    /// Takes over what `encoder`, a ViT or a ViT-MAE of this shape, sees with, but for its head.
    ///
    /// @return the paths of the weights that it gave whole; of the positions only a part is known
    public Set<String> see(VisionModel encoder) {
        return VisionEncoderDecoder.take(encoder, encoder.family().body() + ".", this, "vit.");
    }

    private void fill(Module part, long seed) {
        var parameters = part.parameters();
        InitialWeights.fill(
                part,
                seed,
                name -> {
                    var weight = Objects.requireNonNull(parameters.get(name)).value();
                    if (name.endsWith("detection_tokens")) {
                        return 1;
                    }
                    return name.endsWith(".weight")
                            ? Math.sqrt(
                                    2.0
                                            / (weight.size(0)
                                                    + (double) weight.count() / weight.size(0)))
                            : config.encoder().initializerRange();
                });
    }

    @Override
    public List<String> labels() {
        return labels;
    }

    @Override
    public String task() {
        return "ForObjectDetection";
    }

    @Override
    public int imageHeight() {
        return config.encoder().imageHeight();
    }

    @Override
    public int imageWidth() {
        return config.encoder().imageWidth();
    }

    @Override
    public int leastSide() {
        return config.encoder().patch();
    }

    @Override
    public long positions(long height, long width) {
        return 1 + config.encoder().grid(height, width).count() + config.detections();
    }

    @Override
    public double multiplications(long height, long width) {
        double wide = config.encoder().width();
        return config.encoder().multiplications(height, width, (double) positions(height, width))
                + config.detections() * wide * (4 * wide + labels.size() + 5);
    }

    @Override
    public Family family() {
        return FAMILY;
    }

    @Override
    public ObjectNode configJson() {
        return config.json();
    }
}
