package dev.espalier.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoraTest {
    private static final Lora.Settings SETTINGS =
            new Lora.Settings(4, 8, 0, List.of("attn.c_attn", "mlp.c_proj"));

    private static Gpt2 model() {
        return new Gpt2(Gpt2Config.of(30, 8, 16, 2, 2, 0)).initialize(1);
    }

    private static float[] output(Gpt2 model) {
        try (var scope = new Scope()) {
            return Torch.noGrad(
                    () -> model.hidden(Tensor.of(new int[] {1, 2, 3, 4}, 1, 4)).floats());
        }
    }

    private static void fillB(Gpt2 model) {
        var rng = Rng.at(9);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.contains("lora_B")) {
                        var values = new float[(int) p.value().count()];
                        for (var i = 0; i < values.length; i++) {
                            values[i] = (float) (0.1 * rng.nextGaussian());
                        }
                        p.value().segment().copyFrom(MemorySegment.ofArray(values));
                    }
                });
    }

    @Test
    void trainingStartsFromTheModelAsItIsAndTrainsTheAdaptersAlone() {
        var model = model();
        var before = output(model);
        var paths = Lora.attach(model, SETTINGS, 1);
        assertThat(paths)
                .containsExactly(
                        "transformer.h.0.attn.c_attn",
                        "transformer.h.0.mlp.c_proj",
                        "transformer.h.1.attn.c_attn",
                        "transformer.h.1.mlp.c_proj");
        assertThat(output(model)).isEqualTo(before);
        model.parameters()
                .forEach((name, p) ->
                        assertThat(p.trained()).as(name).isEqualTo(name.contains(".lora_")));
        assertThat(model.parameters()).containsKey("transformer.h.0.attn.c_attn.lora_A.weight");
    }

    @Test
    void mergingChangesTheWeightsAndNotTheOutputs() {
        var model = model();
        var plain = output(model);
        Lora.attach(model, SETTINGS, 1);
        fillB(model);
        var adapted = output(model);
        assertThat(adapted).isNotEqualTo(plain);
        Lora.merge(model);
        assertThat(model.parameters().keySet()).noneMatch(name -> name.contains("lora"));
        var merged = output(model);
        for (var i = 0; i < merged.length; i++) {
            assertThat(merged[i]).isCloseTo(adapted[i], within(1e-5f));
        }
    }

    @Test
    void whatWasTrainedIsTrainedAgainOnceTheAdapterIsGone() {
        for (var ending :
                List.<Consumer<Module>>of(Lora::merge, m -> Lora.remove(m, m.modules().keySet()))) {
            var model = model();
            var first = Objects.requireNonNull(model.parameters().get("transformer.wte.weight"));
            first.trained(false);
            Lora.attach(model, SETTINGS, 1);
            ending.accept(model);
            model.parameters()
                    .forEach((name, p) -> assertThat(p.trained()).as(name).isEqualTo(p != first));
        }
    }

    private static final Lora.Settings DORA =
            new Lora.Settings(
                    4, 6, 0, List.of("attn.c_attn", "mlp.c_proj", "q_proj", "up_proj"), true, true);

    private static Module family(String name) {
        if (name.equals("gpt2")) {
            return model();
        }
        return new Llama(
                        LlamaConfig.of(
                                LlamaConfig.Kind.QWEN2, 30, 8, 16, 2, 2, 1, 24, 1e4, 0, true, null))
                .initialize(1);
    }

    private static void attach(Module model, String family) {
        var targets =
                family.equals("gpt2")
                        ? List.of("attn.c_attn", "mlp.c_proj")
                        : List.of("q_proj", "up_proj");
        Lora.attach(model, DORA.withTargets(targets), 1);
    }

    @ParameterizedTest
    @CsvSource({"gpt2, false", "qwen2, false", "gpt2, true", "qwen2, true"})
    void doraStartsFromTheModelAsItIs(String family, boolean bf16) {
        var model = family(family);
        try (var scope = new Scope()) {
            var ids = Tensor.of(new int[] {1, 2, 3, 4}, 1, 4);
            var before = hidden((Decoder) model, ids, bf16);
            attach(model, family);
            assertThat(hidden((Decoder) model, ids, bf16)).isEqualTo(before);
            model.parameters()
                    .forEach((name, p) -> {
                        if (name.endsWith("lora_magnitude_vector")) {
                            assertThat(p.trained()).isTrue();
                            assertThat(p.value().dimensions()).isEqualTo(1);
                        }
                    });
            assertThat(model.parameters().keySet())
                    .filteredOn(name -> name.endsWith(".lora_magnitude_vector"))
                    .hasSize(4);
        }
    }

    private static float[] hidden(Decoder model, Tensor ids, boolean bf16) {
        return Torch.noGrad(() -> Torch.bf16(bf16, () -> model.hidden(ids).floats()));
    }

    /// The change of every map that is made as text books have it, in doubles: h = m / ‖V‖ V x + b
    /// with V = W + α / √r B A, where ‖V‖ stays as it is while the others move.
    @ParameterizedTest
    @CsvSource({"true, false", "false, false", "true, true"})
    void doraHasTheOutputsAndGradientsOfFiniteDifferences(boolean transposed, boolean plain) {
        int in = 5, out = 4, rank = 2, rows = 3;
        var linear = transposed ? Linear.conv1d(in, out) : Linear.of(in, out, true);
        var holder = new Holder(linear);
        var rng = Rng.at(3);
        holder.parameters().values().forEach(p -> fill(p, rng, 1));
        Lora.attach(holder, new Lora.Settings(rank, 3, 0, List.of("map"), true, !plain), 1);
        var trained = new LinkedHashMap<String, Parameter>();
        holder.parameters()
                .forEach((name, p) -> {
                    if (name.contains(".lora_")) {
                        fill(p, rng, name.endsWith("vector") ? 2 : 0.7);
                        trained.put(name, p);
                        p.value().requiresGrad(true);
                    }
                });
        try (var scope = new Scope()) {
            var x = Tensor.zeros(DType.FLOAT, rows, in).normalInPlace(1).requiresGrad(true);
            var weights = Tensor.zeros(DType.FLOAT, rows, out).normalInPlace(1);
            var y = linear.forward(x);
            y.mul(weights).sum().backward();

            var values = new LinkedHashMap<String, double[]>();
            values.put("x", doubles(x));
            values.put("w", doubles(linear.weight().value()));
            values.put("bias", doubles(java.util.Objects.requireNonNull(linear.bias()).value()));
            trained.forEach((name, p) -> values.put(name, doubles(p.value())));
            var reference = new Reference(values, in, out, rank, rows, transposed, plain);
            assertThat(y.floats()).containsExactly(floats(reference.outputs()), within(2e-5f));
            var merged =
                    Torch.noGrad(() ->
                            linear.weight()
                                    .value()
                                    .add(
                                            java.util.Objects.requireNonNull(linear.adapter())
                                                    .weightDelta()));
            var mergedOut =
                    Torch.noGrad(() ->
                            x.matmul(transposed ? merged : merged.transpose(0, 1))
                                    .add(java.util.Objects.requireNonNull(linear.bias()).value())
                                    .floats());
            assertThat(mergedOut).containsExactly(y.floats(), within(2e-5f));

            var of = new LinkedHashMap<String, Tensor>();
            of.put("x", x);
            trained.forEach((name, p) -> of.put(name, p.value()));
            of.forEach((name, tensor) -> {
                var gradient = java.util.Objects.requireNonNull(tensor.grad()).floats();
                var place = java.util.Objects.requireNonNull(values.get(name));
                for (var i = 0; i < place.length; i++) {
                    var at = place[i];
                    place[i] = at + 1e-5;
                    var up = reference.sum(doubles(weights));
                    place[i] = at - 1e-5;
                    var down = reference.sum(doubles(weights));
                    place[i] = at;
                    assertThat((double) gradient[i])
                            .as("%s[%d]", name, i)
                            .isCloseTo((up - down) / 2e-5, within(5e-5));
                }
            });
        }
        holder.free();
    }

    private static final class Holder extends Module {
        Holder(Linear map) {
            child("map", map);
        }
    }

    private static void fill(Parameter parameter, Rng rng, double size) {
        var values = new float[(int) parameter.value().count()];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) (size * rng.nextGaussian());
        }
        parameter.value().segment().copyFrom(MemorySegment.ofArray(values));
    }

    private static double[] doubles(Tensor tensor) {
        var floats = tensor.floats();
        var doubles = new double[floats.length];
        for (var i = 0; i < doubles.length; i++) {
            doubles[i] = floats[i];
        }
        return doubles;
    }

    private static float[] floats(double[] doubles) {
        var floats = new float[doubles.length];
        for (var i = 0; i < floats.length; i++) {
            floats[i] = (float) doubles[i];
        }
        return floats;
    }

    /// The map in doubles.
    private static final class Reference {
        private final Map<String, double[]> values;
        private final int in;
        private final int out;
        private final int rank;
        private final int rows;
        private final boolean transposed;
        private final boolean plain;
        private final double[] norms;

        Reference(
                Map<String, double[]> values,
                int in,
                int out,
                int rank,
                int rows,
                boolean transposed,
                boolean plain) {
            this.values = values;
            this.in = in;
            this.out = out;
            this.rank = rank;
            this.rows = rows;
            this.transposed = transposed;
            this.plain = plain;
            norms = new double[out];
            for (var o = 0; o < out; o++) {
                for (var i = 0; i < in; i++) {
                    norms[o] += v(o, i) * v(o, i);
                }
                norms[o] = Math.sqrt(norms[o]);
            }
        }

        private double of(String name, int place) {
            return java.util.Objects.requireNonNull(values.get(name))[place];
        }

        private double v(int o, int i) {
            var sum = of("w", transposed ? i * out + o : o * in + i);
            for (var r = 0; r < rank; r++) {
                sum +=
                        3
                                / Math.sqrt(rank)
                                * of("map.lora_B.weight", o * rank + r)
                                * of("map.lora_A.weight", r * in + i);
            }
            return sum;
        }

        double[] outputs() {
            var y = new double[rows * out];
            for (var row = 0; row < rows; row++) {
                for (var o = 0; o < out; o++) {
                    var product = 0.0;
                    for (var i = 0; i < in; i++) {
                        product += v(o, i) * of("x", row * in + i);
                    }
                    var factor = plain ? 1 : of("map.lora_magnitude_vector", o) / norms[o];
                    y[row * out + o] = factor * product + of("bias", o);
                }
            }
            return y;
        }

        double sum(double[] weights) {
            var y = outputs();
            var sum = 0.0;
            for (var i = 0; i < y.length; i++) {
                sum += weights[i] * y[i];
            }
            return sum;
        }
    }

    /// Dropout acts on the whole change: what is left of it is the undropped change on average.
    @Test
    void droppedInputsChangeDoraByTheRightAmountOnAverage() {
        var linear = Linear.of(6, 3, true);
        var holder = new Holder(linear);
        var rng = Rng.at(5);
        holder.parameters().values().forEach(p -> fill(p, rng, 1));
        Lora.attach(holder, new Lora.Settings(2, 2, 0.5, List.of("map"), false, true), 1);
        holder.parameters()
                .forEach((name, p) -> {
                    if (name.contains(".lora_")) {
                        fill(p, rng, 1);
                    }
                });
        var want = new float[3];
        var sum = new double[3];
        var draws = 4000;
        for (var draw = 0; draw <= draws; draw++) {
            try (var scope = new Scope()) {
                holder.training(draw > 0);
                Torch.seed(draw);
                var y = Torch.noGrad(() -> linear.forward(Tensor.full(1, 1, 6))).floats();
                for (var i = 0; i < 3; i++) {
                    if (draw == 0) {
                        want[i] = y[i];
                    } else {
                        sum[i] += y[i] / draws;
                    }
                }
            }
        }
        for (var i = 0; i < 3; i++) {
            assertThat(sum[i]).isCloseTo(want[i], within(0.35));
        }
        holder.free();
    }

    @Test
    void aTargetThatNamesNothingIsRefusedWithWhatThereIs() {
        var model = model();
        assertThatThrownBy(
                        () -> Lora.attach(model, new Lora.Settings(4, 8, 0, List.of("q_proj")), 1))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("q_proj")
                .hasMessageContaining("c_attn");
    }
}
