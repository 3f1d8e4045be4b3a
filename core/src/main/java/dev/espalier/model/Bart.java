package dev.espalier.model;

import dev.espalier.nn.Activation;
import dev.espalier.nn.Embedding;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.MultiHeadAttention;
import dev.espalier.nn.MultiHeadAttention.KeysAndValues;
import dev.espalier.nn.Parameter;
import dev.espalier.nn.PostNormBlock;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// BART (Lewis et al. 2019, arXiv:1910.13461): an encoder like BERT's and a decoder like GPT's over
/// one table of tokens, with learnt positions and norms behind the sums:
///
///     x = LN(token + position);  x ← LN(x + Attention(x));  x ← LN(x + Attention(x, memory));
///     x ← LN(x + W₂ φ(W₁ x));  logits = x Eᵀ + b
///
/// The second line's first step is the decoder's alone. b is a constant, 0 in all published models.
public final class Bart extends EncoderDecoder {
    private static final String TABLE = "model.shared.weight";
    private static final double EPSILON = 1e-5;

    /// Positions are rows of the table from this one on.
    private static final int FIRST_POSITION = 2;

    private static final MultiHeadAttention.Names SELF = attention("self_attn");
    private static final PostNormBlock.Names BLOCK =
            new PostNormBlock.Names(SELF, "self_attn_layer_norm", "fc1", "fc2", "final_layer_norm");
    private static final Family FAMILY =
            new Family(
                    "Bart",
                    "model",
                    TABLE,
                    Pattern.compile("(model\\.)?(encoder|decoder)\\.version"),
                    List.of("q_proj", "k_proj", "v_proj", "out_proj"),
                    List.of("fc1", "fc2"),
                    List.of("q_proj", "v_proj"),
                    Map.of(
                            Decoder.HEAD,
                            TABLE,
                            "model.encoder.embed_tokens.weight",
                            TABLE,
                            "model.decoder.embed_tokens.weight",
                            TABLE),
                    Map.of());

    private final BartConfig config;
    private final Body model;
    private final @Nullable Parameter bias;

    public Bart(BartConfig config) {
        this(config, true);
    }

    /// @param headed whether the vocabulary is scored
    public Bart(BartConfig config, boolean headed) {
        this.config = config;
        model = child("model", new Body(config));
        bias = headed ? parameter("final_logits_bias", 1, config.vocabulary()) : null;
        if (bias != null) {
            bias.trained(false);
        }
    }

    private static MultiHeadAttention.Names attention(String path) {
        return new MultiHeadAttention.Names(
                path + ".q_proj", path + ".k_proj", path + ".v_proj", path + ".out_proj");
    }

    /// New weights: N(0, `init_std`²), biases and the row of padding 0, gains 1. A pure function of
    /// `seed`.
    public Bart initialize(long seed) {
        InitialWeights.fill(this, seed, name -> config.initStd());
        var table = model.shared.weight().value();
        var row = table.bytes() / table.size(0);
        table.segment().asSlice(config.padding() * row, row).fill((byte) 0);
        return this;
    }

    @Override
    Tensor encode(Tensor ids, @Nullable Tensor mask, Consumer<Tensor> states) {
        var x = model.encoder.embed(model.embed(ids), 0); // (B, S, D)
        return model.encoder.blocks.forward(
                x,
                (block, input) -> {
                    states.accept(input);
                    return block.forward(input, mask);
                }); // (B, S, D)
    }

    @Override
    Tensor decode(Tensor ids, Tensor memory, @Nullable Tensor mask, Consumer<Tensor> states) {
        var x = model.decoder.embed(model.embed(ids), 0); // (B, T, D)
        return model.decoder.blocks.forward(
                x,
                List.of(memory),
                (block, input, shared) -> {
                    states.accept(input);
                    return block.forward(input, block.memory.read(shared.getFirst()), mask, null);
                }); // (B, T, D)
    }

    @Override
    public Tensor decode(Tensor ids, Cache cache) {
        var x = model.decoder.embed(model.embed(ids), cache.own().length()); // (B, T, D)
        var y =
                model.decoder.blocks.forward(
                        x,
                        (block, input) ->
                                block.forward(
                                        input,
                                        cache.memory().get(block.layer),
                                        cache.mask(),
                                        cache.own()));
        cache.own().advance(ids.size(1));
        return y; // (B, T, D)
    }

    @Override
    List<KeysAndValues> read(Tensor memory) {
        return model.decoder.blocks.blocks().stream()
                .map(block -> block.memory.read(memory))
                .toList();
    }

    @Override
    KeyValueCache ownCache(long batch, long capacity) {
        return new KeyValueCache(
                config.decoderLayers(),
                batch,
                config.decoderHeads(),
                capacity,
                config.width() / config.decoderHeads());
    }

    private static final class Body extends Module {
        private final Embedding shared;
        private final Half<PostNormBlock> encoder;
        private final Half<DecoderBlock> decoder;
        private final double scale;

        Body(BartConfig c) {
            shared = child("shared", new Embedding(c.vocabulary(), c.width(), c.padding()));
            encoder = child("encoder", new Half<>(c));
            for (var i = 0; i < c.encoderLayers(); i++) {
                encoder.blocks.add(
                        new PostNormBlock(
                                BLOCK,
                                new PostNormBlock.Shape(
                                        c.width(),
                                        c.encoderHeads(),
                                        c.encoderInner(),
                                        c.activation(),
                                        EPSILON),
                                new PostNormBlock.Dropout(
                                        c.attentionDropout(),
                                        c.dropout(),
                                        c.activationDropout(),
                                        c.dropout())));
            }
            decoder = child("decoder", new Half<>(c));
            for (var i = 0; i < c.decoderLayers(); i++) {
                decoder.blocks.add(new DecoderBlock(c, i));
            }
            scale = c.scaleEmbedding() ? Math.sqrt(c.width()) : 1;
        }

