package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;

/// A safetensors file, read through a memory map: opening one costs its header, and a tensor's bytes
/// are read when they are touched.
///
///     8 bytes           n, the header's length, little-endian
///     n bytes           JSON: {"__metadata__": {"format": "pt"},
///                              NAME: {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
///     the rest          the tensors, little-endian, row-major, without gaps
///
/// Nothing in the header is believed: its length, names, types, shapes and offsets are checked
/// against each other and against the file before any tensor is handed out, and what does not hold is
/// an [EspalierException] of kind DATA that names the file and the tensor. Instances may be shared
/// between threads; the tensors' memory is valid until [#close].
public final class SafeTensors implements AutoCloseable {
    /// The types of elements that are read and written, in the order in which files sort them, last
    /// first. Others (unsigned 16 to 64 bits, 8-bit floats and smaller, complex) are refused by
    /// name.
    public enum DType {
        BOOL(1),
        U8(1),
        I8(1),
        I16(2),
        F16(2),
        BF16(2),
        I32(4),
        F32(4),
        F64(8),
        I64(8);

        private final int size;

        DType(int size) {
            this.size = size;
        }

        /// Bytes per element.
        public int size() {
            return size;
        }

        private static Optional<DType> of(String name) {
            return Arrays.stream(values()).filter(type -> type.name().equals(name)).findFirst();
        }
    }

    /// What [#write] needs of a tensor. `data` is called once, when the tensor's turn has come, so
    /// that a model on a device or in another precision need not be copied whole.
    public interface Tensor {
        String name();

        DType dtype();

        /// The length of each dimension; empty for a scalar.
        long[] shape();

        /// The elements in row-major, little-endian order.
        MemorySegment data();
    }

    /// A tensor of a file. `data` need not be aligned to the size of an element: read it with the
    /// unaligned layouts of [ValueLayout], or copy it.
    @SuppressWarnings("ArrayRecordComponent") // a shape is read once, by code that indexes it
    public record Entry(String name, DType dtype, long[] shape, MemorySegment data)
            implements Tensor {}

    /// The metadata that the Hugging Face library writes, and without which it refuses to read.
    public static final Map<String, String> PYTORCH = Map.of("format", "pt");

    private static final String METADATA = "__metadata__";
    private static final int MAX_HEADER = 100_000_000;
    private static final int MAX_RANK = 64;
    private static final int CHUNK = 1 << 22;
    private static final ValueLayout.OfLong LITTLE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Arena arena;
    private final SequencedMap<String, Entry> entries;
    private final SequencedMap<String, String> metadata;

    private SafeTensors(
            Arena arena,
            SequencedMap<String, Entry> entries,
            SequencedMap<String, String> metadata) {
        this.arena = arena;
        this.entries = entries;
        this.metadata = metadata;
    }

