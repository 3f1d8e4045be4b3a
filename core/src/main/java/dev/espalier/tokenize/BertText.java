package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.text.Normalizer.Form;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// How BERT cleans text and cuts it into words (Devlin et al. 2018, arXiv:1810.04805, and the code
/// beside it), as the Hugging Face library does. Immutable but for a table of what was seen, and
/// safe for many threads.
///
/// A character that is left out, or whose marks are, belongs to no token.
final class BertText implements AddedTokens.Normalizer {
    private final boolean clean;
    private final boolean chinese;
    private final boolean stripAccents;
    private final boolean lowercase;

    /// What becomes of the characters of the basic plane, where they were met; several threads may
    /// work out the same.
    private final @Nullable Change[] changes = new Change[1 << 16];

    private static final int WORD = 0;
    private static final int SPACE = 1;
    private static final int MARK = 2;

    /// What a character becomes.
    ///
    /// @param points other characters, perhaps none
    /// @param kinds whether each is part of a word, white space, or a mark of punctuation
    /// @param alone whether it is a word of its own
    /// @param moves whether one of them may change places with its neighbours in Unicode's
    ///   canonical order
    private record Change(int[] points, int[] kinds, boolean alone, boolean moves) {}

    /// @param clean control characters are left out, and all white space is a space
    /// @param chinese Chinese characters are words of their own
    /// @param stripAccents characters are decomposed, and marks that take no room left out
    BertText(boolean clean, boolean chinese, boolean stripAccents, boolean lowercase) {
        this.clean = clean;
        this.chinese = chinese;
        this.stripAccents = stripAccents;
        this.lowercase = lowercase;
    }

    /// A word, valid until the next.
    static final class Word {
        private final int most;
        private final boolean sorted;
        private byte[] bytes = new byte[256 + Utf8Chunks.SLACK];
        private int length;
        private int characters;
        private boolean moves;
        private int[] starts = new int[32];
        private int[] ends = new int[32];
        private int lastEnd;

        Word(int most, boolean sorted) {
            this.most = most;
            this.sorted = sorted;
        }

        /// Its UTF-8, with [Utf8Chunks#SLACK] bytes behind.
        byte[] bytes() {
            return bytes;
        }

        int length() {
            return length;
        }

        /// How many characters it has. Of those beyond the most that are wanted nothing is kept.
        int characters() {
            return characters;
        }

        String text() {
            return new String(bytes, 0, length, StandardCharsets.UTF_8);
        }

        /// Where the origin of a character begins.
        int start(int character) {
            return starts[character];
        }

        int end(int character) {
            return ends[character];
        }

        int lastEnd() {
            return lastEnd;
        }

        private void add(int point, int start, int end) {
            lastEnd = end;
            if (characters++ >= most) {
                return;
            }
            if (characters > starts.length) {
                starts = Arrays.copyOf(starts, 2 * characters);
                ends = Arrays.copyOf(ends, 2 * characters);
            }
            starts[characters - 1] = start;
            ends[characters - 1] = end;
            if (bytes.length < length + 4 + Utf8Chunks.SLACK) {
                bytes = Arrays.copyOf(bytes, 2 * bytes.length);
            }
            length = Utf8.write(point, bytes, length);
        }

        private void end(Consumer<Word> words) {
            if (characters == 0) {
                return;
            }
            if (moves && sorted && characters <= most) {
                order();
            }
            words.accept(this);
            length = 0;
            characters = 0;
            moves = false;
        }

        /// Puts the characters into canonical order, with their places.
        private void order() {
            var points = text().codePoints().toArray();
            for (var i = 1; i < points.length; i++) {
                for (var j = i;
                        j > 0
                                && Nfc.combiningOrder(points[j]) > 0
                                && Nfc.combiningOrder(points[j - 1])
                                        > Nfc.combiningOrder(points[j]);
                        j--) {
                    swap(points, j);
                    swap(starts, j);
                    swap(ends, j);
                }
            }
            var sortedBytes = new String(points, 0, points.length).getBytes(StandardCharsets.UTF_8);
            System.arraycopy(sortedBytes, 0, bytes, 0, sortedBytes.length);
        }

        private static void swap(int[] values, int at) {
            var value = values[at];
            values[at] = values[at - 1];
            values[at - 1] = value;
        }
    }

