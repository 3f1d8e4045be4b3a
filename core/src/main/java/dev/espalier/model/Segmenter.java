package dev.espalier.model;

import dev.espalier.torch.Tensor;

/// What scores the pixels of pictures for classes: a [VisionModel].
public interface Segmenter {
    /// The scores (B, classes, h, w) of pictures (B, C, H, W), which may be coarser than these.
    Tensor scores(Tensor pixels);

    /// The class of a pixel that means nothing.
    int ignored();
}
