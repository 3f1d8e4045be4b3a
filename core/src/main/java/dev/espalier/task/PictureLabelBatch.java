package dev.espalier.task;

import dev.espalier.model.Vit;
import dev.espalier.nn.Stack;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.Loss;
import dev.espalier.objective.MicroBatch;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Pictures of one size to tell the label, or the labels, of.
///
/// @param pictures at least one
/// @param truth what each is labelled with, as [Example#truth] has it
/// @param labelWeights see [ClassificationBatch]
/// @param loss the cross-entropy of a picture
@SuppressWarnings("ArrayRecordComponent") // batches are passed on, never compared
public record PictureLabelBatch(
        Vit model,
        List<Pixels> pictures,
        List<double[]> truth,
        float @Nullable [] labelWeights,
        CrossEntropy loss)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "image-classification";

    public PictureLabelBatch {
        pictures = List.copyOf(pictures);
        truth = List.copyOf(truth);
    }

    @Override
    public String term() {
        return TERM;
    }

    @Override
    public double weight() {
        return 1;
    }

    @Override
    public long count() {
        return pictures.size();
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

    /// The labels of each.
    public List<ExampleText> examples() {
        return IntStream.range(0, pictures.size())
                .mapToObj(i ->
                        new ExampleText(
                                pictures.get(i).where(),
                                List.of(
                                        ExampleText.field(
                                                "label",
                                                Example.shown(model.problem(), truth.get(i)),
                                                Mark.TARGET))))
                .toList();
    }

    @Override
    public Loss forward() {
        var weights = new float[pictures.size()];
        Arrays.fill(weights, 1);
        var scores = model.scores(Pixels.stacked(pictures)); // (B, labels)
        var sum = sum(scores, weights);
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    private Tensor sum(Tensor scores, float[] weights) {
        return new LabelLoss(model.problem(), labelWeights, loss).sum(scores, truth::get, weights);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return pictures.hashCode();
    }
}
