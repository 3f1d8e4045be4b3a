package dev.espalier.tokenize;

import java.text.Normalizer;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/// Unicode's normalization form C (Unicode Standard Annex 15), with the place that each character
/// comes from, which `java.text.Normalizer` does not tell; and in O(n log n) for any order of
/// combining marks.
///
/// Places are those of the Hugging Face library: of characters that are composed only the first
/// counts, and a character that appears belongs to the last one that was read before it.
final class Nfc {
    /// Below it nothing changes and nothing combines.
    private static final int FIRST = 0x300;

    /// U+0345, the only character of the greatest combining class.
    private static final String LAST_MARK = "\u0345";

    /// Characters that stay as they are, and do not join what stands before them.
    private static final BitSet INERT = new BitSet();

    /// The order of the combining classes, from 1; what is missing is a starter (class 0).
    private static final Map<Integer, Integer> CLASSES = new HashMap<>();

    static {
        var joining = new BitSet();
        var marks = new ArrayList<Integer>();
        for (int c = FIRST; c <= Character.MAX_CODE_POINT; c++) {
            int type = Character.getType(c);
            if (type == Character.UNASSIGNED
                    || type == Character.SURROGATE
                    || type == Character.PRIVATE_USE) {
                INERT.set(c);
                continue;
            }
            var text = Character.toString(c);
            var parts = Normalizer.normalize(text, Form.NFD);
            boolean composed = Normalizer.normalize(parts, Form.NFC).equals(text);
            INERT.set(c, composed);
            if (!parts.equals(text)) {
                if (composed) {
                    parts.codePoints().skip(1).forEach(joining::set);
                }
            } else if (text.equals(LAST_MARK)
                    || Normalizer.normalize(LAST_MARK + text, Form.NFD).startsWith(text)) {
                marks.add(c);
            }
        }
        marks.sort(Nfc::compare);
        for (int i = 0; i < marks.size(); i++) {
            int mark = marks.get(i);
            INERT.clear(mark);
            CLASSES.put(
                    mark,
                    i == 0
                            ? 1
                            : CLASSES.getOrDefault(marks.get(i - 1), 0)
                                    + (compare(marks.get(i - 1), mark) == 0 ? 0 : 1));
        }
        INERT.andNot(joining);
    }

    private Nfc() {}

    /// Combining marks by their class: those of a greater one go behind others.
    private static int compare(int a, int b) {
        return swap(b, a) ? -1 : swap(a, b) ? 1 : 0;
    }

    private static boolean swap(int a, int b) {
        return a != b
                && Normalizer.normalize(Character.toString(a) + Character.toString(b), Form.NFD)
                                .codePointAt(0)
                        == b;
    }

    /// Where a combining mark belongs among others, from 1; 0 for characters that keep their place.
    static int combiningOrder(int c) {
        return c < FIRST ? 0 : CLASSES.getOrDefault(c, 0);
    }

    static String of(String text) {
        return of(text, 0, text.length()).text();
    }

    /// `text[from, to)` normalized, with places in `text`. Where nothing changes it is `text`
    /// itself, whole.
    static Normalized of(String text, int from, int to) {
        int at = changing(text, from, to);
        if (at == to) {
            return Normalized.unchanged(text);
        }
        var result = new StringBuilder(to - from);
        var starts = new Ids(to - from);
        var ends = new Ids(to - from);
        int done = from;
        while (true) {
            for (; done < at; done++) {
                // Both halves of a character stand for the whole of it.
                boolean low = done > from && isPair(text, done - 1);
                boolean high = done + 1 < at && isPair(text, done);
                result.append(text.charAt(done));
                starts.add(low ? done - 1 : done);
                ends.add(high ? done + 2 : done + 1);
            }
            if (at == to) {
                return new Normalized(result.toString(), starts.toArray(), ends.toArray());
            }
            int end = at + Character.charCount(text.codePointAt(at));
            while (end < to && !isInert(text.codePointAt(end))) {
                end += Character.charCount(text.codePointAt(end));
            }
            new Stretch(text, at, end).write(result, starts, ends);
            done = end;
            at = changing(text, end, to);
        }
    }

    private static boolean isPair(String text, int at) {
        return Character.isSurrogatePair(text.charAt(at), text.charAt(at + 1));
    }

