package dev.espalier.model;

import dev.espalier.nn.Conv2d;
import dev.espalier.nn.LayerNorm;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.nn.Positions;
import dev.espalier.nn.PreNormBlock;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.function.Consumer;

/// The encoder of a ViT (Dosovitskiy et al. 2020, arXiv:2010.11929), eq. 1 to 4: each patch of a
/// picture is a token, before which stands one that asks for the whole picture:
///
///     x = (class; patch₁ E; patch₂ E; …) + position;  blocks;  y = LN(x)
final class VitBody extends Module {
    static final String POSITIONS = "embeddings.position_embeddings";

    private final VitConfig config;
    private final Parameter classToken;
    private final Parameter positions;
    private final Conv2d patches;
    private final Stack<PreNormBlock> blocks;
    private final LayerNorm norm;

    VitBody(VitConfig c) {
        config = c;
        classToken = parameter("embeddings.cls_token", 1, 1, c.width());
        positions = parameter(POSITIONS, 1, 1 + c.grid().count(), c.width());
        patches = child("embeddings.patch_embeddings.projection", new Conv2d(c.patches(), true));
        blocks = child("encoder.layer", new Stack<>());
        for (var i = 0; i < c.layers(); i++) {
            blocks.add(c.block());
        }
        norm = child("layernorm", new LayerNorm(c.width(), c.epsilon()));
    }

    Tensor forward(Tensor pixels, Consumer<Tensor> states) { // (B, C, H, W)
        var x = withClass(embedded(pixels)); // (B, T, D)
        return encoded(x.dropout(config.dropout(), training()), states);
    }

    /// How much of each patch of pictures has come to the class token, (B, h, w), all together at
    /// most 1: attention rollout (Abnar and Zuidema 2020, arXiv:2005.00928, section 3), the row of
    /// the class token in the product over the blocks of (A + I) / 2, where A is the mean of the
    /// heads' weights and I what goes around them.
    ///
    /// @param atOnce positions whose weights exist at once
    Tensor rollout(Tensor pixels, long atOnce) { // (B, C, H, W)
        var states = new ArrayList<Tensor>();
        forward(pixels, states::add);
        long b = pixels.size(0), t = states.getFirst().size(1);
        var from = new float[(int) t];
        from[0] = 1;
        var row = Tensor.of(from, 1, 1, t).expand(b, 1, t);
        for (var i = blocks.blocks().size() - 1; i >= 0; i--) {
            var gone = row;
            // At the end all is with the class token, and no other's weights count.
            var asking = i == blocks.blocks().size() - 1 ? 1 : t;
            for (var first = 0L; first < asking; first += atOnce) {
                try (var scope = new Scope()) {
                    var count = Math.min(atOnce, asking - first);
                    var weights = blocks.blocks().get(i).weights(states.get(i), first, count);
                    var mean = weights.sum(1).mul(1.0 / weights.size(1)).select(1, 0); // (B, n, T)
                    var come = row.narrow(2, first, count).matmul(mean); // (B, 1, T)
                    gone = scope.keep(gone.add(come));
                }
            }
            row = gone.mul(0.5); // (B, 1, T)
        }
        var grid = config.grid(pixels.size(2), pixels.size(3));
        return row.narrow(2, 1, t - 1).reshape(b, grid.height(), grid.width());
    }

    /// The patches with their positions, without the class.
    Tensor embedded(Tensor pixels) { // (B, C, H, W)
        var grid = config.grid(pixels.size(2), pixels.size(3));
        var places = positions.value().narrow(1, 1, config.grid().count());
        return patchRows(patches, pixels)
                .add(Positions.interpolated(places, config.grid(), grid)); // (B, T - 1, D)
    }

    /// With the class before them.
    Tensor withClass(Tensor patches) { // (B, T - 1, D)
        var first = classToken.value().add(positions.value().narrow(1, 0, 1)); // (1, 1, D)
        return Tensor.concat(1, first.expand(patches.size(0), 1, config.width()), patches);
    }

    Tensor encoded(Tensor x, Consumer<Tensor> states) { // (B, T, D)
        x =
                blocks.forward(
                        x,
                        (block, input) -> {
                            states.accept(input);
                            return block.forward(input);
                        });
        states.accept(x);
        return norm.forward(x);
    }

    /// The embeddings of the patches of pictures, row by row.
    static Tensor patchRows(Conv2d patches, Tensor pixels) { // (B, C, H, W)
        var x = patches.forward(pixels); // (B, D, h, w)
        return x.reshape(x.size(0), x.size(1), -1).transpose(1, 2); // (B, T - 1, D)
    }

    Parameter positions() {
        return positions;
    }
}
