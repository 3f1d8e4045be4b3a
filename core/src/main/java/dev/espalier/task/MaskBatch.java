package dev.espalier.task;

import dev.espalier.image.Mask;
import dev.espalier.model.Segmenter;
import dev.espalier.nn.Stack;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.Pixels;
import java.util.List;

/// Pictures of one size whose pixels are to be told as classes.
///
/// @param masks the class of each picture's pixels, row by row
public record MaskBatch(
        Segmenter model, List<Pixels> pictures, List<byte[]> masks, SegmentationLoss loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "segmentation";

    public MaskBatch {
        pictures = List.copyOf(pictures);
        masks = List.copyOf(masks);
    }

    @Override
    public String term() {
        return TERM;
    }

    /// Pixels that mean something.
    @Override
    public long count() {
        var count = 0L;
        for (var mask : masks) {
            for (var label : mask) {
                count += (label & 0xFF) == Mask.IGNORED ? 0 : 1;
            }
        }
        return count;
    }

    /// Pictures.
    @Override
    public long tokens() {
        return pictures.size();
    }

    @Override
    public List<String> where() {
        return pictures.stream().map(Pixels::where).toList();
    }

    @Override
    public Loss forward() {
        var first = pictures.getFirst();
        var scores = model.scores(Pixels.stacked(pictures)); // (B, K, h, w)
        var sum = loss.sum(scores, masks, first.height(), first.width());
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }
}
