package dev.espalier.tokenize;

import java.util.Arrays;
import java.util.stream.IntStream;

/// What a model expects around one text or two, such as `<s> first </s></s> second </s>`.
public final class Template {
    static final int FIRST = -1;
    static final int SECOND = -2;

    /// A pair in a file that does not say how one looks, `$A:0 $B:1` in the library's words.
    static final int[] PAIR = {FIRST, SECOND};

    static final int[] PAIR_TYPES = {0, 1};

    /// Nothing around one text, and nothing between two.
    public static final Template NONE = new Template(new int[] {FIRST}, new int[] {FIRST, SECOND});

    private final int[] single;
    private final int[] pair;
    private final int[] types;

    /// Ids, and [#FIRST] and [#SECOND] where the texts go.
    ///
    /// @param types the token type of each part of `pair`, 0 or 1
    Template(int[] single, int[] pair, int[] types) {
        this.single = single;
        this.pair = pair;
        this.types = types;
    }

    /// With the token type 0 throughout.
    private Template(int[] single, int[] pair) {
        this(single, pair, new int[pair.length]);
    }

    /// `classification text separator`, and for a second text `text separator` of the token type 1,
    /// as BERT has it; or `separator text separator` of type 0, as RoBERTa has it, if `twice`.
    static Template around(int classification, int separator, boolean twice) {
        var single = new int[] {classification, FIRST, separator};
        return twice
                ? new Template(
                        single,
                        new int[] {classification, FIRST, separator, separator, SECOND, separator})
                : new Template(
                        single,
                        new int[] {classification, FIRST, separator, SECOND, separator},
                        new int[] {0, 0, 0, 1, 1});
    }

    /// `text end`, and for a second text `text end text end`.
    static Template before(int end) {
        return new Template(new int[] {FIRST, end}, new int[] {FIRST, end, SECOND, end});
    }

    /// This template, or `text end` where it puts nothing around a text.
    public Template endedBy(int end) {
        return addedToOne() > 0 ? this : before(end);
    }

    /// `begin text`, and for a second text `begin text begin text`.
    static Template behind(int begin) {
        return new Template(new int[] {begin, FIRST}, new int[] {begin, FIRST, begin, SECOND});
    }

    /// Whether something stands between the two texts of a pair.
    public boolean separates() {
        for (var i = 1; i < pair.length; i++) {
            if (pair[i - 1] == FIRST && pair[i] == SECOND) {
                return false;
            }
        }
        return true;
    }

    /// This template with `separators` between the two texts of a pair.
    public Template separatedBy(int[] separators) {
        var second = IntStream.range(0, pair.length).filter(i -> pair[i] == SECOND).findFirst();
        int at = second.orElse(pair.length);
        return new Template(
                single,
                insert(pair, at, separators),
                insert(types, at, new int[separators.length]));
    }

    private static int[] insert(int[] into, int at, int[] more) {
        return IntStream.concat(
                        IntStream.concat(Arrays.stream(into, 0, at), Arrays.stream(more)),
                        Arrays.stream(into, at, into.length))
                .toArray();
    }

    /// One text as the model expects it.
    public int[] apply(int[] text) {
        return fill(single, text, new int[0]);
    }

    /// Two texts as the model expects them.
    public int[] apply(int[] first, int[] second) {
        return fill(pair, first, second);
    }

    /// The number of tokens that are put around one text.
    public int addedToOne() {
        return (int) IntStream.of(single).filter(id -> id >= 0).count();
    }

    /// The number of these that stand before it.
    public int before() {
        return (int) IntStream.of(single).takeWhile(id -> id != FIRST).count();
    }

    /// These, which a text that is foreseen or gone on with begins with.
    public int[] opening() {
        return Arrays.copyOf(single, before());
    }

    /// The number of tokens that are put around two texts.
    public int addedToTwo() {
        return (int) IntStream.of(pair).filter(id -> id >= 0).count();
    }

    /// As [#apply(int[])], of at most `length` tokens in all: the text's last tokens are left out.
    public int[] apply(int[] text, int length) {
        return apply(Arrays.copyOf(text, Math.min(text.length, room(length, addedToOne()))));
    }

    /// As [#apply(int[], int[])], of at most `length` tokens in all.
    ///
    /// @throws IllegalArgumentException if the text that is to be cut is too short for that
    public int[] apply(int[] first, int[] second, int length, Truncation truncation) {
        var kept = kept(first.length, second.length, length, truncation);
        return apply(Arrays.copyOf(first, kept[0]), Arrays.copyOf(second, kept[1]));
    }

    /// How many tokens of two texts of `first` and `second` tokens are left where both together may
    /// have `length` with what is put around them.
    ///
    /// @throws IllegalArgumentException if the text that is to be cut is too short for that
    public int[] kept(int first, int second, int length, Truncation truncation) {
        int excess = first + second - room(length, addedToTwo());
        if (excess <= 0) {
            return new int[] {first, second};
        }
        int fromFirst =
                switch (truncation) {
                    case ONLY_FIRST -> excess;
                    case ONLY_SECOND -> 0;
                    case LONGEST_FIRST -> {
                        // Levelling the longer one comes first; what remains is taken in turns.
                        int levelling = Math.min(excess, Math.abs(first - second));
                        int turns = (excess - levelling) / 2;
                        yield first > second ? levelling + turns : turns;
                    }
                };
        int fromSecond = excess - fromFirst;
        if (fromFirst > first || fromSecond > second) {
            throw new IllegalArgumentException(
                    "texts of %d and %d tokens cannot be cut to %d by %s"
                            .formatted(first, second, length, truncation));
        }
        return new int[] {first - fromFirst, second - fromSecond};
    }

    /// The token type of each token of [#apply(int[], int[])], for two texts of `first` and
    /// `second` tokens: 0, or 1 for what belongs to the second text where the model tells them
    /// apart so.
    public int[] types(int first, int second) {
        return IntStream.range(0, pair.length)
                .flatMap(i -> {
                    var count =
                            switch (pair[i]) {
                                case FIRST -> first;
                                case SECOND -> second;
                                default -> 1;
                            };
                    return IntStream.generate(() -> types[i]).limit(count);
                })
                .toArray();
    }

    private static int room(int length, int added) {
        if (length < added) {
            throw new IllegalArgumentException(
                    "a length of %d has no room for %d special tokens".formatted(length, added));
        }
        return length - added;
    }

    private static int[] fill(int[] parts, int[] first, int[] second) {
        return IntStream.of(parts)
                .flatMap(part ->
                        switch (part) {
                            case FIRST -> IntStream.of(first);
                            case SECOND -> IntStream.of(second);
                            default -> IntStream.of(part);
                        })
                .toArray();
    }

    int[] single() {
        return single.clone();
    }

    int[] pair() {
        return pair.clone();
    }
}
