package dev.espalier.optim;

import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// The trained parameters of a module laid out in one buffer, and their gradients in another, so
/// that clipping, the optimizer and zeroing are a few large operations however many parameters
/// there are. Matrices and tables come first, since they alone are decayed; biases and norms
/// follow.
public final class FlatParameters implements AutoCloseable {
    /// Squares that are added up in single precision: the error stays near one unit in the last
    /// place.
    private static final long ROW = 1 << 10;

    /// A parameter's place in the buffers.
    public record Slot(String name, long offset, long[] shape) {
        public long count() {
            return java.util.Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        }

        /// As [Parameter#isMatrix].
        public boolean isMatrix() {
            return shape.length >= 2;
        }
    }

    private final List<Slot> slots = new ArrayList<>();
    private final Tensor weights;
    private final List<Tensor> gradients; // one a worker; the first is the sum
    private final long decayed;

    /// As [#FlatParameters(Module, int)] for one worker.
    public FlatParameters(Module module) {
        this(module, 1);
    }

    /// Moves the trained parameters of `module` into the buffer. The module goes on with views of
    /// it. Each of `workers` has a buffer of gradients.
    public FlatParameters(Module module, int workers) {
        var trained =
                module.parameters().entrySet().stream()
                        .filter(e -> e.getValue().trained())
                        .toList();
        var ordered =
                new ArrayList<>(trained.stream().filter(e -> e.getValue().isMatrix()).toList());
        decayed = ordered.stream().mapToLong(e -> e.getValue().value().count()).sum();
        trained.stream().filter(e -> !e.getValue().isMatrix()).forEach(ordered::add);
        var count = ordered.stream().mapToLong(e -> e.getValue().value().count()).sum();
        if (count == 0) {
            throw new IllegalArgumentException("no parameter is trained");
        }
        weights = Tensor.zeros(DType.FLOAT, count);
        gradients =
                IntStream.range(0, workers)
                        .mapToObj(w -> Tensor.zeros(DType.FLOAT, count))
                        .toList();
        var offset = 0L;
        for (var entry : ordered) {
            offset += move(entry.getKey(), entry.getValue(), offset);
        }
        Torch.returnFreedMemory();
    }

    private long move(String name, Parameter parameter, long offset) {
        var old = parameter.value();
        var shape = old.shape();
        var count = old.count();
        Torch.noGrad(() -> {
            var place = weights.narrow(0, offset, count).view(shape);
            place.copyInPlace(old);
            parameter.share(
                    gradients.stream()
                            .map(buffer -> {
                                var leaf = place.detach().requiresGrad(true);
                                leaf.grad(buffer.narrow(0, offset, count).view(shape));
                                return leaf;
                            })
                            .toList());
            old.close();
        });
        slots.add(new Slot(name, offset, shape));
        return count;
    }

    public List<Slot> slots() {
        return List.copyOf(slots);
    }

    public Tensor weights() {
        return weights;
    }

    public Tensor gradients() {
        return gradients.getFirst();
    }

    /// Adds the other workers' gradients to the first's, in their order.
    public void addUpGradients() {
        try (var scope = new Scope()) {
            gradients.stream().skip(1).forEach(gradients()::addInPlace);
        }
    }

    public long count() {
        return weights.count();
    }

    /// How many elements, from the start of the buffer, belong to matrices.
    public long decayed() {
        return decayed;
    }

    public void zeroGradients() {
        try (var scope = new Scope()) {
            gradients.forEach(Tensor::zeroInPlace);
        }
    }

    /// The Euclidean norm of all gradients together: the norms of rows in single precision, whose
    /// squares are then added up in double precision, since a single-precision sum over 10⁸ squares
    /// is none.
    public double gradientNorm() {
        try (var scope = new Scope()) {
            var whole = count() - count() % ROW;
            var rows = gradients().narrow(0, 0, whole).view(-1, ROW).norm(1).to(DType.DOUBLE);
            var rest = gradients().narrow(0, whole, count() - whole).norm().item();
            return Math.hypot(rows.norm().item(), rest);
        }
    }

    /// Scales the gradients so that their norm is at most `most` (Pascanu, Mikolov and Bengio 2013,
    /// arXiv:1211.5063); 0 leaves them. Gives the norm before.
    public double clip(double most) {
        var norm = gradientNorm();
        if (most > 0 && norm > most) {
            try (var scope = new Scope()) {
                gradients().mulInPlace(most / (norm + 1e-6));
            }
        }
        return norm;
    }

    /// Gives `module` copies of its weights that are its own, and frees both buffers.
    public void release(Module module) {
        module.parameters()
                .values()
                .forEach(parameter -> {
                    if (parameter.trained()) {
                        var views = parameter.leaves();
                        var own = Torch.noGrad(() -> parameter.value().detach().copy());
                        parameter.replace(own);
                        views.forEach(Tensor::close);
                    }
                });
        close();
    }

    /// Frees both buffers; the module must not be used any more.
    @Override
    public void close() {
        weights.close();
        gradients.forEach(Tensor::close);
    }
}
