package dev.espalier.recipe;

import dev.espalier.io.Json;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The JSON Schema (draft 2020-12) of recipes, by which editors complete keys and mark mistakes. It
/// knows types, ranges and words; what must hold between values only the reader knows.
public final class RecipeSchema {
    private static final String NUMBER =
            "[+-]?(\\d[\\d_]*(\\.[\\d_]*)?|\\.\\d[\\d_]*)([eE][+-]?\\d{1,3})?[kKMGB]?";
    private static final String DURATION = NUMBER + "\\s+([sS]teps?|[eE]pochs?|[tT]okens?)";

    private RecipeSchema() {}

    /// The schema as JSON text, ending in a newline.
    public static String json() {
        var schema = new LinkedHashMap<String, Object>();
        schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
        schema.put("title", "A recipe of Espalier");
        schema.put("type", "object");
        schema.put("if", Map.of("required", List.of("task")));
        schema.put("then", Map.of("$ref", "#/$defs/finetune"));
        schema.put("else", Map.of("$ref", "#/$defs/pretrain"));
        var definitions = new LinkedHashMap<String, Object>();
        definitions.put("pretrain", record(PretrainRecipe.class, null, ""));
        definitions.put("finetune", record(FinetuneRecipe.class, null, ""));
        schema.put("$defs", definitions);
        return Json.pretty(schema);
    }

    /// A mapping of `type`'s keys. What `below` gives is not required, nor is `kind` where it does.
    private static Map<String, Object> record(Class<?> type, @Nullable Node below, String kind) {
        var base = below instanceof Node.Mapping mapping ? mapping : null;
        var properties = new LinkedHashMap<String, Object>();
        var required = new ArrayList<String>();
        if (!kind.isEmpty()) {
            properties.put("type", Map.of("const", kind));
            if (base == null || base.get("type") == null) {
                required.add("type");
            }
        }
        for (var field : Shape.fields(type)) {
            var given = base == null ? null : base.get(field.key());
            var own = field.byDefault();
            var under = given == null ? own : Shape.overlay(own, given);
            properties.put(field.key(), described(field, value(field.type(), field, under)));
            if (under == null) {
                required.add(field.key());
            }
        }
        var schema = new LinkedHashMap<String, Object>();
        schema.put("type", "object");
        schema.put("description", Shape.doc(type).value());
        schema.put("properties", properties);
        if (!required.isEmpty()) {
            schema.put("required", required);
        }
        schema.put("additionalProperties", false);
        return schema;
    }

    private static Map<String, Object> described(Shape.Field field, Map<String, Object> value) {
        var schema = new LinkedHashMap<String, Object>();
        var doc = field.doc();
        schema.put(
                "description",
                doc.value() + (field.required() ? "" : " Default: " + doc.byDefault()));
        if (field.nullable()) {
            schema.put(
                    "anyOf",
                    List.of(enumeration(List.of(doc.nothing())), Map.of("type", "null"), value));
        } else {
            schema.putAll(
                    value.containsKey("description") ? Map.of("allOf", List.of(value)) : value);
        }
        return schema;
    }

    private static Map<String, Object> value(Type type, Shape.Field field, @Nullable Node below) {
        if (type instanceof ParameterizedType list) {
            var of = list.getActualTypeArguments()[0];
            var many = new LinkedHashMap<String, Object>();
            many.put("type", "array");
            many.put("items", value(of, field, null));
            if (Shape.isChoice(of)) {
                many.put("minItems", 1);
            }
            return of == String.class ? Map.of("anyOf", List.of(text(), many)) : many;
        }
        if (!(type instanceof Class<?> plain)) {
            throw new IllegalStateException("no schema of " + type);
        }
        if (Shape.isChoice(plain)) {
            return choice(plain, below);
        }
        if (plain == Duration.class) {
            return pattern(DURATION);
        }
        if (plain == Span.class) {
            return pattern(DURATION + "|" + NUMBER + "\\s*%");
        }
        if (plain.isRecord()) {
            return record(plain, below, "");
        }
        if (plain.isEnum()) {
            return enumeration(Shape.words(plain));
        }
        if (plain == String.class || plain == Path.class) {
            return text();
        }
        if (plain == boolean.class) {
            return Map.of("type", "boolean");
        }
        var real = plain == double.class || plain == Double.class;
        return Map.of(
                "anyOf",
                List.of(
                        number(real ? "number" : "integer", field),
                        pattern(real ? NUMBER + "\\s*%?" : NUMBER)));
    }

    private static Map<String, Object> choice(Class<?> sealed, @Nullable Node below) {
        var options = new ArrayList<>();
        var words = new ArrayList<String>();
        var usual =
                below instanceof Node.Mapping m && m.get("type") instanceof Node.Scalar word
                        ? word.text()
                        : "";
        Shape.kinds(sealed)
                .forEach((kind, type) -> {
                    var under = !kind.isEmpty() && kind.equals(usual) ? below : null;
                    options.add(record(type, under, kind));
                    if (under != null
                            || Shape.fields(type).stream().noneMatch(Shape.Field::required)) {
                        words.add(kind);
                    }
                });
        if (!words.isEmpty()) {
            options.add(enumeration(words));
        }
        return Map.of("anyOf", options);
    }

    private static Map<String, Object> number(String type, Shape.Field field) {
        var schema = new LinkedHashMap<String, Object>();
        schema.put("type", type);
        if (!field.doc().in().isEmpty()) {
            var in = Interval.of(field.doc().in());
            schema.put(in.withLow() ? "minimum" : "exclusiveMinimum", in.low());
            if (Double.isFinite(in.high())) {
                schema.put(in.withHigh() ? "maximum" : "exclusiveMaximum", in.high());
            }
        }
        return schema;
    }

    private static Map<String, Object> text() {
        // Text that looks like a number or a word of YAML needs no quotes in a recipe.
        return Map.of("type", List.of("string", "number", "boolean"));
    }

    private static Map<String, Object> pattern(String pattern) {
        var schema = new LinkedHashMap<String, Object>();
        schema.put("type", "string");
        schema.put("pattern", "^(" + pattern + ")$");
        return schema;
    }

    private static Map<String, Object> enumeration(List<String> words) {
        return Map.of("enum", words);
    }
}
