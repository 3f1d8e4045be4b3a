package dev.espalier.adapt;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.nn.Adapter;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685), eq. 3: h = W x + (α / r) B A dropout(x)
/// with A of shape (r, in) and B of shape (out, r), B zero at first, so that training starts from
/// the model as it is. The names of the two are those of PEFT's files, which store them in this
/// layout for every kind of linear map.
public final class Lora extends Module implements Adapter {
    private final Factor a;
    private final Factor b;
    private final double scale;
    private final double dropout;
    private final boolean transposed;

    private Lora(Linear target, int rank, double alpha, double dropout) {
        a = child("lora_A", new Factor(rank, target.inputs()));
        b = child("lora_B", new Factor(target.outputs(), rank));
        scale = alpha / rank;
        this.dropout = dropout;
        transposed = target.transposed();
    }

    private static final class Factor extends Module {
        private final dev.espalier.nn.Parameter weight;

        Factor(long out, long in) {
            weight = parameter("weight", out, in);
        }
    }

    @Override
    public Tensor delta(Tensor x) { // (..., in)
        return x.dropout(dropout, training())
                .linear(a.weight.value(), null) // (..., r)
                .linear(b.weight.value(), null) // (..., out)
                .mul(scale);
    }

    @Override
    public Tensor weightDelta() {
        var product = b.weight.value().matmul(a.weight.value()).mul(scale); // (out, in)
        return transposed ? product.transpose(0, 1) : product;
    }

    /// What to adapt, how strongly: the settings of PEFT's `adapter_config.json` that are
    /// supported.
    ///
    /// @param targets suffixes of paths; a linear map is adapted where its path is one or ends in
    ///   `.` and one
    public record Settings(int rank, double alpha, double dropout, List<String> targets) {
        public Settings {
            targets = List.copyOf(targets);
        }

        public Settings withTargets(List<String> others) {
            return new Settings(rank, alpha, dropout, others);
        }
    }

    /// Gives every targeted linear map of `model` an adapter and stops the training of all other
    /// weights. A is drawn from U(-1/√in, 1/√in), as PEFT does, by a pure function of `seed`.
    ///
    /// @return the paths of the adapted maps
    /// @throws EspalierException if a target names no linear map
    public static List<String> attach(Module model, Settings settings, long seed) {
        model.parameters().values().forEach(p -> p.trained(false));
        var adapted = new ArrayList<String>();
        var unmatched = new ArrayList<>(settings.targets());
        for (var part : model.modules().entrySet()) {
            if (!(part.getValue() instanceof Linear linear)) {
                continue;
            }
            var path = part.getKey();
            var matching =
                    settings.targets().stream()
                            .filter(t -> path.equals(t) || path.endsWith("." + t))
                            .toList();
            if (!matching.isEmpty()) {
                unmatched.removeAll(matching);
                var lora = new Lora(linear, settings.rank(), settings.alpha(), settings.dropout());
                lora.initialize(Rng.at(seed, adapted.size()));
                linear.attach(lora);
                adapted.add(path);
            }
        }
        if (!unmatched.isEmpty()) {
            var linears =
                    model.modules().entrySet().stream().filter(e -> e.getValue() instanceof Linear);
            throw EspalierException.usage(
                    "adapter target "
                            + unmatched
                            + " names no linear map of the model; its last names are "
                            + linears.map(e -> e.getKey().replaceAll(".*\\.", ""))
                                    .distinct()
                                    .toList());
        }
        return adapted;
    }

    private void initialize(Rng rng) {
        var values = new float[Math.toIntExact(a.weight.value().count())];
        var bound = 1 / Math.sqrt(a.weight.value().size(1));
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) ((2 * rng.nextDouble() - 1) * bound);
        }
        a.weight.value().segment().copyFrom(MemorySegment.ofArray(values));
    }

    /// Adds every adapter of `model` to its weight and takes it off. The outputs stay the same, up
    /// to rounding.
    public static void merge(Module model) {
        for (var module : model.modules().values()) {
            if (module instanceof Linear linear && linear.adapter() instanceof Lora lora) {
                Torch.noGrad(() -> linear.weight().value().addInPlace(lora.weightDelta()));
                linear.detach();
            }
        }
    }
}
