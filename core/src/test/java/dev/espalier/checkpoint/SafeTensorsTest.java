package dev.espalier.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.checkpoint.SafeTensors.DType;
import dev.espalier.checkpoint.SafeTensors.Entry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SafeTensorsTest {
    private static final Path GOLDENS =
            Path.of(System.getProperty("espalier.goldens", "src/test/resources/goldens"));

    @TempDir Path temp;

    static Stream<Path> goldenFiles() throws IOException {
        try (var walk = Files.walk(GOLDENS)) {
            var files = walk.filter(path -> path.toString().endsWith(".safetensors")).toList();
            assertThat(files).isNotEmpty();
            return files.stream();
        }
    }

    @ParameterizedTest
    @MethodSource("goldenFiles")
    void aFileOfTheHuggingFaceLibraryReadAndWrittenBackIsByteIdentical(Path file)
            throws IOException {
        var copy = temp.resolve("copy.safetensors");
        try (var tensors = SafeTensors.open(file)) {
            assertThat(tensors.metadata()).containsExactly(Map.entry("format", "pt"));
            SafeTensors.write(copy, tensors.entries().reversed());
        }
        assertThat(Files.mismatch(file, copy)).isEqualTo(-1);
    }

    @Test
    void everyTypeAndShapeComesBack() {
        var file = temp.resolve("all.safetensors");
        var written =
                Arrays.stream(DType.values())
                        .flatMap(type ->
                                Stream.of(
                                        entry(type + ".scalar", type),
                                        entry(type + ".empty", type, 3, 0, 2),
                                        entry(type + ".odd", type, 1, 3)))
                        .toList();
        SafeTensors.write(file, written);
        try (var tensors = SafeTensors.open(file)) {
            assertThat(tensors.entries()).hasSameSizeAs(written);
            for (var entry : written) {
                var read = tensors.find(entry.name()).orElseThrow();
                assertThat(read.dtype()).isEqualTo(entry.dtype());
                assertThat(read.shape()).isEqualTo(entry.shape());
                assertThat(read.data().mismatch(entry.data())).isEqualTo(-1);
            }
            assertThat(tensors.entries().getFirst().name()).isEqualTo("I64.empty");
            assertThat(tensors.find("nobody")).isEmpty();
        }
    }

    @Test
    void floatsInTheHeapAndNamesOfAnyScriptAreWrittenAsTheHeaderSays() throws IOException {
        var file = temp.resolve("names.safetensors");
        var floats = MemorySegment.ofArray(new float[] {1.5f, -2});
        var supplementary = "\ud83c\udf33"; // after \uffff in UTF-8, before it in UTF-16
        SafeTensors.write(
                file,
                List.of(
                        new Entry(supplementary, DType.F32, new long[] {2}, floats),
                        new Entry("\uffee", DType.F32, new long[] {2}, floats),
                        new Entry("a\"\\/\u001f\n", DType.F32, new long[] {2}, floats)),
                Map.of());
        var bytes = Files.readAllBytes(file);
        var length = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        assertThat(new String(bytes, 8, length, StandardCharsets.UTF_8))
                .startsWith(
                        "{\"a\\\"\\\\/\\u001f\\n\":{\"dtype\":\"F32\",\"shape\":[2],\"data_off");
        try (var tensors = SafeTensors.open(file)) {
            assertThat(tensors.entries().stream().map(Entry::name))
                    .containsExactly("a\"\\/\u001f\n", "\uffee", supplementary);
            assertThat(tensors.metadata()).isEmpty();
            var data = tensors.find(supplementary).orElseThrow().data();
            assertThat(data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4)).isEqualTo(-2);
        }
    }

    @Test
    void aWriterThatLiesAboutItsDataLeavesTheOldFile() throws IOException {
        var file = temp.resolve("model.safetensors");
        SafeTensors.write(file, List.of(entry("w", DType.F32, 2)));
        var before = Files.readAllBytes(file);
        var lie = new Entry("w", DType.F32, new long[] {3}, MemorySegment.ofArray(new byte[8]));
        assertThatThrownBy(() -> SafeTensors.write(file, List.of(lie)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("w of F32 [3] has 8 bytes");
        assertThat(Files.readAllBytes(file)).isEqualTo(before);
        assertThat(temp).isDirectoryNotContaining("glob:**partial**");
        var twice = List.of(entry("w", DType.F32), entry("w", DType.I8));
        assertThatThrownBy(() -> SafeTensors.write(file, twice))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    {"w":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}|tensor 'w' has the dtype 'F8_E4M3'; supported are
                    {"w":{"dtype":7,"shape":[8],"data_offsets":[0,8]}}|tensor 'w' has the dtype '?'
                    {"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}|tensor 'w' of F32 [3] has 8 bytes of data instead of 12
                    {"w":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}|tensor 'w' ends at byte 9 of the data, of which the file has 8
                    {"w":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}|tensor 'w' ends at 0, before it begins at 2
                    {"w":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}}|tensor 'w' has a shape with something other than whole numbers
                    {"w":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}}|tensor 'w' has a shape with something other than whole numbers
                    {"w":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,8]}}|something other than whole numbers
                    {"w":{"dtype":"U8","shape":8,"data_offsets":[0,8]}}|tensor 'w' has a shape that is not a list
                    {"w":{"dtype":"U8","shape":[8],"data_offsets":[0]}}|tensor 'w' needs a dtype, a shape and two data_offsets
                    {"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8,9]}}|data_offsets of more than 2 numbers
                    {"w":{"shape":[8],"data_offsets":[0,8]}}|tensor 'w' needs a dtype
                    {"w":[1]}|tensor 'w' is not described by an object
                    {"w":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]}}|beyond any memory
                    {"v":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}|tensor 'w' begins at byte 4 of the data, where 8 was due: tensors overlap
                    {"v":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"w":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}|tensor 'w' begins at byte 4 of the data, where 2 was due: there is a gap
                    {"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}|has 4 bytes after its last tensor
                    {"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"w":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}|Duplicate
                    {"__metadata__":3,"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}|__metadata__ that is not an object of strings
                    {"__metadata__":{"a":{}},"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}|'a' is not a string
                    {"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}} {}|something after the closing
                    {"\\ud800":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}|its header is not JSON
                    {"\\udc00":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}|its header is not JSON
                    {"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}|its header is not JSON
                    {"w"|its header is not JSON
                    []|does not begin with '{'
                    """)
    void aHostileHeaderIsRefusedByName(String header, String message) throws IOException {
        var file = file(header.getBytes(StandardCharsets.UTF_8), new byte[8]);
        assertThatThrownBy(() -> SafeTensors.open(file))
                .isInstanceOfSatisfying(
                        EspalierException.class, e -> assertThat(e.kind()).isEqualTo(Kind.DATA))
                .hasMessageStartingWith(file + ": ")
                .hasMessageContaining(message);
    }

    @Test
    void aHeaderInAnotherEncodingOrNestedWithoutEndIsRefused() throws IOException {
        for (var header :
                List.of(
                        "{\"w\":1}".getBytes(StandardCharsets.UTF_16LE),
                        new byte[] {'{', '"', (byte) 0xC3, '"', ':', '1', '}'},
                        ("{\"w\":{\"x\":" + "[".repeat(100_000)).getBytes(StandardCharsets.UTF_8),
                        ("{\"" + "w".repeat(1_000_000)).getBytes(StandardCharsets.UTF_8))) {
            assertThatThrownBy(() -> SafeTensors.open(file(header, new byte[0])))
                    .isInstanceOf(EspalierException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {Long.MIN_VALUE, -1, 0, 1, 100, 100_000_001, Long.MAX_VALUE})
    void aLengthBeyondTheFileOrTheLimitIsRefusedBeforeItIsAllocated(long length)
            throws IOException {
        var file = temp.resolve("length");
        var bytes = ByteBuffer.allocate(50).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array();
        Files.write(file, bytes);
        assertThatThrownBy(() -> SafeTensors.open(file))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("header");
    }

    @Test
    void whatIsNoFileIsRefused() throws IOException {
        var empty = Files.createFile(temp.resolve("empty"));
        for (var path : List.of(empty, temp, temp.resolve("absent"))) {
            assertThatThrownBy(() -> SafeTensors.open(path))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith(path + ": ");
        }
    }

    private static Entry entry(String name, DType dtype, long... shape) {
        long count = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        var data = new byte[(int) (count * dtype.size())];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i + 1);
        }
        return new Entry(name, dtype, shape, MemorySegment.ofArray(data));
    }

    private Path file(byte[] header, byte[] data) throws IOException {
        var bytes =
                ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
        return Files.write(
                temp.resolve("hostile.safetensors"),
                bytes.putLong(header.length).put(header).put(data).array());
    }
}
