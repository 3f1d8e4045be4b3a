package dev.espalier.objective;

import dev.espalier.Rng;
import dev.espalier.model.VitMae;
import dev.espalier.nn.Stack;
import dev.espalier.torch.Tensor;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Pictures of which most patches are hidden, and to be told from the others (He et al. 2021,
/// arXiv:2111.06377): the loss is the mean squared error over the pixels of each hidden patch.
///
/// @param pictures of one size, at least one
/// @param orders the patches of each: those that are seen, in the order in which they are read, and
///   behind them the hidden ones
public record MaskedPatchesBatch(VitMae model, List<Pixels> pictures, List<int[]> orders)
        implements MicroBatch {
    /// What the figures call this loss.
    public static final String TERM = "masked-image";

    public MaskedPatchesBatch {
        pictures = List.copyOf(pictures);
        orders = List.copyOf(orders);
    }

    /// The patches in the order of their `noise`, of which the lowest are seen.
    public static int[] order(float[] noise) {
        return IntStream.range(0, noise.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> noise[i]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    /// Any order of so many patches, each as likely as the others.
    public static int[] order(int patches, Rng rng) {
        var order = IntStream.range(0, patches).toArray();
        rng.shuffle(order);
        return order;
    }

    @Override
    public String term() {
        return TERM;
    }

    private int patches() {
        return orders.getFirst().length;
    }

    private int seen() {
        return model.config().seen(patches());
    }

    /// Hidden patches.
    @Override
    public long count() {
        return (long) pictures.size() * (patches() - seen());
    }

    /// Pictures.
    @Override
    public long tokens() {
        return pictures.size();
    }

    @Override
    public List<String> where() {
        return pictures.stream().map(Pixels::where).toList();
    }

    /// What the model tells of its pictures, in the scope that is open.
    public VitMae.Told told(Tensor pixels) { // (B, C, H, W)
        int b = pictures.size(), p = patches(), s = seen();
        var first = new long[b * s];
        for (var i = 0; i < b; i++) {
            for (var k = 0; k < s; k++) {
                first[i * s + k] = orders.get(i)[k];
            }
        }
        return model.tell(pixels, Tensor.of(first, b, s), Tensor.of(places(), b, p));
    }

    /// Where each patch of each picture stands in its order: (B, P).
    public long[] places() {
        var p = patches();
        var places = new long[pictures.size() * p];
        for (var i = 0; i < pictures.size(); i++) {
            for (var k = 0; k < p; k++) {
                places[i * p + orders.get(i)[k]] = k;
            }
        }
        return places;
    }

    /// 1 for each hidden patch of each picture, else 0: (B, P).
    public float[] hidden() {
        var places = places();
        var hidden = new float[places.length];
        for (var i = 0; i < hidden.length; i++) {
            hidden[i] = places[i] >= seen() ? 1 : 0;
        }
        return hidden;
    }

    @Override
    public Loss forward() {
        var pixels = Pixels.stacked(pictures);
        var errors = model.errors(told(pixels).pixels(), pixels); // (B, P)
        var sum = errors.mul(Tensor.of(hidden(), pictures.size(), patches())).sum();
        return scale -> {
            sum.mul(scale).backward();
            Stack.backward(model);
            return sum.detach();
        };
    }
}
