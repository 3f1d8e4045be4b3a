package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Named entities as tags of words, and how many of them were found: an entity counts as found
/// where its type, its first word and its last word are told. Tags are IOB1, IOB2, IOBES or BILOU,
/// and are read as the CoNLL evaluation (Tjong Kim Sang and De Meulder 2003) and seqeval do, those
/// of BILOU as its strict mode: any change of type, and any B or S, begins an entity. Tags may have
/// no type, `B` and `I` alone: it is `_`, as seqeval calls it.
public final class Entities {
    private static final Pattern TAG = Pattern.compile("O|[BIESLU](-.+)?");

    private Entities() {}

    /// An entity from word `first` to word `last`, both of it.
    public record Entity(String type, int first, int last) {}

    /// Whether `tags` are all of such a scheme, and not word classes for example.
    public static boolean areTags(Iterable<String> tags) {
        for (var tag : tags) {
            if (!TAG.matcher(tag).matches()) {
                return false;
            }
        }
        return true;
    }

    /// The entities of a sentence, in order.
    public static List<Entity> of(List<String> tags) {
        var found = new ArrayList<Entity>();
        var start = -1;
        char before = 'O';
        var typeBefore = "";
        for (var i = 0; i <= tags.size(); i++) {
            var tag = i == tags.size() ? "O" : tags.get(i);
            var kind =
                    switch (tag.charAt(0)) {
                        case 'L' -> 'E'; // BILOU's last
                        case 'U' -> 'S'; // and its unit
                        default -> tag.charAt(0);
                    };
            var type = tag.length() > 2 ? tag.substring(2) : kind == 'O' ? "" : "_";
            var changed = kind == 'O' || before == 'O' || !type.equals(typeBefore);
            if (start >= 0
                    && (changed || kind == 'B' || kind == 'S' || before == 'E' || before == 'S')) {
                found.add(new Entity(typeBefore, start, i - 1));
                start = -1;
            }
            if (kind != 'O' && start < 0) {
                start = i;
            }
            before = kind;
            typeBefore = type;
        }
        return found;
    }

    /// What of the entities of a sentence was found, by type.
    public record Counts(Map<String, int[]> byType) {
        private static final int RIGHT = 0;
        private static final int TOLD = 1;
        private static final int TRUE = 2;

        static Counts of(List<String> truth, List<String> told) {
            var counts = new TreeMap<String, int[]>();
            var want = new HashSet<>(Entities.of(truth));
            for (var entity : want) {
                counts.computeIfAbsent(entity.type(), t -> new int[3])[TRUE]++;
            }
            for (var entity : Entities.of(told)) {
                var count = counts.computeIfAbsent(entity.type(), t -> new int[3]);
                count[TOLD]++;
                count[RIGHT] += want.contains(entity) ? 1 : 0;
            }
            return new Counts(counts);
        }
    }

    /// Micro-averaged F1, of which each sentence is a record.
    ///
    /// @param truth the tags of each sentence
    /// @param told those that were predicted
    public static Shares f1(List<List<String>> truth, List<List<String>> told) {
        var right = new double[truth.size()];
        var seen = new double[right.length];
        for (var i = 0; i < right.length; i++) {
            for (var count : Counts.of(truth.get(i), told.get(i)).byType().values()) {
                right[i] += count[Counts.RIGHT];
                seen[i] += count[Counts.TOLD] + count[Counts.TRUE] - count[Counts.RIGHT];
            }
        }
        return new Shares(right, seen, true);
    }

