package dev.espalier.checkpoint;

import dev.espalier.EspalierException;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import tools.jackson.databind.node.JsonNodeFactory;

/// The weights in a model's folder: `model.safetensors`, or several files and
/// `model.safetensors.index.json`, which says in which of them each tensor is:
///
///     {"metadata": {"total_size": BYTES}, "weight_map": {TENSOR: FILE, …}}
///
/// The index is not believed: a file that is not simply a name in the folder, that is missing or
/// does not hold what the index says, or a tensor that two files hold, is refused by name.
public final class WeightFiles implements AutoCloseable {
    public static final String SINGLE = "model.safetensors";
    public static final String INDEX = "model.safetensors.index.json";

    /// Bytes of the tensors in one file, at most, unless a tensor alone has more; as Hugging Face's
    /// `save_pretrained` has it.
    static final long SHARD = 5_000_000_000L;

    private static final Pattern FILE_NAME = Pattern.compile("[^/\\\\:\\p{Cntrl}]+\\.safetensors");

    private final Path path;
    private final List<SafeTensors> files = new ArrayList<>();
    private final Map<String, SafeTensors.Entry> entries = new LinkedHashMap<>();

    private WeightFiles(Path path) {
        this.path = path;
    }

    /// @throws EspalierException (DATA) if there are no weights, or a file is broken
    @SuppressWarnings("MustBeClosedChecker") // the instance owns its files
    public static WeightFiles open(Path folder) {
        var single = Files.isRegularFile(folder.resolve(SINGLE));
        var indexed = Files.isRegularFile(folder.resolve(INDEX));
        if (!single && !indexed) {
            var pickled = Files.exists(folder.resolve("pytorch_model.bin"));
            throw EspalierException.data(
                    folder
                            + ": no "
                            + SINGLE
                            + (pickled
                                    ? " (pytorch_model.bin is not read; save the model as safetensors)"
                                    : ""));
        }
        var weights = new WeightFiles(folder.resolve(single ? SINGLE : INDEX));
        try {
            if (single) {
                weights.add(folder.resolve(SINGLE));
            } else {
                weights.addIndexed(folder);
            }
        } catch (RuntimeException | Error e) {
            weights.close();
            throw e;
        }
        return weights;
    }

    private void add(Path file) {
        var tensors = SafeTensors.open(file);
        files.add(tensors);
        for (var entry : tensors.entries()) {
            if (entries.put(entry.name(), entry) != null) {
                throw bad("the tensor '" + entry.name() + "' is in two files, one of them " + file);
            }
        }
    }

    private void addIndexed(Path folder) {
        var map = Json.read(path).path("weight_map");
        if (!map.isObject() || map.isEmpty()) {
            throw bad("has no weight_map of tensors to files");
        }
        var places = new TreeMap<String, String>();
        for (var place : map.properties()) {
            var file = place.getValue().asString("");
            if (!FILE_NAME.matcher(file).matches()) {
                throw bad(
                        "the tensor '"
                                + place.getKey()
                                + "' is said to be in "
                                + place.getValue()
                                + "; the name of a .safetensors file in the same folder is needed");
            }
            places.put(place.getKey(), file);
        }
        for (var file : new TreeSet<>(places.values())) {
            if (!Files.isRegularFile(folder.resolve(file))) {
                throw bad("names the file " + file + ", which is missing");
            }
            add(folder.resolve(file));
            for (var entry : files.getLast().entries()) {
                if (!file.equals(places.remove(entry.name()))) {
                    throw bad("does not say that the tensor '" + entry.name() + "' is in " + file);
                }
            }
        }
        if (!places.isEmpty()) {
            var first = places.firstEntry();
            throw bad(
                    "says that the tensor '"
                            + first.getKey()
                            + "' is in "
                            + first.getValue()
                            + ", which does not hold it");
        }
    }

    private EspalierException bad(String message) {
        return EspalierException.data(path + ": " + message);
    }

    /// The file, or the index of the files, for messages.
    public Path path() {
        return path;
    }

    /// The tensors of all files; their data may be touched until [#close].
    public List<SafeTensors.Entry> entries() {
        return List.copyOf(entries.values());
    }

    public Optional<SafeTensors.Entry> find(String name) {
        return Optional.ofNullable(entries.get(name));
    }

    /// The numbers that all tensors hold together.
    public long elements() {
        return entries.values().stream()
                .mapToLong(e -> e.data().byteSize() / e.dtype().size())
                .sum();
    }

    /// Writes `tensors` into `folder`, which exists: one file, or several of at most `limit` bytes
    /// and their index, cut in the order given.
    static void write(Path folder, List<SafeTensors.Entry> tensors, long limit) {
        var shards = new ArrayList<List<SafeTensors.Entry>>();
        var size = 0L;
        var total = 0L;
        for (var tensor : tensors) {
            var bytes = tensor.data().byteSize();
            if (shards.isEmpty() || size + bytes > limit) {
                shards.add(new ArrayList<>());
                size = 0;
            }
            shards.getLast().add(tensor);
            size += bytes;
            total += bytes;
        }
        if (shards.size() <= 1) {
            SafeTensors.write(folder.resolve(SINGLE), tensors);
            return;
        }
        var index = JsonNodeFactory.instance.objectNode();
        index.putObject("metadata").put("total_size", total);
        var map = index.putObject("weight_map");
        for (var i = 0; i < shards.size(); i++) {
            var name = "model-%05d-of-%05d.safetensors".formatted(i + 1, shards.size());
            SafeTensors.write(folder.resolve(name), shards.get(i));
            shards.get(i).forEach(tensor -> map.put(tensor.name(), name));
        }
        AtomicFiles.write(folder.resolve(INDEX), PythonJson.write(index, true));
    }

    @Override
    public void close() {
        files.forEach(SafeTensors::close);
    }
}
