package dev.espalier.model;

import java.util.List;

/// A model that reads the normalised pixels of pictures.
///
/// B batch, C channels, H and W height and width of a picture in pixels, T tokens: patches and what
/// stands beside them, D width.
public abstract class VisionModel extends Model {
    /// The end of the family's class for what this model does, as `architectures` in `config.json`
    /// has it: `ForImageClassification` and the like.
    public abstract String task();

    /// The names of the classes that are told, in the order of their scores; empty where none are.
    public abstract List<String> labels();

    /// New weights. A pure function of `seed`.
    public abstract VisionModel initialize(long seed);

    /// As [#initialize] for what is the task's own, which files of other tasks lack.
    public abstract void initializeHead(long seed);

    /// Whether the weight at `path` is the task's own.
    public final boolean isHead(String path) {
        return !family().isBody(path);
    }

    /// Has what is the task's own trained, whatever else is frozen.
    public final void trainHead() {
        parameters()
                .forEach((path, parameter) ->
                        parameter.trained(parameter.trained() || isHead(path)));
    }

    /// The size in pixels of the pictures that the model was made for.
    public abstract int imageHeight();

    /// Likewise.
    public abstract int imageWidth();

    /// The pixels that each side of a picture must have at the least.
    public abstract int leastSide();

    /// Positions of a picture of this size in the model's widest layer, which memory grows with.
    public abstract long positions(long height, long width);

    /// Multiplications of the forward pass of one picture of this size, in matrix products and
    /// convolutions.
    public abstract double multiplications(long height, long width);
}
