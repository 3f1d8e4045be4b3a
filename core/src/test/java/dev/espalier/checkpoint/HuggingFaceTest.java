package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class HuggingFaceTest {
    private static final Path GOLDENS = Path.of(System.getProperty("espalier.goldens"));

    @TempDir Path folder;

    /// A copy of the GPT-2 golden with its tensors changed; null drops one.
    private Path changed(Function<SafeTensors.Entry, SafeTensors.Entry> change) throws IOException {
        var source = GOLDENS.resolve("gpt2");
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
        for (var name : List.of("gpt2", "gpt2_seqcls", "lora_gpt2", "llama")) {
            var source = GOLDENS.resolve(name);
            var target = folder.resolve(name);
            if (HuggingFace.isClassifier(source)) {
                var loaded = HuggingFace.readClassifier(source);
                HuggingFace.save(target, loaded.model(), loaded.config());
            } else {
                var loaded = HuggingFace.readDecoder(source);
                HuggingFace.save(target, loaded.model(), loaded.config());
            }
            for (var file : List.of("config.json", "model.safetensors")) {
                assertThat(target.resolve(file))
                        .as(name)
                        .hasSameBinaryContentAs(source.resolve(file));
            }
        }
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
        var source = GOLDENS.resolve("lora_gpt2");
        var loaded = HuggingFace.readDecoder(source);
        HuggingFace.readAdapter(source.resolve("adapter"), loaded.model());
        HuggingFace.writeAdapter(
                folder,
                loaded.model(),
                loaded.config(),
                HuggingFace.adapterSettings(source.resolve("adapter")),
                "tiny-base");
        for (var file : List.of("adapter_config.json", "adapter_model.safetensors")) {
            assertThat(folder.resolve(file))
                    .hasSameBinaryContentAs(source.resolve("adapter").resolve(file));
        }
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
