package dev.espalier.checkpoint;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// JSON as Python's `json.dumps(…, indent=2, sort_keys=True)` writes it, so that a `config.json`
/// that nobody changed is written back byte for byte.
final class PythonJson {
    private PythonJson() {}

    /// With a newline at the end where `newline` says so: PEFT's files end without one.
    static String write(JsonNode node, boolean newline) {
        var out = new StringBuilder();
        write(node, "", out);
        return newline ? out.append('\n').toString() : out.toString();
    }

    private static void write(JsonNode node, String indent, StringBuilder out) {
        var inner = indent + "  ";
        if (node.isObject()) {
            var names = node.propertyNames().stream().sorted().toList();
            if (names.isEmpty()) {
                out.append("{}");
                return;
            }
            var separator = "{\n";
            for (var name : names) {
                out.append(separator).append(inner);
                string(name, out);
                out.append(": ");
                write(node.get(name), inner, out);
                separator = ",\n";
            }
            out.append('\n').append(indent).append('}');
        } else if (node.isArray()) {
            if (node.isEmpty()) {
                out.append("[]");
                return;
            }
            var separator = "[\n";
            for (var element : node) {
                out.append(separator).append(inner);
                write(element, inner, out);
                separator = ",\n";
            }
            out.append('\n').append(indent).append(']');
        } else if (node.isString()) {
            string(node.asString(), out);
        } else if (node.isFloatingPointNumber()) {
            out.append(number(node.asDouble()));
        } else {
            out.append(node);
        }
    }

    /// Non-ASCII characters are escaped, as Python's default has it.
    private static void string(String text, StringBuilder out) {
        for (var c : JsonNodeFactory.instance.stringNode(text).toString().toCharArray()) {
            if (c < 0x7f) {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
    }

    /// Python's `repr` of a float: the shortest digits, an exponent of two digits below 1e-4 and
    /// from 1e16.
    static String number(double value) {
        var magnitude = Math.abs(value);
        if (magnitude == 0 || magnitude >= 1e-4 && magnitude < 1e16) {
            var plain =
                    new java.math.BigDecimal(Double.toString(value))
                            .stripTrailingZeros()
                            .toPlainString();
            return plain.contains(".") ? plain : plain + ".0";
        }
        var text = Double.toString(value).replace(".0E", "E");
        var e = text.indexOf('E');
        var exponent = Integer.parseInt(text.substring(e + 1));
        return text.substring(0, e)
                + String.format("e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
    }
}
