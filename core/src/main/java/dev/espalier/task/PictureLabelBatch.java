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
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Pictures of one size to tell the label, or the labels, of.
///
/// @param pictures at least one
/// @param told what is to be told of each: of a picture made of several, that of each
/// @param labelWeights see [ClassificationBatch]
/// @param loss the cross-entropy of a picture
@SuppressWarnings("ArrayRecordComponent") // batches are passed on, never compared
public record PictureLabelBatch(
        Vit model,
        List<Pixels> pictures,
        List<List<Share>> told,
        float @Nullable [] labelWeights,
        CrossEntropy loss)
        implements MicroBatch {
    /// What one of the pictures that a picture is made of is labelled with.
    ///
    /// @param truth as [Example#truth] has it
    /// @param share how much of the picture it is; together 1
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    public record Share(double[] truth, double share) {}

    /// What the figures call this loss.
    public static final String TERM = "image-classification";

    public PictureLabelBatch {
        pictures = List.copyOf(pictures);
        told = List.copyOf(told);
    }

    @Override
    public String term() {
        return TERM;
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
                                                "label", shown(told.get(i)), Mark.TARGET))))
                .toList();
    }

    private String shown(List<Share> parts) {
        return parts.stream()
                .map(part -> {
                    var label = Example.shown(model.problem(), part.truth());
                    return part.share() == 1
                            ? label
                            : String.format(Locale.ROOT, "%.0f %% %s", 100 * part.share(), label);
                })
                .collect(Collectors.joining(", "));
    }

    @Override
    public Loss forward() {
        var scores = model.scores(Pixels.stacked(pictures)); // (B, labels)
        var sum = sum(scores);
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }

    /// A row of `scores` (B, labels) for each part of its picture, weighed by its share.
    private Tensor sum(Tensor scores) {
        var parts = told.stream().flatMap(List::stream).toList();
        var rows = new long[parts.size()];
        var weights = new float[parts.size()];
        var at = 0;
        for (var i = 0; i < told.size(); i++) {
            for (var part : told.get(i)) {
                rows[at] = i;
                weights[at++] = (float) part.share();
            }
        }
        return new LabelLoss(model.problem(), labelWeights, loss)
                .sum(
                        rows.length == told.size()
                                ? scores
                                : scores.indexSelect(0, Tensor.of(rows, rows.length)),
                        i -> parts.get(i).truth(),
                        weights);
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
