package dev.espalier.train;

import dev.espalier.Rng;
import dev.espalier.model.Decoder;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.List;

/// How much what a decoder says of a text depends on each weight: the diagonal of the Fisher
/// information,
///
///     Fᵢ = E[ (∂ log p(y | x) / ∂wᵢ)² ],  y ~ p(· | x)
///
/// over windows x of text, with the next token of each place drawn from the model itself. Drawn, not
/// read from the text: squares of the text's own gradients are the empirical Fisher, another matrix,
/// which does not tell how the model's answers change (Kunstner et al. 2019, arXiv:1905.12558). The
/// places' draws do not depend on each other, so that the square of a window's sum is right.
final class Fisher {
    private Fisher() {}

    /// The estimate from `windows`, laid out as `parameters`, whose gradients are used and left
    /// zero.
    static Tensor of(Decoder model, List<int[]> windows, FlatParameters parameters, long seed) {
        model.training(false);
        var sum = Tensor.zeros(DType.FLOAT, parameters.count());
        for (var i = 0; i < windows.size(); i++) {
            parameters.zeroGradients();
            Torch.seed(Rng.seed(seed, 7, i));
            try (var scope = new Scope()) {
                var window = windows.get(i);
                var length = window.length - 1;
                var ids = Tensor.of(java.util.Arrays.copyOf(window, length), 1, length);
                var hidden = model.hidden(ids); // (1, T, D)
                var drawn = Torch.noGrad(() -> draw(model.logits(hidden.detach())));
                new VocabularyLoss(model, hidden, drawn).backward(1).item();
                var gradient = parameters.gradients();
                sum.addcmulInPlace(gradient, gradient, 1.0 / windows.size());
            }
        }
        parameters.zeroGradients();
        return sum;
    }

    /// A label (1, T) of each place, drawn by its scores (1, T, V): the first whose cumulative
    /// probability is above a number drawn from [0, 1).
    private static Tensor draw(Tensor scores) {
        long t = scores.size(1), v = scores.size(2);
        var sums = scores.to(DType.FLOAT).softmax(-1).cumsum(-1); // (1, T, V)
        var u = Tensor.zeros(DType.FLOAT, 1, t, 1).uniformInPlace(0, 1);
        var above = sums.gt(u.expand(1, t, v)).to(DType.FLOAT).sum(2).longs(); // (1, T)
        var labels = new long[(int) t];
        for (var i = 0; i < labels.length; i++) {
            // Where rounding leaves the last sum below the draw, the last label.
            labels[i] = Math.min(v - 1, v - above[i]);
        }
        return Tensor.of(labels, 1, t);
    }
}
