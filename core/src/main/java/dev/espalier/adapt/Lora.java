package dev.espalier.adapt;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.nn.Adapter;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685), eq. 3: h = W x + s B A dropout(x) with A
/// of shape (r, in) and B of shape (out, r), B zero at first, so that training starts from the
/// model as it is. The scale s is α / r, or α / √r where it is stabilised over ranks (rsLoRA,
/// Kalajdzievski 2023, arXiv:2312.03732, theorem 3.2).
///
/// With a magnitude m (out), the norm of each output's weights and their direction are trained
/// apart (DoRA, Liu et al. 2024, arXiv:2402.09353), eq. 5: h = m / ‖V‖ V x with V = W + s B A,
/// where ‖V‖ is the norm of each output's weights, and m begins as ‖W‖. As in section 4.3, ‖V‖ is a
/// constant to the backward pass. It is computed anew for each input; a model that only predicts is
/// faster merged.
///
/// The names of the weights are those of PEFT's files, which store A and B in this layout for every
/// kind of linear map. As there, dropout in DoRA acts on all of m / ‖V‖ V x - W x.
public final class Lora extends Module implements Adapter {
    /// How the names of an adapter's weights begin behind the path of its map.
    public static final String PREFIX = ".lora_";

    /// An output whose weights are all 0 stays so.
    private static final double LEAST_NORM = 1e-12;

    private final Linear target;
    private final Factor a;
    private final Factor b;
    private final @Nullable Parameter magnitude;
    private final double scale;
    private final double dropout;

    /// What is not trained while it is there.
    private List<Parameter> still;

    private Lora(Linear target, Settings settings, List<Parameter> still) {
        this.target = target;
        this.still = still;
        var rank = settings.rank();
        a = child("lora_A", new Factor(rank, target.inputs()));
        b = child("lora_B", new Factor(target.outputs(), rank));
        magnitude = settings.dora() ? parameter("lora_magnitude_vector", target.outputs()) : null;
        scale = settings.alpha() / (settings.rslora() ? Math.sqrt(rank) : rank);
        dropout = settings.dropout();
    }

    private static final class Factor extends Module {
        private final Parameter weight;

        Factor(long out, long in) {
            weight = parameter("weight", out, in);
        }
    }

    @Override
    public Tensor delta(Tensor x, Tensor y) { // (..., in), (..., out)
        var dropped = x.dropout(dropout, training());
        var low =
                dropped.linear(a.weight.value(), null) // (..., r)
                        .linear(b.weight.value(), null) // (..., out)
                        .mul(scale);
        if (magnitude == null) {
            return low;
        }
        var bias = target.bias();
        var base = dropped != x ? target.times(dropped) : bias == null ? y : y.sub(bias.value());
        var factor = magnitude.value().div(Torch.noGrad(this::norms)); // (out)
        return low.add(base).mul(factor).sub(base).to(y.dtype());
    }

    /// s B A (out, in).
    private Tensor product() {
        return b.weight.value().matmul(a.weight.value()).mul(scale);
    }

    /// V (out, in).
    private Tensor direction() {
        var w = target.weight().value();
        return product().add(target.transposed() ? w.transpose(0, 1) : w);
    }

    /// ‖V‖ (out), in fp32.
    private Tensor norms() {
        try (var scope = new Scope()) {
            return scope.keep(
                    Torch.fullPrecision(() -> {
                        var v = direction();
                        return v.mul(v).sum(1).sqrt().clampMin(LEAST_NORM).view(target.outputs());
                    }));
        }
    }

    @Override
    public Tensor weightDelta() {
        var transposed = target.transposed();
        if (magnitude == null) {
            return transposed ? product().transpose(0, 1) : product();
        }
        var factor = magnitude.value().div(norms()).view(target.outputs(), 1);
        var tuned = direction().mul(factor); // (out, in)
        return (transposed ? tuned.transpose(0, 1) : tuned).sub(target.weight().value());
    }

