package dev.espalier.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.SafeTensors;
import dev.espalier.io.Json;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Reference numbers of the Hugging Face library. `-Despalier.goldens=DIR` takes others of the same
/// form.
class ParityTest {
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));
    private static final String ATTENTION = "transformer.h.0.attn.c_proj.weight"; // square

    @TempDir Path folder;

    private static ParityReport check(Path model, Path golden) {
        return Parity.check(model, golden, Tolerances.FP32);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpt2",
                "llama",
                "gpt2_seqcls",
                "packing_gpt2",
                "lora_gpt2",
                "traj_gpt2",
                "bert_mlm",
                "bert_seqcls",
                "roberta_mlm",
                "roberta_seqcls",
                "roberta_tokcls",
                "distilbert_mlm",
                "bart",
                "bart_seqcls",
                "t5",
                "traj_bert_mlm",
                "mlm_eval",
                "lora_bert_seqcls",
                "vit",
                "vit_mae",
                "segformer",
                "yolos",
                "vision_encdec"
            })
    void equalsTheReference(String name) {
        var report = check(GOLDENS.resolve(name), GOLDENS.resolve(name));
        assertThat(report.failures()).isEmpty();
        assertThat(report.ok()).isTrue();
    }

    @Test
    void everythingInAReferenceIsCompared() {
        assertThat(parts("gpt2"))
                .contains(
                        "logits",
                        "hidden_states.0",
                        "hidden_states.2",
                        "loss",
                        "gradient",
                        "gradient-norm",
                        "generation",
                        "generation-score");
        assertThat(parts("llama")).containsAll(parts("gpt2"));
        assertThat(parts("gpt2_seqcls"))
                .contains("logits", "scores_all_positions", "loss", "gradient");
        assertThat(parts("packing_gpt2"))
                .contains("position_ids", "allowed", "logits", "loss", "gradient", "gradient-norm");
        assertThat(parts("lora_gpt2"))
                .contains(
                        "base_logits",
                        "base_loss",
                        "logits",
                        "loss",
                        "gradient",
                        "merged-logits",
                        "merged_loss",
                        "merged-weights");
        assertThat(parts("traj_gpt2")).contains("loss", "gradient-norm", "weight");
        for (var encoder :
                new String[] {
                    "bert_mlm", "bert_seqcls", "roberta_mlm", "roberta_tokcls", "distilbert_mlm"
                }) {
            assertThat(parts(encoder))
                    .contains(
                            "logits",
                            "hidden_states.0",
                            "hidden_states.2",
                            "loss",
                            "gradient",
                            "gradient-norm");
        }
        for (var both : new String[] {"bart", "t5"}) {
            assertThat(parts(both))
                    .contains(
                            "logits",
                            "encoder_hidden_states.0",
                            "encoder_last_hidden_state",
                            "decoder_hidden_states.2",
                            "loss",
                            "gradient",
                            "gradient-norm",
                            "generation",
                            "generation-score");
        }
        assertThat(parts("bart_seqcls"))
                .contains("logits", "decoder_hidden_states.2", "loss", "gradient");
        assertThat(parts("lora_bert_seqcls"))
                .contains("base_logits", "logits", "gradient", "merged-logits", "merged-weights");
        assertThat(parts("traj_bert_mlm")).containsAll(parts("traj_gpt2"));
        assertThat(parts("vit"))
                .contains("logits", "hidden_states.2", "loss", "gradient", "gradient-norm");
        assertThat(parts("vit_mae"))
                .contains(
                        "logits",
                        "hidden_states.2",
                        "mask",
                        "ids_restore",
                        "loss",
                        "loss_per_patch",
                        "gradient",
                        "patchify",
                        "patchify_normalised",
                        "unpatchify_of_logits",
                        "len_keep");
        assertThat(parts("segformer"))
                .contains("logits", "hidden_states.3", "loss", "gradient", "buffer");
        assertThat(parts("yolos"))
                .contains(
                        "logits",
                        "pred_boxes",
                        "hidden_states.3",
                        "position_embeddings_interpolated",
                        "mid_position_embeddings_interpolated",
                        "cost_matrix.1",
                        "matching",
                        "loss_ce",
                        "loss_bbox",
                        "loss_giou",
                        "loss",
                        "gradient",
                        "post_process");
        assertThat(parts("vision_encdec"))
                .contains(
                        "logits",
                        "encoder_hidden_states.2",
                        "encoder_last_hidden_state",
                        "decoder_hidden_states.2",
                        "loss",
                        "gradient",
                        "generation",
                        "generation-score");
        assertThat(parts("mlm_eval"))
                .contains(
                        "token-log-probability",
                        "token-rank",
                        "pseudo-log-likelihood",
                        "pseudo-perplexity");
    }

    private static java.util.Set<String> parts(String name) {
        var parts = new java.util.TreeSet<String>();
        check(GOLDENS.resolve(name), GOLDENS.resolve(name))
                .comparisons()
                .forEach(c -> parts.add(c.part()));
        return parts;
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "gpt2_seqcls", "lora_gpt2", "traj_gpt2"})
    void aWeightThatIsALittleOffFails(String name) throws IOException {
        var model = copy(GOLDENS.resolve(name));
        change(
                model.resolve("model.safetensors"),
                ATTENTION,
                values -> {
                    values[5] += 1e-3f;
                    return values;
                });
        assertThat(failedParts(check(model, GOLDENS.resolve(name))))
                .contains(name.equals("traj_gpt2") ? "loss" : "logits")
                .contains(name.equals("traj_gpt2") ? "weight" : "gradient");
    }

    @Test
    void aTransposedWeightFails() throws IOException {
        var model = copy(GOLDENS.resolve("gpt2"));
        change(model.resolve("model.safetensors"), ATTENTION, ParityTest::transposed);
        assertThat(failedParts(check(model, GOLDENS.resolve("gpt2"))))
                .contains("logits", "loss", "gradient", "gradient-norm", "generation");
    }

    @Test
    void statisticsTellATensorFromItsTranspose() {
        var values = new float[32 * 32];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) Math.sin(i * i);
        }
        var difference =
                Statistics.of(values)
                        .differencePerElement(Statistics.of(transposed(values)), values.length);
        assertThat(difference).isGreaterThan(0.01);
    }

    private static float[] transposed(float[] square) {
        var width = (int) Math.sqrt(square.length);
        var transposed = new float[square.length];
        for (var i = 0; i < square.length; i++) {
            transposed[i % width * width + i / width] = square[i];
        }
        return transposed;
    }

    @Test
    void anAdapterThatIsALittleOffFails() throws IOException {
        var model = copy(GOLDENS.resolve("lora_gpt2"));
        change(
                model.resolve("adapter").resolve("adapter_model.safetensors"),
                "base_model.model.transformer.h.1.attn.c_attn.lora_B.weight",
                values -> {
                    values[0] += 1e-3f;
                    return values;
                });
        assertThat(failedParts(check(model, GOLDENS.resolve("lora_gpt2"))))
                .contains("logits", "merged-weights", "gradient")
                .doesNotContain("base_logits", "base_loss");
    }

    @Test
    void eachNumberOfAReferenceCounts() throws IOException {
        failsWhere("loss", json -> object(json, "/cases/full").put("fp64_loss", 5.3289));
        failsWhere("gradient", json -> gradient(json).put("sum", 1e-3));
        failsWhere("gradient", json -> gradient(json).put("norm", Double.NaN));
        failsWhere("gradient", json -> gradient(json).remove("cosdot"));
        failsWhere("gradient", json -> object(json, "/cases/full/grads").remove(ATTENTION));
        failsWhere(
                "gradient",
                json -> object(json, "/cases/full/grads").putObject("transformer.h.9.weight"));
        failsWhere(
                "gradient-norm", json -> object(json, "/cases/full").put("total_grad_norm", 4.6));
        failsWhere("case", json -> object(json, "/cases/full/inputs").putObject("token_type_ids"));
        failsWhere("case", json -> object(json, "/cases/padded").put("train_mode", true));
    }

    private static ObjectNode object(ObjectNode json, String at) {
        return (ObjectNode) json.at(at);
    }

    private static ObjectNode gradient(ObjectNode json) {
        return object(json, "/cases/full/grads/" + ATTENTION);
    }

    private void failsWhere(String part, Consumer<ObjectNode> change) throws IOException {
        var golden = copy(GOLDENS.resolve("gpt2"));
        var file = golden.resolve("golden.json");
        var json = (ObjectNode) Json.read(file);
        json.remove("generation");
        assertThat(json.at("/cases/full/grads/" + ATTENTION).isObject()).isTrue();
        change.accept(json);
        Files.writeString(file, Json.pretty(json));
        assertThat(failedParts(check(GOLDENS.resolve("gpt2"), golden))).containsExactly(part);
    }

    @Test
    void eachNumberOfASentenceCounts() throws IOException {
        for (var change :
                java.util.Map.<String, Consumer<ObjectNode>>of(
                                "token-log-probability",
                                s -> ((ArrayNode) s.path("token_logprob")).set(0, -5.3692),
                                "token-rank",
                                s -> ((ArrayNode) s.path("token_rank")).set(0, 50),
                                "pseudo-log-likelihood",
                                s -> s.put("pll", -42.21),
                                "pseudo-perplexity",
                                s -> s.put("pppl", 1135),
                                "sentence",
                                s -> ((ArrayNode) s.path("masked_positions")).set(0, 99))
                        .entrySet()) {
            var golden = copy(GOLDENS.resolve("mlm_eval"));
            var file = golden.resolve("golden.json");
            var json = (ObjectNode) Json.read(file);
            change.getValue().accept(object(json, "/sentences/1"));
            Files.writeString(file, Json.pretty(json));
            assertThat(failedParts(check(GOLDENS.resolve("mlm_eval"), golden)))
                    .contains(change.getKey());
        }
    }

    @Test
    void oneOtherTokenFails() throws IOException {
        var golden = copy(GOLDENS.resolve("gpt2"));
        var file = golden.resolve("golden.json");
        var json = (ObjectNode) Json.read(file);
        ((ArrayNode) json.at("/generation/greedy20/sequences/0")).set(9, 51);
        Files.writeString(file, Json.pretty(json));
        assertThat(check(GOLDENS.resolve("gpt2"), golden).failures())
                .filteredOn(c -> c.name().equals("greedy20"))
                .singleElement()
                .matches(c -> Double.valueOf(1).equals(c.difference()));
    }

    @Test
    void aGenerationThatCannotBeRepeatedFails() throws IOException {
        for (var argument : java.util.List.of("do_sample", "stop_strings", "penalty_alpha")) {
            var golden = copy(GOLDENS.resolve("gpt2"));
            var file = golden.resolve("golden.json");
            var json = (ObjectNode) Json.read(file);
            object(json, "/generation/greedy20/args").put(argument, true);
            Files.writeString(file, Json.pretty(json));
            assertThat(check(GOLDENS.resolve("gpt2"), golden).failures())
                    .singleElement()
                    .matches(c -> c.name().equals("greedy20") && c.reason().contains(argument));
        }
    }

    @Test
    void aScoreOfBeamsThatIsALittleOffFails() throws IOException {
        var golden = copy(GOLDENS.resolve("gpt2"));
        var file = golden.resolve("golden.json");
        var json = (ObjectNode) Json.read(file);
        ((ArrayNode) json.at("/generation/beam4_20/sequences_scores")).set(0, -1.6315);
        Files.writeString(file, Json.pretty(json));
        assertThat(failedParts(check(GOLDENS.resolve("gpt2"), golden)))
                .containsExactly("generation-score");
    }

    @Test
    void aTensorWithoutACheckFails() throws IOException {
        var golden = copy(GOLDENS.resolve("gpt2"));
        rename(golden.resolve("golden.safetensors"), "full.hidden_states.1", "full.router_logits");
        assertThat(failedParts(check(GOLDENS.resolve("gpt2"), golden))).contains("router_logits");
    }

    @Test
    void aReferenceWithoutAPartProvesNothing() {
        assertThat(new ParityReport(java.util.List.of()).ok()).isFalse();
    }

    @Test
    void whatIsNoReferenceIsRefused() throws IOException {
        Files.writeString(folder.resolve("golden.json"), "{\"variants\": {}}");
        assertThatThrownBy(() -> check(GOLDENS.resolve("gpt2"), folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("golden.json")
                .hasMessageContaining("cases");
    }

    private static java.util.Set<String> failedParts(ParityReport report) {
        var parts = new java.util.TreeSet<String>();
        report.failures().stream()
                .filter(c -> !c.reason().contains("is not supported"))
                .forEach(c -> parts.add(c.part()));
        return parts;
    }

    private Path copy(Path source) throws IOException {
        var target = Files.createTempDirectory(folder, "copy");
        try (var files = Files.walk(source)) {
            for (var file : files.toList()) {
                var to = target.resolve(source.relativize(file).toString());
                if (Files.isDirectory(file)) {
                    Files.createDirectories(to);
                } else {
                    Files.copy(file, to);
                }
            }
        }
        return target;
    }

    private static void change(Path file, String tensor, UnaryOperator<float[]> change) {
        rewrite(
                file,
                e -> {
                    if (!e.name().equals(tensor)) {
                        return e;
                    }
                    var values = e.data().toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
                    return new SafeTensors.Entry(
                            tensor,
                            e.dtype(),
                            e.shape(),
                            MemorySegment.ofArray(change.apply(values)));
                });
    }

    private static void rename(Path file, String from, String to) {
        rewrite(
                file,
                e ->
                        e.name().equals(from)
                                ? new SafeTensors.Entry(to, e.dtype(), e.shape(), e.data())
                                : e);
    }

    private static void rewrite(Path file, UnaryOperator<SafeTensors.Entry> change) {
        try (var tensors = SafeTensors.open(file)) {
            var before = tensors.entries();
            var after = before.stream().map(change).toList();
            assertThat(after).isNotEqualTo(before);
            SafeTensors.write(file, after);
        }
    }
}
