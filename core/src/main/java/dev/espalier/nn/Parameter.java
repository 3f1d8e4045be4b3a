package dev.espalier.nn;

import dev.espalier.torch.Tensor;
import java.util.List;

/// A slot for a weight. What it holds may be replaced by a tensor of the same shape, which is how
/// an optimizer lays all weights out in one buffer and how a checkpoint is loaded.
///
/// While several workers compute micro-batches of one step at once, each sees a leaf of its own
/// over the same weights, so that each adds up gradients in a buffer of its own.
public final class Parameter {
    private static final ScopedValue<Integer> WORKER = ScopedValue.newInstance();

    private Tensor value;
    private List<Tensor> leaves = List.of();
    private boolean trained = true;
    private boolean running;

    public Parameter(Tensor value) {
        this.value = value;
    }

    /// A slot for what is no weight but is gathered while training, such as a running mean.
    static Parameter running(Tensor value) {
        var parameter = new Parameter(value);
        parameter.running = true;
        parameter.trained = false;
        return parameter;
    }

    /// Whether it is gathered while training, by the model itself.
    public boolean isRunning() {
        return running;
    }

    public Tensor value() {
        return leaves.isEmpty() || !WORKER.isBound() ? value : leaves.get(WORKER.get());
    }

    /// The value, once for each worker that has a leaf of its own.
    public List<Tensor> leaves() {
        return leaves.isEmpty() ? List.of(value) : leaves;
    }

    /// Runs `body` as the worker of that number, from 0.
    public static void asWorker(int worker, Runnable body) {
        ScopedValue.where(WORKER, worker).run(body);
    }

    /// Gives each worker a leaf over the memory of this parameter's value, until the value is
    /// replaced. Outside of workers the first leaf is the value.
    public void share(List<Tensor> leaves) {
        replace(leaves.getFirst());
        this.leaves = List.copyOf(leaves);
    }

    public void replace(Tensor other) {
        if (!java.util.Arrays.equals(value.shape(), other.shape())) {
            throw new IllegalArgumentException("a " + value + " cannot be replaced by a " + other);
        }
        value = other;
        leaves = List.of();
    }

    /// Whether training changes it; a frozen body's parameters are not trained.
    public boolean trained() {
        return trained;
    }

    public void trained(boolean trained) {
        this.trained = trained && !running;
    }

    /// Biases and norms have one dimension, matrices and tables two or more. Decay and LoRA ask.
    public boolean isMatrix() {
        return value.dimensions() >= 2;
    }
}
