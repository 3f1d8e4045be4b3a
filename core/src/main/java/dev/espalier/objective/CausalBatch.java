package dev.espalier.objective;

import dev.espalier.model.Decoder;
import dev.espalier.torch.Tensor;

/// Windows of text from which each next token is to be told (causal language modelling, Radford et
/// al. 2018).
///
/// @param term what the step's figures call this loss
/// @param windows one row a window, of `length + 1` tokens: inputs are all but the last, labels all
///   but the first
/// @param loss the loss of a token
public record CausalBatch(
        Decoder model, String term, double weight, int[][] windows, CrossEntropy loss)
        implements MicroBatch {
    /// With the plain loss.
    public CausalBatch(Decoder model, String term, double weight, int[][] windows) {
        this(model, term, weight, windows, CrossEntropy.PLAIN);
    }

    @Override
    public long count() {
        return (long) windows.length * length();
    }

    @Override
    public long tokens() {
        return count();
    }

    private int length() {
        return windows[0].length - 1;
    }

    @Override
    public VocabularyLoss forward() {
        int rows = windows.length, length = length();
        var inputs = new long[rows * length];
        var labels = new long[rows * length];
        for (var r = 0; r < rows; r++) {
            for (var t = 0; t < length; t++) {
                inputs[r * length + t] = windows[r][t];
                labels[r * length + t] = windows[r][t + 1];
            }
        }
        var hidden = model.hidden(Tensor.of(inputs, rows, length)); // (B, T, D)
        return new VocabularyLoss(model, hidden, Tensor.of(labels, rows, length), loss);
    }
}
