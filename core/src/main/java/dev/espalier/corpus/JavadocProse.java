package dev.espalier.corpus;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Turns a documentation comment into the paragraphs that its reader sees: inline tags by what they
/// show, block tags as sentences, HTML and Markdown left out, and with them what is no prose:
/// `<pre>` blocks, snippets, `@see`, `@since`, authors and versions.
final class JavadocProse {
    /// Stands for a character of code or text that is no markup, so that `{@code a < b}` survives
    /// the removal of HTML. From the private use area, which no documentation uses.
    private static final char LESS = '\uE000';

    private static final char AND = '\uE001';
    private static final char AT = '\uE002';
    private static final char BACKTICK = '\uE003';
    private static final char STAR = '\uE004';
    private static final char UNDERSCORE = '\uE005';
    private static final char BRACKET = '\uE006';

    /// Elements that end a paragraph.
    private static final Set<String> BLOCKS =
            Set.of(
                    "p",
                    "ul",
                    "ol",
                    "li",
                    "dl",
                    "dt",
                    "dd",
                    "table",
                    "tr",
                    "thead",
                    "tbody",
                    "caption",
                    "h1",
                    "h2",
                    "h3",
                    "h4",
                    "h5",
                    "h6",
                    "div",
                    "blockquote",
                    "hr",
                    "pre",
                    "section",
                    "center",
                    "figure",
                    "figcaption",
                    "br");

    /// Elements whose content is no prose.
    private static final Set<String> SKIPPED =
            Set.of("pre", "script", "style", "svg", "math", "table");

    /// Block tags whose text is no prose.
    private static final Set<String> IGNORED =
            Set.of(
                    "see",
                    "since",
                    "author",
                    "version",
                    "serial",
                    "serialData",
                    "serialField",
                    "hidden",
                    "spec",
                    "jls",
                    "jvms",
                    "revised",
                    "provides",
                    "uses",
                    "bug",
                    "test",
                    "run",
                    "key",
                    "modules",
                    "build",
                    "compile",
                    "summary",
                    "toolGuide",
                    "sealedGraph");

    private static final Map<String, String> ENTITIES =
            Map.ofEntries(
                    Map.entry("lt", "<"),
                    Map.entry("gt", ">"),
                    Map.entry("amp", "&"),
                    Map.entry("quot", "\""),
                    Map.entry("apos", "'"),
                    Map.entry("nbsp", " "),
                    Map.entry("ndash", "\u2013"),
                    Map.entry("mdash", "\u2014"),
                    Map.entry("minus", "-"),
                    Map.entry("hellip", "\u2026"),
                    Map.entry("times", "\u00D7"),
                    Map.entry("le", "\u2264"),
                    Map.entry("ge", "\u2265"),
                    Map.entry("ne", "\u2260"),
                    Map.entry("lsquo", "\u2018"),
                    Map.entry("rsquo", "\u2019"),
                    Map.entry("ldquo", "\u201C"),
                    Map.entry("rdquo", "\u201D"),
                    Map.entry("copy", "\u00A9"),
                    Map.entry("reg", "\u00AE"),
                    Map.entry("trade", "\u2122"),
                    Map.entry("sect", "\u00A7"),
                    Map.entry("deg", "\u00B0"),
                    Map.entry("plusmn", "\u00B1"),
                    Map.entry("infin", "\u221E"),
                    Map.entry("pi", "\u03C0"),
                    Map.entry("rarr", "\u2192"),
                    Map.entry("larr", "\u2190"),
                    Map.entry("lbrace", "{"),
                    Map.entry("rbrace", "}"),
                    Map.entry("lbrack", "["),
                    Map.entry("rbrack", "]"),
                    Map.entry("commat", "@"),
                    Map.entry("ast", "*"),
                    Map.entry("num", "#"),
                    Map.entry("bull", "\u2022"),
                    Map.entry("middot", "\u00B7"),
                    Map.entry("eacute", "\u00E9"),
                    Map.entry("uuml", "\u00FC"),
                    Map.entry("ouml", "\u00F6"),
                    Map.entry("sum", "\u2211"),
                    Map.entry("radic", "\u221A"),
                    Map.entry("isin", "\u2208"),
                    Map.entry("lfloor", "\u230A"),
                    Map.entry("rfloor", "\u230B"),
                    Map.entry("delta", "\u03B4"),
                    Map.entry("thinsp", " "),
                    Map.entry("zwsp", ""),
                    Map.entry("shy", ""),
                    Map.entry("sup1", "\u00B9"),
                    Map.entry("sup2", "\u00B2"));

