package dev.espalier.task;

import dev.espalier.model.Problem;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// The loss of what a classifier tells: the cross-entropy of the label, the mean over all labels of
/// their binary cross-entropies, or the squared error in standardised units, as the Hugging Face
/// library has it.
///
/// @param labelWeights of one label the weight of each class in the loss, 1 on average over the
///   training records; of several labels that of each where it holds; null for all 1
/// @param loss the cross-entropy of a record
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
record LabelLoss(Problem problem, float @Nullable [] labelWeights, CrossEntropy loss) {
    /// The sum over `scores` (N, classes).
    ///
    /// @param truth of a row, as [Example#truth] has it
    /// @param weights of the rows, which are changed
    Tensor sum(Tensor scores, IntFunction<double[]> truth, float[] weights) {
        var n = weights.length;
        return switch (problem) {
            case Problem.SingleLabel _ -> {
                var classes = new int[n];
                for (var i = 0; i < n; i++) {
                    classes[i] = (int) truth.apply(i)[0];
                    weights[i] *= labelWeights == null ? 1 : labelWeights[classes[i]];
                }
                yield loss.sum(scores, Tensor.of(classes, n, 1), Tensor.of(weights, n, 1));
            }
            case Problem.MultiLabel several -> {
                var labels = several.labels().size();
                var halves = new float[n * labels * 2];
                for (var i = 0; i < n; i++) {
                    var held = truth.apply(i);
                    for (var l = 0; l < labels; l++) {
                        var holds = held[l] > 0;
                        var other = loss.labelSmoothing() / 2;
                        var weight = (double) weights[i] / labels;
                        var positive = weight * (labelWeights == null ? 1 : labelWeights[l]);
                        halves[2 * (i * labels + l)] =
                                (float) (positive * (holds ? 1 - other : other));
                        halves[2 * (i * labels + l) + 1] =
                                (float) (weight * (holds ? other : 1 - other));
                    }
                }
                yield CrossEntropy.binarySum(scores, Tensor.of(halves, n * (long) labels, 2));
            }
            case Problem.Regression number -> {
                var targets = new float[n];
                for (var i = 0; i < n; i++) {
                    targets[i] = (float) number.standardised(truth.apply(i)[0]);
                }
                var error = scores.to(DType.FLOAT).sub(Tensor.of(targets, n, 1));
                yield error.mul(error).mul(Tensor.of(weights, n, 1)).sum();
            }
        };
    }
}
