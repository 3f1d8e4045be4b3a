package dev.espalier.recipe;

import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// Makes records of [Node]s. Goes on after a mistake, so that all of them are reported together.
final class Binder {
    /// Stands for a value that could not be made; the reason is among the problems.
    private static final Object BROKEN = new Object();

    private final Problems problems;

    Binder(Problems problems) {
        this.problems = problems;
    }

    /// The record of `type` that `node` describes, or null if something is wrong with it.
    <T extends Record> @Nullable T bind(
            Class<T> type, Node.Mapping node, Map<String, Class<?>> siblings) {
        problems.place("", node.place());
        var made = record(type, node, "", siblings);
        return made == BROKEN ? null : type.cast(made);
    }

    private Object record(
            Class<?> type, Node.Mapping node, String path, Map<String, Class<?>> siblings) {
        var fields = Shape.fields(type);
        var values = new ArrayList<@Nullable Object>();
        for (var field : fields) {
            values.add(field(field, node, path.isEmpty() ? field.key() : path + "." + field.key()));
        }
        var keys = new ArrayList<>(fields.stream().map(Shape.Field::key).toList());
        if (!siblings.isEmpty() && !path.isEmpty() && !Shape.kind(type).isEmpty()) {
            keys.addFirst("type");
        }
        node.entries()
                .forEach((key, entry) -> {
                    if (!keys.contains(key)) {
                        unknown(entry.place(), path, key, keys, type, siblings);
                    }
                });
        return values.contains(BROKEN) ? BROKEN : Shape.make(type, values);
    }

    private void unknown(
            Node.Place place,
            String path,
            String key,
            List<String> keys,
            Class<?> type,
            Map<String, Class<?>> siblings) {
        var at = path.isEmpty() ? key : path + "." + key;
        var others = new TreeSet<String>();
        siblings.forEach((kind, sibling) -> {
            if (sibling != type
                    && Shape.fields(sibling).stream().anyMatch(f -> f.key().equals(key))) {
                others.add(kind.isEmpty() ? "the kind without a type" : "`" + kind + "`");
            }
        });
        problems.add(
                place,
                at,
                others.isEmpty()
                        ? "there is no such key" + Problems.instead(key, keys)
                        : "is a key of "
                                + String.join(" and ", others)
                                + ", not of this; allowed: "
                                + String.join(", ", keys));
    }

    private @Nullable Object field(Shape.Field field, Node.Mapping owner, String path) {
        var entry = owner.entries().get(field.key());
        var below = field.byDefault();
        if (entry == null && below == null) {
            problems.add(owner.place(), path, "is missing; it says: " + field.doc().value());
            return BROKEN;
        }
        if (entry != null) {
            problems.place(path, entry.place());
        }
        var given = entry == null ? below : Shape.overlay(below, entry.value());
        if (given == null) {
            throw new IllegalStateException("neither given nor by default: " + path);
        }
        if (field.nullable()
                && given instanceof Node.Scalar word
                && (word.isNull() || word.says(field.doc().nothing()))) {
            return null;
        }
        if (given instanceof Node.Scalar word && word.isNull()) {
            problems.add(
                    entry == null ? owner.place() : entry.place(),
                    path,
                    "has no value; it says: " + field.doc().value());
            return BROKEN;
        }
        return value(field.type(), given, path, field);
    }

    private Object value(Type type, Node node, String path, Shape.Field field) {
        if (type instanceof ParameterizedType list) {
            return list(list.getActualTypeArguments()[0], node, path, field);
        }
        if (!(type instanceof Class<?> plain)) {
            throw new IllegalStateException("no way to read " + type);
        }
        if (Shape.isChoice(plain)) {
            return choice(plain, node, path);
        }
        if (plain.isRecord() && plain != Duration.class) {
            return node instanceof Node.Mapping mapping
                    ? record(plain, mapping, path, Map.of())
                    : wrong(
                            node,
                            path,
                            "is "
                                    + described(node)
                                    + ", not a mapping of keys; allowed: "
                                    + keys(plain));
        }
        if (!(node instanceof Node.Scalar scalar)) {
            return wrong(node, path, "is " + described(node) + ", not " + expected(plain, field));
        }
        var value = scalar(plain, scalar.text());
        if (value == null) {
            return plain.isEnum()
                    ? wrong(
                            node,
                            path,
                            "`"
                                    + scalar.text()
                                    + "` is not known"
                                    + Problems.instead(scalar.text(), Shape.words(plain)))
                    : wrong(node, path, "`" + scalar.text() + "` is not " + expected(plain, field));
        }
        if (value instanceof Number number
                && !field.doc().in().isEmpty()
                && !Interval.of(field.doc().in()).contains(number.doubleValue())) {
            return wrong(node, path, "`" + scalar.text() + "` is not " + expected(plain, field));
        }
        return value;
    }

    private Object list(Type of, Node node, String path, Shape.Field field) {
        if (node instanceof Node.Scalar && of == String.class) {
            var only = value(of, node, path, field);
            return only == BROKEN ? BROKEN : List.of(only);
        }
        if (!(node instanceof Node.Sequence sequence)) {
            return wrong(node, path, "is " + described(node) + ", not a list");
        }
        var values = new ArrayList<>();
        for (var item : sequence.items()) {
            var at = path + "[" + values.size() + "]";
            problems.place(at, item.place());
            values.add(value(of, item, at, field));
        }
        return values.contains(BROKEN) ? BROKEN : values;
    }

