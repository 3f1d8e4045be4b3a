package dev.espalier.model;

import dev.espalier.nn.Linear;
import dev.espalier.nn.MultiHeadAttention;
import dev.espalier.nn.PostNormBlock;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// BERT (Devlin et al. 2018, arXiv:1810.04805): an encoder with learnt positions and segments,
/// exact GELU, norms behind the sums, and a head for hidden tokens that is tied to the token table.
public final class Bert extends Encoder {
    static final PostNormBlock.Names BLOCK =
            new PostNormBlock.Names(
                    new MultiHeadAttention.Names(
                            "attention.self.query",
                            "attention.self.key",
                            "attention.self.value",
                            "attention.output.dense"),
                    "attention.output.LayerNorm",
                    "intermediate.dense",
                    "output.dense",
                    "output.LayerNorm");
    static final List<String> ATTENTION =
            List.of("query", "key", "value", "attention.output.dense");
    static final List<String> MLP = List.of("intermediate.dense", "output.dense");

    /// Files of BERT's first code name a norm's weights by the letters of its formula.
    static final Map<String, String> ALIASES =
            Map.of("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta");

    private static final Family FAMILY =
            new Family(
                    "Bert",
                    "bert",
                    "bert.embeddings.word_embeddings.weight",
                    Pattern.compile("(bert\\.)?embeddings\\.(position_ids|token_type_ids)"),
                    ATTENTION,
                    MLP,
                    List.of("query", "value"),
                    Map.of(
                            "cls.predictions.decoder.weight",
                            "bert.embeddings.word_embeddings.weight",
                            "cls.predictions.decoder.bias",
                            "cls.predictions.bias"),
                    ALIASES);

    private final EncoderConfig config;
    private final EncoderBody bert;
    private final @Nullable MaskedHead head;

    public Bert(EncoderConfig config) {
        this(config, true);
    }

    /// @param headed whether it has a head for hidden tokens
    public Bert(EncoderConfig config, boolean headed) {
        this.config = config;
        bert = child("bert", new EncoderBody(config, "encoder.layer", () -> block(config)));
        head =
                headed
                        ? child(
                                "cls.predictions",
                                new MaskedHead(
                                        config,
                                        "transform.dense",
                                        "transform.LayerNorm",
                                        "bias",
                                        config.activation()))
                        : null;
    }

    static PostNormBlock block(EncoderConfig c) {
        return new PostNormBlock(
                BLOCK,
                c.blockShape(),
                new PostNormBlock.Dropout(c.attentionDropout(), c.dropout(), 0, c.dropout()));
    }

    /// The pooler, tanh(W h + b) of the first position's state, which BERT counts to its body but
    /// which only this head uses; dropout; and a linear map.
    private static final class Pooled extends ClassificationHead {
        private final Linear pooler;
        private final Linear classifier;
        private final double dropout;

        Pooled(EncoderConfig c, int classes) {
            pooler = child("bert.pooler.dense", Linear.of(c.width(), c.width(), true));
            classifier = child("classifier", Linear.of(c.width(), classes, true));
            dropout = c.sequenceClassifierDropout();
        }

        @Override
        public Tensor forward(Tensor state) { // (B, D)
            return classifier.forward(pooler.forward(state).tanh().dropout(dropout, training()));
        }
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        return new Pooled(config, classes);
    }

    @Override
    EncoderBody body() {
        return bert;
    }

    @Override
    EncoderConfig config() {
        return config;
    }

    @Override
    @Nullable MaskedHead maskedHead() {
        return head;
    }

    @Override
    public Family family() {
        return FAMILY;
    }

    @Override
    public Bert withVocabulary(int size) {
        return new Bert(config.withVocabulary(size), head != null);
    }
}
