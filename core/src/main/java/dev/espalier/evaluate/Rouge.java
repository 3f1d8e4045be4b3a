package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/// ROUGE (Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", W04-1013), as
/// Google's `rouge_score` computes it, which equals the ROUGE-1.5.5 of the paper: words are runs of
/// the letters a to z and digits, in small letters; all else parts them, so that other scripts have
/// no words.
///
/// @param stemming whether words longer than three letters are reduced to English stems
public record Rouge(boolean stemming) {
    /// How much of a text is in a reference, how much of the reference in the text, and their
    /// harmonic mean.
    public record Overlap(double precision, double recall, double f1) {
        static Overlap of(int common, int written, int wanted) {
            double precision = (double) common / Math.max(1, written);
            double recall = (double) common / Math.max(1, wanted);
            var sum = precision + recall;
            return new Overlap(precision, recall, sum == 0 ? 0 : 2 * precision * recall / sum);
        }
    }

    /// ROUGE-N: the overlap of runs of `n` words.
    public Overlap ngrams(String written, String reference, int n) {
        var ours = ngrams(words(written), n);
        var theirs = ngrams(words(reference), n);
        return Overlap.of(common(ours, theirs), sum(ours), sum(theirs));
    }

    /// ROUGE-L: the longest common subsequence of all words.
    public Overlap longest(String written, String reference) {
        var ours = words(written);
        var theirs = words(reference);
        var length = table(theirs, ours)[theirs.size()][ours.size()];
        return Overlap.of(length, ours.size(), theirs.size());
    }

    /// ROUGE-Lsum: of each line of the reference what is in its longest common subsequences with
    /// all lines of the text, their union; a word counts as often as it stands in both texts. Lines
    /// are sentences.
    public Overlap longestByLine(String written, String reference) {
        var ours = Arrays.stream(written.split("\n")).map(this::words).toList();
        var theirs = Arrays.stream(reference.split("\n")).map(this::words).toList();
        var left = new HashMap<String, int[]>();
        ours.forEach(line -> line.forEach(word -> left(left, word)[0]++));
        theirs.forEach(line -> line.forEach(word -> left(left, word)[1]++));
        var hits = 0;
        for (var line : theirs) {
            var union = new BitSet();
            ours.forEach(other -> union.or(subsequence(line, other)));
            for (var at = union.nextSetBit(0); at >= 0; at = union.nextSetBit(at + 1)) {
                var counts = left(left, line.get(at));
                if (counts[0] > 0 && counts[1] > 0) {
                    hits++;
                    counts[0]--;
                    counts[1]--;
                }
            }
        }
        return Overlap.of(
                hits,
                ours.stream().mapToInt(List::size).sum(),
                theirs.stream().mapToInt(List::size).sum());
    }

    private static int[] left(Map<String, int[]> counts, String word) {
        return counts.computeIfAbsent(word, w -> new int[2]);
    }

    private List<String> words(String text) {
        return Arrays.stream(text.toLowerCase(Locale.ROOT).split("[^a-z0-9]+"))
                .map(word -> stemming && word.length() > 3 ? PorterStemmer.stem(word) : word)
                .filter(word -> !word.isEmpty())
                .toList();
    }

    /// How often each run of `n` words occurs.
    static Map<String, Integer> ngrams(List<String> words, int n) {
        var counts = new HashMap<String, Integer>();
        for (var i = 0; i + n <= words.size(); i++) {
            // No word holds a space.
            counts.merge(String.join(" ", words.subList(i, i + n)), 1, Integer::sum);
        }
        return counts;
    }

    /// How many of `ours` are in `theirs`, each as often as it is in both.
    static int common(Map<String, Integer> ours, Map<String, Integer> theirs) {
        var common = 0;
        for (var entry : ours.entrySet()) {
            common += Math.min(entry.getValue(), theirs.getOrDefault(entry.getKey(), 0));
        }
        return common;
    }

    static int sum(Map<String, Integer> counts) {
        return counts.values().stream().mapToInt(Integer::intValue).sum();
    }

    /// The length of the longest common subsequence of the first i of `a` and the first j of `b`.
    private static int[][] table(List<String> a, List<String> b) {
        var table = new int[a.size() + 1][b.size() + 1];
        for (var i = 1; i <= a.size(); i++) {
            for (var j = 1; j <= b.size(); j++) {
                table[i][j] =
                        a.get(i - 1).equals(b.get(j - 1))
                                ? table[i - 1][j - 1] + 1
                                : Math.max(table[i - 1][j], table[i][j - 1]);
            }
        }
        return table;
    }

    /// Which of `a` are in its longest common subsequence with `b`; of several the one that the
    /// reference implementation takes, which goes back in `b` only where that loses nothing else
    /// would keep.
    private static BitSet subsequence(List<String> a, List<String> b) {
        var table = table(a, b);
        var kept = new BitSet();
        var i = a.size();
        var j = b.size();
        while (i > 0 && j > 0) {
            if (a.get(i - 1).equals(b.get(j - 1))) {
                i--;
                j--;
                kept.set(i);
            } else if (table[i][j - 1] > table[i - 1][j]) {
                j--;
            } else {
                i--;
            }
        }
        return kept;
    }

    /// The F1 with that of several references that gives the best.
    static double best(List<String> references, Function<String, Overlap> overlap) {
        return references.stream()
                .mapToDouble(reference -> overlap.apply(reference).f1())
                .max()
                .orElseThrow();
    }
}
