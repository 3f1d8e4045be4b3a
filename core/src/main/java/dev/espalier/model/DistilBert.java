package dev.espalier.model;

import dev.espalier.nn.Linear;
import dev.espalier.nn.MultiHeadAttention;
import dev.espalier.nn.PostNormBlock;
import dev.espalier.torch.Tensor;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// DistilBERT (Sanh et al. 2019, arXiv:1910.01108): BERT with half the layers, without segments and
/// pooler, under names of its own.
public final class DistilBert extends Encoder {
    private static final PostNormBlock.Names BLOCK =
            new PostNormBlock.Names(
                    new MultiHeadAttention.Names(
                            "attention.q_lin",
                            "attention.k_lin",
                            "attention.v_lin",
                            "attention.out_lin"),
                    "sa_layer_norm",
                    "ffn.lin1",
                    "ffn.lin2",
                    "output_layer_norm");
    private static final Family FAMILY =
            new Family(
                    "DistilBert",
                    "distilbert",
                    "distilbert.embeddings.word_embeddings.weight",
                    Pattern.compile("(distilbert\\.)?embeddings\\.position_ids"),
                    List.of("q_lin", "k_lin", "v_lin", "out_lin"),
                    List.of("lin1", "lin2"),
                    List.of("q_lin", "v_lin"),
                    Map.of(
                            "vocab_projector.weight",
                            "distilbert.embeddings.word_embeddings.weight"),
                    Bert.ALIASES);

    private final EncoderConfig config;
    private final EncoderBody distilbert;
    private final @Nullable MaskedHead head;

    public DistilBert(EncoderConfig config) {
        this(config, true);
    }

    /// @param headed whether it has a head for hidden tokens
    public DistilBert(EncoderConfig config, boolean headed) {
        this.config = config;
        distilbert =
                child(
                        "distilbert",
                        new EncoderBody(config, "transformer.layer", () -> block(config)));
        head =
                headed
                        ? child(
                                "",
                                new MaskedHead(
                                        config,
                                        "vocab_transform",
                                        "vocab_layer_norm",
                                        "vocab_projector.bias",
                                        config.activation()))
                        : null;
    }

    /// Nothing is dropped between attention and its norm.
    private static PostNormBlock block(EncoderConfig c) {
        return new PostNormBlock(
                BLOCK,
                c.blockShape(),
                new PostNormBlock.Dropout(c.attentionDropout(), 0, 0, c.dropout()));
    }

    private static final class Head extends ClassificationHead {
        private final Linear first;
        private final Linear classifier;
        private final double dropout;

        Head(EncoderConfig c, int classes) {
            first = child("pre_classifier", Linear.of(c.width(), c.width(), true));
            classifier = child("classifier", Linear.of(c.width(), classes, true));
            dropout = c.sequenceClassifierDropout();
        }

        @Override
        public Tensor forward(Tensor state) { // (B, D)
            return classifier.forward(first.forward(state).relu().dropout(dropout, training()));
        }
    }

    @Override
    ClassificationHead classificationHead(int classes) {
        return new Head(config, classes);
    }

    @Override
    EncoderBody body() {
        return distilbert;
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
    public DistilBert withVocabulary(int size) {
        return new DistilBert(config.withVocabulary(size), head != null);
    }
}
