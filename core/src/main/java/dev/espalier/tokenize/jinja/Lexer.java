package dev.espalier.tokenize.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// A template's text as tokens, with the white space gone that its tags take with them: the line
/// end behind a block (`trim_blocks`), the indent before one (`lstrip_blocks`), and all of it on
/// the side of a `-`.
final class Lexer {
    /// What a token is.
    enum Kind {
        /// Text that is written as it stands.
        DATA,
        /// `{{` and `}}`.
        BEGIN_OUTPUT,
        END_OUTPUT,
        /// `{%` and `%}`.
        BEGIN_BLOCK,
        END_BLOCK,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    record Token(Kind kind, String text, int line) {
        boolean is(String operator) {
            return kind == Kind.OPERATOR && text.equals(operator);
        }

        boolean isName(String name) {
            return kind == Kind.NAME && text.equals(name);
        }
    }

    private static final Set<String> LONG_OPERATORS = Set.of("==", "!=", "<=", ">=", "//", "**");
    private static final String OPERATORS = "+-*/%~<>=.,:|()[]{}";

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int lineAt;

    private Lexer(String source) {
        this.source = source;
    }

    static List<Token> tokens(String template) {
        var source = template.replace("\r\n", "\n").replace('\r', '\n');
        if (source.endsWith("\n")) {
            source = source.substring(0, source.length() - 1);
        }
        var lexer = new Lexer(source);
        lexer.run();
        return lexer.tokens;
    }

    private int line(int place) {
        if (place < lineAt) {
            line = 1;
            lineAt = 0;
        }
        for (; lineAt < place; lineAt++) {
            line += source.charAt(lineAt) == '\n' ? 1 : 0;
        }
        return line;
    }

    private void add(Kind kind, String text, int place) {
        tokens.add(new Token(kind, text, line(place)));
    }

    private JinjaException broken(String what, int place) {
        return new JinjaException(what, line(place));
    }

    private void run() {
        var lineStarts = true;
        while (at < source.length()) {
            var tag = nextTag();
            var text = source.substring(at, tag);
            if (tag < source.length()) {
                var sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
                if (sign == '-') {
                    text = stripRight(text);
                } else if (sign != '+' && source.charAt(tag + 1) != '{') {
                    text = withoutIndent(text, lineStarts);
                }
            }
            if (!text.isEmpty()) {
                add(Kind.DATA, text, at);
            }
            at = tag;
            if (tag < source.length()) {
                lineStarts = tag(source.charAt(tag + 1));
            }
        }
        add(Kind.END, "", source.length());
    }

