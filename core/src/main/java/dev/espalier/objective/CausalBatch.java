package dev.espalier.objective;

import dev.espalier.data.Window;
import dev.espalier.model.Decoder;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;

/// Windows of text from which each next token is to be told (causal language modelling, Radford et
/// al. 2018).
///
/// @param term what the step's figures call this loss
/// @param windows one row a window, of `length + 1` tokens: inputs are all but the last, labels all
///   but the first
/// @param loss the loss of a token
public record CausalBatch(
        Decoder model, String term, double weight, List<Window> windows, CrossEntropy loss)
        implements MicroBatch {
    public CausalBatch {
        windows = List.copyOf(windows);
    }

    /// Tokens that stand nowhere, with the plain loss.
    public CausalBatch(Decoder model, String term, double weight, int[][] windows) {
        this(
                model,
                term,
                weight,
                Arrays.stream(windows).map(tokens -> Window.of(tokens, "")).toList(),
                CrossEntropy.PLAIN);
    }

    @Override
    public long count() {
        return (long) windows.size() * length();
    }

    @Override
    public long tokens() {
        return count();
    }

    @Override
    public List<String> where() {
        return windows.stream().map(Window::where).toList();
    }

    private int length() {
        return windows.getFirst().tokens().length - 1;
    }

    @Override
    public VocabularyLoss forward() {
        int rows = windows.size(), length = length();
        var inputs = new long[rows * length];
        var labels = new long[rows * length];
        for (var r = 0; r < rows; r++) {
            var tokens = windows.get(r).tokens();
            for (var t = 0; t < length; t++) {
                inputs[r * length + t] = tokens[t];
                labels[r * length + t] = tokens[t + 1];
            }
        }
        var hidden = model.hidden(Tensor.of(inputs, rows, length)); // (B, T, D)
        return new VocabularyLoss(model, hidden, Tensor.of(labels, rows, length), loss);
    }
}
