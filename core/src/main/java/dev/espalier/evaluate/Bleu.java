package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.regex.Pattern;

/// BLEU (Papineni et al. 2002, P02-1040) as sacreBLEU (Post 2018, arXiv:1804.08771) computes it
/// where nothing else is asked for:
///
/// BLEU = 100 · min(1, exp(1 - r / c)) · exp(1/4 Σ log pₙ)
///
/// over n = 1 to 4, with pₙ the share of the texts' runs of n words that are in a reference, c the
/// length of the texts and r that of the references nearest in length. Where none of the runs of a
/// length is in a reference, pₙ is 1 / (2ᵏ times their number), the k-th time that happens.
///
/// @param tokens what a word is
public record Bleu(Tokens tokens) {
    private static final int ORDER = 4;

    /// What a text is split into.
    public enum Tokens {
        /// Words and punctuation as the WMT's `mteval-v13a` has them, for western languages.
        WMT_13A,
        /// Characters, white space left out.
        CHARACTERS,
        /// What white space parts.
        NONE
    }

    static final Pattern SPACE = Pattern.compile("[\\p{IsWhite_Space}\\x1c-\\x1f]+");

    private static final Pattern SYMBOL = Pattern.compile("[{-~\\[-` -&(-+:-@/]");
    private static final Pattern BEHIND_NO_DIGIT = Pattern.compile("([^0-9])([.,])");
    private static final Pattern BEFORE_NO_DIGIT = Pattern.compile("([.,])([^0-9])");
    private static final Pattern DASH = Pattern.compile("([0-9])(-)");

    /// What white space parts.
    static List<String> split(String text) {
        return Arrays.stream(SPACE.split(text)).filter(word -> !word.isEmpty()).toList();
    }

    List<String> words(String text) {
        return switch (tokens) {
            case WMT_13A -> split(parted(text));
            case NONE -> split(text);
            case CHARACTERS ->
                    split(text).stream()
                            .flatMap(word -> word.codePoints().mapToObj(Character::toString))
                            .toList();
        };
    }

    private static String parted(String text) {
        var line =
                SPACE.matcher(text)
                        .replaceAll(space -> space.end() == text.length() ? "" : space.group())
                        .replace("<skipped>", "")
                        .replace("-\n", "")
                        .replace("\n", " ")
                        .replace("&quot;", "\"")
                        .replace("&amp;", "&")
                        .replace("&lt;", "<")
                        .replace("&gt;", ">");
        line = SYMBOL.matcher(" " + line + " ").replaceAll(" $0 ");
        line = BEHIND_NO_DIGIT.matcher(line).replaceAll("$1 $2 ");
        line = BEFORE_NO_DIGIT.matcher(line).replaceAll(" $1 $2");
        return DASH.matcher(line).replaceAll("$1 $2 ");
    }

    /// What a text adds to the score of all: its length, that of the reference nearest in length
    /// (of two the shorter), for each n the runs that are in a reference, and for each n all runs.
    double[] counts(String written, List<String> references) {
        var ours = words(written);
        var theirs = references.stream().map(this::words).toList();
        var counts = new double[2 + 2 * ORDER];
        counts[0] = ours.size();
        counts[1] =
                theirs.stream()
                        .mapToInt(List::size)
                        .reduce((a, b) -> nearer(ours.size(), a, b))
                        .orElseThrow();
        for (var n = 1; n <= ORDER; n++) {
            var wanted = new HashMap<String, Integer>();
            for (var words : theirs) {
                Rouge.ngrams(words, n)
                        .forEach((run, count) -> wanted.merge(run, count, Integer::max));
            }
            counts[1 + n] = Rouge.common(Rouge.ngrams(ours, n), wanted);
            counts[1 + ORDER + n] = Math.max(0, ours.size() - n + 1);
        }
        return counts;
    }

    private static int nearer(int length, int a, int b) {
        int toA = Math.abs(length - a), toB = Math.abs(length - b);
        return toA == toB ? Math.min(a, b) : toA < toB ? a : b;
    }

    /// The score of summed [#counts].
    ///
    /// @param effectiveOrder whether runs longer than the texts are left out of the mean, as is
    ///   done for single sentences
    static double score(double[] counts, boolean effectiveOrder) {
        double written = counts[0], wanted = counts[1];
        var any = false;
        for (var n = 1; n <= ORDER; n++) {
            any |= counts[1 + n] > 0;
        }
        if (!any) {
            return 0;
        }
        var logarithms = 0.0;
        var smoothing = 1.0;
        var order = ORDER;
        for (var n = 1; n <= ORDER; n++) {
            double right = counts[1 + n], all = counts[1 + ORDER + n];
            if (all == 0) {
                if (!effectiveOrder) {
                    return 0;
                }
                order = n - 1;
                break;
            }
            if (right == 0) {
                smoothing *= 2;
            }
            logarithms += Math.log(right == 0 ? 1 / (smoothing * all) : right / all);
        }
        var brevity = written < wanted ? Math.exp(1 - wanted / written) : 1;
        return 100 * brevity * Math.exp(logarithms / order);
    }

    /// The score of many texts together, from 0 to 100.
    ///
    /// @param references of each text, at least one
    public double score(List<String> written, List<List<String>> references) {
        var sums = new double[2 + 2 * ORDER];
        for (var i = 0; i < written.size(); i++) {
            add(sums, counts(written.get(i), references.get(i)));
        }
        return score(sums, false);
    }

    static void add(double[] sums, double[] more) {
        for (var i = 0; i < sums.length; i++) {
            sums[i] += more[i];
        }
    }

    /// The score of one text, from 0 to 100.
    public double sentence(String written, List<String> references) {
        return score(counts(written, references), true);
    }
}
