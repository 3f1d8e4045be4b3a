package dev.espalier.model;

import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.nn.Positions.Grid;
import dev.espalier.nn.PreNormBlock;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import tools.jackson.databind.node.ObjectNode;

/// A masked autoencoder (He et al. 2021, arXiv:2111.06377): a ViT sees a few of a picture's
/// patches, and a small decoder tells from these the pixels of all others. The ViT is what is
/// wanted.
///
/// P patches, of which S are seen; p² C pixels of a patch, row by row, the channels of each
/// together.
public final class VitMae extends VisionModel {
    private static final double EPSILON = 1e-6;
    private static final Family FAMILY =
            new Family(
                    "ViTMAE",
                    "vit",
                    "",
                    Pattern.compile("(?!)"),
                    Vit.ATTENTION,
                    Vit.MLP,
                    List.of("query", "value"),
                    Map.of(),
                    Map.of());

    private VitMaeConfig config;
    private final VitBody vit;
    private final Decoder decoder;

    public VitMae(VitMaeConfig config) {
        this.config = config;
        vit = child("vit", new VitBody(config.encoder()));
        vit.positions().trained(false);
        decoder = child("decoder", new Decoder(config));
    }

    /// What became of pictures.
    ///
    /// @param states what each block of the ViT reads, and what the last one gives: (B, 1 + S, D)
    /// @param pixels of every patch, as they are told: (B, P, p² C)
    public record Told(List<Tensor> states, Tensor pixels) {
        public Told {
            states = List.copyOf(states);
        }
    }

    /// Tells the pixels of pictures of which the patches `seen` (B, S) are seen, in that order.
    ///
    /// @param places (B, P): where each patch stands among those that are seen and, behind them,
    ///   the others
    public Told tell(Tensor pictures, Tensor seen, Tensor places) { // (B, C, H, W)
        var states = new ArrayList<Tensor>();
        var patches = vit.embedded(pictures); // (B, P, D)
        var x = vit.withClass(rows(patches, seen)); // (B, 1 + S, D)
        var hidden = vit.encoded(x, states::add);
        return new Told(states, decoder.forward(hidden, places));
    }

    /// Of each picture the rows that `which` (B, S) names.
    private static Tensor rows(Tensor x, Tensor which) { // (B, P, D)
        return x.gather(
                1,
                which.unsqueeze(-1).expand(which.size(0), which.size(1), x.size(2))); // (B, S, D)
    }

    /// The pixels (B, P, p² C) of each patch of pictures.
    public Tensor patches(Tensor pictures) { // (B, C, H, W)
        long b = pictures.size(0), c = pictures.size(1), p = config.encoder().patch();
        var grid = config.encoder().grid(pictures.size(2), pictures.size(3));
        return pictures.reshape(b, c, grid.height(), p, grid.width(), p)
                .permute(0, 2, 4, 3, 5, 1) // (B, h, w, p, p, C)
                .reshape(b, grid.count(), p * p * c);
    }

    /// The pictures (B, C, H, W) that these patches make.
    public Tensor pictures(Tensor patches, long height, long width) { // (B, P, p² C)
        long b = patches.size(0), p = config.encoder().patch(), c = config.encoder().channels();
        var grid = config.encoder().grid(height, width);
        return patches.reshape(b, grid.height(), grid.width(), p, p, c)
                .permute(0, 5, 1, 3, 2, 4) // (B, C, h, p, w, p)
                .reshape(b, c, height, width);
    }

    /// What is to be told of `patches` (B, P, n): themselves, or with the mean and the deviation of
    /// each taken off, by the unbiased variance.
    public Tensor target(Tensor patches) {
        if (!config.normalised()) {
            return patches;
        }
        var centred = patches.sub(mean(patches)); // (B, P, n)
        return centred.div(deviation(centred));
    }

    /// The mean of each patch (B, P, n): (B, P, 1).
    private static Tensor mean(Tensor patches) {
        return patches.sum(-1).mul(1.0 / patches.size(-1));
    }

    private static Tensor deviation(Tensor centred) { // (B, P, n)
        var variance = centred.mul(centred).sum(-1).mul(1.0 / (centred.size(-1) - 1));
        return variance.add(EPSILON).sqrt(); // (B, P, 1)
    }

    /// The patches (B, P, n) that were told of `pictures`, as pixels: where each is told without
    /// its mean and deviation, with those that it has.
    public Tensor restored(Tensor told, Tensor pictures) {
        if (!config.normalised()) {
            return told;
        }
        var patches = patches(pictures);
        var mean = mean(patches);
        return told.mul(deviation(patches.sub(mean))).add(mean);
    }

