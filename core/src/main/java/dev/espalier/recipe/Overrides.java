package dev.espalier.recipe;

import dev.espalier.EspalierException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Lays `path=value` over a recipe: `training.batch=8`, `data.sources[0].path=books/*.txt`. A value
/// that starts with `{`, `[` or a quote is YAML, any other is taken as it stands, so that globs
/// need no quoting. A list grows by its next index.
final class Overrides {
    private static final Pattern PART = Pattern.compile("([A-Za-z0-9_-]+)((?:\\[\\d{1,6}\\])*)");

    private Overrides() {}

    static Node apply(Node root, List<String> overrides) {
        var result = root;
        for (var override : overrides) {
            result = apply(result, override);
        }
        return result;
    }

    private static Node apply(Node root, String override) {
        var equals = override.indexOf('=');
        if (equals < 1) {
            throw EspalierException.usage(
                    "--set " + override + ": is not `path=value`, such as `training.batch=8`");
        }
        var path = override.substring(0, equals).strip();
        var text = override.substring(equals + 1).strip();
        var source = "--set " + path;
        var place = new Node.Place(source, 0, 0);
        var value =
                !text.isEmpty() && "{[\"'".indexOf(text.charAt(0)) >= 0
                        ? YamlReader.read(text, source)
                        : new Node.Scalar(place, text, true);
        return set(root, steps(path, source), 0, value, place);
    }

    /// Keys as text and indices as numbers, from the root inwards.
    private static List<Object> steps(String path, String source) {
        var steps = new ArrayList<>();
        for (var part : path.split("\\.", -1)) {
            var match = PART.matcher(part);
            if (!match.matches()) {
                throw EspalierException.usage(
                        source
                                + ": is not a path of keys, such as `training.batch` or `data.sources[0].path`");
            }
            steps.add(match.group(1));
            for (var index : match.group(2).split("[\\[\\]]+")) {
                if (!index.isEmpty()) {
                    steps.add(Integer.valueOf(index));
                }
            }
        }
        return steps;
    }

    private static Node set(
            @Nullable Node node, List<Object> steps, int at, Node value, Node.Place place) {
        if (at == steps.size()) {
            return value;
        }
        return switch (steps.get(at)) {
            case String key -> {
                var mapping = mapping(node, steps, at, place);
                var entries = new LinkedHashMap<>(mapping.entries());
                entries.put(
                        key,
                        new Node.Entry(place, set(mapping.get(key), steps, at + 1, value, place)));
                yield new Node.Mapping(mapping.place(), entries);
            }
            case Integer index -> {
                var items = new ArrayList<>(items(node, steps, at, place));
                if (index > items.size()) {
                    throw EspalierException.usage(
                            place
                                    + ": "
                                    + written(steps, at)
                                    + " has "
                                    + items.size()
                                    + " items, so the next is ["
                                    + items.size()
                                    + "]");
                }
                var old = index < items.size() ? items.get(index) : null;
                var changed = set(old, steps, at + 1, value, place);
                if (old == null) {
                    items.add(changed);
                } else {
                    items.set(index, changed);
                }
                yield new Node.Sequence(node == null ? place : node.place(), items);
            }
            default -> throw new IllegalStateException("a step is a key or an index");
        };
    }

    private static Node.Mapping mapping(
            @Nullable Node node, List<Object> steps, int at, Node.Place place) {
        return switch (node) {
            case null -> new Node.Mapping(place, new LinkedHashMap<>());
            case Node.Mapping mapping -> mapping;
            case Node.Scalar s when s.isNull() || s.says("none") || s.says("auto") ->
                    new Node.Mapping(place, new LinkedHashMap<>());
            case Node.Scalar kind -> {
                // The short form of a kind without settings; setting one needs the long form.
                var entries = new LinkedHashMap<String, Node.Entry>();
                entries.put("type", new Node.Entry(kind.place(), kind));
                yield new Node.Mapping(kind.place(), entries);
            }
            case Node.Sequence s ->
                    throw EspalierException.usage(
                            place
                                    + ": "
                                    + written(steps, at)
                                    + " is a list; name an item, such as [0]");
        };
    }

    private static List<Node> items(
            @Nullable Node node, List<Object> steps, int at, Node.Place place) {
        return switch (node) {
            case null -> List.of();
            case Node.Sequence sequence -> sequence.items();
            default ->
                    throw EspalierException.usage(
                            place + ": " + written(steps, at) + " is not a list");
        };
    }

    private static String written(List<Object> steps, int count) {
        var path = new StringBuilder();
        for (var step : steps.subList(0, count)) {
            path.append(
                    step instanceof Integer index
                            ? "[" + index + "]"
                            : (path.isEmpty() ? "" : ".") + step);
        }
        return path.isEmpty() ? "the recipe" : path.toString();
    }
}
