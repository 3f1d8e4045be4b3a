package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.adapt.Lora;
import dev.espalier.io.Json;
import dev.espalier.model.Problem;
import dev.espalier.model.SequenceClassifier;
import dev.espalier.model.T5;
import dev.espalier.model.T5Config;
import dev.espalier.nn.Module;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class HuggingFaceTest {
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));

    @TempDir Path folder;

    /// A copy of the GPT-2 golden with its tensors changed; null drops one.
    private Path changed(Function<SafeTensors.Entry, SafeTensors.Entry> change) throws IOException {
        return changed(GOLDENS.resolve("gpt2"), change);
    }

    private Path changed(Path source, Function<SafeTensors.Entry, SafeTensors.Entry> change)
            throws IOException {
        Files.copy(source.resolve("config.json"), folder.resolve("config.json"));
        try (var tensors = SafeTensors.open(source.resolve("model.safetensors"))) {
            var entries =
                    tensors.entries().stream()
                            .map(change)
                            .filter(e -> e.dtype() != SafeTensors.DType.BOOL)
                            .toList();
            SafeTensors.write(folder.resolve("model.safetensors"), entries);
        }
        return folder;
    }

    private static SafeTensors.Entry with(SafeTensors.Entry e, String name) {
        return new SafeTensors.Entry(name, e.dtype(), e.shape(), e.data());
    }

    /// A type that no weight has marks an entry that is to be left out.
    private static SafeTensors.Entry dropped(SafeTensors.Entry e) {
        return new SafeTensors.Entry(
                e.name(),
                SafeTensors.DType.BOOL,
                new long[] {0},
                MemorySegment.ofArray(new byte[0]));
    }

    @Test
    void aModelWrittenBackUnchangedIsByteIdentical() throws IOException {
        for (var name :
                List.of(
                        "gpt2",
                        "gpt2_seqcls",
                        "lora_gpt2",
                        "llama",
                        "bert_mlm",
                        "bert_seqcls",
                        "roberta_mlm",
                        "roberta_seqcls",
                        "roberta_tokcls",
                        "distilbert_mlm",
                        "bart",
                        "bart_seqcls",
                        "t5",
                        "vit",
                        "vit_mae",
                        "segformer",
                        "vision_encdec")) {
            var source = GOLDENS.resolve(name);
            var target = folder.resolve(name);
            if (HuggingFace.isVision(source)) {
                var loaded = HuggingFace.readVision(source, null);
                HuggingFace.save(target, loaded.model(), loaded.config());
            } else if (HuggingFace.isClassifier(source)) {
                var loaded = HuggingFace.readClassifier(source);
                HuggingFace.save(target, loaded.model(), loaded.config());
            } else if (HuggingFace.isTokenClassifier(source)) {
                var loaded = HuggingFace.readTokenClassifier(source);
                HuggingFace.save(target, loaded.model(), loaded.config());
            } else {
                var loaded = HuggingFace.readModel(source, null);
                HuggingFace.save(target, loaded.model(), loaded.config());
            }
            assertThat(target).isDirectoryContaining(f -> f.endsWith("config.json"));
            try (var files = Files.list(target)) {
                for (var file : files.toList()) {
                    assertThat(file)
                            .as(name)
                            .hasSameBinaryContentAs(source.resolve(file.getFileName()));
                }
            }
        }
    }

    /// T5 1.0 is tied and not gated, 1.1 gated and not tied; files may say either of each.
    @ParameterizedTest
    @CsvSource({"false, true", "true, false", "true, true", "false, false"})
    void everyT5IsReadAsItIsWritten(boolean gated, boolean tied) {
        var shape = T5Config.of(30, 16, 24, 2, 4, 5, 20, gated, 0, 0, 1).json();
        var model = new T5(T5Config.of(shape.put("tie_word_embeddings", tied))).initialize(1);
        HuggingFace.save(folder.resolve("t5"), model, HuggingFace.newConfig(null, null));
        var config = Json.read(folder.resolve("t5/config.json"));
        assertThat(config.path("feed_forward_proj").asString(""))
                .isEqualTo(gated ? "gated-gelu" : "relu");
        assertThat(config.path("tie_word_embeddings").asBoolean(true)).isEqualTo(tied);
        var loaded = HuggingFace.readEncoderDecoder(folder.resolve("t5"));
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.extra()).isEmpty();
        var again = loaded.model();
        assertThat(again.configJson()).isEqualTo(model.configJson());
        assertThat(again.parameters().keySet()).isEqualTo(model.parameters().keySet());
        for (var name : model.parameters().keySet()) {
            assertThat(weight(again, name)).as(name).isEqualTo(weight(model, name));
        }
        // Scores of a state of ones: sums of the table's rows over √D, or of the head's own.
        var rows = weight(model, tied ? "shared.weight" : "lm_head.weight");
        try (var scope = new Scope()) {
            var scores = Torch.noGrad(() -> again.logits(Tensor.full(1, 1, 24)).floats());
            for (var v = 0; v < 30; v++) {
                var sum = 0.0;
                for (var i = 0; i < 24; i++) {
                    sum += rows[24 * v + i];
                }
                assertThat((double) scores[v])
                        .isCloseTo(tied ? sum / Math.sqrt(24) : sum, within(1e-5));
            }
        }
    }

    private SequenceClassifier classifier(Problem problem) {
        var body = HuggingFace.readModel(GOLDENS.resolve("bert_mlm"), null).model();
        var model = new SequenceClassifier(body, problem);
        model.initializeHead(1);
        return model;
    }

    @Test
    void whatAClassifierTellsIsWrittenAndReadBack() {
        for (var problem :
                List.of(
                        new Problem.SingleLabel(List.of("a", "b", "c")),
                        new Problem.MultiLabel(List.of("a", "b"), 0.25),
                        new Problem.MultiLabel(List.of("only"), 0.5),
                        new Problem.Regression(-12.75, 1e-3))) {
            var target = folder.resolve("written");
            var from = HuggingFace.config(GOLDENS.resolve("bert_mlm"));
            HuggingFace.save(target, classifier(problem), from);
            var config = HuggingFace.config(target);
            assertThat(config.path("problem_type").asString("")).isEqualTo(problem.type());
            assertThat(config.path("num_labels").asInt()).isEqualTo(problem.labels().size());
            var loaded = HuggingFace.readClassifier(target);
            assertThat(loaded.model().problem()).isEqualTo(problem);
            // Written over by one that tells something else, nothing of it is left.
            HuggingFace.save(
                    folder.resolve("again"),
                    classifier(new Problem.SingleLabel(List.of("x", "y", "z"))),
                    loaded.config());
            var again = HuggingFace.config(folder.resolve("again"));
            assertThat(again.path("problem_type").asString("single_label_classification"))
                    .isEqualTo("single_label_classification");
            assertThat(again.has(HuggingFace.OWN)).isFalse();
            assertThat(HuggingFace.readClassifier(folder.resolve("again")).model().labels())
                    .containsExactly("x", "y", "z");
        }
    }

    @Test
    void aSingleLabelIsANumberAndOtherProblemsAreRefused() throws IOException {
        var target = folder.resolve("written");
        var from = HuggingFace.config(GOLDENS.resolve("bert_mlm"));
        HuggingFace.save(target, classifier(new Problem.Regression(0, 1)), from);
        var file = target.resolve("config.json");
        var written = Files.readString(file);
        // As the library leaves a model that it was not told of.
        var config = HuggingFace.config(target);
        config.putNull("problem_type");
        config.remove(List.of(HuggingFace.OWN, "num_labels"));
        Files.writeString(file, config.toString());
        assertThat(HuggingFace.readClassifier(target).model().problem())
                .isEqualTo(new Problem.Regression(0, 1));
        for (var bad :
                List.of(
                        List.of("\"regression\"", "\"ranking\"", "problem_type is \"ranking\""),
                        List.of("\"target_scale\": 1.0", "\"target_scale\": 0", "not above 0"),
                        List.of("\"target_scale\": 1.0", "\"target_scale\": []", "not a number"),
                        List.of(
                                "\"target_mean\": 0.0",
                                "\"target_mean\": \"x\"",
                                "not a number"))) {
            assertThat(written).contains(bad.get(0));
            Files.writeString(file, written.replace(bad.get(0), bad.get(1)));
            assertThatThrownBy(() -> HuggingFace.readClassifier(target))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(file.toString())
                    .hasMessageContaining(bad.get(2));
        }
        HuggingFace.save(target, classifier(new Problem.MultiLabel(List.of("a", "b"), 0.5)), from);
        var several = Files.readString(file);
        Files.writeString(file, several.replace("multi_label_classification", "regression"));
        assertThatThrownBy(() -> HuggingFace.readClassifier(target))
                .hasMessageContaining("problem_type is regression with 2 labels; allowed: 1");
        Files.writeString(file, several.replace("\"threshold\": 0.5", "\"threshold\": 1"));
        assertThatThrownBy(() -> HuggingFace.readClassifier(target))
                .hasMessageContaining("threshold is 1.0, not in (0, 1)");
    }

    @Test
    void theEndsOfTextsAreWrittenBesideALanguageModel() throws IOException {
        var source = GOLDENS.resolve("gpt2");
        var loaded = HuggingFace.readDecoder(source);
        HuggingFace.save(folder.resolve("own"), loaded.model(), loaded.config());
        assertThat(folder.resolve("own/generation_config.json"))
                .hasSameBinaryContentAs(source.resolve("generation_config.json"));
        var classifier = HuggingFace.readClassifier(GOLDENS.resolve("gpt2_seqcls"));
        HuggingFace.save(folder.resolve("classifier"), classifier.model(), classifier.config());
        assertThat(folder.resolve("classifier/generation_config.json")).doesNotExist();

        var other = Files.createDirectory(folder.resolve("other"));
        Files.writeString(other.resolve("generation_config.json"), "{\"top_k\": 5}");
        HuggingFace.copyGenerationConfig(other, folder.resolve("own"));
        assertThat(folder.resolve("own/generation_config.json")).hasContent("{\"top_k\": 5}");
    }

    @Test
    void anAdapterIsWrittenAsPeftWritesIt() throws IOException {
        writesTheAdapterOf("lora_gpt2", HuggingFace::readDecoder);
        writesTheAdapterOf("lora_bert_seqcls", HuggingFace::readClassifier);
    }

    private void writesTheAdapterOf(
            String name, Function<Path, ? extends HuggingFace.Loaded<? extends Module>> read)
            throws IOException {
        var source = GOLDENS.resolve(name);
        var loaded = read.apply(source);
        HuggingFace.readAdapter(source.resolve("adapter"), loaded.model());
        var target = Files.createDirectory(folder.resolve(name));
        HuggingFace.writeAdapter(
                target,
                loaded.model(),
                loaded.config(),
                HuggingFace.adapterSettings(source.resolve("adapter")),
                "tiny-base");
        for (var file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            assertThat(target.resolve(file))
                    .hasSameBinaryContentAs(source.resolve("adapter").resolve(file));
        }
    }

    @Test
    void doraIsWrittenUnderPeftsNamesAndReadBack() throws IOException {
        var source = GOLDENS.resolve("lora_gpt2");
        var loaded = HuggingFace.readDecoder(source);
        var settings = new Lora.Settings(3, 5, 0, List.of("c_attn"), true, true);
        Lora.attach(loaded.model(), settings, 1);
        loaded.model()
                .parameters()
                .forEach((name, p) -> {
                    if (name.contains(Lora.PREFIX)) {
                        p.value().addInPlace(0.1);
                    }
                });
        var target = Files.createDirectory(folder.resolve("dora"));
        HuggingFace.writeAdapter(target, loaded.model(), loaded.config(), settings, "tiny-base");
        assertThat(Files.readString(target.resolve("adapter_config.json")))
                .contains("\"use_dora\": true", "\"use_rslora\": true", "\"r\": 3");
        try (var file = SafeTensors.open(target.resolve("adapter_model.safetensors"))) {
            assertThat(file.entries())
                    .extracting(SafeTensors.Entry::name)
                    .contains("base_model.model.transformer.h.0.attn.c_attn.lora_magnitude_vector");
        }
        assertThat(HuggingFace.adapterSettings(target)).isEqualTo(settings);
        var again = HuggingFace.readDecoder(source).model();
        HuggingFace.readAdapter(target, again);
        try (var scope = new Scope()) {
            var ids = Tensor.of(new int[] {1, 2, 3}, 1, 3);
            var want = Torch.noGrad(() -> loaded.model().hidden(ids).floats());
            assertThat(Torch.noGrad(() -> again.hidden(ids).floats())).isEqualTo(want);
            Lora.merge(again);
            assertThat(Torch.noGrad(() -> again.hidden(ids).floats()))
                    .containsExactly(want, within(2e-5f));
        }
        Files.writeString(
                target.resolve("adapter_config.json"),
                Files.readString(target.resolve("adapter_config.json"))
                        .replace("\"use_dora\": true", "\"use_dora\": \"yes\""));
        assertThatThrownBy(() -> HuggingFace.adapterSettings(target))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("use_dora is \"yes\"; allowed: true, false");
    }

    @Test
    void anAdapterThatIsNotWhatItSaysIsRefusedBeforeItTakesMemory() throws IOException {
        var source = GOLDENS.resolve("lora_gpt2");
        var model = HuggingFace.readDecoder(source).model();
        Files.copy(
                source.resolve("adapter/adapter_model.safetensors"),
                folder.resolve("adapter_model.safetensors"));
        var said = Files.readString(source.resolve("adapter/adapter_config.json"));
        for (var lie :
                List.of(
                        List.of("\"r\": 4", "\"r\": 60000", "r is 60000"),
                        List.of("c_attn", "attention", "adapter_config.json: adapter target"),
                        List.of("a\": 8", "a\": 1e999", "lora_alpha"),
                        List.of("lora_dropout\": 0.0", "lora_dropout\": 1", "lora_dropout"))) {
            Files.writeString(
                    folder.resolve("adapter_config.json"), said.replace(lie.get(0), lie.get(1)));
            assertThatThrownBy(() -> HuggingFace.readAdapter(folder, model))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining(lie.get(2));
        }
    }

    @Test
    void anAdapterOfNoPlaceIsRefused() throws IOException {
        Files.copy(GOLDENS.resolve("gpt2_seqcls/config.json"), folder.resolve("config.json"));
        Files.writeString(
                folder.resolve("adapter_config.json"),
                "{\"base_model_name_or_path\": \"\\u0000\"}");
        assertThatThrownBy(() -> HuggingFace.readClassifier(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("adapter_config.json: base_model_name_or_path");
    }

    @Test
    void filesOfTheBareBodyAndWithOldBuffersAreRead() throws IOException {
        var want = HuggingFace.readDecoder(GOLDENS.resolve("gpt2")).model().head().floats();
        var bare = changed(e -> with(e, e.name().replace("transformer.", "")));
        var loaded = HuggingFace.readDecoder(bare);
        assertThat(loaded.model().head().floats()).isEqualTo(want);
        assertThat(loaded.missing()).isEmpty();
        var classifier = HuggingFace.readClassifier(bare);
        assertThat(classifier.missing()).containsExactly("score.weight");
    }

    @Test
    void oldFilesOfEncodersAreRead() throws IOException {
        var source = GOLDENS.resolve("bert_mlm");
        var want = HuggingFace.readModel(source, null).model();
        var old =
                changed(
                        source,
                        e ->
                                with(
                                        e,
                                        e.name()
                                                .replace("LayerNorm.weight", "LayerNorm.gamma")
                                                .replace("LayerNorm.bias", "LayerNorm.beta")));
        var loaded = HuggingFace.readModel(old, null);
        assertThat(loaded.missing()).isEmpty();
        assertThat(loaded.extra()).isEmpty();
        for (var name : want.parameters().keySet()) {
            assertThat(weight(loaded.model(), name)).as(name).isEqualTo(weight(want, name));
        }
    }

    private static float[] weight(Module model, String name) {
        return java.util.Objects.requireNonNull(model.parameters().get(name)).value().floats();
    }

    @Test
    void aCopyOfTheTableMustBeOne() throws IOException {
        var copied = "cls.predictions.decoder.weight";
        var table = "bert.embeddings.word_embeddings.weight";
        var source = GOLDENS.resolve("bert_mlm");
        var same = doubled(source, table, e -> with(e, copied));
        assertThat(HuggingFace.readModel(same, null).extra()).isEmpty();
        var other =
                doubled(
                        source,
                        table,
                        e ->
                                new SafeTensors.Entry(
                                        copied,
                                        e.dtype(),
                                        e.shape(),
                                        MemorySegment.ofArray(
                                                new byte[(int) e.data().byteSize()])));
        assertThatThrownBy(() -> HuggingFace.readModel(other, null))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining(copied)
                .hasMessageContaining("ties");
    }

    private Path doubled(Path source, String name, UnaryOperator<SafeTensors.Entry> second)
            throws IOException {
        var target = Files.createTempDirectory(folder, "doubled");
        Files.copy(source.resolve("config.json"), target.resolve("config.json"));
        try (var file = SafeTensors.open(source.resolve("model.safetensors"))) {
            var all = new java.util.ArrayList<>(file.entries());
            all.add(second.apply(file.find(name).orElseThrow()));
            SafeTensors.write(target.resolve("model.safetensors"), all);
        }
        return target;
    }

    @Test
    void aPretrainedEncoderBecomesAClassifierWithItsPooler() throws IOException {
        var loaded = HuggingFace.readModel(GOLDENS.resolve("bert_seqcls"), null);
        assertThat(loaded.missing()).contains("cls.predictions.bias");
        var model = new SequenceClassifier(loaded.model(), List.of("a", "b", "c", "d"));
        HuggingFace.readHead(GOLDENS.resolve("bert_seqcls"), model);
        var original = HuggingFace.readClassifier(GOLDENS.resolve("bert_seqcls")).model();
        var pooler = "bert.pooler.dense.weight";
        assertThat(weight(model, pooler)).isEqualTo(weight(original, pooler));
        HuggingFace.save(folder.resolve("four"), model, loaded.config());
        var again = HuggingFace.readClassifier(folder.resolve("four"));
        assertThat(again.model().labels()).containsExactly("a", "b", "c", "d");
        assertThat(again.extra()).isEmpty();
        assertThat(again.missing()).isEmpty();
    }

    @Test
    void anEncoderIsNoDecoder() {
        assertThatThrownBy(() -> HuggingFace.readDecoder(GOLDENS.resolve("bert_mlm")))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("a bert is an encoder");
    }

    @Test
    void aHeadThatTheModelHasNoPlaceForIsNamed() {
        assertThat(HuggingFace.readDecoder(GOLDENS.resolve("gpt2_seqcls")).extra())
                .containsExactly("score.weight");
    }

    @Test
    void aMissingTensorIsNamed() throws IOException {
        var broken = changed(e -> e.name().endsWith("h.1.mlp.c_fc.weight") ? dropped(e) : e);
        assertThatThrownBy(() -> HuggingFace.readDecoder(broken))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("transformer.h.1.mlp.c_fc.weight")
                .hasMessageContaining("missing");
    }

    @Test
    void weightsThatAreNotNumbersAreNamed() throws IOException {
        var broken =
                changed(e -> {
                    if (!e.name().endsWith("wpe.weight")) {
                        return e;
                    }
                    var bytes = e.data().toArray(ValueLayout.JAVA_BYTE);
                    MemorySegment.ofArray(bytes)
                            .set(ValueLayout.JAVA_FLOAT_UNALIGNED, 40, Float.NaN);
                    return new SafeTensors.Entry(
                            e.name(), e.dtype(), e.shape(), MemorySegment.ofArray(bytes));
                });
        assertThatThrownBy(() -> HuggingFace.readDecoder(broken))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("wpe.weight")
                .hasMessageContaining("NaN");
    }

    @Test
    void aVocabularyOfAnotherSizeIsRefused() throws IOException {
        changed(e -> e);
        var config = (ObjectNode) Json.read(folder.resolve("config.json"));
        config.put("vocab_size", 77);
        Files.writeString(folder.resolve("config.json"), config.toString());
        assertThatThrownBy(() -> HuggingFace.readDecoder(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("wte.weight")
                .hasMessageContaining("77");
    }

    /// A model is made before its weights are compared with the file's, and must not take memory
    /// for what no file of this size holds.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpt2",
                "llama",
                "bert_mlm",
                "roberta_mlm",
                "distilbert_mlm",
                "bart",
                "t5",
                "vit",
                "vit_mae",
                "segformer",
                "yolos",
                "vision_encdec"
            })
    void aLargeNumberOfADescriptionIsRefusedBeforeAModelIsMade(String name) throws IOException {
        var source = GOLDENS.resolve(name);
        Files.copy(source.resolve("model.safetensors"), folder.resolve("model.safetensors"));
        var config = folder.resolve("config.json");
        var text = Files.readString(source.resolve("config.json"));
        var number = Pattern.compile("(?<=[ :\\[])[0-9]+(?=[,\\s\\]}])").matcher(text);
        var tried = 0;
        while (number.find()) {
            Files.writeString(
                    config,
                    text.substring(0, number.start()) + 100_000_000 + text.substring(number.end()));
            try {
                (HuggingFace.isVision(folder)
                                ? HuggingFace.readVision(folder, null).model()
                                : HuggingFace.readModel(folder, null).model())
                        .free();
            } catch (EspalierException e) {
                assertThat(e)
                        .as(text.substring(text.lastIndexOf('\n', number.start()), number.end()))
                        .hasMessageNotContaining("asks for [");
            }
            tried++;
        }
        assertThat(tried).isGreaterThan(5);
    }

    @Test
    void otherFamiliesAndFoldersWithoutAModelAreRefusedByName() throws IOException {
        assertThatThrownBy(() -> HuggingFace.readDecoder(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("config.json");
        Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"mamba\"}");
        assertThatThrownBy(() -> HuggingFace.readDecoder(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("mamba")
                .hasMessageContaining("gpt2");
        Files.writeString(
                folder.resolve("config.json"), "{\"model_type\": \"gpt2\", \"n_embd\": 12}");
        Files.writeString(folder.resolve("pytorch_model.bin"), "pickle");
        assertThatThrownBy(() -> HuggingFace.readDecoder(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("pytorch_model.bin is not read");
    }

    @Test
    void numbersAreWrittenAsPythonWritesThem() {
        assertThat(
                        List.of(1e-5, 0.0, 0.02, 1e16, 1.5e-7, 123456.0, 1e-4, 3.0).stream()
                                .map(PythonJson::number))
                .containsExactly(
                        "1e-05", "0.0", "0.02", "1e+16", "1.5e-07", "123456.0", "0.0001", "3.0");
    }
}
