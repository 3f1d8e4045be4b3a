package dev.espalier.plan;

import dev.espalier.EspalierException;
import dev.espalier.model.BartConfig;
import dev.espalier.model.EncoderConfig;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.T5Config;
import dev.espalier.recipe.ModelRecipe;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;

/// What a model is made of, in numbers alone, so that one of any size can be reckoned with where it
/// would not fit. The counts are those of the models themselves; the tests hold them together.
///
/// @param family `gpt2`, `bert`, ...
/// @param encoderLayers blocks whose positions all see each other; 0 where there are none
/// @param decoderLayers blocks whose positions see what is before them; 0 where there are none
/// @param headWidth of each of `heads` heads of queries; keys and values have `keyValueHeads`
/// @param hidden the width of the MLPs' hidden layers
/// @param gated whether the MLPs have a third map
/// @param normsBehind whether norms follow the sums
/// @param parameters the weights, by the part that they belong to
/// @param lookedUp weights of tables that no product needs
public record Anatomy(
        String family,
        int vocabulary,
        int context,
        int width,
        int encoderLayers,
        int decoderLayers,
        int heads,
        int keyValueHeads,
        int headWidth,
        int hidden,
        boolean gated,
        boolean normsBehind,
        SequencedMap<String, Long> parameters,
        long lookedUp) {
    private static final String TOKENS = "token embeddings";
    private static final String POSITIONS = "positions and segments";
    private static final String ATTENTION = "attention";
    private static final String MLP = "MLPs";
    private static final String NORMS = "norms";
    private static final String HEAD = "head";

    public Anatomy {
        parameters = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(parameters));
    }

    /// A new model.
    ///
    /// @param vocabulary tokens of its tokenizer
    /// @throws EspalierException (USAGE) if its kind is not known here
    public static Anatomy of(ModelRecipe recipe, int vocabulary) {
        return switch (recipe) {
            case ModelRecipe.Gpt2 g ->
                    gpt2(vocabulary, g.context(), g.width(), g.layers(), g.heads(), 4 * g.width());
            case ModelRecipe.LlamaShape l ->
                    llama(
                            l instanceof ModelRecipe.Mistral
                                    ? "mistral"
                                    : l instanceof ModelRecipe.Qwen2 ? "qwen2" : "llama",
                            vocabulary,
                            l.context(),
                            l.width(),
                            l.layers(),
                            l.heads(),
                            l.keyValueHeads(),
                            l.width() / l.heads(),
                            l.hidden(),
                            l.tied(),
                            new Biases(l instanceof ModelRecipe.Qwen2, false, false));
            case ModelRecipe.EncoderShape e -> {
                var roberta = e instanceof ModelRecipe.Roberta;
                var distilled = e instanceof ModelRecipe.DistilBert;
                // RoBERTa's positions begin behind that of padding.
                yield encoder(
                        roberta ? "roberta" : distilled ? "distilbert" : "bert",
                        vocabulary,
                        e.context(),
                        e.context() + (roberta ? 2 : 0),
                        e.width(),
                        e.layers(),
                        e.heads(),
                        4 * e.width(),
                        roberta ? 1 : distilled ? 0 : 2);
            }
            case ModelRecipe.Bart b ->
                    bart(
                            vocabulary,
                            b.context(),
                            b.width(),
                            b.layers(),
                            b.layers(),
                            b.heads(),
                            4 * b.width());
            case ModelRecipe.T5 t ->
                    t5(
                            vocabulary,
                            t.context(),
                            t.width(),
                            t.layers(),
                            t.layers(),
                            t.heads(),
                            t.headWidth(),
                            t.hidden(),
                            t.gated(),
                            !t.gated(),
                            32);
            default ->
                    throw EspalierException.usage(
                            "model: plan knows language models alone; allowed: gpt2, llama, mistral, qwen2, bert, roberta,"
                                    + " distilbert, bart, t5, or the path of one");
        };
    }

    /// A model that exists, by its `config.json`.
    ///
    /// @throws EspalierException (DATA) if its kind is not known here
    public static Anatomy of(JsonNode config) {
        var type = config.path("model_type").asString("");
        return switch (type) {
            case "gpt2" -> {
                var c = Gpt2Config.of(config);
                yield gpt2(
                        c.vocabulary(), c.context(), c.width(), c.layers(), c.heads(), c.inner());
            }
            case "llama", "mistral", "qwen2" -> {
                var c = LlamaConfig.of(config);
                yield llama(
                        type,
                        c.vocabulary(),
                        c.stretched(),
                        c.width(),
                        c.layers(),
                        c.heads(),
                        c.keyValueHeads(),
                        c.headWidth(),
                        c.hidden(),
                        c.tied(),
                        new Biases(c.queryBias(), c.outputBias(), c.mlpBias()));
            }
            case "bert", "roberta", "distilbert" -> {
                var c = EncoderConfig.of(config);
                yield encoder(
                        type,
                        c.vocabulary(),
                        c.context(),
                        c.positions(),
                        c.width(),
                        c.layers(),
                        c.heads(),
                        c.inner(),
                        c.segments());
            }
            case "bart" -> {
                var c = BartConfig.of(config);
                yield bart(
                        c.vocabulary(),
                        c.positions(),
                        c.width(),
                        c.encoderLayers(),
                        c.decoderLayers(),
                        c.decoderHeads(),
                        c.decoderInner());
            }
            case "t5" -> {
                var c = T5Config.of(config);
                yield t5(
                        c.vocabulary(),
                        c.context(),
                        c.width(),
                        c.encoderLayers(),
                        c.decoderLayers(),
                        c.heads(),
                        c.headWidth(),
                        c.inner(),
                        c.gated(),
                        c.tied(),
                        c.buckets());
            }
            default ->
                    throw EspalierException.data(
                            "model_type '"
                                    + type
                                    + "' is not known to plan; allowed: gpt2, llama, mistral, qwen2, bert, roberta,"
                                    + " distilbert, bart, t5");
        };
    }

    /// A model that sees, by the weights that it has: what is known of it beside them is how many
    /// positions a picture has. Its parts are named by the first two steps of their paths.
    ///
    /// @param parameters the number of weights at each path
    public static Anatomy seeing(
            String family, int positions, SequencedMap<String, Long> parameters) {
        var parts = new LinkedHashMap<String, Long>();
        parameters.forEach((path, n) -> {
            var steps = path.split("\\.");
            var part = steps.length > 2 ? steps[0] + "." + steps[1] : steps[0];
            parts.merge(part, n, Long::sum);
        });
        return new Anatomy(family, 0, positions, 0, 0, 0, 0, 0, 0, 0, false, false, parts, 0);
    }

    /// Of all weights, tied ones once.
    public long parameterCount() {
        return parameters.values().stream().mapToLong(n -> n).sum();
    }

    /// The weights that take part in a product for every token.
    public long matrixWeights() {
        return parameterCount() - lookedUp;
    }

    /// The weights of the blocks, with what norms stand beside them.
    public long blockWeights() {
        return Stream.of(ATTENTION, MLP, NORMS)
                .mapToLong(part -> parameters.getOrDefault(part, 0L))
                .sum();
    }

    public int layers() {
        return encoderLayers + decoderLayers;
    }

    public boolean isEncoderDecoder() {
        return encoderLayers > 0 && decoderLayers > 0;
    }

    /// The weights that see the input's tokens alone: those of the encoder's blocks, and of the
    /// maps by which a decoder beside it makes keys and values of what it gave.
    long inputWeights() {
        long d = width, inner = (long) heads * headWidth;
        var attention = 4 * d * inner;
        var memory = isEncoderDecoder() ? 2 * d * inner : 0;
        return encoderLayers * (attention + (gated ? 3 : 2) * d * hidden) + decoderLayers * memory;
    }

    /// A linear map.
    ///
    /// @param path as the model has it
    /// @param attention whether it belongs to attention, and not to an MLP
    record LinearMap(String path, long inputs, long outputs, boolean attention) {
        boolean isNamed(String name) {
            return path.equals(name) || path.endsWith("." + name);
        }
    }

    /// The linear maps of the blocks.
    List<LinearMap> linearMaps() {
        var maps = new ArrayList<LinearMap>();
        for (var i = 0; i < encoderLayers; i++) {
            addBlock(maps, i, false);
        }
        for (var i = 0; i < decoderLayers; i++) {
            addBlock(maps, i, true);
        }
        return maps;
    }

    private void addBlock(List<LinearMap> to, int i, boolean decoder) {
        long d = width, inner = (long) heads * headWidth, keys = (long) keyValueHeads * headWidth;
        var half = decoder ? "decoder" : "encoder";
        switch (family) {
            case "gpt2" -> {
                var block = "transformer.h." + i;
                to.add(new LinearMap(block + ".attn.c_attn", d, 3 * d, true));
                to.add(new LinearMap(block + ".attn.c_proj", d, d, true));
                addMlp(to, block + ".mlp", List.of("c_fc"), "c_proj");
            }
            case "bert", "roberta" -> {
                var block = family + ".encoder.layer." + i;
                addAttention(
                        to, block + ".attention", List.of("self.query", "self.key", "self.value"));
                to.add(new LinearMap(block + ".attention.output.dense", d, d, true));
                addMlp(to, block, List.of("intermediate.dense"), "output.dense");
            }
            case "distilbert" -> {
                var block = "distilbert.transformer.layer." + i;
                addAttention(to, block + ".attention", List.of("q_lin", "k_lin", "v_lin"));
                to.add(new LinearMap(block + ".attention.out_lin", d, d, true));
                addMlp(to, block + ".ffn", List.of("lin1"), "lin2");
            }
            case "bart" -> {
                var block = "model." + half + ".layers." + i;
                for (var attention :
                        decoder ? List.of("self_attn", "encoder_attn") : List.of("self_attn")) {
                    addAttention(
                            to, block + "." + attention, List.of("q_proj", "k_proj", "v_proj"));
                    to.add(new LinearMap(block + "." + attention + ".out_proj", d, d, true));
                }
                addMlp(to, block, List.of("fc1"), "fc2");
            }
            case "t5" -> {
                var block = half + ".block." + i + ".layer.";
                for (var attention :
                        decoder
                                ? List.of("0.SelfAttention", "1.EncDecAttention")
                                : List.of("0.SelfAttention")) {
                    addAttention(to, block + attention, List.of("q", "k", "v"));
                    to.add(new LinearMap(block + attention + ".o", inner, d, true));
                }
                addMlp(
                        to,
                        block + (decoder ? 2 : 1) + ".DenseReluDense",
                        gated ? List.of("wi_0", "wi_1") : List.of("wi"),
                        "wo");
            }
            default -> {
                var block = "model.layers." + i;
                to.add(new LinearMap(block + ".self_attn.q_proj", d, inner, true));
                to.add(new LinearMap(block + ".self_attn.k_proj", d, keys, true));
                to.add(new LinearMap(block + ".self_attn.v_proj", d, keys, true));
                to.add(new LinearMap(block + ".self_attn.o_proj", inner, d, true));
                addMlp(to, block + ".mlp", List.of("gate_proj", "up_proj"), "down_proj");
            }
        }
    }

    private void addAttention(List<LinearMap> to, String path, List<String> names) {
        for (var name : names) {
            to.add(new LinearMap(path + "." + name, width, (long) heads * headWidth, true));
        }
    }

    private void addMlp(List<LinearMap> to, String path, List<String> up, String down) {
        for (var name : up) {
            to.add(new LinearMap(path + "." + name, width, hidden, false));
        }
        to.add(new LinearMap(path + "." + down, hidden, width, false));
    }

    /// The weights of low-rank updates: of a map's inputs and outputs `rank` times each, and with
    /// DoRA a norm of each output.
    ///
    /// @param targets names of maps, or `attention` or `all` of the blocks'
    public long adapterWeights(List<String> targets, int rank, boolean dora) {
        return linearMaps().stream()
                .filter(map ->
                        targets.equals(List.of("all"))
                                || (targets.equals(List.of("attention"))
                                        ? map.attention()
                                        : targets.stream().anyMatch(map::isNamed)))
                .mapToLong(
                        map -> rank * (map.inputs() + map.outputs()) + (dora ? map.outputs() : 0))
                .sum();
    }

    /// The weights of the head that tells classes.
    ///
    /// @param ofTokens whether it tells those of each token, and not of a text
    public long headWeights(int classes, boolean ofTokens) {
        long d = width, n = classes;
        return encoderLayers == 0
                ? n * d + (ofTokens ? n : 0)
                : n * d + n + (ofTokens ? 0 : d * d + d);
    }

    /// A GPT-2 of about that many weights beside its tables, with heads of 64 and blocks as deep as
    /// they are wide in the published ones: 64 wide for each layer.
    public static Anatomy near(double weights, int vocabulary, int context) {
        var layers = Math.max(1, Math.round(Math.cbrt(weights / (12.0 * 64 * 64))));
        var width = 64 * Math.max(1, Math.round(Math.sqrt(weights / (12.0 * layers)) / 64));
        return gpt2(
                vocabulary,
                context,
                (int) width,
                (int) layers,
                (int) Math.max(1, width / 64),
                4 * (int) width);
    }

    /// Which maps have biases.
    private record Biases(boolean query, boolean output, boolean mlp) {}

    private static Anatomy gpt2(
            long vocabulary, int context, int width, int layers, int heads, int inner) {
        long d = width, n = layers;
        var parts = new LinkedHashMap<String, Long>();
        parts.put(TOKENS, vocabulary * d);
        parts.put(POSITIONS, context * d);
        parts.put(ATTENTION, n * (4 * d * d + 4 * d));
        parts.put(MLP, n * (2 * d * inner + d + inner));
        parts.put(NORMS, (2 * n + 1) * 2 * d);
        return new Anatomy(
                "gpt2",
                (int) vocabulary,
                context,
                width,
                0,
                layers,
                heads,
                heads,
                width / heads,
                inner,
                false,
                false,
                parts,
                context * d);
    }

    private static Anatomy llama(
            String family,
            long vocabulary,
            int context,
            int width,
            int layers,
            int heads,
            int keyValueHeads,
            int headWidth,
            int hidden,
            boolean tied,
            Biases biases) {
        long d = width, n = layers, h = hidden;
        long queries = (long) heads * headWidth, keys = (long) keyValueHeads * headWidth;
        var parts = new LinkedHashMap<String, Long>();
        parts.put(TOKENS, vocabulary * d);
        parts.put(
                ATTENTION,
                n
                        * (2 * d * queries
                                + 2 * d * keys
                                + (biases.query() ? queries + 2 * keys : 0)
                                + (biases.output() ? d : 0)));
        parts.put(MLP, n * (3 * d * h + (biases.mlp() ? 2 * h + d : 0)));
        parts.put(NORMS, (2 * n + 1) * d);
        if (!tied) {
            parts.put(HEAD, vocabulary * d);
        }
        return new Anatomy(
                family,
                (int) vocabulary,
                context,
                width,
                0,
                layers,
                heads,
                keyValueHeads,
                headWidth,
                hidden,
                true,
                false,
                parts,
                tied ? 0 : vocabulary * d);
    }

    private static Anatomy encoder(
            String family,
            long vocabulary,
            int context,
            int positions,
            int width,
            int layers,
            int heads,
            int inner,
            int segments) {
        long d = width, n = layers;
        var tables = (positions + segments) * d;
        var parts = new LinkedHashMap<String, Long>();
        parts.put(TOKENS, vocabulary * d);
        parts.put(POSITIONS, tables);
        parts.put(ATTENTION, n * (4 * d * d + 4 * d));
        parts.put(MLP, n * (2 * d * inner + d + inner));
        parts.put(NORMS, (2 * n + 2) * 2 * d);
        parts.put(HEAD, d * d + d + vocabulary);
        return new Anatomy(
                family,
                (int) vocabulary,
                context,
                width,
                layers,
                0,
                heads,
                heads,
                width / heads,
                inner,
                false,
                true,
                parts,
                tables);
    }

    private static Anatomy bart(
            long vocabulary,
            int context,
            int width,
            int encoderLayers,
            int decoderLayers,
            int heads,
            int inner) {
        long d = width, e = encoderLayers, n = decoderLayers;
        var tables = 2 * (context + 2) * d;
        var parts = new LinkedHashMap<String, Long>();
        parts.put(TOKENS, vocabulary * d);
        parts.put(POSITIONS, tables);
        parts.put(ATTENTION, (e + 2 * n) * (4 * d * d + 4 * d));
        parts.put(MLP, (e + n) * (2 * d * inner + d + inner));
        parts.put(NORMS, (2 * e + 3 * n + 2) * 2 * d);
        parts.put(HEAD, vocabulary);
        return new Anatomy(
                "bart",
                (int) vocabulary,
                context,
                width,
                encoderLayers,
                decoderLayers,
                heads,
                heads,
                width / heads,
                inner,
                false,
                true,
                parts,
                // A bias that stays 0 is added to the scores.
                tables + vocabulary);
    }

    private static Anatomy t5(
            long vocabulary,
            int context,
            int width,
            int encoderLayers,
            int decoderLayers,
            int heads,
            int headWidth,
            int hidden,
            boolean gated,
            boolean tied,
            int buckets) {
        long d = width, e = encoderLayers, n = decoderLayers, inner = (long) heads * headWidth;
        var parts = new LinkedHashMap<String, Long>();
        parts.put(TOKENS, vocabulary * d);
        parts.put(POSITIONS, 2L * buckets * heads);
        parts.put(ATTENTION, (e + 2 * n) * 4 * d * inner);
        parts.put(MLP, (e + n) * (gated ? 3 : 2) * d * hidden);
        parts.put(NORMS, (2 * e + 3 * n + 2) * d);
        if (!tied) {
            parts.put(HEAD, vocabulary * d);
        }
        return new Anatomy(
                "t5",
                (int) vocabulary,
                context,
                width,
                encoderLayers,
                decoderLayers,
                heads,
                heads,
                headWidth,
                hidden,
                gated,
                false,
                parts,
                tied ? 0 : vocabulary * d);
    }
}
