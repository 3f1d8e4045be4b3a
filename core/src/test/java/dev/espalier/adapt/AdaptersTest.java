package dev.espalier.adapt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.io.Json;
import dev.espalier.model.Decoder;
import dev.espalier.model.Gpt2;
import dev.espalier.model.Gpt2Config;
import dev.espalier.model.Llama;
import dev.espalier.model.LlamaConfig;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.nn.Module;
import dev.espalier.nn.Parameter;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class AdaptersTest {
    private static final Lora.Settings PLAIN =
            new Lora.Settings(4, 8, 0, List.of("attn.c_attn", "mlp.c_proj"));
    private static final Lora.Settings DORA =
            new Lora.Settings(2, 4, 0, List.of("attn.c_attn", "mlp.c_fc"), true, true);

    private static Gpt2 model() {
        return new Gpt2(Gpt2Config.of(30, 8, 16, 2, 2, 0)).initialize(1);
    }

    private static void attach(Module model, Lora.Settings settings, long seed) {
        Lora.attach(model, settings, seed);
        var rng = Rng.at(seed);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.endsWith("lora_B.weight")) {
                        var values = new float[(int) p.value().count()];
                        for (var i = 0; i < values.length; i++) {
                            values[i] = (float) (0.1 * rng.nextGaussian());
                        }
                        p.value().segment().copyFrom(MemorySegment.ofArray(values));
                    }
                });
    }

    private static float[] output(Gpt2 model) {
        try (var scope = new Scope()) {
            return Torch.noGrad(
                    () -> model.hidden(Tensor.of(new int[] {1, 2, 3, 4}, 1, 4)).floats());
        }
    }

    private static float[] alone(Lora.Settings settings, long seed) {
        var model = model();
        attach(model, settings, seed);
        return output(model);
    }

    private static Adapters two(Gpt2 model) {
        var adapters = new Adapters(model);
        attach(model, PLAIN, 1);
        adapters.keep("plain");
        attach(model, DORA, 2);
        adapters.keep("dora");
        return adapters;
    }

    @Test
    void eachActsAsIfItWereAloneAndNoneLeavesTheBase() {
        var model = model();
        var base = output(model);
        try (var adapters = two(model)) {
            assertThat(adapters.names()).containsExactly("plain", "dora");
            assertThat(output(model)).isEqualTo(base);
            for (var turn = 0; turn < 2; turn++) {
                adapters.use("plain");
                assertThat(output(model)).isEqualTo(alone(PLAIN, 1));
                adapters.use("dora");
                assertThat(output(model)).isEqualTo(alone(DORA, 2));
            }
            adapters.use();
            assertThat(output(model)).isEqualTo(base);
            adapters.use("dora");
        }
        assertThat(output(model)).isEqualTo(base);
        assertThat(model.parameters().keySet()).noneMatch(name -> name.contains(Lora.PREFIX));
    }

    /// What two change at once is the sum of what each adds to the weights.
    @Test
    void severalAtOnceAreAddedUp() {
        var model = model();
        try (var adapters = two(model)) {
            adapters.use("plain", "dora");
            var both = output(model);
            assertThat(both).isNotEqualTo(alone(PLAIN, 1)).isNotEqualTo(alone(DORA, 2));
            assertThat(model.parameters())
                    .containsKeys(
                            "transformer.h.0.attn.c_attn.plain.lora_A.weight",
                            "transformer.h.0.attn.c_attn.dora.lora_magnitude_vector",
                            "transformer.h.0.mlp.c_proj.lora_A.weight");
            var added = model();
            for (var settings : List.of(PLAIN, DORA)) {
                var other = model();
                attach(other, settings, settings == PLAIN ? 1 : 2);
                Lora.merge(other);
                var weights = other.parameters();
                var first = model().parameters();
                Torch.noGrad(() ->
                        added.parameters()
                                .forEach((name, p) -> {
                                    var changed = weights.get(name);
                                    var was = first.get(name);
                                    assertThat(changed).isNotNull();
                                    assertThat(was).isNotNull();
                                    if (changed != null && was != null) {
                                        p.value().addInPlace(changed.value().sub(was.value()));
                                    }
                                }));
            }
            assertThat(both).containsExactly(output(added), within(2e-5f));
            // The order in which they are named changes nothing.
            adapters.use("dora", "plain");
            assertThat(output(model)).containsExactly(both, within(1e-6f));
        }
    }

    @Test
    void mergedOneAfterAnotherTheyStayInTheWeights() {
        var model = model();
        try (var adapters = two(model)) {
            adapters.use("plain");
            var plain = output(model);
            adapters.merge("plain");
            assertThat(adapters.names()).containsExactly("dora");
            assertThat(model.parameters().values()).noneMatch(Parameter::trained);
            assertThat(output(model)).containsExactly(plain, within(1e-5f));
            adapters.use("dora");
            var both = output(model);
            assertThat(both).isNotEqualTo(plain);
            adapters.merge("dora");
            assertThat(model.parameters().values()).allMatch(Parameter::trained);
            assertThat(output(model)).containsExactly(both, within(1e-5f));
            assertThat(adapters.names()).isEmpty();
        }
    }

    @Test
    void namesThatAreTakenOrUnknownAreRefused() {
        var model = model();
        try (var adapters = two(model)) {
            assertThatThrownBy(() -> adapters.use("plain", "other"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessage("there is no adapter named 'other'; there are [plain, dora]");
            assertThatThrownBy(() -> adapters.keep("third"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("no adapter on the model");
            // What is kept under one name is not under another, which would free it for both.
            adapters.use("plain");
            assertThatThrownBy(() -> adapters.keep("third"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("kept already");
            adapters.use();
            attach(model, PLAIN, 3);
            assertThatThrownBy(() -> adapters.keep("plain"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("'plain' already");
            assertThatThrownBy(() -> Lora.attach(model, PLAIN, 4))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    /// A base that others use must not be left with half of an adapter.
    @Test
    void anAdapterThatIsRefusedLeavesNothingOnTheBase(@TempDir Path folder) throws IOException {
        var model = model();
        var base = output(model);
        attach(model, PLAIN, 1);
        var whole = Files.createDirectory(folder.resolve("whole"));
        HuggingFace.writeAdapter(whole, model, HuggingFace.newConfig(0, null), PLAIN, "base");
        Lora.remove(model, model.modules().keySet());
        assertThat(output(model)).isEqualTo(base);

        // Of a model with a block more or less, and with a target that is none.
        for (var change :
                List.of(
                        new String[] {"\"attn.c_attn\"", "\"attn.c_attn\", \"attn.c_proj\""},
                        new String[] {"\"attn.c_attn\"", "\"attn.c_proj\""},
                        new String[] {"\"attn.c_attn\"", "\"attn.c_attn\", \"nowhere\""})) {
            var broken = Files.createTempDirectory(folder, "broken");
            try (var files = Files.list(whole)) {
                for (var file : files.toList()) {
                    Files.copy(file, broken.resolve(file.getFileName()));
                }
            }
            var config = broken.resolve("adapter_config.json");
            var json = Files.readString(config);
            assertThat(json).contains(change[0]);
            Files.writeString(config, json.replace(change[0], change[1]));
            assertThatThrownBy(() -> HuggingFace.readAdapter(broken, model))
                    .isInstanceOf(EspalierException.class);
            assertThat(output(model)).isEqualTo(base);
            assertThat(model.parameters().keySet()).noneMatch(name -> name.contains(Lora.PREFIX));
            assertThat(model.parameters().values()).allMatch(Parameter::trained);
        }
        HuggingFace.readAdapter(whole, model);
        assertThat(output(model)).isEqualTo(alone(PLAIN, 1));
        // While one acts, a second is refused, and the first goes on.
        assertThatThrownBy(() -> HuggingFace.readAdapter(whole, model))
                .isInstanceOf(IllegalStateException.class);
        assertThat(output(model)).isEqualTo(alone(PLAIN, 1));
    }

    /// What the objectives multiply by is the weight itself, so that an adapter would not act.
    @Test
    void anAdapterOfTheVocabularysMapActsOnlyMerged(@TempDir Path folder) throws IOException {
        var config =
                LlamaConfig.of(LlamaConfig.Kind.LLAMA, 30, 8, 16, 2, 2, 1, 24, 1e4, 0, false, null);
        var model = new Llama(config).initialize(1);
        var settings = new Lora.Settings(2, 4, 0, List.of("q_proj", Decoder.HEAD_MAP));
        Lora.attach(model, settings, 1);
        model.parameters()
                .forEach((name, p) -> {
                    if (name.contains(Lora.PREFIX)) {
                        p.value().addInPlace(0.1);
                    }
                });
        HuggingFace.writeAdapter(folder, model, HuggingFace.newConfig(0, null), settings, "base");
        var again = new Llama(config).initialize(1);
        var head = again.head().floats();
        assertThatThrownBy(() -> HuggingFace.readAdapter(folder, again))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("`lm_head` acts only where it is merged");
        assertThat(again.parameters().values()).allMatch(Parameter::trained);
        HuggingFace.mergeAdapter(folder, again);
        assertThat(again.head().floats()).isNotEqualTo(head);
    }

    @Test
    void anAdapterThatGoesWithOtherWeightsOfTheBaseIsRefused(@TempDir Path folder)
            throws IOException {
        var model = model();
        attach(model, PLAIN, 1);
        HuggingFace.writeAdapter(folder, model, HuggingFace.newConfig(0, null), PLAIN, "base");
        var config = folder.resolve("adapter_config.json");
        var json = (ObjectNode) Json.read(config);
        for (var kind : List.of("pissa", "pissa_niter_4", "olora", "corda")) {
            Files.writeString(config, Json.pretty(json.put("init_lora_weights", kind)));
            assertThatThrownBy(() -> HuggingFace.adapterSettings(folder))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("init_lora_weights " + kind);
        }
        for (var kind : List.of("gaussian", "eva")) {
            Files.writeString(config, Json.pretty(json.put("init_lora_weights", kind)));
            assertThat(HuggingFace.adapterSettings(folder).rank()).isEqualTo(4);
        }
    }

    /// Two tasks with heads of their own on one body.
    @Test
    void classifiersShareABodyThatIsReadOnce(@TempDir Path folder) throws IOException {
        var base = folder.resolve("base");
        HuggingFace.save(base, model(), HuggingFace.newConfig(0, null));
        var want = new float[2][];
        for (var task = 0; task < 2; task++) {
            var read = HuggingFace.readDecoder(base);
            var classifier =
                    new SequenceClassifier(
                            read.model(), task == 0 ? List.of("a", "b") : List.of("x", "y", "z"));
            classifier.initializeHead(task);
            var settings = task == 0 ? PLAIN : DORA;
            attach(classifier, settings, task);
            classifier.trainHead();
            var at = Files.createDirectory(folder.resolve("task-" + task));
            HuggingFace.writeAdapter(at, classifier, read.config(), settings, base.toString());
            want[task] = scores(HuggingFace.readClassifier(at).model());
        }
        var body = (Gpt2) HuggingFace.readDecoder(base).model();
        var plain = output(body);
        try (var adapters = new Adapters(body)) {
            var classifiers = new SequenceClassifier[2];
            for (var task = 0; task < 2; task++) {
                classifiers[task] =
                        HuggingFace.readClassifier(folder.resolve("task-" + task), body, base);
                adapters.keep("task-" + task);
            }
            for (var task : new int[] {0, 1, 0}) {
                adapters.use("task-" + task);
                assertThat(scores(classifiers[task])).isEqualTo(want[task]);
            }
            assertThat(classifiers[1].labels()).containsExactly("x", "y", "z");
            adapters.use();
            assertThat(output(body)).isEqualTo(plain);
        }
    }

    private static float[] scores(SequenceClassifier classifier) {
        try (var scope = new Scope()) {
            var ids = Tensor.of(new int[] {1, 2, 3, 4}, 1, 4);
            return Torch.noGrad(() -> classifier.scores(ids, null, new long[] {4}).floats());
        }
    }
}