    private static final Pattern PACKAGES =
            Pattern.compile("\\b(?:[a-z_][a-z0-9_]*+\\.)++(?=[A-Z])");
    private static final Pattern SPACE = Pattern.compile("\\s+");

    private JavadocProse() {}

    /// The paragraphs of a comment.
    static List<String> paragraphs(JavaComments.Comment comment) {
        var shown = new StringBuilder();
        inline(comment.text(), 0, comment.text().length(), shown);
        var paragraphs = new ArrayList<String>();
        for (var block : blocks(shown.toString(), comment.markdown())) {
            var text = comment.markdown() ? markdown(block.text) : block.text;
            var first = true;
            for (var paragraph : html(text).split("\uE010")) {
                var clean = clean(paragraph);
                if (first) {
                    clean = block.sentence(clean);
                }
                first = false;
                if (isProse(clean)) {
                    paragraphs.add(clean);
                }
            }
        }
        return paragraphs;
    }

    /// A block tag and its text; the main description has no tag.
    private record Block(String tag, String text) {
        /// The block's first paragraph as a sentence.
        String sentence(String text) {
            return switch (tag) {
                case "return" -> text.isEmpty() ? "" : returns(text);
                case "param" -> {
                    var space = text.indexOf(' ');
                    yield space < 0
                            ? ""
                            : "Parameter "
                                    + text.substring(0, space)
                                    + ": "
                                    + text.substring(space + 1).strip();
                }
                case "throws", "exception" -> {
                    var space = text.indexOf(' ');
                    yield space < 0
                            ? ""
                            : "Throws "
                                    + simple(text.substring(0, space))
                                    + " "
                                    + text.substring(space + 1).strip();
                }
                case "deprecated" -> text.isEmpty() ? "" : "Deprecated. " + text;
                default -> text;
            };
        }
    }

    private static String returns(String text) {
        return text.regionMatches(true, 0, "return", 0, 6) ? text : "Returns " + text;
    }

    /// Splits at lines that begin with a block tag.
    private static List<Block> blocks(String text, boolean markdown) {
        var blocks = new ArrayList<Block>();
        var tag = "";
        var content = new StringBuilder();
        var fenced = false;
        for (var line : text.split("\n", -1)) {
            var stripped = line.stripLeading();
            if (markdown && (stripped.startsWith("```") || stripped.startsWith("~~~"))) {
                fenced = !fenced;
            }
            if (!fenced
                    && stripped.length() > 1
                    && stripped.charAt(0) == '@'
                    && Character.isLetter(stripped.charAt(1))) {
                add(blocks, tag, content);
                var end = 1;
                while (end < stripped.length()
                        && (Character.isLetterOrDigit(stripped.charAt(end))
                                || stripped.charAt(end) == '.')) {
                    end++;
                }
                tag = stripped.substring(1, end);
                content.setLength(0);
                content.append(stripped, end, stripped.length()).append('\n');
            } else {
                content.append(line).append('\n');
            }
        }
        add(blocks, tag, content);
        return blocks;
    }

    private static void add(List<Block> blocks, String tag, StringBuilder content) {
        var text = content.toString();
        var typeParameter = tag.equals("param") && text.stripLeading().startsWith("<");
        if (!IGNORED.contains(tag) && !typeParameter && !text.isBlank()) {
            blocks.add(new Block(tag, text));
        }
    }

