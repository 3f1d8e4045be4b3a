package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.nn.Activation;
import dev.espalier.nn.PostNormBlock;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The shape of a BERT, RoBERTa or DistilBERT, as its `config.json` says it.
///
/// @param positions rows of the position table
/// @param inner the width of the MLP's hidden layer
/// @param activation one of [Activation#NAMES]
/// @param attentionDropout the share of attention weights dropped while training
/// @param classifierDropout that of what a classifier's last map reads; null for `dropout`
/// @param segments texts that the model can tell apart, 0 where it has no table of them
/// @param padding the id of padding, whose embedding is not trained by look-ups
public record EncoderConfig(
        Kind kind,
        int vocabulary,
        int positions,
        int width,
        int layers,
        int heads,
        int inner,
        String activation,
        double dropout,
        double attentionDropout,
        @Nullable Double classifierDropout,
        int segments,
        int padding,
        double epsilon,
        double initializerRange) {
    /// The family, with what its `config.json` may leave out.
    public enum Kind {
        BERT("bert", 30522, 512, 2, 0, 1e-12),
        ROBERTA("roberta", 50265, 512, 2, 1, 1e-12),
        DISTILBERT("distilbert", 30522, 512, 0, 0, 1e-12);

        final String type;
        final int vocabulary;
        final int positions;
        final int segments;
        final int padding;
        final double epsilon;

        Kind(
                String type,
                int vocabulary,
                int positions,
                int segments,
                int padding,
                double epsilon) {
            this.type = type;
            this.vocabulary = vocabulary;
            this.positions = positions;
            this.segments = segments;
            this.padding = padding;
            this.epsilon = epsilon;
        }

        static Kind of(String type) {
            for (var kind : values()) {
                if (kind.type.equals(type)) {
                    return kind;
                }
            }
            throw new IllegalArgumentException(type);
        }

        private boolean isDistilled() {
            return this == DISTILBERT;
        }
    }

    public EncoderConfig {
        if (width % heads != 0) {
            throw EspalierException.data(
                    "a width of " + width + " is not divisible by " + heads + " heads");
        }
        Activation.check(kind.isDistilled() ? "activation" : "hidden_act", activation);
        for (var share :
                new double[] {
                    dropout, attentionDropout, classifierDropout == null ? 0 : classifierDropout
                }) {
            if (!(share >= 0 && share < 1)) {
                throw EspalierException.data("a dropout of " + share + " is not in [0, 1)");
            }
        }
        ConfigKeys.requireId("pad_token_id", padding, vocabulary);
        if (kind == Kind.ROBERTA && positions <= padding + 1) {
            throw EspalierException.data(
                    "max_position_embeddings "
                            + positions
                            + " leaves no position behind the padding's, "
                            + padding);
        }
    }

    /// A new model of the published recipe at another size, with exact GELU and an MLP of four
    /// times the width.
    public static EncoderConfig of(
            Kind kind,
            int vocabulary,
            int context,
            int width,
            int layers,
            int heads,
            int padding,
            double dropout) {
        return new EncoderConfig(
                kind,
                vocabulary,
                kind == Kind.ROBERTA ? context + padding + 1 : context,
                width,
                layers,
                heads,
                4 * width,
                "gelu",
                dropout,
                dropout,
                kind.isDistilled() ? Double.valueOf(dropout) : null,
                kind == Kind.ROBERTA ? 1 : kind.segments,
                padding,
                kind == Kind.ROBERTA ? 1e-5 : kind.epsilon,
                0.02);
    }

    /// Reads `config.json`. What it leaves out has the family's published default; a key that would
    /// change the mathematics in a way that is not implemented is refused by name.
    public static EncoderConfig of(JsonNode json) {
        var kind = Kind.of(json.path("model_type").asString(""));
        var keys = new ConfigKeys(json);
        for (var key : new String[] {"is_decoder", "add_cross_attention", "sinusoidal_pos_embds"}) {
            if (keys.flag(key, false)) {
                throw EspalierException.data(key + " is not supported for " + kind.type);
            }
        }
        if (!keys.flag("tie_word_embeddings", true)) {
            throw EspalierException.data(
                    "tie_word_embeddings: false is not supported for " + kind.type);
        }
        var form = keys.text("position_embedding_type", "absolute");
        if (!form.equals("absolute")) {
            throw EspalierException.data(
                    "position_embedding_type '" + form + "' is not supported; allowed: absolute");
        }
        var padding = json.path("pad_token_id");
        var pad = padding.isIntegralNumber() ? padding.asInt(-1) : kind.padding;
        var vocabulary = keys.integer("vocab_size", kind.vocabulary);
        var positions = keys.integer("max_position_embeddings", kind.positions);
        var range = keys.number("initializer_range", 0.02);
        if (kind.isDistilled()) {
            return new EncoderConfig(
                    kind,
                    vocabulary,
                    positions,
                    keys.integer("dim", 768),
                    keys.integer("n_layers", 6),
                    keys.integer("n_heads", 12),
                    keys.integer("hidden_dim", 3072),
                    keys.text("activation", "gelu"),
                    keys.number("dropout", 0.1),
                    keys.number("attention_dropout", 0.1),
                    keys.number("seq_classif_dropout", 0.2),
                    0,
                    pad,
                    kind.epsilon,
                    range);
        }
        return new EncoderConfig(
                kind,
                vocabulary,
                positions,
                keys.integer("hidden_size", 768),
                keys.integer("num_hidden_layers", 12),
                keys.integer("num_attention_heads", 12),
                keys.integer("intermediate_size", 3072),
                keys.text("hidden_act", "gelu"),
                keys.number("hidden_dropout_prob", 0.1),
                keys.number("attention_probs_dropout_prob", 0.1),
                keys.has("classifier_dropout") ? keys.number("classifier_dropout", 0) : null,
                keys.integer("type_vocab_size", kind.segments),
                pad,
                keys.positive("layer_norm_eps", kind.epsilon),
                range);
    }

    /// The keys of `config.json` that this record decides.
    public ObjectNode json() {
        var json = JsonNodeFactory.instance.objectNode();
        json.put("initializer_range", initializerRange);
        json.put("max_position_embeddings", positions);
        json.put("model_type", kind.type);
        json.put("pad_token_id", padding);
        json.put("vocab_size", vocabulary);
        if (kind.isDistilled()) {
            json.put("activation", activation);
            json.put("attention_dropout", attentionDropout);
            json.put("dim", width);
            json.put("dropout", dropout);
            json.put("hidden_dim", inner);
            json.put("n_heads", heads);
            json.put("n_layers", layers);
            json.put("seq_classif_dropout", classifierDropout);
            json.put("sinusoidal_pos_embds", false);
            return json;
        }
        json.put("attention_probs_dropout_prob", attentionDropout);
        json.put("classifier_dropout", classifierDropout);
        json.put("hidden_act", activation);
        json.put("hidden_dropout_prob", dropout);
        json.put("hidden_size", width);
        json.put("intermediate_size", inner);
        json.put("layer_norm_eps", epsilon);
        json.put("num_attention_heads", heads);
        json.put("num_hidden_layers", layers);
        json.put("position_embedding_type", "absolute");
        json.put("type_vocab_size", segments);
        return json;
    }

    /// The most tokens of a text: RoBERTa's positions begin behind the padding's.
    public int context() {
        return kind == Kind.ROBERTA ? positions - padding - 1 : positions;
    }

    double sequenceClassifierDropout() {
        return classifierDropout == null ? dropout : classifierDropout;
    }

    double tokenClassifierDropout() {
        return classifierDropout == null || kind.isDistilled() ? dropout : classifierDropout;
    }

    PostNormBlock.Shape blockShape() {
        return new PostNormBlock.Shape(width, heads, inner, activation, epsilon);
    }

    /// The weights of the body's tables and matrices.
    public double bodyWeights() {
        return (double) width * ((double) vocabulary + positions + segments)
                + layers * (double) width * (4.0 * width + 2.0 * inner);
    }

    /// This shape with every dropout set to `share`.
    public EncoderConfig withDropout(double share) {
        return with(vocabulary, share, share, classifierDropout == null ? null : (Double) share);
    }

    public EncoderConfig withVocabulary(int size) {
        return with(size, dropout, attentionDropout, classifierDropout);
    }

    private EncoderConfig with(
            int size, double everywhere, double attention, @Nullable Double classifier) {
        return new EncoderConfig(
                kind,
                size,
                positions,
                width,
                layers,
                heads,
                inner,
                activation,
                everywhere,
                attention,
                classifier,
                segments,
                padding,
                epsilon,
                initializerRange);
    }
}
