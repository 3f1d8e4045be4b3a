package dev.espalier.report;

import java.util.ArrayList;
import java.util.List;

/// A table of plain text for a terminal: columns of numbers to the right, all others to the left.
public final class TextTable {
    private static final String GAP = "  ";

    private TextTable() {}

    /// The table with a rule below the header; every line ends in a newline and has no trailing
    /// spaces. Control characters in cells become spaces, so that a cell can neither break a line
    /// nor steer the terminal.
    public static String render(List<String> columns, List<? extends List<String>> rows) {
        var header = columns.stream().map(TextTable::clean).toList();
        var body = new ArrayList<List<String>>();
        for (var row : rows) {
            if (row.size() != header.size()) {
                throw new IllegalArgumentException(
                        row.size() + " cells under " + header.size() + " columns");
            }
            body.add(row.stream().map(TextTable::clean).toList());
        }
        var widths = new int[header.size()];
        for (var c = 0; c < widths.length; c++) {
            widths[c] = width(header.get(c));
            for (var row : body) {
                widths[c] = Math.max(widths[c], width(row.get(c)));
            }
        }
        var right = numericColumns(header.size(), body);
        var out = new StringBuilder();
        line(out, header, widths, right);
        var total = GAP.length() * Math.max(0, widths.length - 1);
        for (var width : widths) {
            total += width;
        }
        out.append("─".repeat(total)).append('\n');
        body.forEach(row -> line(out, row, widths, right));
        return out.toString();
    }

    /// Which columns hold numbers alone; an empty cell fits into any.
    static boolean[] numericColumns(int columns, List<List<String>> rows) {
        var numeric = new boolean[columns];
        for (var c = 0; c < columns; c++) {
            var filled = false;
            var all = true;
            for (var row : rows) {
                var cell = row.get(c).strip();
                filled |= !cell.isEmpty();
                all &= cell.isEmpty() || Numbers.isNumeric(cell);
            }
            numeric[c] = filled && all;
        }
        return numeric;
    }

    /// Columns that a terminal needs for `text`: two for East Asian wide characters and emoji, none
    /// for combining marks and format characters.
    static int width(String text) {
        return text.codePoints().map(TextTable::width).sum();
    }

    private static int width(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT -> 0;
            default -> isWide(c) ? 2 : 1;
        };
    }

    private static boolean isWide(int c) {
        return c >= 0x1100 && c <= 0x115F
                || c >= 0x2E80 && c <= 0xA4CF && c != 0x303F
                || c >= 0xAC00 && c <= 0xD7A3
                || c >= 0xF900 && c <= 0xFAFF
                || c >= 0xFE30 && c <= 0xFE6F
                || c >= 0xFF00 && c <= 0xFF60
                || c >= 0xFFE0 && c <= 0xFFE6
                || c >= 0x20000 && c <= 0x3FFFD
                || Character.isEmojiPresentation(c);
    }

    private static String clean(String cell) {
        return cell.codePoints()
                .map(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029 ? ' ' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private static void line(StringBuilder out, List<String> cells, int[] widths, boolean[] right) {
        var line = new StringBuilder();
        for (var c = 0; c < widths.length; c++) {
            var padding = " ".repeat(widths[c] - width(cells.get(c)));
            line.append(c == 0 ? "" : GAP);
            line.append(right[c] ? padding + cells.get(c) : cells.get(c) + padding);
        }
        out.append(line.toString().stripTrailing()).append('\n');
    }
}
