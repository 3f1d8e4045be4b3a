package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import dev.espalier.nn.Attention;
import dev.espalier.nn.Embedding;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.MultiHeadAttention;
import dev.espalier.nn.MultiHeadAttention.KeysAndValues;
import dev.espalier.nn.RelativePositionBias;
import dev.espalier.nn.RmsNorm;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// T5 (Raffel et al. 2020, arXiv:1910.10683, section 2.1): an encoder and a decoder over one table
/// of tokens, with RMS norms before every part, no biases, scores that are not divided by √d, and a
/// bias of distances in place of positions, which the first block of each half holds for all:
///
///     x ← x + Attention(RMS(x));  x ← x + Attention(RMS(x), memory);  x ← x + W₂ φ(W₁ RMS(x));
///     logits = RMS(x) / √D Eᵀ
///
/// The second step is the decoder's alone. T5 1.1 gates the MLP (Shazeer 2020, arXiv:2002.05202)
/// and has a head of its own, before which nothing is divided.
public final class T5 extends EncoderDecoder {
    private static final String TABLE = "shared.weight";

    private final T5Config config;
    private final Embedding shared;
    private final Half encoder;
    private final Half decoder;
    private final @Nullable Linear head;

    public T5(T5Config config) {
        this.config = config;
        shared = child("shared", new Embedding(config.vocabulary(), config.width()));
        encoder = child("encoder", new Half(config, config.encoderLayers(), false));
        decoder = child("decoder", new Half(config, config.decoderLayers(), true));
        head =
                config.tied()
                        ? null
                        : child("lm_head", Linear.of(config.width(), config.vocabulary(), false));
    }

    /// New weights as the published models start: what reads D numbers is drawn from N(0, 1/D),
    /// queries from N(0, 1/(D d)), since scores are not divided by √d, embeddings from N(0, 1). A
    /// pure function of `seed`.
    public T5 initialize(long seed) {
        double d = config.width();
        InitialWeights.fill(
                this,
                seed,
                name -> {
                    if (name.equals(TABLE) || name.equals(Decoder.HEAD)) {
                        return config.initializerFactor();
                    }
                    var variance =
                            switch (name.substring(
                                    name.lastIndexOf('.', name.length() - 8) + 1,
                                    name.length() - 7)) {
                                case "q" -> 1 / (d * config.headWidth());
                                case "o" -> 1.0 / (config.heads() * config.headWidth());
                                case "wo" -> 1.0 / config.inner();
                                default -> 1 / d;
                            };
                    return config.initializerFactor() * Math.sqrt(variance);
                });
        return this;
    }

    @Override
    Tensor encode(Tensor ids, @Nullable Tensor mask, Consumer<Tensor> states) {
        var s = ids.size(1);
        var bias = encoder.bias(s, s); // (1, H, S, S)
        return encoder.forward(
                shared.forward(ids),
                List.of(mask == null ? bias : bias.add(mask)),
                (block, input, all) -> {
                    states.accept(input);
                    return block.forward(input, all.getFirst(), null, null, null);
                }); // (B, S, D)
    }

    @Override
    Tensor decode(Tensor ids, Tensor memory, @Nullable Tensor mask, Consumer<Tensor> states) {
        var t = ids.size(1);
        var bias = decoder.bias(t, t).add(Attention.causal(t, t)); // (1, H, T, T)
        return decoder.forward(
                shared.forward(ids),
                List.of(bias, memory),
                (block, input, all) -> {
                    states.accept(input);
                    return block.forward(
                            input, all.getFirst(), block.read(all.getLast()), mask, null);
                }); // (B, T, D)
    }

    @Override
    public Tensor decode(Tensor ids, Cache cache) {
        long t = ids.size(1), s = cache.own().length() + t;
        var bias = decoder.bias(t, s).add(Attention.causal(t, s)); // (1, H, T, S)
        var y =
                decoder.forward(
                        shared.forward(ids),
                        List.of(bias),
                        (block, input, all) ->
                                block.forward(
                                        input,
                                        all.getFirst(),
                                        cache.memory().get(block.layer),
                                        cache.mask(),
                                        cache.own()));
        cache.own().advance(t);
        return y; // (B, T, D)
    }

    @Override
    List<KeysAndValues> read(Tensor memory) {
        return decoder.blocks.blocks().stream().map(block -> block.read(memory)).toList();
    }

    @Override
    KeyValueCache ownCache(long batch, long capacity) {
        return new KeyValueCache(
                config.decoderLayers(), batch, config.heads(), capacity, config.headWidth());
    }

    private static final class Half extends Module {
        private final Stack<Block> blocks;
        private final RelativePositionBias bias;
        private final RmsNorm norm;
        private final double dropout;

        Half(T5Config c, int layers, boolean decoder) {
            bias =
                    child(
                            "block.0.layer.0.SelfAttention.relative_attention_bias",
                            new RelativePositionBias(
                                    c.buckets(), c.mostDistance(), c.heads(), !decoder));
            blocks = child("block", new Stack<>());
            for (var i = 0; i < layers; i++) {
                blocks.add(new Block(c, i, decoder));
            }
            norm = child("final_layer_norm", new RmsNorm(c.width(), c.epsilon()));
            dropout = c.dropout();
        }

