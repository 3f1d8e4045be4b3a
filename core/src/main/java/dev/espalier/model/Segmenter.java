package dev.espalier.model;

import dev.espalier.torch.Tensor;
import java.util.List;

/// A model that scores the pixels of pictures for classes.
public abstract class Segmenter extends VisionModel {
    /// The key of `config.json` of the class of a pixel that means nothing. In masks that is
    /// [dev.espalier.image.Mask#IGNORED], whatever the masks had that a file's model learnt from.
    public static final String IGNORED = "semantic_loss_ignore_index";

    private final List<String> labels;

    Segmenter(List<String> labels) {
        this.labels = List.copyOf(labels);
    }

    /// The scores (B, classes, h, w) of pictures (B, C, H, W), which may be coarser than these.
    public abstract Tensor scores(Tensor pixels);

    @Override
    public abstract Segmenter initialize(long seed);

    @Override
    public final List<String> labels() {
        return labels;
    }

    @Override
    public final String task() {
        return "ForSemanticSegmentation";
    }
}