    /// The first character from `from` on that may change: which is not inert itself, or has one
    /// behind it that is not.
    private static int changing(String text, int from, int to) {
        int before = from;
        for (int at = from; at < to; ) {
            int c = text.charAt(at) < FIRST ? text.charAt(at) : text.codePointAt(at);
            if (!isInert(c)) {
                return before;
            }
            before = at;
            at += Character.charCount(c);
        }
        return to;
    }

    private static boolean isInert(int c) {
        return c < FIRST || INERT.get(c);
    }

    /// A stretch of text in which nothing depends on what stands around it.
    private static final class Stretch {
        private final String text;
        private final int from;
        private final int to;

        /// What it has become so far: character, and by how many characters the text grew (1) or
        /// shrank (negative) at it.
        private int[] characters = new int[16];

        private int[] changes = new int[16];
        private int size;

        Stretch(String text, int from, int to) {
            this.text = text;
            this.from = from;
            this.to = to;
        }

        void write(StringBuilder result, Ids starts, Ids ends) {
            decompose();
            order();
            compose();
            int at = from;
            int last = from;
            for (int i = 0; i < size; i++) {
                int start = changes[i] > 0 ? last : at;
                int end = start + Character.charCount(text.codePointAt(start));
                for (int n = changes[i]; n <= 0; n++) {
                    last = at;
                    at += Character.charCount(text.codePointAt(at));
                }
                for (int n = Character.charCount(characters[i]); n > 0; n--) {
                    starts.add(start);
                    ends.add(end);
                }
                result.appendCodePoint(characters[i]);
            }
        }

        private void decompose() {
            for (int at = from; at < to; ) {
                int c = text.codePointAt(at);
                at += Character.charCount(c);
                var parts = Normalizer.normalize(Character.toString(c), Form.NFD);
                for (int part = 0; part < parts.length(); ) {
                    if (size == characters.length) {
                        characters = Arrays.copyOf(characters, 2 * size);
                        changes = Arrays.copyOf(changes, 2 * size);
                    }
                    characters[size] = parts.codePointAt(part);
                    changes[size] = part == 0 ? 0 : 1;
                    part += Character.charCount(characters[size]);
                    size++;
                }
            }
        }

        /// Puts each run of marks in the order of their classes, those of one class as they were.
        private void order() {
            for (int i = 0; i < size; i++) {
                int end = i;
                while (end < size && CLASSES.containsKey(characters[end])) {
                    end++;
                }
                if (end - i > 1) {
                    var keys = new long[end - i];
                    for (int k = 0; k < keys.length; k++) {
                        keys[k] = (long) CLASSES.getOrDefault(characters[i + k], 0) << 32 | k;
                    }
                    Arrays.sort(keys);
                    var oldCharacters = Arrays.copyOfRange(characters, i, end);
                    var oldChanges = Arrays.copyOfRange(changes, i, end);
                    for (int k = 0; k < keys.length; k++) {
                        characters[i + k] = oldCharacters[(int) keys[k]];
                        changes[i + k] = oldChanges[(int) keys[k]];
                    }
                }
                i = end;
            }
        }

        /// Joins to each starter the characters behind it that nothing of their class blocks.
        private void compose() {
            int kept = 0;
            int starter = -1;
            int last = 0;
            for (int i = 0; i < size; i++) {
                int c = characters[i];
                int rank = CLASSES.getOrDefault(c, 0);
                boolean adjacent = starter == kept - 1;
                if (starter >= 0 && (adjacent || last < rank)) {
                    int joined = joined(characters[starter], c);
                    if (joined >= 0) {
                        characters[starter] = joined;
                        changes[starter] += changes[i] - 1;
                        continue;
                    }
                }
                if (rank == 0) {
                    starter = kept;
                }
                last = rank;
                characters[kept] = c;
                changes[kept++] = changes[i];
            }
            size = kept;
        }

        private static int joined(int a, int b) {
            var joined =
                    Normalizer.normalize(Character.toString(a) + Character.toString(b), Form.NFC);
            int c = joined.codePointAt(0);
            return Character.charCount(c) == joined.length() ? c : -1;
        }
    }
}