    /// Replaces `{@tag …}` by what it shows.
    private static void inline(String text, int from, int to, StringBuilder shown) {
        for (var i = from; i < to; ) {
            var open = text.indexOf("{@", i);
            if (open < 0 || open >= to) {
                shown.append(text, i, to);
                return;
            }
            shown.append(text, i, open);
            var close = closing(text, open, to);
            var nameEnd = open + 2;
            while (nameEnd < close && Character.isLetter(text.charAt(nameEnd))) {
                nameEnd++;
            }
            show(text.substring(open + 2, nameEnd), text.substring(nameEnd, close), shown);
            i = Math.min(to, close + 1);
        }
    }

    /// The brace that closes the one at `open`; the end where there is none.
    private static int closing(String text, int open, int to) {
        var depth = 0;
        for (var i = open; i < to; i++) {
            var c = text.charAt(i);
            if (c == '{') {
                depth++;
            } else if (c == '}' && --depth == 0) {
                return i;
            }
        }
        return to;
    }

    private static void show(String tag, String content, StringBuilder shown) {
        var argument = content.strip();
        switch (tag) {
            case "code", "literal" -> protect(argument, shown);
            case "link", "linkplain" -> {
                var end = referenceEnd(argument);
                var label = argument.substring(end).strip();
                if (label.isEmpty()) {
                    protect(simple(argument.substring(0, end)), shown);
                } else {
                    inline(label, 0, label.length(), shown);
                }
            }
            case "value" -> protect(simple(argument), shown);
            case "index" -> {
                var quoted = argument.startsWith("\"") ? argument.indexOf('"', 1) : -1;
                var space = argument.indexOf(' ');
                shown.append(
                        quoted > 0
                                ? argument.substring(1, quoted)
                                : space < 0 ? argument : argument.substring(0, space));
            }
            case "return" -> {
                var inner = new StringBuilder();
                inline(argument, 0, argument.length(), inner);
                shown.append(returns(inner.toString()));
                if (!inner.isEmpty() && inner.charAt(inner.length() - 1) != '.') {
                    shown.append('.');
                }
            }
            case "summary", "systemProperty" -> inline(argument, 0, argument.length(), shown);
            case "jls", "jvms" -> {
                var space = argument.indexOf(' ');
                shown.append(
                        space < 0
                                ? tag.toUpperCase(Locale.ROOT) + " " + argument
                                : argument.substring(space + 1));
            }
            case "extLink" -> {
                var space = argument.indexOf(' ');
                shown.append(space < 0 ? "" : argument.substring(space + 1));
            }
            // Snippets are code; {@docRoot} stands in addresses; {@inheritDoc} repeats.
            default -> {}
        }
    }

    private static int referenceEnd(String argument) {
        var depth = 0;
        for (var i = 0; i < argument.length(); i++) {
            var c = argument.charAt(i);
            if (c == '(' || c == '<') {
                depth++;
            } else if (c == ')' || c == '>') {
                depth--;
            } else if (Character.isWhitespace(c) && depth <= 0) {
                return i;
            }
        }
        return argument.length();
    }

    /// A reference as the documentation shows it: without packages, `#` as a dot.
    static String simple(String reference) {
        var name = reference.strip();
        var module = name.indexOf('/');
        if (module >= 0 && module < name.length() - 1) {
            name = name.substring(module + 1);
        }
        var arguments = name.indexOf('(');
        var head = arguments < 0 ? name : name.substring(0, arguments);
        var from = 0;
        while (from < head.length() && Character.isLowerCase(head.charAt(from))) {
            var dot = head.indexOf('.', from);
            var hash = head.indexOf('#', from);
            if (dot < 0 || (hash >= 0 && hash < dot)) {
                break;
            }
            from = dot + 1;
        }
        // A package is shown whole.
        if (from > 0 && (from >= head.length() || !Character.isUpperCase(head.charAt(from)))) {
            from = 0;
        }
        var shown = head.substring(from).replace('#', '.');
        shown = shown.startsWith(".") ? shown.substring(1) : shown;
        return arguments < 0 ? shown : shown + shownArguments(name.substring(arguments));
    }

