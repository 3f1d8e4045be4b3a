package dev.espalier.model;

import dev.espalier.nn.Activation;
import dev.espalier.nn.Attention;
import dev.espalier.nn.BatchNorm2d;
import dev.espalier.nn.Conv2d;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// SegFormer (Xie et al. 2021, arXiv:2105.15203): an encoder of stages, each with overlapping
/// patches of the one before, whose attention sees a coarser picture of it and whose MLPs see a
/// pixel's neighbours, which is all that tells where a pixel stands; and a decoder of nothing but
/// linear maps over all stages, which scores every fourth pixel for each class.
///
/// N pixels of a stage, h x w; K classes.
public final class Segformer extends Segmenter {
    private static final double EPSILON = 1e-5;
    private static final Family FAMILY =
            new Family(
                    "Segformer",
                    "segformer",
                    "",
                    Pattern.compile("(?!)"),
                    List.of("self.query", "self.key", "self.value", "attention.output.dense"),
                    List.of("mlp.dense1", "mlp.dense2"),
                    List.of("query", "value"),
                    Map.of(),
                    Map.of());

    private final SegformerConfig config;
    private final List<Stage> stages = new ArrayList<>();
    private final DecodeHead head;

    public Segformer(SegformerConfig config, List<String> labels) {
        super(labels);
        this.config = config;
        var channels = config.channels();
        var before = 0;
        for (var i = 0; i < config.stages().size(); i++) {
            stages.add(child("segformer.encoder", new Stage(config, i, channels, before)));
            channels = config.stages().get(i).width();
            before += config.stages().get(i).layers();
        }
        head = child("decode_head", new DecodeHead(config, labels.size()));
    }

    @Override
    public Tensor scores(Tensor pixels) { // (B, C, H, W)
        return head.forward(stages(pixels)); // (B, K, H / 4, W / 4)
    }

    /// What each stage gives (B, D, h, w).
    public List<Tensor> stages(Tensor pixels) { // (B, C, H, W)
        var given = new ArrayList<Tensor>();
        var x = pixels;
        for (var stage : stages) {
            x = stage.forward(x);
            given.add(x);
        }
        return given;
    }

    /// The scores (B, K, H / 4, W / 4) from what the stages gave.
    public Tensor scores(List<Tensor> given) {
        return head.forward(given);
    }

    /// A picture's pixels as rows.
    private static Tensor rows(Tensor x) { // (B, D, h, w)
        return x.reshape(x.size(0), x.size(1), -1).transpose(1, 2); // (B, N, D)
    }

    private static Tensor picture(Tensor x, long height, long width) { // (B, N, D)
        return x.transpose(1, 2).reshape(x.size(0), x.size(2), height, width); // (B, D, h, w)
    }

    private static final class Stage extends Module {
        private final Conv2d patches;
        private final LayerNorm patchNorm;
        private final Stack<Block> blocks;
        private final LayerNorm norm;

        /// @param before blocks of the stages before
        Stage(SegformerConfig c, int number, int channels, int before) {
            var s = c.stages().get(number);
            patches =
                    child(
                            "patch_embeddings." + number + ".proj",
                            new Conv2d(s.patches(channels), true));
            patchNorm =
                    child(
                            "patch_embeddings." + number + ".layer_norm",
                            new LayerNorm(s.width(), EPSILON));
            blocks = child("block." + number, new Stack<>());
            for (var i = 0; i < s.layers(); i++) {
                var depth = (before + i) / (double) Math.max(1, c.layers() - 1);
                blocks.add(new Block(c, s, c.dropPath() * depth));
            }
            norm = child("layer_norm." + number, new LayerNorm(s.width(), EPSILON));
        }

        Tensor forward(Tensor below) { // (B, C, H, W)
            var x = patches.forward(below); // (B, D, h, w)
            long height = x.size(2), width = x.size(3);
            x =
                    blocks.forward(
                            patchNorm.forward(rows(x)), // (B, N, D)
                            (block, input) -> block.forward(input, height, width));
            return picture(norm.forward(x), height, width);
        }
    }

    private static final class Block extends Module {
        private final LayerNorm before;
        private final SelfAttention attention;
        private final LayerNorm between;
        private final MixMlp mlp;
        private final double dropped;

        Block(SegformerConfig c, SegformerConfig.Stage s, double dropped) {
            before = child("layer_norm_1", new LayerNorm(s.width(), EPSILON));
            attention = child("attention", new SelfAttention(c, s));
            between = child("layer_norm_2", new LayerNorm(s.width(), EPSILON));
            mlp = child("mlp", new MixMlp(c, s));
            this.dropped = dropped;
        }

        Tensor forward(Tensor x, long height, long width) { // (B, N, D)
            x = x.add(kept(attention.forward(before.forward(x), height, width)));
            return x.add(kept(mlp.forward(between.forward(x), height, width)));
        }

        /// Of each picture all or nothing.
        private Tensor kept(Tensor y) { // (B, N, D)
            return training() && dropped > 0
                    ? y.mul(Tensor.full(1, y.size(0), 1, 1).dropout(dropped, true))
                    : y;
        }
    }

    /// Section 3.1: keys and values are those of R x R pixels each.
    private static final class SelfAttention extends Module {
        private final Linear query;
        private final Linear key;
        private final Linear value;
        private final Linear projection;
        private final @Nullable Conv2d reduction;
        private final @Nullable LayerNorm reductionNorm;
        private final long headWidth;
        private final double attentionDropout;
        private final double dropout;

