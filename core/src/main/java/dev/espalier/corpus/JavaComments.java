package dev.espalier.corpus;

import java.util.ArrayList;
import java.util.List;

/// Finds the documentation comments of a Java source file: `/** … */`, and runs of lines that begin
/// with `///` (JEP 467).
final class JavaComments {
    /// A comment without its frame.
    record Comment(String text, boolean markdown) {}

    private JavaComments() {}

    static List<Comment> of(String source) {
        var comments = new ArrayList<Comment>();
        var run = new StringBuilder();
        var length = source.length();
        for (var i = 0; i < length; ) {
            var c = source.charAt(i);
            if (c <= ' ') {
                i++;
                continue;
            }
            if (c == '/' && source.startsWith("///", i)) {
                var end = end(source.indexOf('\n', i), length);
                run.append(source, i + 3, end).append('\n');
                i = end;
                continue;
            }
            if (!run.isEmpty()) {
                comments.add(new Comment(run.toString(), true));
                run.setLength(0);
            }
            if (c == '/' && source.startsWith("//", i)) {
                i = end(source.indexOf('\n', i), length);
            } else if (c == '/' && source.startsWith("/*", i)) {
                var close = source.indexOf("*/", i + 2);
                var end = end(close, length);
                if (source.startsWith("/**", i) && end > i + 3) {
                    comments.add(new Comment(unframed(source.substring(i + 3, end)), false));
                }
                i = close < 0 ? length : close + 2;
            } else if (c == '"' && source.startsWith("\"\"\"", i)) {
                i = afterQuotes(source, i + 3, "\"\"\"");
            } else if (c == '"' || c == '\'') {
                i = afterQuotes(source, i + 1, String.valueOf(c));
            } else {
                i++;
            }
        }
        if (!run.isEmpty()) {
            comments.add(new Comment(run.toString(), true));
        }
        return comments;
    }

    private static int end(int found, int length) {
        return found < 0 ? length : found;
    }

    private static int afterQuotes(String source, int from, String quote) {
        for (var i = from; i < source.length(); i++) {
            if (source.charAt(i) == '\\') {
                i++;
            } else if (source.startsWith(quote, i)) {
                return i + quote.length();
            } else if (quote.length() == 1 && source.charAt(i) == '\n') {
                return i;
            }
        }
        return source.length();
    }

    /// Without the stars that lines begin with.
    private static String unframed(String comment) {
        var text = new StringBuilder(comment.length());
        for (var line : comment.split("\n", -1)) {
            var i = 0;
            while (i < line.length() && (line.charAt(i) == ' ' || line.charAt(i) == '\t')) {
                i++;
            }
            var stars = i;
            while (stars < line.length() && line.charAt(stars) == '*') {
                stars++;
            }
            text.append(line, stars > i ? stars : 0, line.length()).append('\n');
        }
        return text.toString();
    }
}
