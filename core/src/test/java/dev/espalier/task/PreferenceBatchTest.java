package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.nn.Stack;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Against the reference's log-probabilities, losses and gradients of four pairs.
class PreferenceBatchTest {
    private static final Path GOLDEN = Path.of(System.getProperty("espalier.goldens"), "dpo");

    private static JsonNode golden;
    private static Decoder policy;
    private static List<AnswerPair> pairs;

    @BeforeAll
    static void read() {
        golden = Json.read(GOLDEN.resolve("golden.json"));
        policy = HuggingFace.readDecoder(GOLDEN).model();
        var reference = HuggingFace.readDecoder(GOLDEN.resolve("reference")).model();
        pairs = pairs(reference, answers("chosen"), answers("rejected"), false);
        reference.free();
    }

    @AfterAll
    static void free() {
        policy.free();
    }

    private static long[][] values(String name) {
        return golden.path("inputs")
                .path(name)
                .path("values")
                .valueStream()
                .map(row -> row.valueStream().mapToLong(JsonNode::asLong).toArray())
                .toArray(long[][]::new);
    }

    private static List<Answered> answers(String which) {
        var ids = values(which + "_input_ids");
        var labels = values(which + "_labels");
        var mask = values(which + "_attention_mask");
        var answers = new ArrayList<Answered>();
        for (var r = 0; r < ids.length; r++) {
            var length = (int) Arrays.stream(mask[r]).sum();
            var row = new int[length];
            var told = new boolean[length];
            for (var t = 0; t < length; t++) {
                row[t] = (int) ids[r][t];
                told[t] = labels[r][t] != Tensor.IGNORE;
            }
            answers.add(new Answered(row, told, 0, "pair " + r));
        }
        return answers;
    }

    private static List<AnswerPair> pairs(
            Decoder reference, List<Answered> chosen, List<Answered> rejected, boolean others) {
        var pairs = new ArrayList<AnswerPair>();
        for (var i = 0; i < chosen.size(); i++) {
            var more = others ? List.of(chosen.get((i + 1) % chosen.size())) : List.<Answered>of();
            var all = new ArrayList<>(List.of(chosen.get(i), rejected.get(i)));
            all.addAll(more);
            pairs.add(
                    new AnswerPair(
                            chosen.get(i),
                            rejected.get(i),
                            more,
                            AnswerBatch.logProbabilities(reference, all, false)));
        }
        return pairs;
    }

    private record Result(double loss, Map<String, float[]> gradients) {}

    private static Result result(
            Decoder model, List<AnswerPair> pairs, PreferenceLoss loss, int chunk) {
        var gradients = new LinkedHashMap<String, float[]>();
        double sum;
        try (var scope = new Scope()) {
            for (var p : model.parameters().values()) {
                p.value().requiresGrad(true).grad(Tensor.zeros(DType.FLOAT, p.value().shape()));
            }
            sum =
                    new PreferenceBatch(model, 1, pairs, loss, chunk)
                            .forward()
                            .backward(1.0 / pairs.size())
                            .item();
            model.parameters()
                    .forEach((name, p) ->
                            gradients.put(name, Objects.requireNonNull(p.value().grad()).floats()));
        }
        return new Result(sum / pairs.size(), gradients);
    }

    @Test
    void logProbabilitiesAreTheReferences() {
        var logps = golden.path("logps");
        for (var which : List.of("chosen", "rejected")) {
            var found = AnswerBatch.logProbabilities(policy, answers(which), false);
            for (var i = 0; i < 4; i++) {
                // Sums of up to a dozen tokens, each within 1e-5.
                assertThat(found[i])
                        .isEqualTo(logps.path("policy_" + which).path(i).asDouble(), within(3e-5));
                assertThat(pairs.get(i).reference()[which.equals("chosen") ? 0 : 1])
                        .isEqualTo(
                                logps.path("reference_" + which).path(i).asDouble(), within(3e-5));
            }
        }
    }

    private static PreferenceLoss loss(String variant) {
        return switch (variant) {
            case "sigmoid" -> new PreferenceLoss.Dpo(0.1, 0);
            case "sigmoid_label_smoothing_0.2" -> new PreferenceLoss.Dpo(0.1, 0.2);
            case "ipo_sum" -> new PreferenceLoss.Ipo(0.1, false);
            case "ipo_avg" -> new PreferenceLoss.Ipo(0.1, true);
            default -> throw new IllegalArgumentException(variant);
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"sigmoid", "sigmoid_label_smoothing_0.2", "ipo_sum", "ipo_avg"})
    void lossesAndGradientsAreTheReferences(String variant) {
        var theirs = golden.path("variants").path(variant);
        var loss = loss(variant);
        var ours = result(policy, pairs, loss, 4);
        // ipo_sum squares sums of log-probabilities, and its gradients are two hundred times
        // larger.
        var scale = Math.max(1, theirs.path("total_grad_norm").asDouble());
        assertThat(ours.loss()).isEqualTo(theirs.path("loss").asDouble(), within(2e-6 * scale));
        var each = PreferenceBatch.measure(policy, pairs, loss, false).losses();
        for (var i = 0; i < each.length; i++) {
            assertThat(each[i])
                    .isEqualTo(theirs.path("per_example").path(i).asDouble(), within(4e-6 * scale));
        }
        var grads = theirs.path("grads");
        assertThat(grads.propertyNames()).hasSize(ours.gradients().size());
        ours.gradients()
                .forEach((name, gradient) -> {
                    double squares = 0, sum = 0, cosdot = 0;
                    for (var i = 0; i < gradient.length; i++) {
                        squares += (double) gradient[i] * gradient[i];
                        sum += gradient[i];
                        cosdot += gradient[i] * Math.cos(0.37 * i + 0.1);
                    }
                    var expected = grads.path(name);
                    var allowed = within(1.5e-6 * scale * Math.sqrt(gradient.length));
                    assertThat(Math.sqrt(squares))
                            .as(name)
                            .isEqualTo(expected.path("norm").asDouble(), allowed);
                    assertThat(sum).as(name).isEqualTo(expected.path("sum").asDouble(), allowed);
                    assertThat(cosdot)
                            .as(name)
                            .isEqualTo(expected.path("cosdot").asDouble(), allowed);
                });
    }

