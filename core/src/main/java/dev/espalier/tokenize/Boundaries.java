package dev.espalier.tokenize;

import java.io.ByteArrayOutputStream;
import java.lang.Character.UnicodeScript;
import java.nio.charset.StandardCharsets;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Where words and sentences begin and end in a stream of tokens, as far as the tokens alone tell.
public final class Boundaries {
    /// The end of a sentence in UTF-8, each byte a character: a mark before white space, with what
    /// closes behind it if no small letter follows; a mark of Chinese or Japanese; an empty line,
    /// but not the end of a line alone, since lines of books end anywhere. Not the full stop of `3
    /// . 14`, as WordPiece tells 3.14.
    private static final Pattern END =
            Pattern.compile(
                    "(?:(?:[.!?]|\u00e2\u0080\u00a6)(?!(?<=\\d \\.) \\d)(?:(?=\\s|$)"
                            + "|(?:[\"')\\]}]|\u00e2\u0080[\u0099\u009d]|\u00c2\u00bb)++"
                            + "(?=\\s+[^a-z\\s]|\\s*$))"
                            + "|(?:\u00e3\u0080\u0082|\u00ef\u00bc[\u0081\u009f])"
                            + "(?:\u00e3\u0080[\u008d\u008f])*+)"
                            + "(?:[ \\t\\r\\n]*\\n)?"
                            + "|\\n[ \\t\\r\\n]*\\n");

    /// Scripts that put no spaces between words.
    private static final Set<UnicodeScript> UNSPACED =
            EnumSet.of(
                    UnicodeScript.HAN,
                    UnicodeScript.HIRAGANA,
                    UnicodeScript.KATAKANA,
                    UnicodeScript.THAI,
                    UnicodeScript.LAO,
                    UnicodeScript.KHMER,
                    UnicodeScript.MYANMAR,
                    UnicodeScript.TIBETAN);

    /// What a character is to words.
    private enum Kind {
        /// Neither: white space, punctuation, a sign.
        OTHER,
        /// A space that is a token of its own, before the rest of its word.
        SPACE,
        /// A letter or digit.
        LETTER,
        /// A letter of a script without spaces: a word, as far as can be told.
        UNSPACED,
        /// What belongs to the character before it.
        MARK;

        static Kind of(int character) {
            if (character < 0x80) {
                return Character.isLetterOrDigit(character) ? LETTER : OTHER;
            }
            return switch (Character.getType(character)) {
                case Character.NON_SPACING_MARK,
                        Character.ENCLOSING_MARK,
                        Character.COMBINING_SPACING_MARK,
                        Character.FORMAT ->
                        MARK;
                default -> {
                    var script = UnicodeScript.of(character);
                    if (!Character.isLetterOrDigit(character)) {
                        yield OTHER;
                    }
                    if (Boundaries.UNSPACED.contains(script)) {
                        yield UNSPACED;
                    }
                    // The sign that makes a vowel of kana long is of no script.
                    yield Character.getType(character) == Character.MODIFIER_LETTER
                                    && script == UnicodeScript.COMMON
                            ? MARK
                            : LETTER;
                }
            };
        }

        /// Whether a word goes on from this to `next`.
        boolean goesOnTo(Kind next) {
            return switch (next) {
                case OTHER, SPACE -> false;
                case LETTER -> this == LETTER || this == SPACE;
                case UNSPACED -> this == SPACE;
                case MARK -> true;
            };
        }
    }

    private final byte[][] bytes; // of each token
    private final BitSet special = new BitSet();

    public Boundaries(Tokenizer tokenizer) {
        bytes = new byte[tokenizer.vocabularySize()][];
        for (var id = 0; id < bytes.length; id++) {
            bytes[id] = tokenizer.bytes(id);
            special.set(id, tokenizer.isSpecial(id));
        }
    }

    /// Where in the text of `ids` each sentence begins, as places in `ids`, the first of them 0. A
    /// mark ends a sentence only before white space, so that the full stop of 3.14 does not; that
    /// of an abbreviation does. WordPiece keeps no white space: `in 1914. 3 men` and `1914.3` are
    /// the same tokens, which are taken for a number, since two sentences in one do less harm than
    /// half a number. A token that holds the end of one sentence and the beginning of the next
    /// belongs to the first.
    public int[] sentences(int[] ids) {
        var text = new Text(ids);
        var starts = IntStream.builder().add(0);
        var found = END.matcher(new String(text.bytes, StandardCharsets.ISO_8859_1));
        var at = 0; // the token that holds the end
        while (found.find()) {
            while (text.ends[at] < found.end()) {
                at++;
            }
            if (at + 1 < ids.length) {
                starts.add(at + 1);
            }
        }
        return starts.build().distinct().toArray();
    }

    /// Which of `ids` begin a word. White space, punctuation and special tokens lie between words;
    /// a letter of a script without spaces is one. A token within a character goes on with it.
    public BitSet words(int[] ids) {
        var text = new Text(ids);
        var starts = new BitSet(ids.length);
        var last = Kind.OTHER;
        var reached = 0; // by characters
        for (var i = 0; i < ids.length; i++) {
            int from = i == 0 ? 0 : text.ends[i - 1], to = text.ends[i];
            if (special.get(ids[i]) || from == to) {
                starts.set(i);
                last = Kind.OTHER;
                reached = to;
                continue;
            }
            for (var at = Math.max(from, reached); at < to; at = reached) {
                var width = width(text.bytes, at);
                var kind = kind(text.bytes, at, width);
                if (at == from) {
                    starts.set(i, !last.goesOnTo(kind));
                }
                last = kind == Kind.MARK ? last : kind;
                reached = at + width;
            }
            if (to - from == 1 && text.bytes[from] == ' ') {
                last = Kind.SPACE;
            }
        }
        return starts;
    }

    /// How many bytes the character at `at` has; 1 where none begins there or it is cut.
    private static int width(byte[] text, int at) {
        var width = Math.max(1, Integer.numberOfLeadingZeros(~(text[at] << 24)));
        for (var i = 1; i < width; i++) {
            if (width > 4 || at + i == text.length || (text[at + i] & 0xc0) != 0x80) {
                return 1;
            }
        }
        return width;
    }

    private static Kind kind(byte[] text, int at, int width) {
        if (width == 1) {
            // Of a character that is cut nothing is known; most are letters.
            return text[at] < 0 ? Kind.LETTER : Kind.of(text[at]);
        }
        var character = text[at] & 0x7f >> width;
        for (var i = 1; i < width; i++) {
            character = character << 6 | text[at + i] & 0x3f;
        }
        return Kind.of(character);
    }

    /// The text of tokens.
    private final class Text {
        final byte[] bytes;

        /// Of each token among them.
        final int[] ends;

        Text(int[] ids) {
            var text = new ByteArrayOutputStream();
            ends = new int[ids.length];
            for (var i = 0; i < ids.length; i++) {
                text.writeBytes(Boundaries.this.bytes[ids[i]]);
                ends[i] = text.size();
            }
            bytes = text.toByteArray();
        }
    }
}
