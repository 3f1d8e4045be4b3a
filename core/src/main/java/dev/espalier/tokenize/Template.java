package dev.espalier.tokenize;

import java.util.Arrays;
import java.util.stream.IntStream;

/// What a model expects around one text or two, such as `<s> first </s></s> second </s>`.
public final class Template {
    static final int FIRST = -1;
    static final int SECOND = -2;

    /// Nothing around one text, and nothing between two.
    public static final Template NONE = new Template(new int[] {FIRST}, new int[] {FIRST, SECOND});

    private final int[] single;
    private final int[] pair;

    /// Ids, and [#FIRST] and [#SECOND] where the texts go.
    Template(int[] single, int[] pair) {
        this.single = single;
        this.pair = pair;
    }

    /// `classification text separator`, and for a second text `separator text separator`, or
    /// without the first separator unless `twice`.
    static Template around(int classification, int separator, boolean twice) {
        return new Template(
                new int[] {classification, FIRST, separator},
                twice
                        ? new int[] {classification, FIRST, separator, separator, SECOND, separator}
                        : new int[] {classification, FIRST, separator, SECOND, separator});
    }

    /// `text end`, and for a second text `text end text end`.
    static Template before(int end) {
        return new Template(new int[] {FIRST, end}, new int[] {FIRST, end, SECOND, end});
    }

    /// This template, or `text end` where it puts nothing around a text.
    public Template endedBy(int end) {
        return addedToOne() > 0 ? this : before(end);
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
        int excess = first.length + second.length - room(length, addedToTwo());
        if (excess <= 0) {
            return apply(first, second);
        }
        int fromFirst =
                switch (truncation) {
                    case ONLY_FIRST -> excess;
                    case ONLY_SECOND -> 0;
                    case LONGEST_FIRST -> {
                        // Levelling the longer one comes first; what remains is taken in turns.
                        int levelling = Math.min(excess, Math.abs(first.length - second.length));
                        int turns = (excess - levelling) / 2;
                        yield first.length > second.length ? levelling + turns : turns;
                    }
                };
        int fromSecond = excess - fromFirst;
        if (fromFirst > first.length || fromSecond > second.length) {
            throw new IllegalArgumentException(
                    "texts of %d and %d tokens cannot be cut to %d by %s"
                            .formatted(first.length, second.length, length, truncation));
        }
        return apply(
                Arrays.copyOf(first, first.length - fromFirst),
                Arrays.copyOf(second, second.length - fromSecond));
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