    private Object choice(Class<?> sealed, Node node, String path) {
        var kinds = Shape.kinds(sealed);
        var words = kinds.keySet().stream().filter(word -> !word.isEmpty()).toList();
        return switch (node) {
            // A kind without settings of its own is as clear without the mapping.
            case Node.Scalar word -> {
                var kind = kinds.get(word.text());
                yield kind == null || word.text().isEmpty()
                        ? wrong(
                                node,
                                path,
                                "`"
                                        + word.text()
                                        + "` is not a type"
                                        + Problems.instead(word.text(), words))
                        : record(kind, new Node.Mapping(word.place(), Map.of()), path, kinds);
            }
            case Node.Mapping mapping -> {
                var type = mapping.get("type");
                if (type == null
                        && kinds.get("") instanceof Class<?> untyped
                        && names(untyped, mapping)) {
                    yield record(untyped, mapping, path, kinds);
                }
                if (type == null) {
                    var alternative =
                            kinds.get("") instanceof Class<?> untyped
                                    ? "; or without a type: " + keys(untyped)
                                    : "";
                    yield wrong(
                            node,
                            path + ".type",
                            "is missing; allowed: " + String.join(", ", words) + alternative);
                }
                if (!(type instanceof Node.Scalar word)) {
                    yield wrong(
                            type,
                            path + ".type",
                            "is " + described(type) + ", not one of " + words);
                }
                var kind = word.text().isEmpty() ? null : kinds.get(word.text());
                yield kind == null
                        ? wrong(
                                type,
                                path + ".type",
                                "`"
                                        + word.text()
                                        + "` is not known"
                                        + Problems.instead(word.text(), words))
                        : record(kind, mapping, path, kinds);
            }
            case Node.Sequence list -> wrong(node, path, "is a list, not a mapping with a `type`");
        };
    }

    /// Whether `mapping` names a required key of the kind without a `type`.
    private static boolean names(Class<?> untyped, Node.Mapping mapping) {
        return Shape.fields(untyped).stream()
                .anyMatch(f -> f.required() && mapping.get(f.key()) != null);
    }

    private static @Nullable Object scalar(Class<?> type, String text) {
        if (type == String.class) {
            return text.isBlank() ? null : text;
        }
        if (type == Path.class) {
            try {
                return text.isBlank() ? null : Path.of(text);
            } catch (InvalidPathException e) {
                return null;
            }
        }
        if (type == boolean.class) {
            return text.equals("true") ? Boolean.TRUE : text.equals("false") ? Boolean.FALSE : null;
        }
        if (type == int.class || type == Integer.class) {
            var number = Numbers.whole(text, Integer.MAX_VALUE);
            return number == null ? null : (Integer) number.intValue();
        }
        if (type == long.class || type == Long.class) {
            return Numbers.whole(text, Long.MAX_VALUE);
        }
        if (type == double.class || type == Double.class) {
            var number = Numbers.fraction(text);
            return number == null || !Double.isFinite(number) ? null : number;
        }
        if (type == Duration.class) {
            return Numbers.duration(text);
        }
        if (type == Span.class) {
            return Numbers.span(text);
        }
        if (type.isEnum()) {
            for (var constant : type.getEnumConstants()) {
                if (Shape.word((Enum<?>) constant).equals(text)) {
                    return constant;
                }
            }
            return null;
        }
        throw new IllegalStateException("no way to read " + type);
    }

    private static String expected(Class<?> type, Shape.Field field) {
        var in = field.doc().in().isEmpty() ? "" : " in " + field.doc().in();
        var or = field.nullable() ? ", or `" + field.doc().nothing() + "`" : "";
        if (type == String.class) {
            return "a text" + or;
        }
        if (type == Path.class) {
            return "a path" + or;
        }
        if (type == boolean.class) {
            return "`true` or `false`";
        }
        if (type == Duration.class) {
            return "a duration; allowed: a number above 0 of steps, epochs or tokens, such as `2000 steps`,"
                    + " `3 epochs`, `50M tokens`"
                    + or;
        }
        if (type == Span.class) {
            return "a part of the run; allowed: a share such as `2%`, or a duration such as `100 steps`"
                    + or;
        }
        if (type == double.class || type == Double.class) {
            return "a number" + in + ", such as `0.05`, `5e-2`, `5%`" + or;
        }
        return "a whole number" + in + ", such as `1000`, `1_000`, `10k`" + or;
    }

    private static String keys(Class<?> record) {
        return String.join(", ", Shape.fields(record).stream().map(Shape.Field::key).toList());
    }

    private static String described(Node node) {
        return switch (node) {
            case Node.Scalar scalar -> "`" + scalar.text() + "`";
            case Node.Sequence list -> "a list";
            case Node.Mapping mapping -> "a mapping";
        };
    }

    private Object wrong(Node node, String path, String message) {
        problems.add(node.place(), path, message);
        return BROKEN;
    }
}