        SelfAttention(SegformerConfig c, SegformerConfig.Stage s) {
            long width = s.width();
            query = child("self.query", Linear.of(width, width, true));
            key = child("self.key", Linear.of(width, width, true));
            value = child("self.value", Linear.of(width, width, true));
            var reduces = s.reduction() > 1;
            reduction =
                    reduces
                            ? child(
                                    "self.sr",
                                    new Conv2d(
                                            Conv2d.Shape.patches(width, width, s.reduction()),
                                            true))
                            : null;
            reductionNorm =
                    reduces ? child("self.layer_norm", new LayerNorm(width, EPSILON)) : null;
            projection = child("output.dense", Linear.of(width, width, true));
            headWidth = width / s.heads();
            attentionDropout = c.attentionDropout();
            dropout = c.dropout();
        }

        Tensor forward(Tensor x, long height, long width) { // (B, N, D)
            var read = x;
            if (reduction != null && reductionNorm != null) {
                read = rows(reduction.forward(picture(x, height, width)));
                read = reductionNorm.forward(read); // (B, N / R², D)
            }
            var y =
                    Attention.attendToAll(
                            heads(query.forward(x)),
                            heads(key.forward(read)),
                            heads(value.forward(read)),
                            null,
                            1,
                            training() ? attentionDropout : 0); // (B, heads, N, d)
            y = y.transpose(1, 2).reshape(x.shape()); // (B, N, D)
            return projection.forward(y).dropout(dropout, training());
        }

        private Tensor heads(Tensor x) { // (B, S, D)
            return x.view(x.size(0), x.size(1), -1, headWidth).transpose(1, 2); // (B, heads, S, d)
        }
    }

    /// Section 3.1, eq. 3: MLP(x) = W₂ φ(conv(W₁ x)), where each channel of the 3 x 3 convolution
    /// reads itself alone.
    private static final class MixMlp extends Module {
        private final Linear up;
        private final Conv2d neighbours;
        private final Linear down;
        private final String activation;
        private final double dropout;

        MixMlp(SegformerConfig c, SegformerConfig.Stage s) {
            long width = s.width(), inner = width * s.mlpRatio();
            up = child("dense1", Linear.of(width, inner, true));
            neighbours =
                    child(
                            "dwconv.dwconv",
                            new Conv2d(Conv2d.Shape.same(inner, inner, 3, inner), true));
            down = child("dense2", Linear.of(inner, width, true));
            activation = c.activation();
            dropout = c.dropout();
        }

        Tensor forward(Tensor x, long height, long width) { // (B, N, D)
            var h = neighbours.forward(picture(up.forward(x), height, width)); // (B, inner, h, w)
            h = Activation.apply(activation, rows(h)).dropout(dropout, training());
            return down.forward(h).dropout(dropout, training());
        }
    }

    /// Section 3.2, eq. 4: every stage brought to one width and to the finest one's size, and
    /// fused.
    private static final class DecodeHead extends Module {
        private final List<Linear> maps = new ArrayList<>();
        private final Conv2d fuse;
        private final BatchNorm2d norm;
        private final Conv2d classifier;
        private final double dropout;

        DecodeHead(SegformerConfig c, int classes) {
            var width = c.decoderWidth();
            for (var i = 0; i < c.stages().size(); i++) {
                maps.add(
                        child(
                                "linear_c." + i + ".proj",
                                Linear.of(c.stages().get(i).width(), width, true)));
            }
            fuse =
                    child(
                            "linear_fuse",
                            new Conv2d(
                                    Conv2d.Shape.same((long) width * maps.size(), width, 1, 1),
                                    false));
            norm = child("batch_norm", new BatchNorm2d(width));
            classifier =
                    child("classifier", new Conv2d(Conv2d.Shape.same(width, classes, 1, 1), true));
            dropout = c.classifierDropout();
        }

        Tensor forward(List<Tensor> stages) { // (B, D, h, w) each
            long height = stages.getFirst().size(2), width = stages.getFirst().size(3);
            var brought = new Tensor[stages.size()];
            for (var i = 0; i < brought.length; i++) {
                var stage = stages.get(i);
                var x = picture(maps.get(i).forward(rows(stage)), stage.size(2), stage.size(3));
                brought[brought.length - 1 - i] = i == 0 ? x : x.bilinear(height, width);
            }
            var x = norm.forward(fuse.forward(Tensor.concat(1, brought))).relu();
            return classifier.forward(x.dropout(dropout, training())); // (B, K, h, w)
        }
    }

    /// New weights: N(0, 0.02²), those of convolutions N(0, 2 / fan-out), biases 0, gains 1.
    @Override
    public Segformer initialize(long seed) {
        InitialWeights.fillWithConvolutions(this, seed, config.initializerRange());
        return this;
    }

    @Override
    public void initializeHead(long seed) {
        InitialWeights.fillWithConvolutions(head, seed, config.initializerRange());
    }

    @Override
    public int imageHeight() {
        return 512;
    }

    @Override
    public int imageWidth() {
        return 512;
    }

    @Override
    public int leastSide() {
        return config.leastSide();
    }

    @Override
    public long positions(long height, long width) {
        var stride = config.stages().getFirst().stride();
        return Math.ceilDiv(height, stride) * Math.ceilDiv(width, stride);
    }

    @Override
    public double multiplications(long height, long width) {
        double sum = 0, n = (double) height * width, channels = config.channels();
        for (var s : config.stages()) {
            n /= (double) s.stride() * s.stride();
            double d = s.width(), r = (double) s.reduction() * s.reduction();
            sum += n * d * channels * s.patch() * s.patch();
            var maps = 2 * d + 2 * d / r + (r > 1 ? d : 0) + s.mlpRatio() * (2 * d + 9);
            sum += s.layers() * n * d * (maps + 2 * n / r);
            sum += n * d * config.decoderWidth();
            channels = d;
        }
        var w = (double) config.decoderWidth();
        return sum + positions(height, width) * w * (w * config.stages().size() + labels().size());
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
