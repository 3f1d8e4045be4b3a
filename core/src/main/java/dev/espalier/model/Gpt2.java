package dev.espalier.model;

import dev.espalier.nn.Activation;
import dev.espalier.nn.Attention;
import dev.espalier.nn.Embedding;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.MultiHeadAttention.KeysAndValues;
import dev.espalier.nn.Stack;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask learners"): a decoder
/// with learnt positions, layer norms before attention and MLP, and a vocabulary head tied to the
/// token embeddings: x ← x + Attention(LN(x)); x ← x + MLP(LN(x)); logits = LN(x) Wteᵀ
///
/// Its files store the weights of linear maps as (in, out), and query, key and value as one map.
public final class Gpt2 extends Decoder {
    private static final List<String> ATTENTION = List.of("attn.c_attn", "attn.c_proj");
    private static final Family FAMILY =
            new Family(
                    "GPT2",
                    "transformer",
                    "transformer.wte.weight",
                    Pattern.compile("(transformer\\.)?h\\.\\d+\\.attn\\.(masked_)?bias"),
                    ATTENTION,
                    List.of("mlp.c_fc", "mlp.c_proj"),
                    List.of("c_attn"),
                    Map.of(HEAD, "transformer.wte.weight"),
                    Map.of());

    private final Gpt2Config config;
    private final Body transformer;

    public Gpt2(Gpt2Config config) {
        this(config, false);
    }

    /// @param reads whether its blocks attend to what an encoder gave, the memory, too
    Gpt2(Gpt2Config config, boolean reads) {
        this.config = config;
        transformer = child("transformer", new Body(config, reads));
    }

    public Gpt2Config config() {
        return config;
    }

    /// New weights: N(0, 0.02²), the projections into the residual stream divided by √(2 layers)
    /// (section 2.3), biases 0 and gains 1. A pure function of `seed`, the same on every machine.
    public Gpt2 initialize(long seed) {
        var residual = config.initializerRange() / Math.sqrt(2.0 * config.layers());
        InitialWeights.fill(
                this,
                seed,
                name -> name.endsWith("c_proj.weight") ? residual : config.initializerRange());
        return this;
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
    public Gpt2 withVocabulary(int size) {
        return new Gpt2(config.withVocabulary(size));
    }

    @Override
    public Tensor hidden(
            Tensor ids, Tensor positions, @Nullable Tensor mask, @Nullable KeyValueCache cache) {
        return transformer.forward(ids, positions, mask, cache, state -> {});
    }

    /// The last hidden states (B, T, D) of `ids` (B, T), which read `memory` (B, S, D).
    Tensor hidden(Tensor ids, Tensor memory, Consumer<Tensor> states) {
        return transformer.reading(ids, memory, states);
    }

    /// As above, where the ids follow those in `cache`, and keys and values of the memory are
    /// known.
    Tensor hidden(Tensor ids, List<KeysAndValues> memory, KeyValueCache cache) {
        return transformer.reading(ids, memory, cache);
    }

    /// Keys and values of `memory` (B, S, D), block by block.
    List<KeysAndValues> read(Tensor memory) {
        return transformer.blocks.blocks().stream()
                .map(block -> Objects.requireNonNull(block.memory).read(memory))
                .toList();
    }

    /// How much each of `ids` (B, T) attends to each position of `memory` (B, S, D): the mean of
    /// the weights of all heads of all blocks, (B, T, S), each row of which sums to 1.
    Tensor looks(Tensor ids, Tensor memory) {
        var states = new ArrayList<Tensor>();
        hidden(ids, memory, states::add);
        var blocks = transformer.blocks.blocks();
        var sum = Tensor.zeros(DType.FLOAT, ids.size(0), ids.size(1), memory.size(1));
        for (var i = 0; i < blocks.size(); i++) {
            sum = sum.add(blocks.get(i).weights(states.get(i), memory).sum(1).select(1, 0));
        }
        return sum.mul(1.0 / (config.layers() * config.heads()));
    }

    @Override
    public List<Tensor> states(Tensor ids, Tensor positions, @Nullable Tensor mask) {
        var states = new ArrayList<Tensor>();
        states.add(transformer.forward(ids, positions, mask, null, states::add));
        return states;
    }

    @Override
    public Tensor head() {
        return transformer.wte.weight().value();
    }

    @Override
    public int vocabulary() {
        return config.vocabulary();
    }

    @Override
    public int context() {
        return config.context();
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
                config.layers(), batch, config.heads(), capacity, config.width() / config.heads());
    }

