package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

class WeightFilesTest {
    private static final Path LLAMA =
            Path.of(System.getProperty("espalier.goldens")).resolve("llama");
    private static final String NORM = "model.norm.weight";

    @TempDir Path folder;

    /// The golden in shards of at most 20 kB: its largest tensors have 12 416 bytes.
    @BeforeEach
    void writeShards() throws IOException {
        Files.copy(LLAMA.resolve("config.json"), folder.resolve("config.json"));
        try (var tensors = SafeTensors.open(LLAMA.resolve(WeightFiles.SINGLE))) {
            WeightFiles.write(folder, tensors.entries(), 20_000);
        }
    }

    private List<Path> shards() throws IOException {
        try (var files = Files.list(folder)) {
            return files.filter(f -> f.toString().endsWith(".safetensors")).sorted().toList();
        }
    }

    private void changeIndex(Consumer<ObjectNode> change) throws IOException {
        var file = folder.resolve(WeightFiles.INDEX);
        var json = (ObjectNode) Json.read(file);
        change.accept((ObjectNode) json.path("weight_map"));
        Files.writeString(file, json.toString());
    }

    private void refused(String... named) {
        assertThatThrownBy(() -> HuggingFace.readDecoder(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContainingAll(named);
    }

    @Test
    void shardsAreTheSameModelAsOneFile() throws IOException {
        var index = Json.read(folder.resolve(WeightFiles.INDEX));
        assertThat(shards()).hasSizeGreaterThan(4);
        assertThat(shards().getFirst().getFileName())
                .hasToString("model-00001-of-%05d.safetensors".formatted(shards().size()));
        assertThat(index.at("/metadata/total_size").asLong()).isEqualTo(23_264 * 4);
        for (var shard : shards()) {
            assertThat(Files.size(shard)).isLessThan(20_000 + 2_000);
        }
        var target = Files.createDirectory(folder.resolve("one"));
        var loaded = HuggingFace.readDecoder(folder);
        HuggingFace.save(target, loaded.model(), loaded.config());
        assertThat(target.resolve(WeightFiles.SINGLE))
                .hasSameBinaryContentAs(LLAMA.resolve(WeightFiles.SINGLE));
        assertThat(target.resolve(WeightFiles.INDEX)).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({"HALF, F16", "BFLOAT16, BF16"})
    void halfWeightsAreReadIntoFullOnes(DType type, SafeTensors.DType stored) throws IOException {
        var want = HuggingFace.readDecoder(folder).model();
        for (var shard : shards()) {
            Files.delete(shard);
        }
        try (var scope = new Scope();
                var arena = Arena.ofConfined();
                var tensors = SafeTensors.open(LLAMA.resolve(WeightFiles.SINGLE))) {
            var halves = new ArrayList<SafeTensors.Entry>();
            for (var e : tensors.entries()) {
                var half = Tensor.of(DType.FLOAT, e.data(), e.shape()).to(type);
                var bytes = arena.allocate(half.bytes()).copyFrom(half.segment());
                halves.add(new SafeTensors.Entry(e.name(), stored, e.shape(), bytes));
            }
            WeightFiles.write(folder, halves, Long.MAX_VALUE);
            var got = HuggingFace.readDecoder(folder).model();
            assertThat(got.head().dtype()).isEqualTo(DType.FLOAT);
            assertThat(got.head().floats()).isEqualTo(want.head().to(type).floats());
            assertThat(got.head().floats()).isNotEqualTo(want.head().floats());
        }
    }

    @Test
    void aFileThatIsMissingIsNamed() throws IOException {
        var lost = shards().get(1);
        Files.delete(lost);
        refused(WeightFiles.INDEX, lost.getFileName().toString(), "missing");
    }

    @ParameterizedTest
    @CsvSource({
        "../model.safetensors",
        "/etc/model.safetensors",
        "sub/model.safetensors",
        "..",
        "weights.bin",
        "''"
    })
    void aFileElsewhereIsNotOpened(String path) throws IOException {
        changeIndex(map -> map.put(NORM, path));
        refused(WeightFiles.INDEX, NORM, "same folder");
    }

    @Test
    void aTensorThatItsFileDoesNotHoldIsNamed() throws IOException {
        var first = shards().getFirst().getFileName().toString();
        changeIndex(map -> map.put("model.layers.7.input_layernorm.weight", first));
        refused("model.layers.7.input_layernorm.weight", first, "does not hold");
    }

    @Test
    void aTensorThatTheIndexDoesNotKnowIsNamed() throws IOException {
        changeIndex(map -> map.remove(NORM));
        refused(WeightFiles.INDEX, NORM);
    }

    @Test
    void aTensorInTwoFilesIsRefused() throws IOException {
        try (var tensors = SafeTensors.open(LLAMA.resolve(WeightFiles.SINGLE))) {
            var norm = tensors.find(NORM).orElseThrow();
            var other = new SafeTensors.Entry("a", norm.dtype(), norm.shape(), norm.data());
            SafeTensors.write(folder.resolve("zz.safetensors"), List.of(norm, other));
        }
        changeIndex(map -> map.put("a", "zz.safetensors"));
        refused(NORM, "two files", "zz.safetensors");
    }

    @Test
    void anIndexThatIsNoneIsRefused() throws IOException {
        Files.writeString(folder.resolve(WeightFiles.INDEX), "{\"weight_map\": []}");
        refused(WeightFiles.INDEX, "weight_map");
        Files.writeString(folder.resolve(WeightFiles.INDEX), "{");
        refused(WeightFiles.INDEX);
    }

    @Test
    void aModelFarBeyondItsFilesIsRefusedBeforeMemoryIsTaken() throws IOException {
        var config = (ObjectNode) Json.read(folder.resolve("config.json"));
        config.put("vocab_size", 90_000_000).put("hidden_size", 4_000_000);
        Files.writeString(folder.resolve("config.json"), config.toString());
        refused("config.json", "weights");
    }
}
