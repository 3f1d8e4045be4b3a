package dev.espalier.cli;

import dev.espalier.io.Json;
import dev.espalier.objective.ExampleText;
import dev.espalier.objective.ExampleText.Field;
import dev.espalier.objective.ExampleText.Mark;
import dev.espalier.objective.ExampleText.Piece;
import java.util.Locale;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Examples of a batch as text for a person: on a terminal in colour, elsewhere in brackets.
final class ShownExamples {
    private static final String RED = "\u001b[31m";
    private static final String GREEN = "\u001b[32m";
    private static final String YELLOW = "\u001b[33m";
    private static final String MAGENTA = "\u001b[35m";
    private static final String CYAN = "\u001b[36m";
    private static final String FAINT = "\u001b[2m";
    private static final String END = "\u001b[0m";

    private final boolean colour;

    ShownExamples(boolean colour) {
        this.colour = colour;
    }

    /// What the marks mean.
    String legend() {
        return colour
                ? "%s, %s, %s, %s, %s, %s"
                        .formatted(
                                GREEN + "to be told" + END,
                                RED + "hidden" + END,
                                MAGENTA + "random" + END,
                                YELLOW + "kept, and to be told" + END,
                                CYAN + "moved" + END,
                                FAINT + "cut" + END)
                : "[to be told]  {noise}  {seen|to be told}  <moved: ...>  <cut: ...>";
    }

    /// For programs, the marks' names in lower case.
    static JsonNode json(ExampleText example) {
        var texts = new ExampleText(example.where(), example.fields());
        ObjectNode json = Json.mapper().valueToTree(texts);
        json.remove("picture");
        for (var piece : json.findParents("mark")) {
            var mark = piece.path("mark").asString().toLowerCase(Locale.ROOT);
            ((ObjectNode) piece).put("mark", mark);
        }
        return json;
    }

    String text(ExampleText example) {
        return example.fields().stream()
                .map(this::text)
                .collect(Collectors.joining("\n", example.where() + "\n", "\n"));
    }

    private String text(Field field) {
        var text = field.pieces().stream().map(this::text).collect(Collectors.joining());
        return "  " + field.name() + ": " + text.replace("\n", "\n    ");
    }

    /// White space before a piece stands before its bracket, so that words are words.
    private String text(Piece piece) {
        var text = printable(piece.text());
        var start = text.length() - text.stripLeading().length();
        return start == text.length() && piece.target() == null
                ? marked(text, piece)
                : text.substring(0, start) + marked(text.substring(start), piece);
    }

    private String marked(String text, Piece piece) {
        var target = piece.target() == null ? null : printable(piece.target()).strip();
        if (colour) {
            var seen =
                    switch (piece.mark()) {
                        case READ -> text;
                        case TARGET -> GREEN + text + END;
                        case HIDDEN -> RED + text + END;
                        case RANDOM -> MAGENTA + text + END;
                        case KEPT -> YELLOW + text + END;
                        case MOVED -> CYAN + text + END;
                        case CUT -> FAINT + text + END;
                    };
            return target == null || piece.mark() == Mark.KEPT
                    ? seen
                    : seen + GREEN + "(" + target + ")" + END;
        }
        if (target != null) {
            return "{" + text + "|" + target + "}";
        }
        return switch (piece.mark()) {
            case READ -> text;
            case TARGET -> "[" + text + "]";
            case HIDDEN, RANDOM, KEPT -> "{" + text + "}";
            case MOVED -> "<moved: " + text + ">";
            case CUT -> "<cut: " + text + ">";
        };
    }

    /// Text from outside must not steer the terminal.
    private static String printable(String text) {
        return text.codePoints()
                .mapToObj(c ->
                        Character.getType(c) == Character.CONTROL && c != '\n' && c != '\t'
                                ? "\\u%04x".formatted(c)
                                : Character.toString(c))
                .collect(Collectors.joining());
    }
}
