package dev.espalier.corpus;

import java.util.regex.Pattern;

/// Markdown without its markup: what a reader of the rendered page would see, as plain paragraphs.
final class Markdown {
    private static final Pattern FRONT_MATTER =
            Pattern.compile("\\A---\n(?:(?!---\n).*+\n)*+---\n");
    private static final Pattern COMMENT = Pattern.compile("<!--(?:(?!-->)[\\s\\S])*+-->");
    private static final Pattern IMAGE = Pattern.compile("!\\[([^\\[\\]\n]*+)]\\([^()\n]*+\\)");
    private static final Pattern LINK =
            Pattern.compile("\\[([^\\[\\]\n]*+)](?:\\([^()\n]*+\\)|\\[[^\\[\\]\n]*+])");
    private static final Pattern TAG = Pattern.compile("</?[A-Za-z][^<>\n]{0,500}+>");
    private static final Pattern STRONG = Pattern.compile("(\\*\\*|__)(?=\\S)([^*_\n]++)\\1");
    private static final Pattern EMPHASIS =
            Pattern.compile("(?<![\\p{L}\\p{N}*_])([*_])(?=\\S)([^*_\n]++)\\1(?![\\p{L}\\p{N}*_])");
    private static final Pattern CODE = Pattern.compile("(?<!`)(`{1,2})(?!`)([^`\n]++)\\1(?!`)");
    private static final Pattern RULE = Pattern.compile(" {0,3}([-*_=])(?: *+\\1){2,}+ *+");
    private static final Pattern DEFINITION = Pattern.compile(" {0,3}\\[[^\\]\n]++]:\\s*+\\S++.*+");
    private static final Pattern TABLE_RULE = Pattern.compile("\\s*+\\|?[\\s:|-]*+-[\\s:|-]*+");
    private static final Pattern START = Pattern.compile("^ {0,3}(?:#{1,6}\\s++|(?:>\\s?+)++)");
    private static final Pattern HEADING_END = Pattern.compile("\\s++#++\\s*+$");

    private Markdown() {}

    static String text(String markdown) {
        var source =
                COMMENT.matcher(FRONT_MATTER.matcher(markdown).replaceFirst("")).replaceAll("");
        var text = new StringBuilder(source.length());
        var fence = "";
        for (var line : source.split("\n", -1)) {
            var stripped = line.strip();
            var opens = stripped.startsWith("```") || stripped.startsWith("~~~");
            if (!fence.isEmpty()) {
                if (stripped.startsWith(fence) && stripped.length() <= fence.length() + 3) {
                    fence = "";
                } else {
                    text.append(line).append('\n');
                }
            } else if (opens) {
                fence = stripped.substring(0, 3);
            } else if (!RULE.matcher(line).matches()
                    && !DEFINITION.matcher(line).matches()
                    && !(line.contains("|") && TABLE_RULE.matcher(line).matches())) {
                text.append(inline(line)).append('\n');
            }
        }
        // split() saw one line more than there are line ends.
        text.setLength(Math.max(0, text.length() - 1));
        return text.toString();
    }

    /// A line without its markup.
    static String inline(String line) {
        var heading = START.matcher(line);
        var text = line;
        if (heading.find()) {
            text = line.substring(heading.end());
            if (line.stripLeading().startsWith("#")) {
                text = HEADING_END.matcher(text).replaceFirst("");
            }
        }
        text = IMAGE.matcher(text).replaceAll("$1");
        text = LINK.matcher(text).replaceAll("$1");
        text = TAG.matcher(text).replaceAll("");
        text = CODE.matcher(text).replaceAll("$2");
        text = STRONG.matcher(text).replaceAll("$2");
        return EMPHASIS.matcher(text).replaceAll("$2");
    }
}