    /// Micro-averaged precision, recall and F1, `macro-f1` over the types that occur, and each
    /// type's F1, with intervals over the sentences, see [Interval#clustered]; n counts the true
    /// entities.
    ///
    /// @param truth the tags of each sentence
    /// @param told those that were predicted
    public static List<Score> scores(
            String data, List<List<String>> truth, List<List<String>> told, long seed) {
        var counts = new ArrayList<Counts>();
        var types = new java.util.TreeSet<String>();
        for (var i = 0; i < truth.size(); i++) {
            var sentence = Counts.of(truth.get(i), told.get(i));
            counts.add(sentence);
            types.addAll(sentence.byType().keySet());
        }
        var names = List.copyOf(types);
        var table = new int[counts.size()][names.size()][];
        for (var i = 0; i < table.length; i++) {
            for (var t = 0; t < names.size(); t++) {
                table[i][t] = counts.get(i).byType().getOrDefault(names.get(t), new int[3]);
            }
        }
        var scores = new ArrayList<Score>();
        var all = IntStream.range(0, names.size()).toArray();
        var n = (long) Arrays.stream(column(table, Counts.TRUE, all)).sum();
        scores.add(Score.of(data, "precision", share(table, Counts.TOLD, all), n));
        scores.add(Score.of(data, "recall", share(table, Counts.TRUE, all), n));
        scores.add(Score.of(data, "f1", f1(table, all), n));
        scores.add(Score.of(data, "macro-f1", macroF1(table, seed), n));
        for (var t = 0; t < names.size(); t++) {
            scores.add(
                    Score.of(
                            data,
                            "f1:" + names.get(t),
                            f1(table, t),
                            (long) Arrays.stream(column(table, Counts.TRUE, t)).sum()));
        }
        return List.copyOf(scores);
    }

    /// Adds a word of class `truth` that was told as `told` to the counts of a text, for
    /// [#macroF1].
    public static void count(int[][] counts, int truth, int told) {
        counts[truth][Counts.TRUE]++;
        counts[told][Counts.TOLD]++;
        counts[truth][Counts.RIGHT] += truth == told ? 1 : 0;
    }

    /// The mean F1 of the types that occur or are told: the bootstrap over the texts, at least as
    /// wide as the types' own intervals make it if they were independent.
    ///
    /// @param counts of each text and type the right, the told and the true ones
    public static Interval macroF1(int[][][] counts, long seed) {
        var types = counts[0].length;
        var each =
                IntStream.range(0, types)
                        .filter(t -> Arrays.stream(column(counts, SEEN, t)).sum() > 0)
                        .mapToObj(t -> f1(counts, t))
                        .toList();
        return each.isEmpty()
                ? new Interval(0, 0, 1)
                : Interval.bootstrap(
                                counts.length, seed, places -> macroF1(sums(counts, places, types)))
                        .widenedBy(Interval.mean(each));
    }

    /// Those that are true or told.
    private static final int SEEN = 3;

    /// Of each text the number of a kind, over some types.
    private static double[] column(int[][][] table, int which, int... types) {
        return Arrays.stream(table)
                .mapToDouble(text -> {
                    var sum = 0;
                    for (var t : types) {
                        sum +=
                                which == SEEN
                                        ? text[t][Counts.TOLD]
                                                + text[t][Counts.TRUE]
                                                - text[t][Counts.RIGHT]
                                        : text[t][which];
                    }
                    return sum;
                })
                .toArray();
    }

    private static Interval share(int[][][] table, int of, int... types) {
        return Interval.clustered(column(table, Counts.RIGHT, types), column(table, of, types));
    }

    private static Interval f1(int[][][] table, int... types) {
        return share(table, SEEN, types).toF1();
    }

    private static int[][] sums(int[][][] table, int[] places, int types) {
        var sums = new int[types][3];
        for (var place : places) {
            for (var t = 0; t < types; t++) {
                for (var k = 0; k < 3; k++) {
                    sums[t][k] += table[place][t][k];
                }
            }
        }
        return sums;
    }

    /// Types that neither occur nor are told in a resample are left out.
    private static double macroF1(int[][] sums) {
        double total = 0, types = 0;
        for (var s : sums) {
            if (s[Counts.TOLD] + s[Counts.TRUE] > 0) {
                total += 2.0 * s[Counts.RIGHT] / (s[Counts.TOLD] + s[Counts.TRUE]);
                types++;
            }
        }
        return types == 0 ? 0 : total / types;
    }
}