    /// What to adapt, how strongly: the settings of PEFT's `adapter_config.json` that are
    /// supported.
    ///
    /// @param targets suffixes of paths; a linear map is adapted where its path is one or ends in
    ///   `.` and one
    /// @param rslora whether the updates are scaled by α / √r
    /// @param dora whether each output's norm is trained apart
    public record Settings(
            int rank,
            double alpha,
            double dropout,
            List<String> targets,
            boolean rslora,
            boolean dora) {
        public Settings {
            targets = List.copyOf(targets);
        }

        /// Of plain LoRA.
        public Settings(int rank, double alpha, double dropout, List<String> targets) {
            this(rank, alpha, dropout, targets, false, false);
        }

        public Settings withTargets(List<String> others) {
            return new Settings(rank, alpha, dropout, others, rslora, dora);
        }
    }

    /// Gives every targeted linear map of `model` an adapter and stops the training of all other
    /// weights. A is drawn from U(-1/√in, 1/√in), as PEFT does, by a pure function of `seed`.
    ///
    /// @return the paths of the adapted maps
    /// @throws EspalierException if a target names no linear map
    public static List<String> attach(Module model, Settings settings, long seed) {
        var linears = new LinkedHashMap<String, Linear>();
        model.modules()
                .forEach((path, part) -> {
                    if (part instanceof Linear linear) {
                        linears.put(path, linear);
                    }
                });
        var adapted = new ArrayList<String>();
        var unmatched = new ArrayList<>(settings.targets());
        for (var path : linears.keySet()) {
            var matching =
                    settings.targets().stream()
                            .filter(t -> path.equals(t) || path.endsWith("." + t))
                            .toList();
            if (!matching.isEmpty()) {
                unmatched.removeAll(matching);
                adapted.add(path);
            }
        }
        if (!unmatched.isEmpty()) {
            throw EspalierException.usage(
                    "adapter target "
                            + unmatched
                            + " names no linear map of the model; its last names are "
                            + linears.keySet().stream()
                                    .map(path -> path.replaceAll(".*\\.", ""))
                                    .distinct()
                                    .toList());
        }
        if (adapted.stream()
                .anyMatch(p -> Objects.requireNonNull(linears.get(p)).adapter() != null)) {
            throw new IllegalStateException("there is an adapter already");
        }
        var still = model.parameters().values().stream().filter(Parameter::trained).toList();
        still.forEach(p -> p.trained(false));
        for (var i = 0; i < adapted.size(); i++) {
            var linear = Objects.requireNonNull(linears.get(adapted.get(i)));
            var lora = new Lora(linear, settings, still);
            lora.initialize(Rng.at(seed, i));
            linear.attach(lora);
        }
        return adapted;
    }

    /// Takes the adapters of the linear maps at `paths` off `model` and frees them. What was
    /// trained before they came is again.
    public static void remove(Module model, Collection<String> paths) {
        var modules = model.modules();
        for (var path : paths) {
            if (modules.get(path) instanceof Linear linear
                    && linear.adapter() instanceof Lora lora) {
                linear.detach();
                lora.end();
            }
        }
    }

    /// Goes on for `other`, which ends: what is not trained for it is not until this ends too.
    void follow(Lora other) {
        still = Stream.concat(still.stream(), other.still.stream()).toList();
        still.forEach(p -> p.trained(false));
    }

    /// Frees it. What was trained before it came is again.
    void end() {
        still.forEach(p -> p.trained(true));
        free();
    }

    private void initialize(Rng rng) {
        var values = new float[Math.toIntExact(a.weight.value().count())];
        var bound = 1 / Math.sqrt(a.weight.value().size(1));
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) ((2 * rng.nextDouble() - 1) * bound);
        }
        a.weight.value().segment().copyFrom(MemorySegment.ofArray(values));
        if (magnitude != null) {
            Torch.noGrad(() -> magnitude.value().copyInPlace(norms()));
        }
    }

    /// Adds every adapter of `model` to its weight, takes it off, and frees it where it was alone.
    /// The outputs stay the same, up to rounding, and what was trained before the adapters came is
    /// again.
    public static void merge(Module model) {
        for (var module : model.modules().values()) {
            if (module instanceof Linear linear && linear.adapter() instanceof Adapter adapter) {
                try (var scope = new Scope()) {
                    Torch.noGrad(() -> linear.weight().value().addInPlace(adapter.weightDelta()));
                }
                linear.detach();
                linear.halve(null);
                if (adapter instanceof Lora lora) {
                    lora.end();
                }
            }
        }
    }
}
