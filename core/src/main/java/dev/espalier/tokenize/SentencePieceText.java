package dev.espalier.tokenize;

import dev.espalier.tokenize.Tokenizer.Before;
import java.util.Arrays;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/// How text is prepared for SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226), and cut
/// into words that are spelt each for itself: the normalizers and the pre-tokenizers that its
/// models have in the Hugging Face library, in their order. A space becomes `▁`, U+2581, and one
/// may be put before the text or before each word.
///
/// @param charsmap what becomes of characters first
/// @param strip whether white space at the end is left out
/// @param collapse the character that two or more spaces become, or 0 if they stay
/// @param prefix whether `▁` goes before a text, whatever it begins with
/// @param escape whether spaces become `▁` before added tokens are searched for
/// @param whitespace whether text is cut at white space, which is left out
/// @param metaspace whether and where `▁` goes before what does not begin with it
/// @param split whether words are cut before each `▁`
/// @param joining the characters behind which a `▁` may be part of the same token, if not `split`
record SentencePieceText(
        @Nullable Charsmap charsmap,
        boolean strip,
        char collapse,
        boolean prefix,
        boolean escape,
        boolean whitespace,
        Metaspace metaspace,
        boolean split,
        BitSet joining)
        implements AddedTokens.Normalizer {
    static final char SPACE = '\u2581';

    /// Where a `▁` is put before a text, or a word, that lacks it.
    enum Metaspace {
        /// There is no such step.
        NONE,
        NEVER,
        /// Where the text begins.
        FIRST,
        ALWAYS
    }

    /// Whether a text changes before it is cut.
    boolean normalizes() {
        return charsmap != null || strip || collapse != 0 || prefix || escape;
    }

    /// Whether a word's place in the text decides what becomes of it, so that places are needed.
    @Override
    public boolean always() {
        return metaspace == Metaspace.FIRST && normalizes();
    }

    // As a whole, with places

    @Override
    public Normalized of(String text, int from, int to) {
        return of(text, from, to, Before.NOTHING);
    }

    @Override
    public Normalized of(String text, int from, int to, Before before) {
        return normalizes()
                ? new Line(text, from, to).normalize(prefix && before != Before.TEXT)
                : Normalized.unchanged(text);
    }

    /// Whether the pre-tokenizer may put `▁` where a text begins that stands behind `before`.
    private boolean opens(Before before) {
        return switch (before) {
            case NOTHING -> true;
            case TOKEN -> metaspace != Metaspace.FIRST;
            case TEXT -> false;
        };
    }

    /// A text while it changes: characters, and where each comes from. Places are those of the
    /// Hugging Face library, which only knows how many characters came or went where: of what is
    /// left out at the very beginning it knows nothing, and counts on from there.
    private final class Line {
        private final int length;
        private int[] points;
        private int[] starts;
        private int[] ends;
        private int size;

        Line(String text, int from, int to) {
            length = to - from;
            points = new int[length];
            starts = new int[length];
            ends = new int[length];
            var map = charsmap;
            for (int at = from; at < to; size++) {
                points[size] = Utf8.codePoint(text, at, to);
                starts[size] = at;
                at += Character.charCount(points[size]);
                ends[size] = at;
            }
            if (map != null) {
                var changed = new Changes(length);
                map.apply(text, from, to, changed);
                take(changed);
            }
        }

        /// What a map makes of a text: characters, and by how many the text grew (1) or shrank
        /// (negative) at each.
        private static final class Changes implements Charsmap.Sink {
            private final Ids points;
            private final Ids changes;

            Changes(int length) {
                points = new Ids(length);
                changes = new Ids(length);
            }

            @Override
            public void same(int character) {
                points.add(character);
                changes.add(0);
            }

            @Override
            public void replaced(String by, int characters) {
                int before = points.size();
                by.codePoints().forEach(this::same);
                int count = points.size() - before;
                for (int i = 1; i <= count - characters; i++) {
                    changes.set(points.size() - i, 1);
                }
                if (count < characters && points.size() > 0) {
                    int last = points.size() - 1;
                    changes.set(last, changes.get(last) + count - characters);
                }
            }
        }

        private void take(Changes changed) {
            int count = changed.points.size();
            var newStarts = new int[count];
            var newEnds = new int[count];
            int at = 0;
            for (int i = 0; i < count; i++) {
                int change = changed.changes.get(i);
                int from = change > 0 ? Math.max(at - 1, 0) : at;
                newStarts[i] = starts[from];
                newEnds[i] = ends[from];
                at += change > 0 ? 0 : 1 - change;
            }
            points = changed.points.toArray();
            starts = newStarts;
            ends = newEnds;
            size = count;
        }

        Normalized normalize(boolean begins) {
            while (strip && size > 0 && Split.isWhiteSpace(points[size - 1])) {
                size--;
            }
            if (collapse != 0) {
                collapse();
            }
            var text = new StringBuilder(size + 1);
            var textStarts = new Ids(size + 1);
            var textEnds = new Ids(size + 1);
            for (int i = begins && size > 0 ? -1 : 0; i < size; i++) {
                int at = Math.max(i, 0);
                int c = i < 0 || escape && points[i] == ' ' ? SPACE : points[i];
                text.appendCodePoint(c);
                for (int n = Character.charCount(c); n > 0; n--) {
                    textStarts.add(starts[at]);
                    textEnds.add(ends[at]);
                }
            }
            return new Normalized(text.toString(), textStarts.toArray(), textEnds.toArray());
        }

        /// Of spaces the last one's place counts.
        private void collapse() {
            int kept = 0;
            for (int i = 0; i < size; i++) {
                int run = i;
                while (run + 1 < size && points[i] == ' ' && points[run + 1] == ' ') {
                    run++;
                }
                points[kept] = run > i ? collapse : points[i];
                starts[kept] = starts[run];
                ends[kept++] = ends[run];
                i = run;
            }
            size = kept;
        }
    }

    // Word by word

    /// Receives words.
    interface Receiver {
        /// `bytes[0, length)` in UTF-8, with [Utf8Chunks#SLACK] bytes behind, valid until the next.
        void word(byte[] bytes, int length);
    }

    /// Cuts texts into words. For one thread at a time.
    static final class Words implements Charsmap.Sink {
        private static final int ROOM = 256;

        private static final boolean[] ALL = new boolean[0x80];

        static {
            Arrays.fill(ALL, true);
        }

        private final SentencePieceText text;
        private final boolean places;
        private Receiver receiver = (bytes, length) -> {};
        private byte[] bytes = new byte[ROOM + Utf8Chunks.SLACK];
        private int length;
        private int last;

        /// Where the character of each byte comes from, if places are wanted.
        private int[] starts = new int[ROOM];

        private int[] ends = new int[ROOM];

        /// Whether a word begins here: nothing was seen of the text, or of what lies between white
        /// space.
        private boolean fresh;

        private boolean begins;
        private int spaces;
        private final Ids waiting = new Ids(16);

        Words(SentencePieceText text, boolean places) {
            this.text = text;
            this.places = places;
        }

        /// The words of `piece.text()[from, to)`, which is normalized already and stands behind
        /// `before`.
        void ofNormalized(Normalized piece, int from, int to, Before before, Receiver words) {
            receiver = words;
            fresh = text.opens(before);
            var string = piece.text();
            for (int at = from; at < to; ) {
                int c = Utf8.codePoint(string, at, to);
                int end = at + Character.charCount(c);
                split(c, piece.start(at), piece.end(end));
                at = end;
            }
            finish();
        }

        /// The words of `string[from, to)`, which is not; without places.
        void of(String string, int from, int to, Before before, Receiver words) {
            receiver = words;
            fresh = text.opens(before);
            begins = text.prefix && before != Before.TEXT;
            spaces = 0;
            waiting.clear();
            if (text.charsmap != null) {
                text.charsmap.apply(string, from, to, this);
            } else {
                for (int at = from; at < to; ) {
                    int run = Charsmap.visible(string, at, to, ALL);
                    if (run > at) {
                        same(string, at, run);
                        at = run;
                        continue;
                    }
                    int c = Utf8.codePoint(string, at, to);
                    same(c);
                    at += Character.charCount(c);
                }
            }
            collapsed(-1);
            finish();
        }

        @Override
        public void replaced(String by, int characters) {
            for (int at = 0; at < by.length(); ) {
                int c = by.codePointAt(at);
                same(c);
                at += Character.charCount(c);
            }
        }

        /// Behind the first character nothing waits, and no word begins.
        @Override
        public void same(String string, int from, int to) {
            same(string.charAt(from));
            int count = to - from - 1;
            reserve(count);
            for (int at = from + 1; at < to; at++) {
                bytes[length++] = (byte) string.charAt(at);
            }
            last = string.charAt(to - 1);
        }

        @Override
        public void same(int c) {
            if (text.strip) {
                // White space waits for what follows it.
                if (c <= ' ' || c >= 0x80) {
                    if (Split.isWhiteSpace(c)) {
                        waiting.add(c);
                        return;
                    }
                }
                if (waiting.size() > 0) {
                    for (int i = 0; i < waiting.size(); i++) {
                        spaced(waiting.get(i));
                    }
                    waiting.clear();
                }
            }
            spaced(c);
        }

        private void spaced(int c) {
            if (c == ' ' && text.collapse != 0) {
                spaces++;
                return;
            }
            collapsed(c);
        }

        /// The spaces that were counted, and `c` unless it is negative.
        private void collapsed(int c) {
            if (spaces > 0) {
                normalized(spaces > 1 ? text.collapse : ' ');
                spaces = 0;
            }
            if (c >= 0) {
                normalized(c);
            }
        }

        private void normalized(int c) {
            if (begins) {
                begins = false;
                split(SPACE, 0, 0);
            }
            split(c == ' ' && text.escape ? SPACE : c, 0, 0);
        }

        private void split(int given, int start, int end) {
            if (text.whitespace && Split.isWhiteSpace(given)) {
                finish();
                fresh = true;
                return;
            }
            int c = given == ' ' && text.metaspace != Metaspace.NONE ? SPACE : given;
            if (fresh) {
                fresh = false;
                if (c != SPACE
                        && (text.metaspace == Metaspace.ALWAYS
                                || text.metaspace == Metaspace.FIRST && start == 0)) {
                    put(SPACE, start, end);
                }
            }
            if (c == SPACE && length > 0 && (text.split || !text.joining.get(last))) {
                finish();
            }
            put(c, start, end);
        }

        private void put(int c, int start, int end) {
            int from = length;
            reserve(4);
            length = Utf8.write(c, bytes, length);
            last = c;
            if (places) {
                Arrays.fill(starts, from, length, start);
                Arrays.fill(ends, from, length, end);
            }
        }

        private void reserve(int count) {
            int needed = Math.addExact(length + count, Utf8Chunks.SLACK);
            if (needed > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.toIntExact(Math.max(needed, 2L * bytes.length)));
                if (places) {
                    starts = Arrays.copyOf(starts, bytes.length);
                    ends = Arrays.copyOf(ends, bytes.length);
                }
            }
        }

        private void finish() {
            if (length > 0) {
                int whole = length;
                length = 0;
                receiver.word(bytes, whole);
            }
            if (bytes.length > 1 << 16) {
                bytes = new byte[ROOM + Utf8Chunks.SLACK];
                starts = new int[ROOM];
                ends = new int[ROOM];
            }
        }

        /// Where the character of the byte at `at` of the word comes from.
        int start(int at) {
            return starts[at];
        }

        int end(int at) {
            return ends[at];
        }
    }
}
