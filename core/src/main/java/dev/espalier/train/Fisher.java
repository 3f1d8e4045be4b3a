package dev.espalier.train;

import dev.espalier.Rng;
import dev.espalier.evaluate.MaskedText;
import dev.espalier.model.Decoder;
import dev.espalier.model.Encoder;
import dev.espalier.model.LanguageModel;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/// How much what a language model says of a text depends on each weight: the diagonal of the Fisher
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
        return of(
                model,
                windows.size(),
                i -> {
                    var window = windows.get(i);
                    var length = window.length - 1;
                    return model.hidden(
                            Tensor.of(Arrays.copyOf(window, length), 1, length)); // (1, T, D)
                },
                parameters,
                seed);
    }

    /// As above of an encoder, with the hidden tokens of `rows` drawn.
    static Tensor of(Encoder model, MaskedText rows, FlatParameters parameters, long seed) {
        return of(
                model,
                rows.blocks().size(),
                i -> {
                    var row = rows.blocks().get(i);
                    var places = Arrays.stream(row.places()).asLongStream().toArray();
                    var ids = Tensor.of(row.ids(), 1, row.ids().length);
                    return model.hidden(ids, null, null)
                            .reshape(row.ids().length, model.width())
                            .indexSelect(0, Tensor.of(places, places.length))
                            .unsqueeze(0); // (1, hidden tokens, D)
                },
                parameters,
                seed);
    }

    /// @param states (1, T, D) of the i-th window, whose tokens are drawn
    private static Tensor of(
            LanguageModel model,
            int windows,
            IntFunction<Tensor> states,
            FlatParameters parameters,
            long seed) {
        model.training(false);
        var sum = Tensor.zeros(DType.FLOAT, parameters.count());
        for (var i = 0; i < windows; i++) {
            parameters.zeroGradients();
            Torch.seed(Rng.seed(seed, 7, i));
            try (var scope = new Scope()) {
                var hidden = states.apply(i);
                var drawn = Torch.noGrad(() -> draw(model.logits(hidden.detach())));
                new VocabularyLoss(model, hidden, drawn).backward(1).item();
                var gradient = parameters.gradients();
                sum.addcmulInPlace(gradient, gradient, 1.0 / windows);
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
