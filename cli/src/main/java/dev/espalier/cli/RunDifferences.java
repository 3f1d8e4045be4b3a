package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.Checkpoints;
import dev.espalier.io.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What of two finished runs of one recipe must be equal bit for bit, and what of it is not: the
/// model, the last checkpoint's model, weights and optimizer state, the metrics of every step, the
/// evaluations. What measures time and memory is left out.
///
/// @param compared what was compared
/// @param found where the runs differ; empty if they are equal
record RunDifferences(List<String> compared, List<String> found) {
    private static final Set<String> MEASURED =
            Set.of("tokens-per-second", "matmul-share", "memory", "seconds");

    static RunDifferences between(Path whole, Path other) {
        var differences = new RunDifferences(new ArrayList<>(), new ArrayList<>());
        try {
            differences.folder("model", whole.resolve("model"), other.resolve("model"));
            differences.checkpoints(whole.resolve("checkpoints"), other.resolve("checkpoints"));
            differences.lines(whole.resolve("metrics.jsonl"), other.resolve("metrics.jsonl"));
            differences.file(
                    "evaluation.json",
                    whole.resolve("evaluation.json"),
                    other.resolve("evaluation.json"));
        } catch (IOException | UncheckedIOException e) {
            throw EspalierException.data(other + ": cannot be compared (" + e + ")", e);
        }
        return differences;
    }

    private void checkpoints(Path whole, Path other) throws IOException {
        var ours = new Checkpoints(whole).last();
        var theirs = new Checkpoints(other).last();
        if (ours.isEmpty() || theirs.isEmpty() || ours.get().step() != theirs.get().step()) {
            found.add("checkpoints: the last are " + ours + " and " + theirs);
            return;
        }
        var name = "checkpoints/" + ours.get().folder().getFileName();
        folder(name + "/model", ours.get().model(), theirs.get().model());
        folder(name + "/resume", ours.get().resume(), theirs.get().resume());
    }

    private void folder(String name, Path whole, Path other) throws IOException {
        var files = files(whole);
        if (!files.equals(files(other))) {
            found.add(name + ": holds " + files + " and " + files(other));
            return;
        }
        for (var file : files) {
            file(name + "/" + file, whole.resolve(file), other.resolve(file));
        }
    }

    private static TreeSet<String> files(Path folder) throws IOException {
        try (var walk = Files.walk(folder)) {
            var names = new TreeSet<String>();
            walk.filter(Files::isRegularFile)
                    .forEach(file -> names.add(folder.relativize(file).toString()));
            return names;
        }
    }

    private void file(String name, Path whole, Path other) throws IOException {
        compared.add(name);
        if (name.endsWith("/trainer.json")) {
            if (!timeless(Json.read(whole)).equals(timeless(Json.read(other)))) {
                found.add(name + ": differs");
            }
            return;
        }
        var at = Files.mismatch(whole, other);
        if (at >= 0) {
            found.add(name + ": differs from byte " + at + " on");
        }
    }

    private void lines(Path whole, Path other) throws IOException {
        List<String> ours = Files.readAllLines(whole), theirs = Files.readAllLines(other);
        compared.add("metrics.jsonl (" + ours.size() + " steps)");
        if (ours.size() != theirs.size()) {
            found.add("metrics.jsonl: %d and %d lines".formatted(ours.size(), theirs.size()));
            return;
        }
        for (var i = 0; i < ours.size(); i++) {
            var mine = timeless(Json.mapper().readTree(ours.get(i)));
            var yours = timeless(Json.mapper().readTree(theirs.get(i)));
            if (!mine.equals(yours)) {
                found.add("metrics.jsonl, line %d: %s and %s".formatted(i + 1, mine, yours));
                return;
            }
        }
    }

    private static JsonNode timeless(JsonNode json) {
        if (json instanceof ObjectNode object) {
            object.remove(MEASURED);
        }
        return json;
    }
}
