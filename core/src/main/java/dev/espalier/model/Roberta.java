package dev.espalier.model;

import dev.espalier.nn.Linear;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// RoBERTa (Liu et al. 2019, arXiv:1907.11692): BERT trained better. Its positions count only
/// tokens that are no padding, from the row behind the padding's, and its classifier has a layer of
/// its own in place of the pooler.
public final class Roberta extends Encoder {
    private static final Family FAMILY =
            new Family(
                    "Roberta",
                    "roberta",
                    "roberta.embeddings.word_embeddings.weight",
                    Pattern.compile("(roberta\\.)?embeddings\\.(position_ids|token_type_ids)"),
                    Bert.ATTENTION,
                    Bert.MLP,
                    java.util.List.of("query", "value"),
                    Map.of(
                            "lm_head.decoder.weight",
                            "roberta.embeddings.word_embeddings.weight",
                            "lm_head.decoder.bias",
                            "lm_head.bias"),
                    Bert.ALIASES);

    private final EncoderConfig config;
    private final EncoderBody roberta;
    private final @Nullable MaskedHead head;

    public Roberta(EncoderConfig config) {
        this(config, true);
    }

    /// @param headed whether it has a head for hidden tokens
    public Roberta(EncoderConfig config, boolean headed) {
        this.config = config;
        roberta =
                child(
                        "roberta",
                        new EncoderBody(config, "encoder.layer", () -> Bert.block(config)));
        head =
                headed
                        ? child(
                                "lm_head",
                                new MaskedHead(config, "dense", "layer_norm", "bias", "gelu"))
                        : null;
    }

    @Override
    Tensor positions(Tensor ids) { // (B, T)
        var kept = ids.eq(config.padding()).to(DType.LONG).add(-1).mul(-1); // 1 for tokens
        return kept.cumsum(1).mul(kept).add(config.padding()).to(DType.LONG); // (B, T)
    }

    private static final class Head extends ClassificationHead {
        private final Linear dense;
        private final Linear projection;
        private final double dropout;

        Head(EncoderConfig c, int classes) {
            dense = child("classifier.dense", Linear.of(c.width(), c.width(), true));
            projection = child("classifier.out_proj", Linear.of(c.width(), classes, true));
            dropout = c.sequenceClassifierDropout();
        }

        @Override
        public Tensor forward(Tensor state) { // (B, D)
            var h = dense.forward(state.dropout(dropout, training())).tanh();
            return projection.forward(h.dropout(dropout, training())); // (B, classes)
        }
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        return new Head(config, classes);
    }

    @Override
    EncoderBody body() {
        return roberta;
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
    public Roberta withVocabulary(int size) {
        return new Roberta(config.withVocabulary(size), head != null);
    }
}
