package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// How many labels are wrong, by the probabilities of a model that has not seen the records that it
/// tells (confident learning, Northcutt, Jiang and Chuang 2021, arXiv:1911.00068, section 3.1). A
/// record that is labelled i is counted for the label j that is likeliest among those that are
/// likely enough: as likely as j is on average for the records that are labelled so,
///
/// tⱼ = mean of p̂(j; x) over X(j), the records labelled j Cᵢⱼ = |{x in X(i): j = argmax p̂(l; x)
/// over the l with p̂(l; x) ≥ tₗ}| Qᵢⱼ = Cᵢⱼ / Σⱼ Cᵢⱼ · |X(i)| / Σᵢ |X(i)|
///
/// and what of Q lies off its diagonal is the share of labels that are wrong. It is right where the
/// model is wrong only by chance; what is hard to tell is taken for a wrong label too.
///
/// @param wrong the share of wrong labels, Σ Qᵢⱼ over i ≠ j
/// @param suspects the places of the records that were counted for another label, those first whose
///   own label is the least likely
public record ConfidentLearning(double wrong, List<Integer> suspects) {
    public ConfidentLearning {
        suspects = List.copyOf(suspects);
    }

    /// @param given the label of each record
    /// @param probabilities of all labels for each record, by a model that was fitted to others
    public static ConfidentLearning of(int[] given, double[][] probabilities) {
        if (given.length == 0 || given.length != probabilities.length) {
            throw new IllegalArgumentException(
                    given.length + " labels, " + probabilities.length + " answers");
        }
        var labels = probabilities[0].length;
        var records = new int[labels];
        var least = new double[labels];
        for (var i = 0; i < given.length; i++) {
            records[given[i]]++;
            least[given[i]] += probabilities[i][given[i]];
        }
        for (var j = 0; j < labels; j++) {
            // What nothing is labelled with is never likely enough.
            least[j] = records[j] == 0 ? Double.POSITIVE_INFINITY : least[j] / records[j];
        }
        var counted = new int[labels];
        var others = new int[labels];
        var suspects = new ArrayList<Integer>();
        for (var i = 0; i < given.length; i++) {
            var p = probabilities[i];
            var likely =
                    IntStream.range(0, labels)
                            .filter(j -> p[j] >= least[j])
                            .reduce((a, b) -> p[b] > p[a] ? b : a);
            if (likely.isPresent()) {
                counted[given[i]]++;
                if (likely.getAsInt() != given[i]) {
                    others[given[i]]++;
                    suspects.add(i);
                }
            }
        }
        suspects.sort(
                (a, b) -> Double.compare(probabilities[a][given[a]], probabilities[b][given[b]]));
        var wrong =
                IntStream.range(0, labels)
                        .filter(j -> counted[j] > 0)
                        .mapToDouble(j -> records[j] * (others[j] / (double) counted[j]))
                        .sum();
        return new ConfidentLearning(wrong / given.length, suspects);
    }
}
