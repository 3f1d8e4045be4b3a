package dev.espalier.evaluate;

import java.util.List;

/// How many characters or words of a text must be put in, taken out or replaced to make it the
/// reference (Levenshtein 1966), for each one of the reference: may be above 1.
public enum ErrorRate {
    CHARACTERS,
    /// What white space parts.
    WORDS;

    /// What a text adds to the rate of all: its errors, and the length of the reference. Of several
    /// references that with the lowest rate counts.
    double[] counts(String written, List<String> references) {
        var ours = units(written);
        var best = new double[] {Double.POSITIVE_INFINITY, 1};
        for (var reference : references) {
            var theirs = units(reference);
            var counts = new double[] {distance(ours, theirs), theirs.size()};
            if (score(counts) < score(best)) {
                best = counts;
            }
        }
        return best;
    }

    private List<String> units(String text) {
        return switch (this) {
            case CHARACTERS -> text.codePoints().mapToObj(Character::toString).toList();
            case WORDS -> Bleu.split(text);
        };
    }

    /// The rate of summed [#counts]; of an empty reference the errors themselves.
    static double score(double[] counts) {
        return counts[0] / Math.max(1, counts[1]);
    }

    /// The rate of many texts together.
    ///
    /// @param references of each text, at least one
    public double score(List<String> written, List<List<String>> references) {
        var sums = new double[2];
        for (var i = 0; i < written.size(); i++) {
            Bleu.add(sums, counts(written.get(i), references.get(i)));
        }
        return score(sums);
    }

    private static int distance(List<String> a, List<String> b) {
        var row = new int[b.size() + 1];
        for (var j = 0; j <= b.size(); j++) {
            row[j] = j;
        }
        for (var i = 1; i <= a.size(); i++) {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.size(); j++) {
                var replaced = diagonal + (a.get(i - 1).equals(b.get(j - 1)) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, 1 + Math.min(row[j - 1], row[j]));
            }
        }
        return row[b.size()];
    }
}
