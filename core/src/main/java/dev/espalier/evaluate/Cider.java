package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/// CIDEr-D (Vedantam et al. 2015, arXiv:1411.5726, section 5 and its supplement) as COCO's caption
/// evaluation computes it, for captions of many pictures:
///
/// 10 / 4 Σₙ 1 / m Σⱼ exp(-(l(c) - l(sⱼ))² / (2 · 6²)) · min(gₙ(c), gₙ(sⱼ)) · gₙ(sⱼ) / (‖gₙ(c)‖
/// ‖gₙ(sⱼ)‖)
///
/// over runs of n = 1 to 4 words and the m references of a picture. gₙ counts each run, times the
/// logarithm of the pictures over those with a reference that has the run; l is the number of pairs
/// of neighbouring words. Words are letters and digits, in lower case.
public final class Cider {
    private static final int ORDER = 4;
    private static final double SIGMA = 6;
    private static final Pattern APART = Pattern.compile("[^\\p{L}\\p{M}\\p{N}']+");

    private final List<List<Vector>> references = new ArrayList<>();
    private final Map<String, Integer> pictures = new HashMap<>();
    private final double logPictures;

    /// The weights of the runs of each length, their norms, and the number of pairs.
    private record Vector(List<Map<String, Double>> weights, List<Double> norms, int pairs) {}

    /// @param references of each picture, at least one
    public Cider(List<List<String>> references) {
        for (var all : references) {
            all.stream()
                    .flatMap(text -> counts(text).stream())
                    .flatMap(runs -> runs.keySet().stream())
                    .distinct()
                    .forEach(run -> pictures.merge(run, 1, Integer::sum));
        }
        logPictures = Math.log(references.size());
        for (var all : references) {
            this.references.add(all.stream().map(this::vector).toList());
        }
    }

    /// For n = 1 to 4 the runs of n words and how often they occur.
    private static List<Map<String, Integer>> counts(String text) {
        var words =
                APART.splitAsStream(text.toLowerCase(Locale.ROOT))
                        .filter(word -> !word.isEmpty())
                        .toList();
        var counts = new ArrayList<Map<String, Integer>>();
        for (var n = 1; n <= ORDER; n++) {
            counts.add(Rouge.ngrams(words, n));
        }
        return counts;
    }

    private Vector vector(String text) {
        var weights = new ArrayList<Map<String, Double>>();
        var norms = new ArrayList<Double>();
        var pairs = 0;
        for (var runs : counts(text)) {
            var vector = new HashMap<String, Double>();
            var squares = 0.0;
            for (var run : runs.entrySet()) {
                var known = Math.max(1, pictures.getOrDefault(run.getKey(), 0));
                var weight = run.getValue() * (logPictures - Math.log(known));
                vector.put(run.getKey(), weight);
                squares += weight * weight;
                pairs += weights.size() == 1 ? run.getValue() : 0;
            }
            weights.add(vector);
            norms.add(Math.sqrt(squares));
        }
        return new Vector(weights, norms, pairs);
    }

    /// The score of a caption of the picture at `place`, 0 to 10.
    public double score(int place, String written) {
        var ours = vector(written);
        var sum = 0.0;
        for (var theirs : references.get(place)) {
            var apart = ours.pairs - theirs.pairs;
            var penalty = Math.exp(-apart * apart / (2 * SIGMA * SIGMA));
            for (var n = 0; n < ORDER; n++) {
                sum += penalty * similarity(ours, theirs, n);
            }
        }
        return 10 * sum / ORDER / references.get(place).size();
    }

    private static double similarity(Vector ours, Vector theirs, int n) {
        var norms = ours.norms.get(n) * theirs.norms.get(n);
        if (norms == 0) {
            return 0;
        }
        var sum = 0.0;
        for (var run : ours.weights.get(n).entrySet()) {
            var their = theirs.weights.get(n).getOrDefault(run.getKey(), 0.0);
            sum += Math.min(run.getValue(), their) * their;
        }
        return sum / norms;
    }
}
