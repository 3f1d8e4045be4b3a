package dev.espalier.recipe;

import dev.espalier.EspalierException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Reads recipes from YAML, and writes them back with every default written out.
///
/// Whatever is wrong with a recipe is reported in one [EspalierException] of kind USAGE, each
/// mistake with its file, line, column and key, what is wrong, and what is allowed. Recipes are
/// immutable; everything here may be called by many threads.
public final class Recipes {
    private static final Map<String, Class<?>> KINDS = kinds();

    private Recipes() {}

    /// The recipe in `file`. Its name is by default the file's.
    public static Recipe read(Path file) {
        return read(file, List.of());
    }

    /// The recipe in `file`, changed by overrides such as `training.batch=8` and
    /// `data.sources[0].path=books/*.txt`. The value of an override that starts with `{`, `[` or a
    /// quote is YAML; any other is taken as it stands.
    public static Recipe read(Path file, List<String> overrides) {
        var fileName = file.getFileName();
        var name = fileName == null ? "" : fileName.toString().replaceFirst("\\.[^.]*$", "");
        return bind(text(file), file.toString(), name, overrides);
    }

    /// The recipe in `yaml`, named `name` where it does not name itself.
    public static Recipe parse(String yaml, String name) {
        return parse(yaml, name, List.of());
    }

    /// As above, changed by overrides as [#read(Path, List)] has them.
    public static Recipe parse(String yaml, String name, List<String> overrides) {
        return bind(yaml, "recipe", name, overrides);
    }

    /// `recipe` as YAML with every default written out; [#parse] of it gives an equal recipe.
    public static String write(Recipe recipe) {
        return YamlWriter.write(recipe);
    }

    /// Where two recipes, as YAML, say different things: `training.batch: 16, was 8`.
    ///
    /// @throws EspalierException if one is no YAML
    public static List<String> changes(String before, String after) {
        var old = new TreeMap<String, String>();
        var now = new TreeMap<String, String>();
        flatten("", YamlReader.read(before, "the recipe before"), old);
        flatten("", YamlReader.read(after, "the recipe"), now);
        var paths = new TreeSet<>(old.keySet());
        paths.addAll(now.keySet());
        return paths.stream()
                .filter(path -> !Objects.equals(old.get(path), now.get(path)))
                .map(path ->
                        path
                                + ": "
                                + now.getOrDefault(path, "nothing")
                                + ", was "
                                + old.getOrDefault(path, "nothing"))
                .toList();
    }

    private static void flatten(String path, Node node, Map<String, String> to) {
        switch (node) {
            case Node.Scalar scalar -> to.put(path, scalar.text());
            case Node.Mapping mapping ->
                    mapping.entries()
                            .forEach((key, entry) ->
                                    flatten(
                                            path.isEmpty() ? key : path + "." + key,
                                            entry.value(),
                                            to));
            case Node.Sequence sequence -> {
                for (var i = 0; i < sequence.items().size(); i++) {
                    flatten(path + "[" + i + "]", sequence.items().get(i), to);
                }
            }
        }
    }

    private static Recipe bind(String yaml, String source, String name, List<String> overrides) {
        var root = Overrides.apply(YamlReader.read(yaml, source), overrides);
        if (!(root instanceof Node.Mapping mapping)) {
            throw EspalierException.usage(
                    source + ": is not a recipe; a recipe is a mapping of keys");
        }
        var problems = new Problems();
        var recipe = recipe(named(mapping, name), problems);
        if (recipe != null) {
            Checks.check(recipe, problems);
        }
        problems.throwIfAny(source);
        if (recipe == null) {
            throw new IllegalStateException("a recipe that is broken without a reason: " + source);
        }
        return recipe;
    }

    private static @Nullable Recipe recipe(Node.Mapping root, Problems problems) {
        var objective = root.entries().get("objective");
        var task = root.entries().get("task");
        if (objective != null && task != null) {
            problems.add(
                    task.place(),
                    "task",
                    "stands beside `objective`; a recipe with `objective` pre-trains, one with `task` fine-tunes:"
                            + " make it two recipes");
            return null;
        }
        if (objective == null && task == null) {
            for (var entry : root.entries().entrySet()) {
                var isTask = Problems.distance(entry.getKey(), "task") == 1;
                if (isTask || Problems.distance(entry.getKey(), "objective") <= 3) {
                    problems.add(
                            entry.getValue().place(),
                            entry.getKey(),
                            "there is no such key; did you mean `"
                                    + (isTask ? "task" : "objective")
                                    + "`?");
                    return null;
                }
            }
            problems.add(
                    root.place(),
                    "",
                    "says neither `objective`, such as {type: causal}, which pre-trains, nor `task`, such as"
                            + " {type: classification}, which fine-tunes");
            return null;
        }
        var binder = new Binder(problems);
        return objective != null
                ? binder.bind(PretrainRecipe.class, root, KINDS)
                : binder.bind(FinetuneRecipe.class, root, KINDS);
    }

    /// `root` with the two defaults that no annotation can hold.
    private static Node.Mapping named(Node.Mapping root, String fallback) {
        var entries = new LinkedHashMap<>(root.entries());
        if (!(entries.containsKey("name"))) {
            var name =
                    fallback.replaceAll("[^A-Za-z0-9._-]+", "-").replaceFirst("^[^A-Za-z0-9]+", "");
            entries.put("name", scalar(root.place(), name.isEmpty() ? "run" : name));
        }
        if (!entries.containsKey("output")
                && entries.get("name").value() instanceof Node.Scalar name) {
            entries.put("output", scalar(root.place(), "runs/" + name.text()));
        }
        return new Node.Mapping(root.place(), entries);
    }

    private static Node.Entry scalar(Node.Place place, String text) {
        return new Node.Entry(place, new Node.Scalar(place, text, false));
    }

    private static String text(Path file) {
        try (var in = Files.newInputStream(file)) {
            // A bound on what is read, since a file may be endless.
            var bytes = in.readNBytes(4 * YamlReader.MOST_CHARACTERS + 1);
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (NoSuchFileException e) {
            throw new EspalierException(
                    EspalierException.Kind.USAGE, file + ": there is no such file", e);
        } catch (CharacterCodingException e) {
            throw new EspalierException(
                    EspalierException.Kind.USAGE,
                    file + ": is not UTF-8 text, as a recipe must be",
                    e);
        } catch (IOException e) {
            throw new EspalierException(
                    EspalierException.Kind.USAGE,
                    file + ": cannot be read (" + e.getMessage() + ")",
                    e);
        }
    }

    private static Map<String, Class<?>> kinds() {
        var kinds = new LinkedHashMap<String, Class<?>>();
        kinds.put("pre-training", PretrainRecipe.class);
        kinds.put("fine-tuning", FinetuneRecipe.class);
        return kinds;
    }
}