    /// The types of the parameters without their packages.
    private static String shownArguments(String arguments) {
        return SPACE.matcher(PACKAGES.matcher(arguments).replaceAll("")).replaceAll(" ");
    }

    private static void protect(String text, StringBuilder shown) {
        for (var i = 0; i < text.length(); i++) {
            var c = text.charAt(i);
            shown.append(
                    switch (c) {
                        case '<' -> LESS;
                        case '&' -> AND;
                        case '@' -> AT;
                        case '`' -> BACKTICK;
                        case '*' -> STAR;
                        case '_' -> UNDERSCORE;
                        case '[' -> BRACKET;
                        default -> c;
                    });
        }
    }

    /// Markdown in a comment: fenced and indented code left out, references by what they show.
    private static String markdown(String text) {
        var prose = new StringBuilder(text.length());
        var fenced = false;
        for (var line : text.split("\n", -1)) {
            var stripped = line.strip();
            if (stripped.startsWith("```") || stripped.startsWith("~~~")) {
                fenced = !fenced;
                prose.append('\n');
            } else if (!fenced && !stripped.startsWith("|")) {
                var item = stripped.startsWith("- ") || stripped.startsWith("* ");
                prose.append(item ? "\n" + stripped.substring(2) : stripped).append('\n');
            }
        }
        var joined = new StringBuilder();
        for (var paragraph : prose.toString().split("\n\n+")) {
            var line = Markdown.inline(paragraph.strip().replace('\n', ' '));
            joined.append(references(line)).append("\n\n");
        }
        return joined.toString();
    }

    /// `[java.util.List#of(Object)]` by what it shows.
    private static String references(String text) {
        var open = text.indexOf('[');
        if (open < 0) {
            return text;
        }
        var shown = new StringBuilder(text.length());
        var from = 0;
        while (open >= 0) {
            var close = text.indexOf(']', open);
            if (close < 0) {
                break;
            }
            shown.append(text, from, open);
            var inner = text.substring(open + 1, close);
            shown.append(inner.contains(" ") && !inner.contains("#") ? inner : simple(inner));
            from = close + 1;
            open = text.indexOf('[', from);
        }
        return shown.append(text, from, text.length()).toString();
    }

    /// Without HTML; U+E010 stands between paragraphs.
    private static String html(String text) {
        var shown = new StringBuilder(text.length());
        @Nullable String skipped = null;
        for (var i = 0; i < text.length(); ) {
            var c = text.charAt(i);
            if (c == '<') {
                var end = tagEnd(text, i);
                if (end > 0) {
                    var name = tagName(text, i);
                    var closes = text.charAt(i + 1) == '/';
                    if (skipped != null) {
                        if (closes && name.equals(skipped)) {
                            skipped = null;
                        }
                    } else if (!closes && SKIPPED.contains(name) && text.charAt(end - 2) != '/') {
                        skipped = name;
                    } else if (name.equals("sup") && !closes) {
                        shown.append('^');
                    } else if (name.equals("td") || name.equals("th")) {
                        shown.append(' ');
                    }
                    if (BLOCKS.contains(name)) {
                        shown.append('\uE010');
                    }
                    i = end;
                    continue;
                }
            }
            if (skipped != null) {
                i++;
            } else if (c == '&') {
                i = entity(text, i, shown);
            } else if (c == '\n' && blankLineAt(text, i)) {
                shown.append('\uE010');
                i++;
            } else {
                shown.append(c);
                i++;
            }
        }
        return shown.toString();
    }