    @Test
    void rewardsAreTheReferences() {
        var scores =
                PreferenceBatch.measure(policy, pairs, loss("sigmoid"), false).scores("x").stream()
                        .collect(
                                java.util.stream.Collectors.toMap(s -> s.metric(), s -> s.value()));
        var rewards = golden.path("rewards");
        assertThat(scores.get("reward-accuracy")).isEqualTo(rewards.path("accuracy").asDouble());
        assertThat(scores.get("reward-margin"))
                .isEqualTo(rewards.path("margin").asDouble(), within(1e-5));
        // Two of the chosen answers are likelier than the rejected ones.
        assertThat(scores.get("preference-accuracy")).isEqualTo(0.5);
        assertThat(scores.get("loss"))
                .isEqualTo(
                        golden.path("variants").path("sigmoid").path("loss").asDouble(),
                        within(2e-6));
    }

    /// Where nothing has been learnt yet, every loss is what its formula says of Δ = 0.
    @Test
    void theReferenceItselfHasTheLossOfNoPreference() {
        var own = pairs(policy, answers("chosen"), answers("rejected"), true);
        for (var variant :
                List.of("sigmoid", "sigmoid_label_smoothing_0.2", "ipo_sum", "ipo_avg")) {
            assertThat(result(policy, own, loss(variant), 4).loss())
                    .isEqualTo(
                            golden.path("policy_equals_reference").path(variant).asDouble(),
                            within(1e-4));
        }
        assertThat(result(policy, own, new PreferenceLoss.Kto(0.1, 1, 1), 4).loss())
                .isEqualTo(0.5, within(1e-6));
    }

    private static List<Answered> random(int seed, int prompt) {
        return IntStream.range(0, 5)
                .mapToObj(i -> {
                    var rng = Rng.at(seed, i);
                    var ids = new int[prompt + i + 2 + rng.nextInt(6)];
                    Arrays.setAll(ids, t -> t < prompt ? i + t : rng.nextInt(40));
                    var told = new boolean[ids.length];
                    Arrays.fill(told, prompt, ids.length, true);
                    return new Answered(ids, told, 0, "pair " + i);
                })
                .toList();
    }

    /// The estimate of the divergence is that of the whole batch, whatever part of it the model
    /// sees at once, and blocks that are computed anew change nothing.
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void chunksAndRecomputationChangeNothing(boolean kto) {
        var model = new Gpt2(Gpt2Config.of(40, 32, 16, 2, 2, 0)).initialize(1);
        var reference = new Gpt2(Gpt2Config.of(40, 32, 16, 2, 2, 0)).initialize(2);
        var pairs = pairs(reference, random(1, 4), random(2, 4), kto);
        var loss = kto ? new PreferenceLoss.Kto(2, 1.2, 0.8) : new PreferenceLoss.Dpo(2, 0);
        var whole = result(model, pairs, loss, 5);
        model.training(true);
        Stack.recompute(model, true);
        var parts = result(model, pairs, loss, 2);
        assertThat(parts.loss()).isEqualTo(whole.loss(), within(1e-6));
        whole.gradients()
                .forEach((name, gradient) ->
                        assertThat(parts.gradients().get(name))
                                .as(name)
                                .usingComparatorWithPrecision(1e-5f)
                                .containsExactly(gradient));
        model.free();
        reference.free();
    }

    /// The gradient goes through the answers' log-probabilities, not through the divergence.
    @Test
    void kahnemanTverskyIsTheFormula() {
        var model = new Gpt2(Gpt2Config.of(40, 32, 16, 2, 2, 0)).initialize(1);
        var reference = new Gpt2(Gpt2Config.of(40, 32, 16, 2, 2, 0)).initialize(2);
        var pairs = pairs(reference, random(1, 4), random(2, 4), true);
        var others = pairs.stream().map(p -> p.others().getFirst()).toList();
        var far = AnswerBatch.logProbabilities(model, others, false);
        var z = 0.0;
        for (var i = 0; i < far.length; i++) {
            z += (far[i] - pairs.get(i).reference()[2]) / far.length;
        }
        z = Math.max(0, z);
        var expected = 0.0;
        for (var p : pairs) {
            var own = AnswerBatch.logProbabilities(model, List.of(p.chosen(), p.rejected()), false);
            var w = 0.5 * (own[0] - p.reference()[0] - z);
            var l = 0.5 * (z - own[1] + p.reference()[1]);
            expected += 1.5 * (1 - 1 / (1 + Math.exp(-w))) + 0.7 * (1 - 1 / (1 + Math.exp(-l)));
        }
        assertThat(result(model, pairs, new PreferenceLoss.Kto(0.5, 1.5, 0.7), 5).loss())
                .isEqualTo(expected / 10, within(1e-5));
        model.free();
        reference.free();
    }
}
