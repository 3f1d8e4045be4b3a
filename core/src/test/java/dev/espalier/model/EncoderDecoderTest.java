package dev.espalier.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.optim.FlatParameters;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class EncoderDecoderTest {
    private static final long[] INPUT = {3, 14, 15, 9, 26, 5};
    private static final long[] OUTPUT = {2, 7, 18, 28, 1, 8};
    private static final int[] LABELS = {7, 18, 28, 1, 8, 1};

    /// Weights large enough that attention is far from even.
    private static EncoderDecoder lively(String family) {
        var model =
                switch (family) {
                    case "bart" ->
                            new Bart(BartConfig.of(30, 16, 24, 3, 4, 0.1, 1, 2)).initialize(1);
                    default ->
                            t5(family.contains("gated"), !family.contains("untied")).initialize(1);
                };
        Torch.seed(7);
        Torch.noGrad(() ->
                model.parameters()
                        .forEach((name, p) -> {
                            if (p.isMatrix() || name.endsWith(".bias")) {
                                p.value().normalInPlace(0.4);
                            }
                        }));
        return model;
    }

    /// Beside T5 1.0, which is tied, and 1.1, which is gated, the two mixes of them.
    private static T5 t5(boolean gated, boolean tied) {
        var json = T5Config.of(30, 16, 24, 3, 4, 5, 20, gated, 0.1, 0, 1).json();
        return new T5(T5Config.of(json.put("tie_word_embeddings", tied)));
    }

    private static Tensor row(long... ids) {
        return Tensor.of(ids, 1, ids.length);
    }

    private static float[] logits(EncoderDecoder model, long[] input, long... output) {
        try (var scope = new Scope()) {
            return Torch.noGrad(() -> {
                var memory = model.encode(row(input), null);
                return model.logits(model.decode(row(output), memory, null)).floats();
            });
        }
    }

    private static Offset<Float> near(float[] values) {
        var largest = 0f;
        for (var value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        return Offset.offset(1e-5f * largest);
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5", "t5-gated-untied"})
    void theCacheChangesNothing(String family) {
        var model = lively(family);
        var whole = logits(model, INPUT, OUTPUT);
        try (var scope = new Scope()) {
            Torch.noGrad(() -> {
                var cache = model.cache(model.encode(row(INPUT), null), null, OUTPUT.length);
                for (int[] part : new int[][] {{0, 1}, {1, 2}, {2, 5}, {5, 6}}) {
                    var fresh = Arrays.copyOfRange(OUTPUT, part[0], part[1]);
                    var scores = model.logits(model.decode(row(fresh), cache)).floats();
                    assertThat(scores)
                            .containsExactly(
                                    Arrays.copyOfRange(whole, part[0] * 30, part[1] * 30),
                                    near(whole));
                }
            });
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bart", "t5", "t5-gated-untied"})
    void paddingOfTheInputIsNotSeenAndTheFutureNeither(String family) {
        var model = lively(family);
        var whole = logits(model, INPUT, OUTPUT);
        try (var scope = new Scope()) {
            var ids = Arrays.copyOf(INPUT, 9);
            Arrays.fill(ids, INPUT.length, 9, model.padding());
            var keep = row(1, 1, 1, 1, 1, 1, 0, 0, 0);
            var padded =
                    Torch.noGrad(() -> {
                        var memory = model.encode(row(ids), keep);
                        return model.logits(model.decode(row(OUTPUT), memory, keep)).floats();
                    });
            assertThat(padded).containsExactly(whole, near(whole));
        }
        var shorter = logits(model, INPUT, Arrays.copyOf(OUTPUT, 4));
        assertThat(shorter).containsExactly(Arrays.copyOf(whole, 4 * 30), near(whole));
        var other = INPUT.clone();
        other[5]++;
        assertThat(logits(model, other, OUTPUT)[0]).isNotEqualTo(whole[0]);
    }

    @Test
    void labelsAreShiftedAsInTheReference() {
        var golden =
                Json.read(Path.of(System.getProperty("espalier.goldens"), "misc", "golden.json"))
                        .path("shift_tokens_right");
        try (var scope = new Scope()) {
            var flat = flat(golden.path("labels"));
            var labels = Tensor.of(flat, 2, flat.length / 2);
            assertThat(lively("bart").shiftedRight(labels).longs())
                    .isEqualTo(flat(golden.path("pad1_start2")));
            assertThat(lively("t5").shiftedRight(labels).longs())
                    .isEqualTo(flat(golden.path("pad0_start0")));
        }
    }

    static long[] flat(JsonNode rows) {
        return rows.valueStream()
                .flatMap(JsonNode::valueStream)
                .mapToLong(JsonNode::longValue)
                .toArray();
    }

    /// The formulas of the class comment and of section 2.1, in loops of doubles: scores, loss and
    /// gradients.
    @ParameterizedTest
    @ValueSource(strings = {"t5", "t5-gated-untied", "t5-gated", "t5-untied"})
    void t5IsWhatItsFormulasSay(String family) {
        var model = (T5) lively(family);
        var formulas = Formulas.of(model);
        var expected = formulas.logits(INPUT, OUTPUT);
        var ours = logits(model, INPUT, OUTPUT);
        for (var i = 0; i < expected.length; i++) {
            assertThat((double) ours[i])
                    .isCloseTo(expected[i], Offset.offset(1e-4 * (1 + Math.abs(expected[i]))));
        }
        try (var parameters = new FlatParameters(model)) {
            try (var scope = new Scope()) {
                var hidden = model.decode(row(OUTPUT), model.encode(row(INPUT), null), null);
                var labels = Tensor.of(LABELS, 1, LABELS.length);
                var loss = new VocabularyLoss(model, hidden, labels).backward(1).item();
                assertThat(loss).isCloseTo(formulas.loss(), Offset.offset(1e-4));
            }
            assertThat(Differences.check(parameters, formulas::lossWith, 1e-5, 1e-4))
                    .isGreaterThan(1);
        }
    }

    /// T5 without tensors: matrices are arrays of rows, norms rows of one.
    private record Formulas(Map<String, double[][]> weights) {
        static Formulas of(T5 model) {
            var weights = new TreeMap<String, double[][]>();
            model.parameters()
                    .forEach((name, p) -> {
                        var floats = p.value().floats();
                        var width = p.isMatrix() ? (int) p.value().size(1) : 1;
                        var rows = new double[floats.length / width][width];
                        for (var i = 0; i < floats.length; i++) {
                            rows[i / width][i % width] = floats[i];
                        }
                        weights.put(name, rows);
                    });
            return new Formulas(weights);
        }

        /// The sum of the labels' cross-entropies.
        double loss() {
            var scores = logits(INPUT, OUTPUT);
            var loss = 0.0;
            for (var t = 0; t < LABELS.length; t++) {
                var row = Arrays.copyOfRange(scores, 30 * t, 30 * t + 30);
                loss += Math.log(Arrays.stream(row).map(Math::exp).sum()) - row[LABELS[t]];
            }
            return loss;
        }

        double lossWith(String name, int index, double by) {
            var rows = weight(name);
            var row = rows[index / rows[0].length];
            var at = index % row.length;
            var was = row[at];
            row[at] = was + by;
            var loss = loss();
            row[at] = was;
            return loss;
        }

        private double[][] weight(String name) {
            return java.util.Objects.requireNonNull(weights.get(name));
        }

        private double[][] times(double[][] x, String name) {
            return product(x, weight(name + ".weight"));
        }

        private static double[][] product(double[][] x, double[][] w) {
            var y = new double[x.length][w.length];
            for (var t = 0; t < x.length; t++) {
                for (var o = 0; o < w.length; o++) {
                    for (var i = 0; i < x[t].length; i++) {
                        y[t][o] += x[t][i] * w[o][i];
                    }
                }
            }
            return y;
        }

        private double[][] rms(double[][] x, String name) {
            var gain = weight(name + ".weight");
            var y = new double[x.length][];
            for (var t = 0; t < x.length; t++) {
                var row = x[t];
                var mean = Arrays.stream(row).map(v -> v * v).sum() / row.length;
                y[t] = new double[row.length];
                Arrays.setAll(y[t], i -> gain[i][0] * row[i] / Math.sqrt(mean + 1e-6));
            }
            return y;
        }

        private static void add(double[][] x, double[][] y) {
            for (var t = 0; t < x.length; t++) {
                for (var i = 0; i < x[t].length; i++) {
                    x[t][i] += y[t][i];
                }
            }
        }

        /// Distances of a few positions have buckets of their own: before a position the first
        /// ones, after it those of the second half.
        private double[][] attention(
                double[][] x, double[][] y, String name, String bias, boolean causal) {
            var table = bias.isEmpty() ? new double[32][4] : weight(bias);
            var q = times(x, name + ".q");
            var k = times(y, name + ".k");
            var v = times(y, name + ".v");
            var heads = new double[x.length][20];
            for (var h = 0; h < 4; h++) {
                for (var i = 0; i < x.length; i++) {
                    var weights = new double[causal ? i + 1 : y.length];
                    var total = 0.0;
                    for (var j = 0; j < weights.length; j++) {
                        var score = table[j > i ? 16 + j - i : i - j][h];
                        for (var d = 5 * h; d < 5 * h + 5; d++) {
                            score += q[i][d] * k[j][d];
                        }
                        weights[j] = Math.exp(score);
                        total += weights[j];
                    }
                    for (var j = 0; j < weights.length; j++) {
                        for (var d = 5 * h; d < 5 * h + 5; d++) {
                            heads[i][d] += weights[j] / total * v[j][d];
                        }
                    }
                }
            }
            return times(heads, name + ".o");
        }

        private double[][] mlp(double[][] x, String name) {
            if (!weights.containsKey(name + ".wi_1.weight")) {
                var h = times(x, name + ".wi");
                for (var row : h) {
                    Arrays.setAll(row, i -> Math.max(0, row[i]));
                }
                return times(h, name + ".wo");
            }
            var h = times(x, name + ".wi_0");
            var gate = times(x, name + ".wi_1");
            for (var t = 0; t < h.length; t++) {
                for (var i = 0; i < h[t].length; i++) {
                    var a = h[t][i];
                    var tanh = Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a * a * a));
                    h[t][i] = 0.5 * a * (1 + tanh) * gate[t][i];
                }
            }
            return times(h, name + ".wo");
        }

        private double[][] half(String half, long[] ids, double[][] memory) {
            var table = weight("shared.weight");
            var x =
                    Arrays.stream(ids)
                            .mapToObj(id -> table[(int) id].clone())
                            .toArray(double[][]::new);
            var bias = half + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight";
            var writes = half.equals("decoder");
            for (var b = 0; b < 3; b++) {
                var at = half + ".block." + b + ".layer.";
                var y = rms(x, at + "0.layer_norm");
                add(x, attention(y, y, at + "0.SelfAttention", bias, writes));
                if (writes) {
                    y = rms(x, at + "1.layer_norm");
                    add(x, attention(y, memory, at + "1.EncDecAttention", "", false));
                }
                var last = at + (writes ? "2." : "1.");
                add(x, mlp(rms(x, last + "layer_norm"), last + "DenseReluDense"));
            }
            return rms(x, half + ".final_layer_norm");
        }

        double[] logits(long[] input, long[] output) {
            var x = half("decoder", output, half("encoder", input, new double[0][]));
            var tied = !weights.containsKey("lm_head.weight");
            var scores = tied ? product(x, weight("shared.weight")) : times(x, "lm_head");
            return Arrays.stream(scores)
                    .flatMapToDouble(Arrays::stream)
                    .map(score -> tied ? score / Math.sqrt(24) : score)
                    .toArray();
        }
    }

    @Test
    void newWeightsAreSpreadAsPublished() {
        var t5 = new T5(T5Config.of(300, 16, 64, 1, 4, 8, 256, true, 0, 0, 1)).initialize(3);
        assertThat(deviation(t5, "shared.weight")).isCloseTo(1, Offset.offset(0.02));
        assertThat(deviation(t5, "encoder.block.0.layer.0.SelfAttention.q.weight"))
                .isCloseTo(1 / Math.sqrt(64 * 8), Offset.offset(0.003));
        assertThat(deviation(t5, "encoder.block.0.layer.0.SelfAttention.k.weight"))
                .isCloseTo(1 / 8.0, Offset.offset(0.01));
        assertThat(deviation(t5, "decoder.block.0.layer.1.EncDecAttention.o.weight"))
                .isCloseTo(1 / Math.sqrt(32), Offset.offset(0.01));
        assertThat(deviation(t5, "decoder.block.0.layer.2.DenseReluDense.wo.weight"))
                .isCloseTo(1 / 16.0, Offset.offset(0.003));
        assertThat(deviation(t5, "lm_head.weight")).isCloseTo(1, Offset.offset(0.02));

        var bart = new Bart(BartConfig.of(300, 16, 64, 1, 4, 0, 1, 2)).initialize(3);
        assertThat(deviation(bart, "model.shared.weight")).isCloseTo(0.02, Offset.offset(5e-4));
        assertThat(Arrays.copyOfRange(values(bart, "model.shared.weight"), 64, 128))
                .containsOnly(0);
        assertThat(values(bart, "final_logits_bias")).containsOnly(0);
        assertThat(values(bart, "model.decoder.layernorm_embedding.weight")).containsOnly(1);
    }

    private static float[] values(LanguageModel model, String name) {
        return java.util.Objects.requireNonNull(model.parameters().get(name)).value().floats();
    }

    private static double deviation(LanguageModel model, String name) {
        var values = values(model, name);
        var squares = 0.0;
        for (var value : values) {
            squares += (double) value * value;
        }
        return Math.sqrt(squares / values.length);
    }

    @Test
    void aTextIsClassifiedByItsLastEnd() {
        assertThat(
                        SequenceClassifier.lastEnds(
                                new long[] {5, 2, 6, 2, 1, 7, 2, 8, 9, 1, 4, 5, 6, 7, 8},
                                new long[] {4, 4, 5},
                                2))
                .containsExactly(3, 1, 4);
    }

    @Test
    void keysThatWouldChangeTheMathematicsAreRefusedByName() {
        for (var bad :
                List.of(
                        "\"normalize_before\": true",
                        "\"add_final_layer_norm\": true",
                        "\"static_position_embeddings\": true",
                        "\"normalize_embedding\": false",
                        "\"tie_word_embeddings\": false",
                        "\"encoder_layerdrop\": 0.1",
                        "\"activation_function\": \"swish\"",
                        "\"pad_token_id\": 60000",
                        "\"eos_token_id\": -1",
                        "\"dropout\": 1",
                        "\"d_model\": 1000")) {
            assertThatThrownBy(() -> BartConfig.of(Json.mapper().readTree("{" + bad + "}")))
                    .as(bad)
                    .isInstanceOf(EspalierException.class);
        }
        for (var bad :
                List.of(
                        "\"feed_forward_proj\": \"gated-swish\"",
                        "\"is_gated_act\": true",
                        "\"feed_forward_proj\": \"gated-gelu\", \"is_gated_act\": false",
                        "\"feed_forward_proj\": \"gated-gelu\", \"dense_act_fn\": \"relu\"",
                        "\"relative_attention_num_buckets\": 6",
                        "\"relative_attention_max_distance\": 16",
                        "\"dropout_rate\": -0.1",
                        "\"decoder_start_token_id\": 1.5",
                        "\"d_kv\": 0")) {
            assertThatThrownBy(() -> T5Config.of(Json.mapper().readTree("{" + bad + "}")))
                    .as(bad)
                    .isInstanceOf(EspalierException.class);
        }
    }
}
