package dev.espalier.model;

import dev.espalier.torch.Tensor;
import java.util.List;

/// A model that scores the pixels of pictures for classes.
public abstract class Segmenter extends VisionModel {
    private final List<String> labels;

    Segmenter(List<String> labels) {
        this.labels = List.copyOf(labels);
    }

    /// The scores (B, classes, h, w) of pictures (B, C, H, W), which may be coarser than these.
    public abstract Tensor scores(Tensor pixels);

    /// The class of a pixel that means nothing.
    public abstract int ignored();

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