    /// Maps `file` and checks its header.
    @SuppressWarnings("MustBeClosedChecker") // the instance owns the arena
    public static SafeTensors open(Path file) {
        var arena = Arena.ofShared();
        try {
            return new Reader(file, arena).read();
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /// The tensors in the order of the header.
    public List<Entry> entries() {
        return List.copyOf(entries.values());
    }

    /// The tensor called `name`.
    public Optional<Entry> find(String name) {
        return Optional.ofNullable(entries.get(name));
    }

    /// The header's `__metadata__` in its order; empty where there is none.
    public SequencedMap<String, String> metadata() {
        return metadata;
    }

    /// Unmaps the file; the entries' data may not be touched any more.
    @Override
    public void close() {
        arena.close();
    }

    /// Writes `tensors` with the metadata [#PYTORCH].
    public static void write(Path file, List<? extends Tensor> tensors) {
        write(file, tensors, PYTORCH);
    }

    /// Replaces `file`, atomically, by one that holds `tensors`, byte for byte as the Hugging Face
    /// library writes it: larger types first ([DType], descending), then names in the order of
    /// their UTF-8 bytes, the header padded with spaces to a multiple of 8 bytes. Empty metadata is
    /// left out.
    public static void write(
            Path file, List<? extends Tensor> tensors, Map<String, String> metadata) {
        var sorted =
                tensors.stream()
                        .sorted(
                                Comparator.comparing((Tensor tensor) -> tensor.dtype())
                                        .reversed()
                                        .thenComparing(
                                                tensor -> utf8(tensor.name()),
                                                Arrays::compareUnsigned))
                        .toList();
        var header = header(sorted, metadata);
        AtomicFiles.write(
                file,
                aside -> {
                    try (var arena = Arena.ofConfined();
                            var out =
                                    FileChannel.open(
                                            aside,
                                            StandardOpenOption.CREATE,
                                            StandardOpenOption.TRUNCATE_EXISTING,
                                            StandardOpenOption.WRITE)) {
                        var chunk = arena.allocate(CHUNK);
                        var length = arena.allocate(Long.BYTES);
                        length.set(LITTLE_LONG, 0, header.length);
                        copy(length, out, chunk);
                        copy(MemorySegment.ofArray(header), out, chunk);
                        for (var tensor : sorted) {
                            var data = tensor.data();
                            if (data.byteSize() != bytes(tensor)) {
                                throw new IllegalArgumentException(
                                        "Tensor %s of %s %s has %d bytes of data"
                                                .formatted(
                                                        tensor.name(),
                                                        tensor.dtype(),
                                                        Arrays.toString(tensor.shape()),
                                                        data.byteSize()));
                            }
                            copy(data, out, chunk);
                        }
                    }
                });
    }

    /// Through `chunk`, since a channel takes neither more than 2 GiB nor an array of floats.
    private static void copy(MemorySegment data, FileChannel out, MemorySegment chunk)
            throws IOException {
        for (long done = 0; done < data.byteSize(); done += CHUNK) {
            var part = Math.min(CHUNK, data.byteSize() - done);
            MemorySegment.copy(data, done, chunk, 0, part);
            var buffer = chunk.asSlice(0, part).asByteBuffer();
            while (buffer.hasRemaining()) {
                out.write(buffer);
            }
        }
    }

    private static byte[] header(List<? extends Tensor> sorted, Map<String, String> metadata) {
        var json = new StringBuilder("{");
        if (!metadata.isEmpty()) {
            quote(json, METADATA);
            json.append(":{");
            for (var entry : metadata.entrySet()) {
                quote(json, entry.getKey());
                json.append(':');
                quote(json, entry.getValue());
                json.append(',');
            }
            json.setCharAt(json.length() - 1, '}');
            json.append(',');
        }
        long offset = 0;
        var names = new HashSet<String>();
        for (var tensor : sorted) {
            if (!names.add(tensor.name()) || tensor.name().equals(METADATA)) {
                throw new IllegalArgumentException("Tensor name taken: " + tensor.name());
            }
            quote(json, tensor.name());
            json.append(":{\"dtype\":\"").append(tensor.dtype()).append("\",\"shape\":");
            json.append(Arrays.toString(tensor.shape()).replace(" ", ""));
            json.append(",\"data_offsets\":[").append(offset).append(',');
            offset = Math.addExact(offset, bytes(tensor));
            json.append(offset).append("]},");
        }
        if (json.charAt(json.length() - 1) == ',') {
            json.setLength(json.length() - 1);
        }
        var bytes = utf8(json.append('}').toString());
        var padded = Arrays.copyOf(bytes, (bytes.length + 7) / 8 * 8);
        Arrays.fill(padded, bytes.length, padded.length, (byte) ' ');
        return padded;
    }

    /// The escapes of Rust's serde_json, with which the Hugging Face library writes its headers.
    private static void quote(StringBuilder json, String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("Not a Unicode string: " + text);
        }
        json.append('"');
        for (int i = 0; i < text.length(); i++) {
            var c = text.charAt(i);
            switch (c) {
                case '"' -> json.append("\\\"");
                case '\\' -> json.append("\\\\");
                case '\b' -> json.append("\\b");
                case '\f' -> json.append("\\f");
                case '\n' -> json.append("\\n");
                case '\r' -> json.append("\\r");
                case '\t' -> json.append("\\t");
                default -> {
                    if (c < ' ') {
                        json.append("\\u%04x".formatted((int) c));
                    } else {
                        json.append(c);
                    }
                }
            }
        }
        json.append('"');
    }

    private static long bytes(Tensor tensor) {
        long bytes = tensor.dtype().size();
        for (var length : tensor.shape()) {
            bytes = Math.multiplyExact(bytes, length);
        }
        return bytes;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /// A tensor as the header describes it, with the offsets of its data's begin and end.
    private record Described(String name, DType dtype, long[] shape, long begin, long end) {}

    private record Reader(Path file, Arena arena) {
        SafeTensors read() {
            var map = map();
            if (map.byteSize() < Long.BYTES) {
                throw bad("has %d bytes, too few for a safetensors file", map.byteSize());
            }
            var length = map.get(LITTLE_LONG, 0);
            if (length < 2 || length > MAX_HEADER) {
                throw bad(
                        "says that its header has %s bytes (allowed are 2 to %d): not a safetensors"
                                + " file",
                        Long.toUnsignedString(length), MAX_HEADER);
            }
            if (length > map.byteSize() - Long.BYTES) {
                throw bad(
                        "is truncated: its header of %d bytes does not fit into the file's %d",
                        length, map.byteSize());
            }
            var header = map.asSlice(Long.BYTES, length).toArray(ValueLayout.JAVA_BYTE);
            if (header[0] != '{') {
                throw bad("is not a safetensors file: its header does not begin with '{'");
            }
            var described = new ArrayList<Described>();
            var metadata = new LinkedHashMap<String, String>();
            parse(header, described, metadata);
            var data = map.asSlice(Long.BYTES + length);
            checkCover(described, data.byteSize());
            var entries = new LinkedHashMap<String, Entry>();
            for (var tensor : described) {
                var slice = data.asSlice(tensor.begin, tensor.end - tensor.begin).asReadOnly();
                entries.put(tensor.name, new Entry(tensor.name, tensor.dtype, tensor.shape, slice));
            }
            return new SafeTensors(arena, entries, metadata);
        }

        private MemorySegment map() {
            if (!Files.exists(file)) {
                throw bad("does not exist");
            }
            if (!Files.isRegularFile(file)) {
                throw bad("is not a file");
            }
            try (var channel = FileChannel.open(file)) {
                return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            } catch (IOException e) {
                throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
            }
        }

        private void parse(
                byte[] header, List<Described> tensors, SequencedMap<String, String> metadata) {
            // Given bytes, Jackson would guess at UTF-16 and 32; a header is UTF-8.
            var text =
                    new InputStreamReader(
                            new ByteArrayInputStream(header),
                            StandardCharsets.UTF_8
                                    .newDecoder()
                                    .onMalformedInput(CodingErrorAction.REPORT)
                                    .onUnmappableCharacter(CodingErrorAction.REPORT));
            try (var json = Json.mapper().createParser(text)) {
                json.nextToken();
                while (json.nextToken() != JsonToken.END_OBJECT) {
                    var name = json.currentName();
                    json.nextToken();
                    if (name.equals(METADATA)) {
                        parseMetadata(json, metadata);
                    } else {
                        tensors.add(parseTensor(name, json));
                    }
                }
                if (json.nextToken() != null) {
                    throw bad("has a header with something after the closing '}'");
                }
            } catch (JacksonException e) {
                throw EspalierException.data(
                        "%s: its header is not JSON (%s)".formatted(file, Json.why(e)), e);
            }
        }

        private void parseMetadata(JsonParser json, SequencedMap<String, String> metadata) {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                throw bad("has a %s that is not an object of strings", METADATA);
            }
            while (json.nextToken() != JsonToken.END_OBJECT) {
                var key = json.currentName();
                if (json.nextToken() != JsonToken.VALUE_STRING) {
                    throw bad("has a %s in which '%s' is not a string", METADATA, key);
                }
                metadata.put(key, json.getString());
            }
        }

        private Described parseTensor(String name, JsonParser json) {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                throw badTensor(name, "is not described by an object");
            }
            DType dtype = null;
            long[] shape = null;
            long[] offsets = null;
            while (json.nextToken() != JsonToken.END_OBJECT) {
                var key = json.currentName();
                json.nextToken();
                switch (key) {
                    case "dtype" -> dtype = parseType(name, json);
                    case "shape" -> shape = parseLongs(name, key, json, MAX_RANK);
                    case "data_offsets" -> offsets = parseLongs(name, key, json, 2);
                    default -> json.skipChildren();
                }
            }
            if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
                throw badTensor(name, "needs a dtype, a shape and two data_offsets");
            }
            var begin = offsets[0];
            var end = offsets[1];
            if (begin > end) {
                throw badTensor(name, "ends at %d, before it begins at %d", end, begin);
            }
            long bytes = dtype.size();
            try {
                for (var dimension : shape) {
                    bytes = Math.multiplyExact(bytes, dimension);
                }
            } catch (ArithmeticException e) {
                throw badTensor(name, "has a shape %s beyond any memory", Arrays.toString(shape));
            }
            if (bytes != end - begin) {
                throw badTensor(
                        name,
                        "of %s %s has %d bytes of data instead of %d",
                        dtype,
                        Arrays.toString(shape),
                        end - begin,
                        bytes);
            }
            return new Described(name, dtype, shape, begin, end);
        }