    @Override
    public long matrixWeights() {
        // The token table is multiplied by as the head; the position table is only looked up.
        return parameterCount() - transformer.wpe.weight().value().count();
    }

    private static final class Body extends Module {
        private final Embedding wte;
        private final Embedding wpe;
        private final Stack<Block> blocks;
        private final LayerNorm norm;
        private final double dropout;

        Body(Gpt2Config c, boolean reads) {
            wte = child("wte", new Embedding(c.vocabulary(), c.width()));
            wpe = child("wpe", new Embedding(c.context(), c.width()));
            blocks = child("h", new Stack<>());
            for (var i = 0; i < c.layers(); i++) {
                blocks.add(new Block(c, i, reads));
            }
            norm = child("ln_f", new LayerNorm(c.width(), c.epsilon()));
            dropout = c.embeddingDropout();
        }

        Tensor forward(
                Tensor ids,
                Tensor positions,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache,
                Consumer<Tensor> states) {
            var x =
                    blocks.forward(
                            embed(ids, positions),
                            (block, input) -> {
                                states.accept(input);
                                return block.forward(input, mask, cache, null);
                            });
            if (cache != null) {
                cache.advance(ids.size(1));
            }
            return norm.forward(x); // (B, T, D)
        }

        private Tensor embed(Tensor ids, Tensor positions) {
            return wte.forward(ids)
                    .add(wpe.forward(positions))
                    .dropout(dropout, training()); // (B, T, D)
        }

        Tensor reading(Tensor ids, Tensor memory, Consumer<Tensor> states) {
            var x =
                    blocks.forward(
                            embed(ids, Tensor.arange(0, ids.size(1)).unsqueeze(0)),
                            List.of(memory),
                            (block, input, shared) -> {
                                states.accept(input);
                                var read = Objects.requireNonNull(block.memory);
                                return block.forward(
                                        input, null, null, read.read(shared.getFirst()));
                            });
            return norm.forward(x); // (B, T, D)
        }

        Tensor reading(Tensor ids, List<KeysAndValues> memory, KeyValueCache cache) {
            var from = cache.length();
            long t = ids.size(1), s = from + t;
            var x =
                    blocks.forward(
                            embed(ids, Tensor.arange(from, s).unsqueeze(0)),
                            (block, input) ->
                                    block.forward(
                                            input,
                                            from == 0 ? null : Attention.causal(t, s),
                                            cache,
                                            memory.get(block.layer)));
            cache.advance(t);
            return norm.forward(x); // (B, T, D)
        }
    }

    private static final class Block extends Module {
        private final LayerNorm before;
        private final SelfAttention attention;
        private final @Nullable LayerNorm beforeMemory;
        private final @Nullable MemoryAttention memory;
        private final LayerNorm between;
        private final Mlp mlp;
        private final int layer;

        Block(Gpt2Config c, int layer, boolean reads) {
            this.layer = layer;
            before = child("ln_1", new LayerNorm(c.width(), c.epsilon()));
            attention = child("attn", new SelfAttention(c, layer));
            beforeMemory =
                    reads ? child("ln_cross_attn", new LayerNorm(c.width(), c.epsilon())) : null;
            memory = reads ? child("crossattention", new MemoryAttention(c, layer)) : null;
            between = child("ln_2", new LayerNorm(c.width(), c.epsilon()));
            mlp = child("mlp", new Mlp(c));
        }

        Tensor forward(
                Tensor x,
                @Nullable Tensor mask,
                @Nullable KeyValueCache cache,
                @Nullable KeysAndValues read) { // (B, T, D)
            x = x.add(attention.forward(before.forward(x), mask, cache));
            if (beforeMemory != null && memory != null && read != null) {
                x = x.add(memory.forward(beforeMemory.forward(x), read));
            }
            return x.add(mlp.forward(between.forward(x)));
        }

        /// How much each position attends to each of the memory: (B, H, T, S).
        Tensor weights(Tensor x, Tensor read) { // (B, T, D), (B, S, D)
            var attending = Objects.requireNonNull(memory);
            x = x.add(attention.forward(before.forward(x), null, null));
            return attending.weights(
                    Objects.requireNonNull(beforeMemory).forward(x), attending.read(read));
        }
    }

