package dev.espalier.model;

import dev.espalier.nn.Embedding;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Module;
import dev.espalier.nn.PostNormBlock;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What BERT and its kin share: x = LN(token + position + segment), and blocks upon it.
final class EncoderBody extends Module {
    private final Embedding tokens;
    private final Embedding positions;
    private final @Nullable Embedding segments;
    private final LayerNorm norm;
    private final Stack<PostNormBlock> blocks;
    private final double dropout;

    /// @param layers the path of the blocks
    /// @param block makes a block
    EncoderBody(EncoderConfig c, String layers, java.util.function.Supplier<PostNormBlock> block) {
        tokens =
                child(
                        "embeddings.word_embeddings",
                        new Embedding(c.vocabulary(), c.width(), c.padding()));
        positions =
                child(
                        "embeddings.position_embeddings",
                        c.kind() == EncoderConfig.Kind.ROBERTA
                                ? new Embedding(c.positions(), c.width(), c.padding())
                                : new Embedding(c.positions(), c.width()));
        segments =
                c.segments() == 0
                        ? null
                        : child(
                                "embeddings.token_type_embeddings",
                                new Embedding(c.segments(), c.width()));
        norm = child("embeddings.LayerNorm", new LayerNorm(c.width(), c.epsilon()));
        blocks = child(layers, new Stack<>());
        for (var i = 0; i < c.layers(); i++) {
            blocks.add(block.get());
        }
        dropout = c.dropout();
    }

    Tensor forward(
            Tensor ids,
            Tensor at,
            @Nullable Tensor segment,
            @Nullable Tensor keep,
            Consumer<Tensor> states) { // (B, T)
        var x = tokens.forward(ids).add(positions.forward(at)); // (B, T, D)
        if (segments != null) {
            x =
                    x.add(
                            segment == null
                                    ? segments.weight().value().narrow(0, 0, 1) // (1, D)
                                    : segments.forward(segment)); // (B, T, D)
        }
        var mask = keep == null ? null : dev.espalier.nn.Attention.padding(keep); // (B, 1, 1, T)
        return blocks.forward(
                norm.forward(x).dropout(dropout, training()),
                (block, input) -> {
                    states.accept(input);
                    return block.forward(input, mask);
                }); // (B, T, D)
    }

    void clearPadding() {
        tokens.clearPadding();
        positions.clearPadding();
    }

    Tensor table() {
        return tokens.weight().value();
    }

    /// The weights of tables that no product needs.
    long lookedUp() {
        return positions.weight().value().count()
                + (segments == null ? 0 : segments.weight().value().count());
    }
}
