package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// chrF (Popović 2015, W15-3049) and chrF++ (Popović 2017, W17-4770) as sacreBLEU computes them:
/// with P and R the precision and recall of runs of characters, white space left out, and of words,
/// each the mean over the lengths of runs that both texts have,
///
/// chrF = 100 · (1 + β²) P R / (β² P + R)
///
/// @param characters the longest run of characters; 6
/// @param words the longest run of words, 0 in chrF, 2 in chrF++
/// @param beta how many times as much recall weighs; 2
public record ChrF(int characters, int words, double beta) {
    /// chrF.
    public static final ChrF CHARACTERS = new ChrF(6, 0, 2);

    /// chrF++.
    public static final ChrF WITH_WORDS = new ChrF(6, 2, 2);

    private static final String PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    /// What a text adds to the score of all: for each length, of characters and then of words, its
    /// runs, those of the reference, and those in both. Of several references that with the best
    /// score counts.
    double[] counts(String written, List<String> references) {
        var best = new double[0];
        var score = -1.0;
        for (var reference : references) {
            var counts = counts(written, reference);
            if (score(counts) > score) {
                score = score(counts);
                best = counts;
            }
        }
        return best;
    }

    private double[] counts(String written, String reference) {
        var counts = new double[3 * (characters + words)];
        var ours = String.join("", Bleu.split(written)).codePoints().toArray();
        var theirs = String.join("", Bleu.split(reference)).codePoints().toArray();
        for (var n = 1; n <= characters; n++) {
            put(counts, n - 1, runs(ours, n), runs(theirs, n));
        }
        var ourWords = words(written);
        var theirWords = words(reference);
        for (var n = 1; n <= words; n++) {
            put(counts, characters + n - 1, Rouge.ngrams(ourWords, n), Rouge.ngrams(theirWords, n));
        }
        return counts;
    }

    private static void put(
            double[] counts, int at, Map<String, Integer> ours, Map<String, Integer> theirs) {
        counts[3 * at] = theirs.isEmpty() ? 0 : Rouge.sum(ours);
        counts[3 * at + 1] = Rouge.sum(theirs);
        counts[3 * at + 2] = Rouge.common(ours, theirs);
    }

    private static Map<String, Integer> runs(int[] text, int n) {
        var runs = new HashMap<String, Integer>();
        for (var i = 0; i + n <= text.length; i++) {
            runs.merge(new String(text, i, n), 1, Integer::sum);
        }
        return runs;
    }

    /// Words with a mark at their end, or else at their start, parted from it.
    private static List<String> words(String text) {
        var words = new ArrayList<String>();
        for (var word : Bleu.split(text)) {
            var last = word.length() - 1;
            if (word.codePointCount(0, word.length()) > 1
                    && PUNCTUATION.indexOf(word.charAt(last)) >= 0) {
                words.add(word.substring(0, last));
                words.add(word.substring(last));
            } else if (last > 0 && PUNCTUATION.indexOf(word.charAt(0)) >= 0) {
                words.add(word.substring(0, 1));
                words.add(word.substring(1));
            } else {
                words.add(word);
            }
        }
        return words;
    }

    /// The score of summed [#counts].
    double score(double[] counts) {
        double precision = 0, recall = 0;
        var orders = 0;
        for (var at = 0; at < counts.length; at += 3) {
            if (counts[at] > 0 && counts[at + 1] > 0) {
                precision += counts[at + 2] / counts[at];
                recall += counts[at + 2] / counts[at + 1];
                orders++;
            }
        }
        if (precision + recall == 0) {
            return 0;
        }
        var p = precision / orders;
        var r = recall / orders;
        return 100 * (1 + beta * beta) * p * r / (beta * beta * p + r);
    }

    /// The score of many texts together, from 0 to 100.
    ///
    /// @param references of each text, at least one
    public double score(List<String> written, List<List<String>> references) {
        var sums = new double[3 * (characters + words)];
        for (var i = 0; i < written.size(); i++) {
            Bleu.add(sums, counts(written.get(i), references.get(i)));
        }
        return score(sums);
    }

    /// The score of one text, from 0 to 100.
    public double sentence(String written, List<String> references) {
        return score(counts(written, references));
    }
}