    private int nextTag() {
        for (var i = at; i + 1 < source.length(); i++) {
            if (source.charAt(i) == '{' && "{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return source.length();
    }

    private static String stripRight(String text) {
        var end = text.length();
        while (end > 0 && Text.isSpace(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(0, end);
    }

    private static String withoutIndent(String text, boolean lineStarts) {
        var start = text.lastIndexOf('\n') + 1;
        return (start > 0 || lineStarts) && text.substring(start).isBlank()
                ? text.substring(0, start)
                : text;
    }

    /// Reads the tag at `at`, and tells whether a line begins behind it.
    private boolean tag(char kind) {
        var begin = at;
        at += 2;
        if (kind == '#') {
            var end = source.indexOf("#}", at);
            if (end < 0) {
                throw broken("the comment '{#' does not end", begin);
            }
            at = end + 2;
            return after(end > begin + 2 ? source.charAt(end - 1) : ' ', true);
        }
        var sign = at < source.length() ? source.charAt(at) : ' ';
        if (sign == '-' || sign == '+') {
            at++;
        }
        add(kind == '{' ? Kind.BEGIN_OUTPUT : Kind.BEGIN_BLOCK, "{" + kind, begin);
        var close = kind == '{' ? "}}" : "%}";
        var open = 0;
        while (true) {
            while (at < source.length() && Text.isSpace(source.charAt(at))) {
                at++;
            }
            if (at >= source.length()) {
                throw broken("the tag '{" + kind + "' does not end", begin);
            }
            var c = source.charAt(at);
            var signed = (c == '-' || c == '+') && source.startsWith(close, at + 1);
            // Braces of a map that is not finished end no tag.
            if (open == 0 && (signed || source.startsWith(close, at))) {
                add(kind == '{' ? Kind.END_OUTPUT : Kind.END_BLOCK, close, at);
                at += signed ? 3 : 2;
                return after(signed ? c : ' ', kind == '%');
            }
            open += c == '{' ? 1 : c == '}' ? -1 : 0;
            token(c);
        }
    }

    /// Passes over the white space behind a tag that ends with `sign`.
    private boolean after(char sign, boolean trimsLineEnd) {
        if (sign == '-') {
            var from = at;
            while (at < source.length() && Text.isSpace(source.charAt(at))) {
                at++;
            }
            return at > from && source.charAt(at - 1) == '\n';
        }
        if (sign != '+' && trimsLineEnd && at < source.length() && source.charAt(at) == '\n') {
            at++;
            return true;
        }
        return false;
    }

    private void token(char c) {
        var from = at;
        if (c == '"' || c == '\'') {
            string(c);
        } else if (isDigit(c)) {
            number();
        } else if (Character.isUnicodeIdentifierStart(c) || c == '_') {
            while (at < source.length()
                    && (Character.isUnicodeIdentifierPart(source.charAt(at))
                            || source.charAt(at) == '_')) {
                at++;
            }
            add(Kind.NAME, source.substring(from, at), from);
        } else if (at + 1 < source.length()
                && LONG_OPERATORS.contains(source.substring(at, at + 2))) {
            at += 2;
            add(Kind.OPERATOR, source.substring(from, at), from);
        } else if (OPERATORS.indexOf(c) >= 0) {
            at++;
            add(Kind.OPERATOR, String.valueOf(c), from);
        } else {
            throw broken("the character '" + c + "' is not expected", from);
        }
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private void number() {
        var from = at;
        digits();
        var decimal =
                at + 1 < source.length()
                        && source.charAt(at) == '.'
                        && isDigit(source.charAt(at + 1));
        if (decimal) {
            at++;
            digits();
        }
        var text = source.substring(from, at).replace("_", "");
        if (text.length() > 18) {
            throw broken("the number " + text + " is too long", from);
        }
        add(decimal ? Kind.FLOAT : Kind.INTEGER, text, from);
    }

    private void digits() {
        while (at < source.length() && (isDigit(source.charAt(at)) || source.charAt(at) == '_')) {
            at++;
        }
    }

    /// A string, with the escapes of Python.
    private void string(char quote) {
        var from = at++;
        var text = new StringBuilder();
        while (at < source.length() && source.charAt(at) != quote) {
            var c = source.charAt(at++);
            if (c != '\\' || at == source.length()) {
                text.append(c);
                continue;
            }
            var escaped = source.charAt(at++);
            switch (escaped) {
                case 'n' -> text.append('\n');
                case 't' -> text.append('\t');
                case 'r' -> text.append('\r');
                case 'b' -> text.append('\b');
                case 'f' -> text.append('\f');
                case 'v' -> text.append('\u000b');
                case '0' -> text.append('\0');
                case '\n' -> {}
                case '\\', '\'', '"' -> text.append(escaped);
                case 'x' -> text.append((char) hex(2, from));
                case 'u' -> text.append((char) hex(4, from));
                case 'U' -> {
                    var point = hex(8, from);
                    if (!Character.isValidCodePoint(point)) {
                        throw broken("a string has an escape that is no character", from);
                    }
                    text.appendCodePoint(point);
                }
                default -> text.append('\\').append(escaped);
            }
        }
        if (at == source.length()) {
            throw broken("a string does not end", from);
        }
        at++;
        add(Kind.STRING, text.toString(), from);
    }

    private int hex(int digits, int string) {
        var value = 0;
        for (var i = 0; i < digits; i++) {
            var digit = at < source.length() ? Character.digit(source.charAt(at++), 16) : -1;
            if (digit < 0) {
                throw broken("a string has a broken escape", string);
            }
            value = value << 4 | digit;
        }
        return value;
    }
}
