package dev.espalier.model;

import dev.espalier.nn.Attention;
import dev.espalier.nn.Embedding;
import dev.espalier.nn.GatedMlp;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.RmsNorm;
import dev.espalier.nn.RotaryEmbedding;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Llama (Touvron et al. 2023, arXiv:2302.13971): a decoder with RMS norms before attention and
/// MLP, rotary positions, a gated MLP, and no positions of its own: x ← x + Attention(RMS(x)); x ←
/// x + SwiGLU(RMS(x)); logits = RMS(x) Wᵀ
///
/// Later ones share keys and values between queries (grouped-query attention). Mistral is a Llama
/// whose tokens see a window alone, Qwen2 one whose queries, keys and values have biases.
///
/// H query heads, G heads of keys and values.
public final class Llama extends Decoder {
    private static final List<String> ATTENTION = List.of("q_proj", "k_proj", "v_proj", "o_proj");
    private static final List<String> MLP = List.of("gate_proj", "up_proj", "down_proj");

    private final LlamaConfig config;
    private final Body model;
    private final @Nullable Linear head;

    public Llama(LlamaConfig config) {
        this(config, !config.tied());
    }

    private Llama(LlamaConfig config, boolean ownHead) {
        this.config = config;
        model = child("model", new Body(config));
        head =
                ownHead
                        ? child("lm_head", Linear.of(config.width(), config.vocabulary(), false))
                        : null;
    }

    /// A body that no vocabulary is scored with, as a classifier's files have it.
    public static Llama withoutHead(LlamaConfig config) {
        return new Llama(config, false);
    }

    public LlamaConfig config() {
        return config;
    }

    /// New weights: N(0, `initializer_range`²), biases 0 and gains 1. A pure function of `seed`,
    /// the same on every machine.
    public Llama initialize(long seed) {
        InitialWeights.fill(this, seed, name -> config.initializerRange());
        return this;
    }

    @Override
    public Family family() {
        return new Family(
                switch (config.kind()) {
                    case LLAMA -> "Llama";
                    case MISTRAL -> "Mistral";
                    case QWEN2 -> "Qwen2";
                },
                "model",
                "model.embed_tokens.weight",
                Pattern.compile("(model\\.)?layers\\.\\d+\\.self_attn\\.rotary_emb\\.inv_freq"),
                ATTENTION,
                MLP,
                List.of("q_proj", "v_proj"),
                Map.of(HEAD, "model.embed_tokens.weight"),
                Map.of());
    }

    @Override
    public ObjectNode configJson() {
        return config.json();
    }

    @Override
    public Llama withVocabulary(int size) {
        return new Llama(config.withVocabulary(size));
    }

    @Override
    public Tensor hidden(
            Tensor ids, Tensor positions, @Nullable Tensor mask, @Nullable KeyValueCache cache) {
        return model.forward(ids, positions, mask, cache, state -> {});
    }

    @Override
    public List<Tensor> states(Tensor ids, Tensor positions, @Nullable Tensor mask) {
        var states = new ArrayList<Tensor>();
        states.add(model.forward(ids, positions, mask, null, states::add));
        return states;
    }

    @Override
    public Tensor head() {
        if (head == null && !config.tied()) {
            throw new IllegalStateException("this model was made without a head");
        }
        return head == null ? model.tokens.weight().value() : head.weight().value();
    }

    @Override
    public int vocabulary() {
        return config.vocabulary();
    }

    /// As far as scaled positions stretch it.
    @Override
    public int context() {
        return config.stretched();
    }

    /// A dynamically scaled model turns all positions by how many there are.
    @Override
    public int paddedLength(IntStream lengths) {
        return config.scaling() instanceof RotaryEmbedding.Dynamic
                ? lengths.max().orElseThrow()
                : super.paddedLength(lengths);
    }

    @Override
    public int width() {
        return config.width();
    }

    @Override
    public int layers() {
        return config.layers();
    }

    @Override
    public KeyValueCache cache(long batch, long capacity) {
        return new KeyValueCache(
                config.layers(), batch, config.keyValueHeads(), capacity, config.headWidth());
    }

