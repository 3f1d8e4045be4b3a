package dev.espalier.nn;

import dev.espalier.torch.Tensor;

/// Learnt positions on a grid of patches, for pictures of another size than they were learnt on.
public final class Positions {
    private Positions() {}

    /// A grid of patches.
    public record Grid(long height, long width) {
        public long count() {
            return height * width;
        }
    }

    /// `table` (…, N, D), a row of it for each patch of `from`, row by row, as one of `to`, by
    /// bicubic interpolation (Dosovitskiy et al. 2020, arXiv:2010.11929, section 3.2).
    public static Tensor interpolated(Tensor table, Grid from, Grid to) {
        if (from.equals(to)) {
            return table;
        }
        var shape = table.shape();
        var width = table.size(-1);
        var picture =
                table.reshape(-1, from.height(), from.width(), width)
                        .permute(0, 3, 1, 2)
                        .bicubic(to.height(), to.width()); // (…, D, H, W)
        shape[shape.length - 2] = to.count();
        return picture.permute(0, 2, 3, 1).reshape(shape);
    }
}
