package dev.espalier.train;

import dev.espalier.EspalierException;
import dev.espalier.EspalierException.Kind;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.plan.History;
import dev.espalier.recipe.Recipe;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Runs that belong to something larger, a study say, each kept in its recipe's folder with what
/// came of it, under a key: a hash of [Run#inputs] and of what else goes into it. What is there
/// under its key is not made again; training that was interrupted goes on from its last checkpoint;
/// what has another key is made anew.
public final class KeptRuns {
    private static final String NOTE = "kept.json";

    private final Watcher watcher;
    private final Watcher inner;
    private final History history;
    private int made;
    private int kept;

    /// What stands in a run's folder from before its first step.
    ///
    /// @param done whether it came to its end, with `told`
    /// @param model whether the model was left there
    private record Note(String key, boolean done, boolean model, @Nullable JsonNode told) {}

    /// What comes of a run that left nothing: it ended beyond its forgetting budget before anything
    /// within it, or for its loss.
    public interface Beyond<T> {
        /// @param why in words
        T of(Run run, String why);
    }

    /// Runs that say nothing themselves.
    ///
    /// @param watcher is told which run is made, and may stop it
    /// @param history is told what each took, and what had been foreseen of it
    public KeptRuns(Watcher watcher, History history) {
        this(watcher, watcher.quiet(), history);
    }

    /// @param inner looks on while each run goes
    KeptRuns(Watcher watcher, Watcher inner, History history) {
        this.watcher = watcher;
        this.inner = inner;
        this.history = history;
    }

    /// As [#of], of a run that must leave something.
    public <T> T of(
            String name, Recipe recipe, String also, Class<T> type, Function<Run.Result, T> told) {
        return of(name, recipe, also, type, told, null);
    }

    /// What is told of the run of `recipe`, which is made if it is not there.
    ///
    /// @param name for a person
    /// @param also what else `told` depends on
    /// @param type what is told, which JSON can hold
    /// @param told looks at the finished run, and may delete what is not needed of it
    /// @param beyond what is told of a run that left nothing; null to fail then
    public <T> T of(
            String name,
            Recipe recipe,
            String also,
            Class<T> type,
            Function<Run.Result, T> told,
            @Nullable Beyond<T> beyond) {
        var run = new Run(recipe, history);
        var folder = recipe.output();
        var model = folder.resolve("model");
        var file = folder.resolve(NOTE);
        var inputs = run.inputs() + "\n" + also;
        var key =
                HexFormat.of()
                        .formatHex(AtomicFiles.sha256(inputs.getBytes(StandardCharsets.UTF_8)));
        var note = Files.isRegularFile(file) ? Json.read(file, Note.class) : null;
        var same = note != null && note.key().equals(key);
        if (note != null && same && note.done() && note.model() == Files.isDirectory(model)) {
            kept++;
            return read(file, note, type);
        }
        if (note == null ? Files.isDirectory(folder) : !same) {
            watcher.said(name + ": what went into it has changed; made again");
        }
        if (note == null || !same || note.done()) {
            AtomicFiles.delete(folder);
            write(file, new Note(key, false, false, null));
        }
        watcher.said(name);
        T result;
        try {
            result = told.apply(run.train(inner, true));
        } catch (EspalierException e) {
            if (beyond == null || e.kind() != Kind.CHECK && !run.diverged()) {
                deleteAlone(file);
                throw e;
            }
            // What the message says of going on does not hold here.
            var went = run.beyond();
            var reason = went == null ? String.valueOf(e.getMessage()) : went.reason();
            watcher.said(name + ": " + reason);
            result = beyond.of(run, reason);
        }
        AtomicFiles.delete(folder.resolve("checkpoints"));
        write(
                file,
                new Note(key, true, Files.isDirectory(model), Json.mapper().valueToTree(result)));
        made++;
        return result;
    }

    private static void write(Path file, Note note) {
        AtomicFiles.write(file, Json.pretty(note));
    }

    private static <T> T read(Path file, Note note, Class<T> type) {
        try {
            return Json.mapper().treeToValue(note.told(), type);
        } catch (JacksonException e) {
            throw EspalierException.data(
                    "%s: not what a run leaves (%s); delete it to have the run made again"
                            .formatted(file, Json.why(e)),
                    e);
        }
    }

    /// A run that was refused leaves nothing, nor does its note.
    private static void deleteAlone(Path note) {
        var folder = note.resolveSibling("");
        try (var files = Files.list(folder)) {
            if (files.allMatch(note::equals)) {
                AtomicFiles.delete(folder);
            }
        } catch (IOException e) {
            throw AtomicFiles.failure(folder, e);
        }
    }

    /// How many runs were made.
    public int made() {
        return made;
    }

    /// How many were there.
    public int kept() {
        return kept;
    }
}
