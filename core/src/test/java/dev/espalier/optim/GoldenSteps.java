package dev.espalier.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import dev.espalier.nn.Module;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import tools.jackson.databind.JsonNode;

/// The reference's 20 steps of an optimizer, on a quadratic with a matrix, a vector, a tensor of
/// three dimensions and a scalar, and on a perceptron with biases.
final class GoldenSteps {
    private static final Path GOLDEN =
            Path.of(System.getProperty("espalier.goldens"), "optimisers");
    private static final List<List<String>> PROBLEMS =
            List.of(
                    List.of("quadratic", "W", "v", "T", "s"),
                    List.of("mlp", "w1", "b1", "w2", "b2"));

    private GoldenSteps() {}

    private static final class Weights extends Module {
        void add(String name, long[] shape) {
            parameter(name, shape);
        }
    }

    /// Makes the steps of `setting` from the reference's gradients, saving the state and going on
    /// with another optimizer after 7 of them, and compares every weight.
    static void check(
            String setting,
            double tolerance,
            BiFunction<FlatParameters, JsonNode, Optimizer> optimizer) {
        var args =
                Json.read(GOLDEN.resolve("golden.json"))
                        .path("optimisers")
                        .path(setting)
                        .path("args");
        for (var problem : PROBLEMS) {
            try (var tensors = SafeTensors.open(GOLDEN.resolve("golden.safetensors"));
                    var scope = new Scope()) {
                var path = setting + "." + problem.getFirst() + ".";
                var module = new Weights();
                for (var name : problem.subList(1, problem.size())) {
                    var shape = tensors.find(path + name).orElseThrow().shape();
                    module.add(name, Arrays.copyOfRange(shape, 1, shape.length));
                }
                for (var p : module.parameters().entrySet()) {
                    p.getValue().value().copyInPlace(at(tensors, path + p.getKey(), 0));
                }
                try (var flat = new FlatParameters(module)) {
                    steps(
                            tensors,
                            path,
                            flat,
                            () -> optimizer.apply(flat, args),
                            args.path("lr").asDouble(),
                            tolerance);
                }
            }
        }
    }

    private static void steps(
            SafeTensors tensors,
            String path,
            FlatParameters flat,
            java.util.function.Supplier<Optimizer> optimizers,
            double rate,
            double tolerance) {
        var optimizer = optimizers.get();
        for (var step = 0; step < 20; step++) {
            for (var slot : flat.slots()) {
                flat.gradients()
                        .narrow(0, slot.offset(), slot.count())
                        .copyInPlace(gradient(tensors, path, slot.name(), step).reshape(-1));
            }
            if (step == 7) {
                var next = optimizers.get();
                next.steps(optimizer.steps());
                var state = optimizer.state();
                next.state()
                        .forEach((name, into) ->
                                into.copyInPlace(
                                        java.util.Objects.requireNonNull(state.get(name))));
                optimizer.close();
                optimizer = next;
            }
            optimizer.step(rate);
            for (var slot : flat.slots()) {
                var got = flat.weights().narrow(0, slot.offset(), slot.count()).floats();
                var want = at(tensors, path + slot.name(), step + 1).reshape(-1).floats();
                assertThat(got)
                        .as("%s%s, step %d", path, slot.name(), step)
                        .containsExactly(want, within((float) tolerance));
            }
        }
        assertThat(optimizer.steps()).isEqualTo(20);
        optimizer.close();
    }

    /// At the reference's weights; that of the quadratic is curvature (weight - target).
    private static Tensor gradient(SafeTensors tensors, String path, String name, int step) {
        if (!path.endsWith(".quadratic.")) {
            return at(tensors, path + name + ".grad", step);
        }
        var weight = at(tensors, path + name, step);
        return weight.sub(whole(tensors, "quadratic.data.target." + name))
                .mul(whole(tensors, "quadratic.data.curvature." + name));
    }

    private static Tensor at(SafeTensors tensors, String name, int step) {
        return whole(tensors, name).select(0, step);
    }

    private static Tensor whole(SafeTensors tensors, String name) {
        var entry = tensors.find(name).orElseThrow();
        return Tensor.of(DType.FLOAT, entry.data(), entry.shape());
    }
}
