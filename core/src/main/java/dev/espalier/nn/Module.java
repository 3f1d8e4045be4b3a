package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// A part of a model: named parameters and named parts of its own. The path of a parameter, names
/// joined by dots, is the name of its tensor in a Hugging Face file.
public abstract class Module {
    private final SequencedMap<String, Parameter> parameters = new LinkedHashMap<>();
    private final List<Child> children = new ArrayList<>();
    private boolean training;

    private record Child(String name, Module module) {}

    /// Adds a parameter of this shape, zero until it is initialized or loaded.
    protected final Parameter parameter(String name, long... shape) {
        var parameter = new Parameter(Tensor.zeros(dev.espalier.torch.DType.FLOAT, shape));
        parameters.put(name, parameter);
        return parameter;
    }

    /// Adds what is gathered while training, and starts as `initial`.
    protected final Parameter running(String name, Tensor initial) {
        var parameter = Parameter.running(initial);
        parameters.put(name, parameter);
        return parameter;
    }

    /// Adds a part; a path with dots stands for parts without code of their own.
    protected final <M extends Module> M child(String name, M module) {
        children.add(new Child(name, module));
        return module;
    }

    /// Takes a part off, whose weights live on.
    protected final void remove(String name) {
        children.removeIf(c -> c.name.equals(name));
    }

    /// Every parameter by its path, in the order in which they were added.
    public final SequencedMap<String, Parameter> parameters() {
        var all = new LinkedHashMap<String, Parameter>();
        collect("", all);
        return Collections.unmodifiableSequencedMap(all);
    }

    private void collect(String prefix, SequencedMap<String, Parameter> into) {
        parameters.forEach((name, parameter) -> into.put(prefix + name, parameter));
        children.forEach(c -> c.module.collect(join(prefix, c.name), into));
    }

    /// An empty name adds no step to the path: its parameters are named as if they were this part's
    /// own.
    private static String join(String prefix, String name) {
        return name.isEmpty() ? prefix : prefix + name + ".";
    }

    /// Every part by its path, this one (the empty path) first. Of parts without a name, which
    /// share a path, the outermost stands for all; what they hold has paths of its own.
    public final SequencedMap<String, Module> modules() {
        var all = new LinkedHashMap<String, Module>();
        collectModules("", all);
        return Collections.unmodifiableSequencedMap(all);
    }

    private void collectModules(String path, SequencedMap<String, Module> into) {
        into.putIfAbsent(path, this);
        children.forEach(c ->
                c.module.collectModules(
                        path.isEmpty() || c.name.isEmpty() ? path + c.name : path + "." + c.name,
                        into));
    }

    /// The number of weights, tied ones once.
    public final long parameterCount() {
        return parameters().values().stream().mapToLong(p -> p.value().count()).sum();
    }

    /// Whether dropout is on. Off until a training loop turns it on.
    public final boolean training() {
        return training;
    }

    public final void training(boolean training) {
        this.training = training;
        children.forEach(c -> c.module.training(training));
    }

    /// Frees every weight.
    public final void free() {
        parameters().values().forEach(p -> p.value().close());
    }
}
