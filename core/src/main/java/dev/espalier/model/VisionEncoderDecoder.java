package dev.espalier.model;

import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.MultiHeadAttention.KeysAndValues;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// A ViT that sees a picture and a GPT-2 that writes of it, whose blocks attend to the patches too,
/// as Show, Attend and Tell (Xu et al. 2015, arXiv:1502.03044) with transformers on both sides.
/// What it encodes are pixels (B, C, H, W) in place of ids.
public final class VisionEncoderDecoder extends EncoderDecoder {
    private static final String TABLE = "decoder.transformer.wte.weight";
    private static final Family FAMILY =
            new Family(
                    "VisionEncoderDecoder",
                    "",
                    TABLE,
                    Pattern.compile("decoder\\.transformer\\.h\\.\\d+\\.\\w+\\.(masked_)?bias"),
                    List.of("c_attn", "q_attn", "attn.c_proj", "crossattention.c_proj"),
                    List.of("mlp.c_fc", "mlp.c_proj"),
                    List.of("c_attn"),
                    Map.of("decoder." + Decoder.HEAD, TABLE),
                    Map.of());

    private final VisionEncoderDecoderConfig config;
    private final VitBody encoder;
    private final @Nullable Linear bridge;
    private final Gpt2 decoder;

    public VisionEncoderDecoder(VisionEncoderDecoderConfig config) {
        this.config = config;
        encoder = child("encoder", new VitBody(config.encoder()));
        // A part of every ViT's file, which nothing here reads.
        var width = config.encoder().width();
        var pooler = child("encoder.pooler.dense", Linear.of(width, width, true));
        pooler.parameters().values().forEach(p -> p.trained(false));
        var written = config.decoder().width();
        bridge =
                width == written ? null : child("enc_to_dec_proj", Linear.of(width, written, true));
        decoder = child("decoder", new Gpt2(config.decoder(), true));
    }

    public VisionEncoderDecoderConfig config() {
        return config;
    }

    /// New weights, as those of a ViT and of a GPT-2. A pure function of `seed`.
    public VisionEncoderDecoder initialize(long seed) {
        InitialWeights.fill(this, seed, name -> config.encoder().initializerRange());
        decoder.initialize(seed + 1);
        return this;
    }

    /// Takes over what `encoder`, a ViT or a ViT-MAE of this shape, sees with, but for its head.
    ///
    /// @return the paths of the weights that it gave
    public Set<String> see(VisionModel encoder) {
        return take(encoder, encoder.family().body() + ".", this, "encoder.");
    }

    /// Takes over what `decoder` writes with.
    ///
    /// @return the paths of the weights that it gave
    public Set<String> write(Gpt2 decoder) {
        return take(decoder, "", this, "decoder.");
    }

    /// Gives `to` the weights of `from` whose paths begin with `theirs`.
    ///
    /// @return the paths of the weights that were given whole
    static Set<String> take(Module from, String theirs, Module to, String ours) {
        var own = to.parameters();
        var given = new HashSet<String>();
        Torch.noGrad(() ->
                from.parameters()
                        .forEach((path, parameter) -> {
                            if (path.startsWith(theirs)) {
                                var name = ours + path.substring(theirs.length());
                                var weight = Objects.requireNonNull(own.get(name)).value();
                                // Others may lie behind the positions that both have.
                                var shared =
                                        path.endsWith(VitBody.POSITIONS)
                                                ? weight.narrow(1, 0, parameter.value().size(1))
                                                : weight;
                                shared.copyInPlace(parameter.value());
                                if (shared.count() == weight.count()) {
                                    given.add(name);
                                }
                            }
                        }));
        return given;
    }

    /// Multiplications of the forward pass of a picture of this size with `written` tokens of it,
    /// in matrix products.
    public double multiplications(long height, long pictureWidth, double written) {
        double seen = positions(height, pictureWidth), d = width();
        // Keys and values of what is seen are computed once, all else for each token.
        var read = 2 * d * d * layers();
        return config.encoder().multiplications(height, pictureWidth, seen)
                + seen * (read + (bridge == null ? 0 : config.encoder().width() * d))
                + written * (matrixWeights() - read + 2 * d * layers() * (written + seen));
    }

    /// Positions of a picture of this size in the encoder.
    public long positions(long height, long pictureWidth) {
        return 1 + config.encoder().grid(height, pictureWidth).count();
    }

    /// How much each of `ids` (B, T), from which the next token is told, attends to each patch of
    /// `pixels` (B, C, H, W), (B, T, h, w): the mean of the weights of all heads of the decoder's
    /// blocks, all of a token's together at most 1.
    public Tensor looks(Tensor ids, Tensor pixels) {
        var weights = decoder.looks(ids, encode(pixels, null)); // (B, T, S)
        var grid = config.encoder().grid(pixels.size(2), pixels.size(3));
        return weights.narrow(2, 1, grid.count())
                .reshape(ids.size(0), ids.size(1), grid.height(), grid.width());
    }

    @Override
    Tensor encode(Tensor pixels, @Nullable Tensor mask, Consumer<Tensor> states) {
        var seen = encoder.forward(pixels, states); // (B, S, D)
        return bridge == null ? seen : bridge.forward(seen);
    }

    @Override
    Tensor decode(Tensor ids, Tensor memory, @Nullable Tensor mask, Consumer<Tensor> states) {
        return decoder.hidden(ids, memory, states);
    }

    @Override
    public Tensor decode(Tensor ids, Cache cache) {
        return decoder.hidden(ids, cache.memory(), cache.own());
    }

    @Override
    KeyValueCache ownCache(long batch, long capacity) {
        return decoder.cache(batch, capacity);
    }

    @Override
    List<KeysAndValues> read(Tensor memory) {
        return decoder.read(memory);
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        throw new UnsupportedOperationException("a model that sees classifies no texts");
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
    public Tensor head() {
        return decoder.head();
    }

    @Override
    public VisionEncoderDecoder withVocabulary(int size) {
        return new VisionEncoderDecoder(config.withVocabulary(size));
    }

    @Override
    public int vocabulary() {
        return config.decoder().vocabulary();
    }

    @Override
    public int context() {
        return config.decoder().context();
    }

    @Override
    public int width() {
        return config.decoder().width();
    }

    @Override
    public int layers() {
        return config.decoder().layers();
    }

    @Override
    public long matrixWeights() {
        return decoder.matrixWeights();
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