    /// Hands out the words of `text[from, to)`.
    ///
    /// @param most characters of a word that are kept
    void words(String text, int from, int to, int most, Consumer<Word> words) {
        var word = new Word(most, stripAccents);
        for (var at = from; at < to; ) {
            var point = Utf8.codePoint(text, at, to);
            var end = at + Character.charCount(point);
            var change = change(point);
            if (change.alone()) {
                word.end(words);
            }
            word.moves |= change.moves();
            var points = change.points();
            for (var i = 0; i < points.length; i++) {
                switch (change.kinds()[i]) {
                    case WORD -> word.add(points[i], at, end);
                    case SPACE -> word.end(words);
                    default -> {
                        word.end(words);
                        word.add(points[i], at, end);
                        word.end(words);
                    }
                }
            }
            if (change.alone()) {
                word.end(words);
            }
            at = end;
        }
        word.end(words);
    }

    /// `text[from, to)` cleaned, not yet cut.
    @Override
    public Normalized of(String text, int from, int to) {
        var result = new StringBuilder();
        var starts = new Ids(to - from);
        var ends = new Ids(to - from);
        for (var at = from; at < to; ) {
            var point = Utf8.codePoint(text, at, to);
            var end = at + Character.charCount(point);
            var change = change(point);
            var before = result.length();
            result.append(change.alone() ? " " : "");
            for (var becomes : change.points()) {
                result.appendCodePoint(becomes);
            }
            result.append(change.alone() ? " " : "");
            for (var i = before; i < result.length(); i++) {
                starts.add(at);
                ends.add(end);
            }
            at = end;
        }
        return new Normalized(result.toString(), starts.toArray(), ends.toArray());
    }

    /// Words are cleaned as they are cut.
    @Override
    public boolean always() {
        return false;
    }

    private Change change(int point) {
        if (point >= changes.length) {
            return make(point);
        }
        var known = changes[point];
        if (known == null) {
            known = make(point);
            changes[point] = known;
        }
        return known;
    }

    private Change make(int point) {
        var becomes = becomes(point);
        var kinds =
                Arrays.stream(becomes)
                        .map(p -> isWhiteSpace(p) ? SPACE : isPunctuation(p) ? MARK : WORD)
                        .toArray();
        return new Change(
                becomes,
                kinds,
                becomes.length > 0 && chinese && isChinese(point),
                stripAccents && Arrays.stream(becomes).anyMatch(p -> Nfc.combiningOrder(p) > 0));
    }

    private int[] becomes(int point) {
        if (clean && (point == 0 || point == 0xfffd || isControl(point))) {
            return new int[0];
        }
        var points = new int[] {clean && isWhiteSpace(point) ? ' ' : point};
        if (stripAccents) {
            points =
                    Normalizer.normalize(Character.toString(points[0]), Form.NFD)
                            .codePoints()
                            .filter(p -> Character.getType(p) != Character.NON_SPACING_MARK)
                            .toArray();
        }
        return lowercase
                ? Arrays.stream(points)
                        .flatMap(p ->
                                p == 0x130
                                        ? java.util.stream.IntStream.of('i', 0x307)
                                        : java.util.stream.IntStream.of(Character.toLowerCase(p)))
                        .toArray()
                : points;
    }

    private static boolean isControl(int point) {
        if (point == '\t' || point == '\n' || point == '\r') {
            return false;
        }
        return switch (Character.getType(point)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.PRIVATE_USE,
                    Character.SURROGATE,
                    Character.UNASSIGNED ->
                    true;
            default -> false;
        };
    }

    private static boolean isWhiteSpace(int point) {
        return point >= 9 && point <= 13
                || point == 0x85
                || switch (Character.getType(point)) {
                    case Character.SPACE_SEPARATOR,
                            Character.LINE_SEPARATOR,
                            Character.PARAGRAPH_SEPARATOR ->
                            true;
                    default -> false;
                };
    }

    private static boolean isPunctuation(int point) {
        if (point < 0x80) {
            return point > ' ' && point < 0x7f && !Character.isLetterOrDigit(point);
        }
        return switch (Character.getType(point)) {
            case Character.CONNECTOR_PUNCTUATION,
                    Character.DASH_PUNCTUATION,
                    Character.START_PUNCTUATION,
                    Character.END_PUNCTUATION,
                    Character.INITIAL_QUOTE_PUNCTUATION,
                    Character.FINAL_QUOTE_PUNCTUATION,
                    Character.OTHER_PUNCTUATION ->
                    true;
            default -> false;
        };
    }

    /// The blocks of CJK ideographs that BERT has in mind; of extension E the library leaves out
    /// the first 256, and so does this.
    private static boolean isChinese(int point) {
        return point >= 0x4e00 && point <= 0x9fff
                || point >= 0x3400 && point <= 0x4dbf
                || point >= 0x20000 && point <= 0x2a6df
                || point >= 0x2a700 && point <= 0x2b73f
                || point >= 0x2b740 && point <= 0x2b81f
                || point >= 0x2b920 && point <= 0x2ceaf
                || point >= 0xf900 && point <= 0xfaff
                || point >= 0x2f800 && point <= 0x2fa1f;
    }
}