    /// The squared error (B, P) of each patch, the mean over its pixels.
    public Tensor errors(Tensor told, Tensor pictures) {
        var error = told.sub(target(patches(pictures))); // (B, P, n)
        return error.mul(error).sum(-1).mul(1.0 / error.size(-1)).select(-1, 0);
    }

    /// Has another share of the patches hidden, and other pixels told; the weights stay.
    public void hide(double ratio, boolean normalise) {
        config = config.with(ratio, normalise);
    }

    public VitMaeConfig config() {
        return config;
    }

    private static final class Decoder extends Module {
        private final Parameter maskToken;
        private final Parameter positions;
        private final Linear embedding;
        private final Stack<PreNormBlock> blocks;
        private final LayerNorm norm;
        private final Linear prediction;
        private final Grid grid;

        Decoder(VitMaeConfig c) {
            var own = c.decoder();
            long width = own.width();
            grid = own.grid();
            maskToken = parameter("mask_token", 1, 1, width);
            positions = parameter("decoder_pos_embed", 1, 1 + grid.count(), width);
            positions.trained(false);
            embedding = child("decoder_embed", Linear.of(c.encoder().width(), width, true));
            blocks = child("decoder_layers", new Stack<>());
            for (var i = 0; i < own.layers(); i++) {
                blocks.add(own.block());
            }
            norm = child("decoder_norm", new LayerNorm(width, own.epsilon()));
            var pixels = (long) own.patch() * own.patch() * own.channels();
            prediction = child("decoder_pred", Linear.of(width, pixels, true));
        }

        Tensor forward(Tensor seen, Tensor places) { // (B, 1 + S, D), (B, P)
            var x = embedding.forward(seen);
            long b = x.size(0), s = x.size(1) - 1, width = x.size(2);
            var hidden = maskToken.value().expand(b, places.size(1) - s, width);
            var all = Tensor.concat(1, x.narrow(1, 1, s), hidden.to(x.dtype())); // (B, P, D)
            x = Tensor.concat(1, x.narrow(1, 0, 1), rows(all, places)).add(positions.value());
            x = norm.forward(blocks.forward(x, PreNormBlock::forward));
            return prediction.forward(x).narrow(1, 1, places.size(1)); // (B, P, p² C)
        }
    }

    /// New weights: N(0, 0.02²), biases 0, gains 1, and the positions of sines.
    @Override
    public VitMae initialize(long seed) {
        var range = config.encoder().initializerRange();
        InitialWeights.fill(this, seed, name -> range);
        sines(vit.positions(), config.encoder().grid());
        sines(decoder.positions, decoder.grid);
        return this;
    }

    /// What is not the ViT's.
    @Override
    public void initializeHead(long seed) {
        InitialWeights.fill(decoder, seed, name -> config.encoder().initializerRange());
        sines(decoder.positions, decoder.grid);
    }

    /// A row for the class token, zero, and one for each place of the grid: sines and cosines of
    /// its column, and of its row, divided by 10000^(i / (D / 4)).
    static void sines(Parameter table, Grid grid) {
        var width = (int) table.value().size(2);
        var quarter = width / 4;
        var values = new float[(int) table.value().count()];
        for (var place = 0; place < grid.count(); place++) {
            for (var i = 0; i < quarter; i++) {
                var frequency = Math.pow(10000, -(double) i / quarter);
                var at = (1 + place) * width + i;
                for (var half = 0; half < 2; half++) {
                    var where = half == 0 ? place % grid.width() : place / grid.width();
                    values[at + 2 * half * quarter] = (float) Math.sin(where * frequency);
                    values[at + (2 * half + 1) * quarter] = (float) Math.cos(where * frequency);
                }
            }
        }
        table.value().segment().copyFrom(MemorySegment.ofArray(values));
    }

    @Override
    public String task() {
        return "ForPreTraining";
    }

    @Override
    public List<String> labels() {
        return List.of();
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
        return 1 + config.encoder().grid(height, width).count();
    }

    @Override
    public double multiplications(long height, long width) {
        var patches = (int) config.encoder().grid(height, width).count();
        var own = config.decoder();
        var pixels = (double) own.patch() * own.patch() * own.channels();
        return config.encoder().multiplications(height, width, 1 + config.seen(patches))
                + own.multiplications(height, width, 1 + patches)
                + config.seen(patches) * (double) config.encoder().width() * own.width()
                + patches * pixels * own.width();
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
