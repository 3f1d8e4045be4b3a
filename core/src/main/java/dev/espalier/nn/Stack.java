package dev.espalier.nn;

import dev.espalier.Rng;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// The blocks of a model, run one after another. Asked to, it keeps of each block only what the
/// block reads while training, and computes the rest anew on the way back (Chen et al. 2016,
/// arXiv:1604.06174): a third more time for the memory of one block instead of all. A segment is
/// one block, since what a block reads is far less than what it computes.
///
/// A recomputing forward pass must be followed by its backward pass: that of the loss into what
/// [#forward] gave, and then [#backward(Module)]. Losses do both.
public final class Stack<B extends Module> extends Module {
    private final List<B> blocks = new ArrayList<>();
    private boolean recompute;
    // Of each thread its own, since threads may take the micro-batches of a step at once.
    private final ThreadLocal<@Nullable Pending<B>> pending = new ThreadLocal<>();

    /// A forward pass on which a backward pass has not followed.
    ///
    /// @param entry what the first block read, with the graph behind it
    /// @param shared what all blocks read, with the graph behind it
    /// @param leaves the same, cut off from the graph
    /// @param inputs what each block read, cut off from the graph
    /// @param exit what the last block gave, as a leaf
    private record Pending<B>(
            Tensor entry,
            List<Tensor> shared,
            List<Tensor> leaves,
            List<Tensor> inputs,
            Tensor exit,
            Run<B> run,
            long seed,
            boolean bf16) {}

    /// Puts a block behind the others; its path is its number.
    public void add(B block) {
        child(String.valueOf(blocks.size()), block);
        blocks.add(block);
    }

    public List<B> blocks() {
        return List.copyOf(blocks);
    }

    /// Whether the stacks of `model` recompute their blocks on the way back.
    public static void recompute(Module model, boolean recompute) {
        model.modules()
                .values()
                .forEach(part -> {
                    if (part instanceof Stack<?> stack) {
                        stack.recompute = recompute;
                    }
                });
    }

    /// Goes backward through all blocks of `model` whose results were not kept, after the gradient
    /// of what they gave is known. Does nothing where all was kept.
    public static void backward(Module model) {
        for (var part : List.copyOf(model.modules().values()).reversed()) {
            if (part instanceof Stack<?> stack) {
                stack.backward();
            }
        }
    }

    /// How a block is run.
    @FunctionalInterface
    public interface Run<B> {
        /// What `block` makes of `x`, and of what it shares with the other blocks.
        Tensor apply(B block, Tensor x, List<Tensor> shared);
    }

    /// The last of `x` ← `run`(block, `x`) over all blocks. What `run` reads beside `x` gets no
    /// gradient.
    public Tensor forward(Tensor x, BiFunction<B, Tensor, Tensor> run) {
        return forward(x, List.of(), (block, input, shared) -> run.apply(block, input));
    }

    /// As above, where all blocks read `shared` too, through which gradients flow: what an encoder
    /// gave, or a bias of attention.
    public Tensor forward(Tensor x, List<Tensor> shared, Run<B> run) {
        if (!recompute || !training() || !Torch.recordsGradients() || !isTrained(x, shared)) {
            for (var block : blocks) {
                // What the backward pass needs lives on in the graph; the rest, as much again, ends
                // with the block.
                try (var scope = new Scope()) {
                    x = scope.keep(run.apply(block, x, shared));
                }
            }
            return x;
        }
        if (pending.get() != null) {
            throw new IllegalStateException(
                    "the last forward pass was followed by no backward pass");
        }
        var seed = drawSeed();
        var leaves =
                shared.stream()
                        .map(s -> s.requiresGrad() ? s.detach().requiresGrad(true) : s)
                        .toList();
        var inputs = new ArrayList<Tensor>();
        var state = x.detach();
        for (var i = 0; i < blocks.size(); i++) {
            inputs.add(state);
            state = Torch.noGrad(kept(i, state, leaves, run, seed));
        }
        var exit = state.requiresGrad(true);
        pending.set(new Pending<>(x, shared, leaves, inputs, exit, run, seed, Torch.inBf16()));
        return exit;
    }

    private java.util.function.Supplier<Tensor> kept(
            int i, Tensor state, List<Tensor> shared, Run<B> run, long seed) {
        return () -> {
            try (var scope = new Scope()) {
                Torch.seed(Rng.seed(seed, i));
                return scope.keep(run.apply(blocks.get(i), state, shared));
            }
        };
    }

    private boolean isTrained(Tensor x, List<Tensor> shared) {
        return x.requiresGrad()
                || shared.stream().anyMatch(Tensor::requiresGrad)
                || parameters().values().stream().anyMatch(p -> p.value().requiresGrad());
    }

    /// Of libtorch's stream, so that it depends on what the stream was seeded with alone.
    private static long drawSeed() {
        var draw = Tensor.zeros(DType.DOUBLE, 1).uniformInPlace(0, 1).item();
        return (long) (draw * 0x1p53);
    }

    private void backward() {
        var p = pending.get();
        pending.remove();
        if (p == null || p.exit.grad() == null) {
            return;
        }
        var gradient = own(p.exit.grad());
        for (var i = blocks.size() - 1; i >= 0 && gradient != null; i--) {
            var above = gradient;
            try (var scope = new Scope()) {
                var block = blocks.get(i);
                var leaf = p.inputs.get(i).detach().requiresGrad(true);
                // Dropout draws what it drew on the way forward.
                Torch.seed(Rng.seed(p.seed, i));
                var y = Torch.bf16(p.bf16, () -> p.run.apply(block, leaf, p.leaves));
                y.backward(above.to(y.dtype()));
                var below = own(leaf.grad());
                gradient = below == null ? null : scope.keep(below);
            }
            above.close();
        }
        if (gradient != null && p.entry.requiresGrad()) {
            p.entry.backward(gradient);
        }
        for (var i = 0; i < p.shared.size(); i++) {
            var above = own(p.leaves.get(i).grad());
            if (above != null && p.shared.get(i).requiresGrad()) {
                p.shared.get(i).backward(above);
            }
        }
    }

    /// A leaf's gradient is the leaf's, and would end with it.
    private static @Nullable Tensor own(@Nullable Tensor gradient) {
        return gradient == null ? null : gradient.detach();
    }
}
