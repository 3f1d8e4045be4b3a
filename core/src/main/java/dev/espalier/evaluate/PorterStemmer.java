package dev.espalier.evaluate;

import java.util.List;
import java.util.Map;

/// The stem of an English word: the suffix stripping of Porter 1980 ("An algorithm for suffix
/// stripping", Program 14.3), with the later changes of its author and the additions of NLTK, whose
/// stemmer the reference implementation of ROUGE uses: a table of irregular words, short words that
/// end in `-ied` and `-ies`, `-alli`, `-fulli` and `-logi`, and a y that turns to i after any
/// consonant.
final class PorterStemmer {
    private static final Map<String, String> IRREGULAR =
            Map.ofEntries(
                    Map.entry("sky", "sky"),
                    Map.entry("skies", "sky"),
                    Map.entry("dying", "die"),
                    Map.entry("lying", "lie"),
                    Map.entry("tying", "tie"),
                    Map.entry("news", "news"),
                    Map.entry("inning", "inning"),
                    Map.entry("innings", "inning"),
                    Map.entry("outing", "outing"),
                    Map.entry("outings", "outing"),
                    Map.entry("canning", "canning"),
                    Map.entry("cannings", "canning"),
                    Map.entry("howe", "howe"),
                    Map.entry("proceed", "proceed"),
                    Map.entry("exceed", "exceed"),
                    Map.entry("succeed", "succeed"));

    /// A suffix and what it becomes; of a list the first that a word ends in decides.
    private record Rule(String suffix, String becomes) {}

    private static final List<Rule> DOUBLE_SUFFIXES =
            List.of(
                    new Rule("ational", "ate"),
                    new Rule("tional", "tion"),
                    new Rule("enci", "ence"),
                    new Rule("anci", "ance"),
                    new Rule("izer", "ize"),
                    new Rule("bli", "ble"),
                    new Rule("alli", "al"),
                    new Rule("entli", "ent"),
                    new Rule("eli", "e"),
                    new Rule("ousli", "ous"),
                    new Rule("ization", "ize"),
                    new Rule("ation", "ate"),
                    new Rule("ator", "ate"),
                    new Rule("alism", "al"),
                    new Rule("iveness", "ive"),
                    new Rule("fulness", "ful"),
                    new Rule("ousness", "ous"),
                    new Rule("aliti", "al"),
                    new Rule("iviti", "ive"),
                    new Rule("biliti", "ble"),
                    new Rule("fulli", "ful"));
    private static final List<Rule> SUFFIXES =
            List.of(
                    new Rule("icate", "ic"),
                    new Rule("ative", ""),
                    new Rule("alize", "al"),
                    new Rule("iciti", "ic"),
                    new Rule("ical", "ic"),
                    new Rule("ful", ""),
                    new Rule("ness", ""));
    private static final List<String> LAST_SUFFIXES =
            List.of(
                    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent",
                    "ion", "ou", "ism", "ate", "iti", "ous", "ive", "ize");

    private PorterStemmer() {}

    /// @param word in small letters
    static String stem(String word) {
        var known = IRREGULAR.get(word);
        if (known != null || word.length() <= 2) {
            return known == null ? word : known;
        }
        var stem = withoutParticiple(withoutPlural(word));
        if (stem.length() > 2 && stem.endsWith("y") && isConsonant(stem, stem.length() - 2)) {
            stem = cut(stem, 1) + "i";
        }
        stem = first(SUFFIXES, withoutDoubleSuffix(stem));
        return withoutE(withoutLastSuffix(stem));
    }

    private static String cut(String word, int letters) {
        return word.substring(0, word.length() - letters);
    }

    /// `c` for each consonant, which y is at the start and after a vowel, and `v` for each vowel.
    private static String shape(String word) {
        var shape = new StringBuilder();
        for (var i = 0; i < word.length(); i++) {
            var vowel =
                    switch (word.charAt(i)) {
                        case 'a', 'e', 'i', 'o', 'u' -> true;
                        case 'y' -> i > 0 && shape.charAt(i - 1) == 'c';
                        default -> false;
                    };
            shape.append(vowel ? 'v' : 'c');
        }
        return shape.toString();
    }

    private static boolean isConsonant(String word, int at) {
        return shape(word).charAt(at) == 'c';
    }

    /// Porter's m: how often a consonant follows a vowel.
    private static int measure(String word) {
        var shape = shape(word);
        var m = 0;
        for (var i = 1; i < shape.length(); i++) {
            m += shape.charAt(i - 1) == 'v' && shape.charAt(i) == 'c' ? 1 : 0;
        }
        return m;
    }

    /// Whether it ends in consonant, vowel, consonant, the last neither w, x nor y, or is but a
    /// vowel and a consonant: where an e was dropped.
    private static boolean lacksE(String word) {
        var shape = shape(word);
        return shape.equals("vc")
                || shape.endsWith("cvc") && "wxy".indexOf(word.charAt(word.length() - 1)) < 0;
    }

    private static boolean isDoubled(String word) {
        var n = word.length();
        return n >= 2 && word.charAt(n - 1) == word.charAt(n - 2) && isConsonant(word, n - 1);
    }

    private static String withoutPlural(String word) {
        if (word.endsWith("ies")) {
            return cut(word, word.length() == 4 ? 1 : 2);
        }
        if (word.endsWith("sses")) {
            return cut(word, 2);
        }
        return word.endsWith("s") && !word.endsWith("ss") ? cut(word, 1) : word;
    }

    private static String withoutParticiple(String word) {
        if (word.endsWith("ied")) {
            return cut(word, word.length() == 4 ? 1 : 2);
        }
        if (word.endsWith("eed")) {
            return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
        }
        var suffix = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
        if (suffix == 0 || shape(cut(word, suffix)).indexOf('v') < 0) {
            return word;
        }
        var stem = cut(word, suffix);
        if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) {
            return stem + "e";
        }
        if (isDoubled(stem)) {
            return "lsz".indexOf(stem.charAt(stem.length() - 1)) < 0 ? cut(stem, 1) : stem;
        }
        return measure(stem) == 1 && lacksE(stem) ? stem + "e" : stem;
    }

    private static String withoutDoubleSuffix(String word) {
        if (word.endsWith("alli") && measure(cut(word, 4)) > 0) {
            return withoutDoubleSuffix(cut(word, 2));
        }
        if (word.endsWith("logi")) {
            return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
        }
        return first(DOUBLE_SUFFIXES, word);
    }

    private static String first(List<Rule> rules, String word) {
        for (var rule : rules) {
            if (word.endsWith(rule.suffix())) {
                var stem = cut(word, rule.suffix().length());
                return measure(stem) > 0 ? stem + rule.becomes() : word;
            }
        }
        return word;
    }

    private static String withoutLastSuffix(String word) {
        for (var suffix : LAST_SUFFIXES) {
            if (word.endsWith(suffix)) {
                var stem = cut(word, suffix.length());
                var fits = !suffix.equals("ion") || stem.endsWith("s") || stem.endsWith("t");
                return fits && measure(stem) > 1 ? stem : word;
            }
        }
        return word;
    }

    private static String withoutE(String word) {
        var stem = word;
        if (word.endsWith("e")) {
            var before = cut(word, 1);
            var m = measure(before);
            stem = m > 1 || m == 1 && !lacksE(before) ? before : word;
        }
        return stem.endsWith("ll") && measure(cut(stem, 1)) > 1 ? cut(stem, 1) : stem;
    }
}
