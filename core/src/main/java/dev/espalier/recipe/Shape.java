package dev.espalier.recipe;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// What the records of this package look like as YAML. The one place that asks the records for
/// their components; the reader, the writer, the schema and the reference all go by it.
final class Shape {
    private Shape() {}

    /// A component of a record: its key, its type and its [Doc].
    record Field(String key, Type type, boolean nullable, Doc doc, RecordComponent component) {
        boolean required() {
            return doc.byDefault().isEmpty();
        }

        /// What stands where the recipe says nothing; null if the key is required.
        @Nullable Node byDefault() {
            return required() ? null : YamlReader.read(doc.byDefault(), "the default of " + key);
        }

        @Nullable Object of(Object owner) {
            try {
                return component.getAccessor().invoke(owner);
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException(
                        "a record that cannot be read: " + owner.getClass(), e);
            }
        }
    }

    /// The fields of a record, in its order.
    static List<Field> fields(Class<?> type) {
        var fields = new ArrayList<Field>();
        for (var component : type.getRecordComponents()) {
            var doc = doc(component);
            fields.add(
                    new Field(
                            doc.key().isEmpty() ? kebab(component.getName()) : doc.key(),
                            component.getGenericType(),
                            component.getAnnotatedType().isAnnotationPresent(Nullable.class),
                            doc,
                            component));
        }
        return fields;
    }

    /// The kinds of a sealed type by their `type`; the one without a `type` is under "".
    static Map<String, Class<?>> kinds(Class<?> sealed) {
        var kinds = new LinkedHashMap<String, Class<?>>();
        for (var kind : sealed.getPermittedSubclasses()) {
            kinds.put(kind(kind), kind);
        }
        return kinds;
    }

    /// The `type` of a kind; "" for the one that has none.
    static String kind(Class<?> record) {
        var doc = doc(record);
        return doc.untyped() ? "" : doc.key().isEmpty() ? kebab(record.getSimpleName()) : doc.key();
    }

    /// Whether `type` is one whose kinds a recipe chooses by `type`; a [Span] goes by its text.
    static boolean isChoice(Type type) {
        return type instanceof Class<?> c && c.isSealed() && c != Span.class;
    }

    static Doc doc(AnnotatedElement element) {
        return Objects.requireNonNull(
                element.getAnnotation(Doc.class), () -> "no @Doc on " + element);
    }

    /// The constants of an enum as a recipe writes them.
    static List<String> words(Class<?> enumeration) {
        return Arrays.stream(enumeration.getEnumConstants()).map(c -> word((Enum<?>) c)).toList();
    }

    static String word(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    static Object make(Class<?> record, List<@Nullable Object> values) {
        var types =
                Arrays.stream(record.getRecordComponents())
                        .map(RecordComponent::getType)
                        .toArray(Class<?>[]::new);
        try {
            return record.getDeclaredConstructor(types).newInstance(values.toArray());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("a record that cannot be made: " + record, e);
        }
    }

    private static String kebab(String camel) {
        return camel.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "-").toLowerCase(Locale.ROOT);
    }

    /// `given` laid over `below`, key by key; where it chooses another `type`, alone.
    static Node overlay(@Nullable Node below, Node given) {
        if (!(below instanceof Node.Mapping base)) {
            return given;
        }
        if (given instanceof Node.Scalar word) {
            return base.get("type") instanceof Node.Scalar type && word.says(type.text())
                    ? base
                    : given;
        }
        if (!(given instanceof Node.Mapping over)) {
            return given;
        }
        if (over.get("type") instanceof Node.Scalar wanted
                && base.get("type") instanceof Node.Scalar usual
                && !wanted.text().equals(usual.text())) {
            return given;
        }
        var entries = new LinkedHashMap<>(base.entries());
        over.entries()
                .forEach((key, entry) ->
                        entries.put(
                                key,
                                new Node.Entry(
                                        entry.place(), overlay(base.get(key), entry.value()))));
        return new Node.Mapping(over.place(), entries);
    }
}