        Tensor embed(Tensor ids) { // (B, T)
            var x = shared.forward(ids);
            return scale == 1 ? x : x.mul(scale); // (B, T, D)
        }
    }

    /// What encoder and decoder have alike: positions, a norm of the embeddings, and blocks.
    private static final class Half<B extends Module> extends Module {
        private final Embedding positions;
        private final Stack<B> blocks;
        private final LayerNorm norm;
        private final double dropout;

        Half(BartConfig c) {
            positions =
                    child(
                            "embed_positions",
                            new Embedding(c.positions() + FIRST_POSITION, c.width()));
            blocks = child("layers", new Stack<>());
            norm = child("layernorm_embedding", new LayerNorm(c.width(), EPSILON));
            dropout = c.dropout();
        }

        /// For tokens from the position `start` on.
        Tensor embed(Tensor tokens, long start) { // (B, T, D)
            var first = FIRST_POSITION + start;
            var at = Tensor.arange(first, first + tokens.size(1)).unsqueeze(0); // (1, T)
            return norm.forward(tokens.add(positions.forward(at))).dropout(dropout, training());
        }
    }

    private static final class DecoderBlock extends Module {
        private final int layer;
        private final MultiHeadAttention own;
        private final LayerNorm ownNorm;
        private final MultiHeadAttention memory;
        private final LayerNorm memoryNorm;
        private final Linear up;
        private final Linear down;
        private final LayerNorm mlpNorm;
        private final BartConfig c;

        DecoderBlock(BartConfig c, int layer) {
            this.c = c;
            this.layer = layer;
            var shape =
                    new MultiHeadAttention.Shape(
                            c.width(), c.decoderHeads(), c.width() / c.decoderHeads(), true, true);
            own = child("", new MultiHeadAttention(SELF, shape, c.attentionDropout()));
            ownNorm = child("self_attn_layer_norm", new LayerNorm(c.width(), EPSILON));
            memory =
                    child(
                            "",
                            new MultiHeadAttention(
                                    attention("encoder_attn"), shape, c.attentionDropout()));
            memoryNorm = child("encoder_attn_layer_norm", new LayerNorm(c.width(), EPSILON));
            up = child("fc1", Linear.of(c.width(), c.decoderInner(), true));
            down = child("fc2", Linear.of(c.decoderInner(), c.width(), true));
            mlpNorm = child("final_layer_norm", new LayerNorm(c.width(), EPSILON));
        }

        Tensor forward(
                Tensor x,
                KeysAndValues read,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache) { // (B, T, D)
            var written = own.read(x);
            if (cache != null) {
                written = cache.append(layer, written);
            }
            x = ownNorm.forward(x.add(dropped(own.forwardCausal(x, written), c.dropout())));
            x = memoryNorm.forward(x.add(dropped(memory.forward(x, read, mask), c.dropout())));
            var h = Activation.apply(c.activation(), up.forward(x)); // (B, T, inner)
            var y = down.forward(dropped(h, c.activationDropout()));
            return mlpNorm.forward(x.add(dropped(y, c.dropout())));
        }

        private Tensor dropped(Tensor x, double share) {
            return x.dropout(share, training());
        }
    }

    /// W₂ tanh(W₁ h + b₁) + b₂ of the state of the text's last end, with dropout before both maps.
    private static final class Head extends ClassificationHead {
        private final Linear dense;
        private final Linear projection;
        private final double dropout;

        Head(BartConfig c, int classes) {
            dense = child("classification_head.dense", Linear.of(c.width(), c.width(), true));
            projection = child("classification_head.out_proj", Linear.of(c.width(), classes, true));
            dropout = c.classifierDropout();
        }

        @Override
        public Tensor forward(Tensor state) { // (…, D)
            var h = dense.forward(state.dropout(dropout, training())).tanh();
            return projection.forward(h.dropout(dropout, training())); // (…, classes)
        }
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        return new Head(config, classes);
    }

    @Override
    public Tensor head() {
        return model.shared.weight().value();
    }

    @Override
    public @Nullable Tensor headBias() {
        return bias == null ? null : bias.value().view(-1); // (V)
    }

    @Override
    public Family family() {
        return FAMILY;
    }

    @Override
    public ObjectNode configJson() {
        return config.json();
    }

    @Override
    public Bart withVocabulary(int size) {
        return new Bart(config.withVocabulary(size), bias != null);
    }

    @Override
    public int start() {
        return config.start();
    }

    @Override
    public int end() {
        return config.end();
    }

    @Override
    public int padding() {
        return config.padding();
    }

    @Override
    public int vocabulary() {
        return config.vocabulary();
    }

    @Override
    public int context() {
        return config.positions();
    }

    @Override
    public int width() {
        return config.width();
    }

    @Override
    public int layers() {
        return config.encoderLayers() + config.decoderLayers();
    }

    @Override
    public long matrixWeights() {
        return parameterCount()
                - 2 * model.encoder.positions.weight().value().count()
                - (bias == null ? 0 : bias.value().count());
    }
}