    private static boolean blankLineAt(String text, int lineEnd) {
        for (var i = lineEnd + 1; i < text.length(); i++) {
            var c = text.charAt(i);
            if (c == '\n') {
                return true;
            }
            if (c != ' ' && c != '\t' && c != '\r') {
                return false;
            }
        }
        return false;
    }

    /// The place after the tag or comment that begins at `open`, or -1 if it is none.
    private static int tagEnd(String text, int open) {
        if (text.startsWith("<!--", open)) {
            var close = text.indexOf("-->", open);
            return close < 0 ? text.length() : close + 3;
        }
        var i = open + 1;
        if (i < text.length() && text.charAt(i) == '/') {
            i++;
        }
        if (i >= text.length() || !isAscii(text.charAt(i))) {
            return -1;
        }
        // Attributes rarely fill more than a few lines; a lone `<` must not swallow the rest.
        var close = text.indexOf('>', i);
        return close < 0 || close - open > 1000 ? -1 : close + 1;
    }

    private static String tagName(String text, int open) {
        var from = text.startsWith("</", open) ? open + 2 : open + 1;
        var to = from;
        while (to < text.length() && Character.isLetterOrDigit(text.charAt(to))) {
            to++;
        }
        return text.substring(from, to).toLowerCase(Locale.ROOT);
    }

    private static boolean isAscii(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static int entity(String text, int at, StringBuilder shown) {
        var end = at + 1;
        while (end < text.length()
                && end - at < 12
                && (Character.isLetterOrDigit(text.charAt(end)) || text.charAt(end) == '#')) {
            end++;
        }
        var name = text.substring(at + 1, end);
        @Nullable String shows = ENTITIES.get(name);
        if (shows == null && name.startsWith("#")) {
            shows = numeric(name.substring(1));
        }
        if (shows == null) {
            shown.append('&');
            return at + 1;
        }
        shown.append(shows);
        return end < text.length() && text.charAt(end) == ';' ? end + 1 : end;
    }

    private static @Nullable String numeric(String number) {
        try {
            var code =
                    number.startsWith("x") || number.startsWith("X")
                            ? Integer.parseInt(number.substring(1), 16)
                            : Integer.parseInt(number);
            return Character.isValidCodePoint(code) && code >= ' '
                    ? Character.toString(code)
                    : null;
        } catch (NumberFormatException e) {
            return null;
        }
    }

    /// One space between words, none before a comma or full stop, and protected characters back.
    private static String clean(String paragraph) {
        var text = new StringBuilder(paragraph.length());
        for (var i = 0; i < paragraph.length(); i++) {
            var c =
                    switch (paragraph.charAt(i)) {
                        case LESS -> '<';
                        case AND -> '&';
                        case AT -> '@';
                        case BACKTICK -> '`';
                        case STAR -> '*';
                        case UNDERSCORE -> '_';
                        case BRACKET -> '[';
                        case '\u00A0' -> ' ';
                        default -> paragraph.charAt(i);
                    };
            var last = text.isEmpty() ? ' ' : text.charAt(text.length() - 1);
            if (Character.isWhitespace(c)) {
                if (last != ' ') {
                    text.append(' ');
                }
                continue;
            }
            var next = i + 1 < paragraph.length() ? paragraph.charAt(i + 1) : ' ';
            if ((c == '.' || c == ',' || c == ';' || c == ')')
                    && last == ' '
                    && text.length() > 1
                    && (Character.isWhitespace(next) || next == '.')) {
                text.setLength(text.length() - 1);
            }
            text.append(c);
        }
        return text.toString().strip();
    }

    private static boolean isProse(String paragraph) {
        var letters = 0;
        for (var i = 0; i < paragraph.length(); i++) {
            letters += Character.isLetter(paragraph.charAt(i)) ? 1 : 0;
        }
        return letters * 2 > paragraph.length() && paragraph.indexOf(' ') > 0;
    }
}