        private DType parseType(String name, JsonParser json) {
            var text = json.currentToken() == JsonToken.VALUE_STRING ? json.getString() : "?";
            return DType.of(text)
                    .orElseThrow(() ->
                            badTensor(
                                    name,
                                    "has the dtype '%s'; supported are %s",
                                    text,
                                    Arrays.toString(DType.values())));
        }

        private long[] parseLongs(String name, String key, JsonParser json, int limit) {
            if (json.currentToken() != JsonToken.START_ARRAY) {
                throw badTensor(name, "has a %s that is not a list", key);
            }
            var longs = new long[limit];
            int count = 0;
            while (json.nextToken() != JsonToken.END_ARRAY) {
                if (count == limit) {
                    throw badTensor(name, "has a %s of more than %d numbers", key, limit);
                }
                if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
                        || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
                        || json.getLongValue() < 0) {
                    throw badTensor(name, "has a %s with something other than whole numbers", key);
                }
                longs[count++] = json.getLongValue();
            }
            return Arrays.copyOf(longs, count);
        }

        /// The tensors must cover the data exactly, whatever their order in the header: an overlap
        /// or a gap is where a file would smuggle something.
        private void checkCover(List<Described> tensors, long size) {
            var sorted = new ArrayList<>(tensors);
            sorted.sort(
                    Comparator.comparingLong(Described::begin).thenComparingLong(Described::end));
            long end = 0;
            for (var tensor : sorted) {
                if (tensor.end > size) {
                    throw badTensor(
                            tensor.name,
                            "ends at byte %d of the data, of which the file has %d: truncated?",
                            tensor.end,
                            size);
                }
                if (tensor.begin != end) {
                    throw badTensor(
                            tensor.name,
                            "begins at byte %d of the data, where %d was due: %s",
                            tensor.begin,
                            end,
                            tensor.begin < end ? "tensors overlap" : "there is a gap");
                }
                end = tensor.end;
            }
            if (end != size) {
                throw bad("has %d bytes after its last tensor", size - end);
            }
        }

        private EspalierException bad(String message, Object... arguments) {
            return EspalierException.data(file + ": " + message.formatted(arguments));
        }

        private EspalierException badTensor(String tensor, String message, Object... arguments) {
            return EspalierException.data(
                    file + ": tensor '" + tensor + "' " + message.formatted(arguments));
        }
    }
}
