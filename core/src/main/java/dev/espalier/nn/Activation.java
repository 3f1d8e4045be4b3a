package dev.espalier.nn;

import dev.espalier.EspalierException;
import dev.espalier.torch.Tensor;
import java.util.List;

/// What stands between the two maps of an MLP, under the names of `config.json`.
public final class Activation {
    /// The names that are known.
    public static final List<String> NAMES =
            List.of("gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu");

    private Activation() {}

    /// @throws EspalierException if `name`, the value of `key`, is not among [#NAMES]
    public static void check(String key, String name) {
        if (!NAMES.contains(name)) {
            throw EspalierException.data(key + " '" + name + "' is not known; allowed: " + NAMES);
        }
    }

    public static Tensor apply(String name, Tensor x) {
        return switch (name) {
            case "gelu" -> x.gelu();
            case "gelu_new", "gelu_pytorch_tanh" -> x.geluTanh();
            case "relu" -> x.relu();
            case "silu" -> x.silu();
            default -> throw new IllegalArgumentException(name);
        };
    }
}