    private static final class SelfAttention extends Module {
        private final Linear queryKeyValue;
        private final Linear projection;
        private final int layer;
        private final int heads;
        private final double scale;
        private final double attentionDropout;
        private final double residualDropout;

        SelfAttention(Gpt2Config c, int layer) {
            this.layer = layer;
            heads = c.heads();
            queryKeyValue = child("c_attn", Linear.conv1d(c.width(), 3L * c.width()));
            projection = child("c_proj", Linear.conv1d(c.width(), c.width()));
            scale = scale(c, layer);
            attentionDropout = c.attentionDropout();
            residualDropout = c.residualDropout();
        }

        Tensor forward(
                Tensor x, @Nullable Tensor mask, @Nullable KeyValueCache cache) { // (B, T, D)
            long b = x.size(0), t = x.size(1), width = x.size(2);
            var qkv =
                    queryKeyValue
                            .forward(x)
                            .view(b, t, 3, heads, width / heads)
                            .permute(2, 0, 3, 1, 4);
            var q = qkv.select(0, 0); // (B, H, T, d)
            var k = qkv.select(0, 1);
            var v = qkv.select(0, 2);
            if (cache != null) {
                k = cache.keys(layer, k); // (B, H, S, d)
                v = cache.values(layer, v);
            }
            var y =
                    Attention.attend(
                            q,
                            k,
                            v,
                            mask,
                            scale,
                            training() ? attentionDropout : 0); // (B, H, T, d)
            y = y.transpose(1, 2).reshape(b, t, width); // (B, T, D)
            return projection.forward(y).dropout(residualDropout, training());
        }
    }

    private static double scale(Gpt2Config c, int layer) {
        return (c.scale() ? 1 : Math.sqrt(c.width() / c.heads()))
                / (c.scaleByLayer() ? layer + 1 : 1);
    }

    /// Attention to what an encoder gave: queries are of the text, keys and values of the memory.
    private static final class MemoryAttention extends Module {
        private final Linear query;
        private final Linear keyValue;
        private final Linear projection;
        private final int heads;
        private final double scale;
        private final double attentionDropout;
        private final double residualDropout;

        MemoryAttention(Gpt2Config c, int layer) {
            heads = c.heads();
            keyValue = child("c_attn", Linear.conv1d(c.width(), 2L * c.width()));
            query = child("q_attn", Linear.conv1d(c.width(), c.width()));
            projection = child("c_proj", Linear.conv1d(c.width(), c.width()));
            scale = scale(c, layer);
            attentionDropout = c.attentionDropout();
            residualDropout = c.residualDropout();
        }

        KeysAndValues read(Tensor memory) { // (B, S, D)
            long b = memory.size(0), s = memory.size(1), width = memory.size(2);
            var kv =
                    keyValue.forward(memory)
                            .view(b, s, 2, heads, width / heads)
                            .permute(2, 0, 3, 1, 4);
            return new KeysAndValues(kv.select(0, 0), kv.select(0, 1)); // (B, H, S, d)
        }

        private Tensor queries(Tensor x) { // (B, T, D)
            long b = x.size(0), t = x.size(1), width = x.size(2);
            return query.forward(x)
                    .view(b, t, heads, width / heads)
                    .transpose(1, 2); // (B, H, T, d)
        }

        Tensor weights(Tensor x, KeysAndValues read) { // (B, T, D)
            return Attention.weights(queries(x), read.keys(), null, scale); // (B, H, T, S)
        }

        Tensor forward(Tensor x, KeysAndValues read) { // (B, T, D)
            var y =
                    Attention.attendToAll(
                            queries(x),
                            read.keys(),
                            read.values(),
                            null,
                            scale,
                            training() ? attentionDropout : 0); // (B, H, T, d)
            y = y.transpose(1, 2).reshape(x.size(0), x.size(1), x.size(2)); // (B, T, D)
            return projection.forward(y).dropout(residualDropout, training());
        }
    }

    private static final class Mlp extends Module {
        private final Linear up;
        private final Linear down;
        private final String activation;
        private final double dropout;

        Mlp(Gpt2Config c) {
            up = child("c_fc", Linear.conv1d(c.width(), c.inner()));
            down = child("c_proj", Linear.conv1d(c.inner(), c.width()));
            activation = c.activation();
            dropout = c.residualDropout();
        }

        Tensor forward(Tensor x) { // (B, T, D)
            var h = Activation.apply(activation, up.forward(x)); // (B, T, inner)
            return down.forward(h).dropout(dropout, training());
        }
    }
}