        Tensor bias(long t, long s) {
            return bias.forward(t, s); // (1, H, T, S)
        }

        Tensor forward(Tensor x, List<Tensor> all, Stack.Run<Block> run) { // (B, T, D)
            x = blocks.forward(x.dropout(dropout, training()), all, run);
            return norm.forward(x).dropout(dropout, training());
        }
    }

    private static final class Block extends Module {
        private final int layer;
        private final RmsNorm ownNorm;
        private final MultiHeadAttention own;
        private final @Nullable RmsNorm memoryNorm;
        private final @Nullable MultiHeadAttention memory;
        private final RmsNorm mlpNorm;
        private final Mlp mlp;
        private final double dropout;

        Block(T5Config c, int layer, boolean decoder) {
            this.layer = layer;
            own = child("layer.0.SelfAttention", attention(c));
            ownNorm = child("layer.0.layer_norm", new RmsNorm(c.width(), c.epsilon()));
            memory = decoder ? child("layer.1.EncDecAttention", attention(c)) : null;
            memoryNorm =
                    decoder
                            ? child("layer.1.layer_norm", new RmsNorm(c.width(), c.epsilon()))
                            : null;
            var last = decoder ? "layer.2." : "layer.1.";
            mlp = child(last + "DenseReluDense", new Mlp(c));
            mlpNorm = child(last + "layer_norm", new RmsNorm(c.width(), c.epsilon()));
            dropout = c.dropout();
        }

        private static MultiHeadAttention attention(T5Config c) {
            return new MultiHeadAttention(
                    new MultiHeadAttention.Names("q", "k", "v", "o"),
                    new MultiHeadAttention.Shape(c.width(), c.heads(), c.headWidth(), false, false),
                    c.dropout());
        }

        KeysAndValues read(Tensor encoded) {
            return java.util.Objects.requireNonNull(memory).read(encoded);
        }

        /// @param bias of the distances, and LEAST where a position may not look
        /// @param read what the encoder gave; null in the encoder
        Tensor forward(
                Tensor x,
                Tensor bias,
                @Nullable KeysAndValues read,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache) { // (B, T, D)
            var y = ownNorm.forward(x);
            var written = own.read(y);
            if (cache != null) {
                written = cache.append(layer, written);
            }
            x = x.add(dropped(own.forward(y, written, bias)));
            if (memory != null && memoryNorm != null && read != null) {
                x = x.add(dropped(memory.forward(memoryNorm.forward(x), read, mask)));
            }
            return x.add(dropped(mlp.forward(mlpNorm.forward(x))));
        }

        private Tensor dropped(Tensor x) {
            return x.dropout(dropout, training());
        }
    }

    /// W₂ φ(W₁ x), or gated W₂ (φ(W₁ x) ⊗ V x).
    private static final class Mlp extends Module {
        private final Linear up;
        private final @Nullable Linear gated;
        private final Linear down;
        private final String activation;
        private final double dropout;

        Mlp(T5Config c) {
            up = child(c.gated() ? "wi_0" : "wi", Linear.of(c.width(), c.inner(), false));
            gated = c.gated() ? child("wi_1", Linear.of(c.width(), c.inner(), false)) : null;
            down = child("wo", Linear.of(c.inner(), c.width(), false));
            activation = c.activation();
            dropout = c.dropout();
        }

        Tensor forward(Tensor x) { // (B, T, D)
            var h = Activation.apply(activation, up.forward(x)); // (B, T, inner)
            if (gated != null) {
                h = h.mul(gated.forward(x));
            }
            return down.forward(h.dropout(dropout, training()));
        }
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        throw EspalierException.usage(
                "a T5 has no head for classes; it learns to write the class as text");
    }

    @Override
    public Tensor head() {
        return head == null ? shared.weight().value() : head.weight().value();
    }

    @Override
    public Tensor transformed(Tensor hidden) {
        return config.tied() ? hidden.mul(1 / Math.sqrt(config.width())) : hidden;
    }

    @Override
    public Family family() {
        return new Family(
                "T5",
                "",
                TABLE,
                Pattern.compile(
                        "decoder\\.block\\.0\\.layer\\.1\\.EncDecAttention"
                                + "\\.relative_attention_bias\\.weight"),
                List.of("q", "k", "v", "o"),
                config.gated() ? List.of("wi_0", "wi_1", "wo") : List.of("wi", "wo"),
                List.of("q", "v"),
                config.tied()
                        ? Map.of(
                                Decoder.HEAD,
                                TABLE,
                                "encoder.embed_tokens.weight",
                                TABLE,
                                "decoder.embed_tokens.weight",
                                TABLE)
                        : Map.of(
                                "encoder.embed_tokens.weight", TABLE,
                                "decoder.embed_tokens.weight", TABLE),
                Map.of());
    }

    @Override
    public ObjectNode configJson() {
        return config.json();
    }

    @Override
    public T5 withVocabulary(int size) {
        return new T5(config.withVocabulary(size));
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

    /// The length that it was trained on: distances are told apart up to a bound, but texts may be
    /// of any length.
    @Override
    public int context() {
        return config.context();
    }

    @Override
    public int longest() {
        return 1 << 20;
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
        // A tied table is multiplied by as the head; one of its own is only looked up.
        return parameterCount() - (config.tied() ? 0 : shared.weight().value().count());
    }
}
