package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Named entities as tags of words, and how many of them were found: an entity counts as found
/// where its type, its first word and its last word are told. Tags are IOB1, IOB2 or IOBES, and are
/// read as the CoNLL evaluation (Tjong Kim Sang and De Meulder 2003) and seqeval do: any change of
/// type, and any B or S, begins an entity.
public final class Entities {
    private static final Pattern TAG = Pattern.compile("O|[BIES]-.+");

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
            var kind = tag.charAt(0);
            var type = tag.length() > 2 ? tag.substring(2) : "";
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

    /// Micro-averaged precision, recall and F1, `macro-f1` over the types that occur, and each
    /// type's F1, with bootstrap intervals over the sentences; n counts the true entities.
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
        var all = new int[table.length];
        java.util.Arrays.setAll(all, i -> i);
        var sums = sums(table, all, names.size());
        var n = 0L;
        for (var sum : sums) {
            n += sum[Counts.TRUE];
        }
        var scores = new ArrayList<Score>();
        scores.add(score(data, "precision", table, names.size(), seed, n, Entities::precision));
        scores.add(score(data, "recall", table, names.size(), seed, n, Entities::recall));
        scores.add(score(data, "f1", table, names.size(), seed, n, Entities::f1));
        scores.add(score(data, "macro-f1", table, names.size(), seed, n, Entities::macroF1));
        for (var t = 0; t < names.size(); t++) {
            var at = t;
            scores.add(
                    score(
                            data,
                            "f1:" + names.get(t),
                            table,
                            names.size(),
                            seed,
                            sums[t][Counts.TRUE],
                            s -> f1(new int[][] {s[at]})));
        }
        return List.copyOf(scores);
    }

    private static Score score(
            String data,
            String metric,
            int[][][] table,
            int types,
            long seed,
            long n,
            java.util.function.ToDoubleFunction<int[][]> of) {
        var interval =
                Interval.bootstrap(
                        table.length, seed, places -> of.applyAsDouble(sums(table, places, types)));
        return Score.of(data, metric, interval, n);
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

    private static double sum(int[][] sums, int which) {
        var total = 0.0;
        for (var s : sums) {
            total += s[which];
        }
        return total;
    }

    private static double ratio(double a, double b) {
        return b == 0 ? 0 : a / b;
    }

    private static double precision(int[][] sums) {
        return ratio(sum(sums, Counts.RIGHT), sum(sums, Counts.TOLD));
    }

    private static double recall(int[][] sums) {
        return ratio(sum(sums, Counts.RIGHT), sum(sums, Counts.TRUE));
    }

    private static double f1(int[][] sums) {
        return ratio(2 * sum(sums, Counts.RIGHT), sum(sums, Counts.TOLD) + sum(sums, Counts.TRUE));
    }

    /// Types that neither occur nor are told in a resample are left out.
    private static double macroF1(int[][] sums) {
        double total = 0, types = 0;
        for (var s : sums) {
            if (s[Counts.TOLD] + s[Counts.TRUE] > 0) {
                total += f1(new int[][] {s});
                types++;
            }
        }
        return ratio(total, types);
    }
}
