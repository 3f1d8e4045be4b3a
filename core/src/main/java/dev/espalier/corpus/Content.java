package dev.espalier.corpus;

import java.util.List;
import java.util.regex.Pattern;

/// What a document holds.
public sealed interface Content permits Content.Text {
    /// Text whose paragraphs are separated by blank lines.
    record Text(String text) implements Content {
        private static final Pattern BLANK_LINE = Pattern.compile("\n[ \t]*\n\\s*");

        /// The paragraphs of at least `words` words, in order.
        public List<String> paragraphs(int words) {
            return BLANK_LINE
                    .splitAsStream(text)
                    .map(String::strip)
                    .filter(p -> words(p) >= words)
                    .toList();
        }

        /// The number of runs of characters between white space.
        public static int words(String text) {
            var words = 0;
            var inside = false;
            for (var i = 0; i < text.length(); i++) {
                var space = Character.isWhitespace(text.charAt(i));
                if (!space && !inside) {
                    words++;
                }
                inside = !space;
            }
            return words;
        }
    }
}
