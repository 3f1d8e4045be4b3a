package dev.espalier.recipe;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Records to YAML, every key written out: what [Binder] reads back to an equal record.
final class YamlWriter {
    /// Text that every YAML reader takes as the same text without quotes.
    private static final Pattern PLAIN =
            Pattern.compile("[A-Za-z_/](?:[A-Za-z0-9_./-]*[A-Za-z0-9_./])?");

    private static final Pattern WORD =
            Pattern.compile("(?i)true|false|null|yes|no|on|off|y|n|none|auto|all");

    private final StringBuilder out = new StringBuilder();

    private YamlWriter() {}

    static String write(Recipe recipe) {
        var writer = new YamlWriter();
        writer.fields(recipe, "");
        return writer.out.toString();
    }

    private void fields(Object owner, String indent) {
        for (var field : Shape.fields(owner.getClass())) {
            out.append(indent).append(field.key()).append(':');
            value(field, field.of(owner), indent);
        }
    }

    private void value(Shape.Field field, @Nullable Object value, String indent) {
        switch (value) {
            case List<?> list when !list.isEmpty() && list.getFirst() instanceof Record -> {
                out.append('\n');
                for (var item : list) {
                    var start = out.length();
                    block(field, item, indent + "    ");
                    out.replace(start, start + indent.length() + 4, indent + "  - ");
                }
            }
            case List<?> list ->
                    out.append(" [")
                            .append(
                                    String.join(
                                            ", ",
                                            list.stream().map(v -> scalar(field, v)).toList()))
                            .append("]\n");
            case Record record when !(record instanceof Span) -> {
                out.append('\n');
                block(field, record, indent + "  ");
            }
            case null -> out.append(' ').append(field.doc().nothing()).append('\n');
            default -> out.append(' ').append(scalar(field, value)).append('\n');
        }
    }

    private void block(Shape.Field field, Object record, String indent) {
        var kind = Shape.kind(record.getClass());
        var chosen = Arrays.stream(record.getClass().getInterfaces()).anyMatch(Shape::isChoice);
        if (chosen && record.getClass() != field.type() && !kind.isEmpty()) {
            out.append(indent).append("type: ").append(kind).append('\n');
        }
        fields(record, indent);
    }

    private static String scalar(Shape.Field field, Object value) {
        return switch (value) {
            case Double number -> Numbers.plain(number);
            case Enum<?> constant -> Shape.word(constant);
            case String text -> text(text);
            case Path path -> text(path.toString().replace('\\', '/'));
            case Span span -> span.toString();
            case Integer number -> number.toString();
            case Long number -> number.toString();
            case Boolean flag -> flag.toString();
            default ->
                    throw new IllegalStateException(
                            "no way to write " + field.key() + ": " + value.getClass());
        };
    }

    private static String text(String text) {
        if (PLAIN.matcher(text).matches() && !WORD.matcher(text).matches()) {
            return text;
        }
        var quoted = new StringBuilder("\"");
        text.codePoints()
                .forEach(c -> {
                    switch (c) {
                        case '"' -> quoted.append("\\\"");
                        case '\\' -> quoted.append("\\\\");
                        case '\n' -> quoted.append("\\n");
                        case '\t' -> quoted.append("\\t");
                        case '\r' -> quoted.append("\\r");
                        default -> {
                            if (c >= ' ' && c < 0x7f) {
                                quoted.appendCodePoint(c);
                            } else if (Character.isLetterOrDigit(c)) {
                                quoted.appendCodePoint(c);
                            } else {
                                quoted.append(String.format(c > 0xffff ? "\\U%08x" : "\\u%04x", c));
                            }
                        }
                    }
                });
        return quoted.append('"').toString();
    }
}
