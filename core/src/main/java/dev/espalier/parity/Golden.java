package dev.espalier.parity;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/// The tensors of a reference, by name.
final class Golden implements AutoCloseable {
    private final Path file;
    private final SafeTensors tensors;

    Golden(Path file) {
        this.file = file;
        tensors = SafeTensors.open(file);
    }

    /// The names that begin with `prefix`, without it.
    List<String> names(String prefix) {
        return tensors.entries().stream()
                .map(SafeTensors.Entry::name)
                .filter(n -> n.startsWith(prefix))
                .map(n -> n.substring(prefix.length()))
                .toList();
    }

    boolean has(String name) {
        return tensors.find(name).isPresent();
    }

    Tensor tensor(String name) {
        return find(name)
                .orElseThrow(() ->
                        EspalierException.data(file + ": the tensor '" + name + "' is missing"));
    }

    private Optional<Tensor> find(String name) {
        return tensors.find(name).map(entry -> Tensor.of(type(entry), entry.data(), entry.shape()));
    }

    private DType type(SafeTensors.Entry entry) {
        return switch (entry.dtype()) {
            case F32 -> DType.FLOAT;
            case F64 -> DType.DOUBLE;
            case I64 -> DType.LONG;
            case U8 -> DType.BYTE;
            default ->
                    throw EspalierException.data(
                            "%s: the tensor '%s' is of %s; F32, F64, I64 and U8 are read"
                                    .formatted(file, entry.name(), entry.dtype()));
        };
    }

    /// The number under `key`, as the 64-bit reference has it where there is one: ours is then
    /// compared with the truth, and not with other roundings.
    static double number(JsonNode json, String key) {
        var exact = json.path("fp64_" + key);
        return exact.isNumber() ? exact.doubleValue() : json.path(key).asDouble(Double.NaN);
    }

    /// `tolerance`, and twice what the reference says under `key` of its own distance from 64-bit
    /// numbers, since ours may lie as far on the other side; at most doubled, so that no reference
    /// makes a check idle.
    static double tolerance(double tolerance, JsonNode json, String key) {
        return tolerance + Math.clamp(2 * json.path(key).asDouble(0), 0, tolerance);
    }

    @Override
    public void close() {
        tensors.close();
    }
}
