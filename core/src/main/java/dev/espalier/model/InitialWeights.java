package dev.espalier.model;

import dev.espalier.Rng;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/// How decoders start: matrices and tables from a normal distribution, biases at 0 and the gains of
/// norms at 1.
final class InitialWeights {
    private InitialWeights() {}

    /// A pure function of `seed`, the same on every machine. `deviation` gives the standard
    /// deviation of the matrix at a path.
    static void fill(Module model, long seed, ToDoubleFunction<String> deviation) {
        var parameters = model.parameters().entrySet().stream().toList();
        IntStream.range(0, parameters.size())
                .parallel()
                .forEach(i -> {
                    var name = parameters.get(i).getKey();
                    var parameter = parameters.get(i).getValue();
                    if (!parameter.trained()) {
                        return; // a constant of the files, 0 in new models
                    }
                    if (parameter.isMatrix()) {
                        draw(parameter, deviation.applyAsDouble(name), Rng.at(seed, i));
                    } else if (!name.endsWith(".bias")) {
                        set(parameter, 1);
                    }
                });
    }

    /// As [#fill] with one deviation for all but the weights of convolutions, whose variance is 2 /
    /// fan-out (He et al. 2015, arXiv:1502.01852, section 2.2).
    static void fillWithConvolutions(Module model, long seed, double deviation) {
        var parameters = model.parameters();
        fill(
                model,
                seed,
                name -> {
                    var weight =
                            Objects.requireNonNull(parameters.get(name))
                                    .value(); // (out, in / groups, k, k)
                    if (weight.dimensions() < 4) {
                        return deviation;
                    }
                    // A convolution with a group for each channel reads one.
                    var outputs = weight.size(1) == 1 ? 1 : weight.size(0);
                    return Math.sqrt(2.0 / (outputs * weight.size(2) * weight.size(3)));
                });
    }

    private static void draw(Parameter parameter, double deviation, Rng rng) {
        var segment = parameter.value().segment();
        var count = parameter.value().count();
        for (var i = 0L; i < count; i++) {
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) (deviation * rng.nextGaussian()));
        }
    }

    private static void set(Parameter parameter, float value) {
        var segment = parameter.value().segment();
        for (var i = 0L; i < parameter.value().count(); i++) {
            segment.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
        }
    }
}