    @Override
    public long matrixWeights() {
        // A tied table is multiplied by as the head; one of its own is only looked up.
        return parameterCount() - (config.tied() ? 0 : model.tokens.weight().value().count());
    }

    private static final class Body extends Module {
        private final LlamaConfig c;
        private final Embedding tokens;
        private final RotaryEmbedding rotary;
        private final Stack<Block> blocks;
        private final RmsNorm norm;

        Body(LlamaConfig c) {
            this.c = c;
            tokens = child("embed_tokens", new Embedding(c.vocabulary(), c.width()));
            rotary = new RotaryEmbedding(c.headWidth(), c.theta(), c.scaling(), c.context());
            blocks = child("layers", new Stack<>());
            for (var i = 0; i < c.layers(); i++) {
                blocks.add(new Block(c, i));
            }
            norm = child("norm", new RmsNorm(c.width(), c.epsilon()));
        }

        Tensor forward(
                Tensor ids,
                Tensor positions,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache,
                Consumer<Tensor> states) {
            var t = ids.size(1);
            var s = cache == null ? t : cache.length() + t;
            var rotation = rotary.at(positions);
            var windowed = c.window() == null ? mask : Attention.within(c.window(), mask, t, s);
            var x =
                    blocks.forward(
                            tokens.forward(ids), // (B, T, D)
                            (block, input) -> {
                                states.accept(input);
                                var visible = block.layer < c.windowFrom() ? mask : windowed;
                                return block.forward(input, rotation, visible, cache);
                            });
            if (cache != null) {
                cache.advance(t);
            }
            return norm.forward(x); // (B, T, D)
        }
    }

    private static final class Block extends Module {
        private final int layer;
        private final SelfAttention attention;
        private final GatedMlp mlp;
        private final RmsNorm before;
        private final RmsNorm between;

        Block(LlamaConfig c, int layer) {
            this.layer = layer;
            attention = child("self_attn", new SelfAttention(c, layer));
            mlp = child("mlp", new GatedMlp(c.width(), c.hidden(), c.activation(), c.mlpBias()));
            before = child("input_layernorm", new RmsNorm(c.width(), c.epsilon()));
            between = child("post_attention_layernorm", new RmsNorm(c.width(), c.epsilon()));
        }

        Tensor forward(
                Tensor x,
                RotaryEmbedding.Rotation rotation,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache) { // (B, T, D)
            x = x.add(attention.forward(before.forward(x), rotation, mask, cache));
            return x.add(mlp.forward(between.forward(x)));
        }
    }

    private static final class SelfAttention extends Module {
        private final Linear query;
        private final Linear key;
        private final Linear value;
        private final Linear output;
        private final int layer;
        private final int width;
        private final double dropout;

        SelfAttention(LlamaConfig c, int layer) {
            this.layer = layer;
            width = c.headWidth();
            long queries = (long) c.heads() * width, keys = (long) c.keyValueHeads() * width;
            query = child("q_proj", Linear.of(c.width(), queries, c.queryBias()));
            key = child("k_proj", Linear.of(c.width(), keys, c.queryBias()));
            value = child("v_proj", Linear.of(c.width(), keys, c.queryBias()));
            output = child("o_proj", Linear.of(queries, c.width(), c.outputBias()));
            dropout = c.attentionDropout();
        }

        Tensor forward(
                Tensor x,
                RotaryEmbedding.Rotation rotation,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache) { // (B, T, D)
            var q = rotation.apply(heads(query.forward(x))); // (B, H, T, d)
            var k = rotation.apply(heads(key.forward(x))); // (B, G, T, d)
            var v = heads(value.forward(x));
            if (cache != null) {
                k = cache.keys(layer, k); // (B, G, S, d)
                v = cache.values(layer, v);
            }
            var y = Attention.attend(q, k, v, mask, 1, training() ? dropout : 0); // (B, H, T, d)
            return output.forward(y.transpose(1, 2).reshape(x.size(0), x.size(1), -1)); // (B, T, D)
        }

        private Tensor heads(Tensor x) { // (B, T, heads d)
            return x.view(x.size(0), x.size(1), -1, width).transpose(1, 2); // (B, heads, T, d)
        }
    }
}
