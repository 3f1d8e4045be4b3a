package dev.espalier.evaluate;

import java.util.List;

/// How often each true label was predicted as each other one, and the metrics that follow; of
/// records, or of the pixels of pictures and the things in them.
///
/// A label that occurs neither in the truth nor among the predictions is left out of macro
/// averages; one that occurs and is never predicted has a precision of 0, one that is predicted and
/// never occurs a recall of 0.
public final class ConfusionMatrix {
    private final List<String> labels;
    private final long[] counts;

    private ConfusionMatrix(List<String> labels, long[] counts) {
        this.labels = List.copyOf(labels);
        this.counts = counts;
    }

    /// @param counts a row for each true label, of how often each was predicted
    public static ConfusionMatrix of(List<String> labels, long[] counts) {
        if (counts.length != labels.size() * labels.size()) {
            throw new IllegalArgumentException(
                    counts.length + " counts of " + labels.size() + " labels");
        }
        return new ConfusionMatrix(labels, counts.clone());
    }

    /// @param truth the true label's index of each record
    /// @param predicted the predicted one's
    public static ConfusionMatrix of(List<String> labels, int[] truth, int[] predicted) {
        if (truth.length != predicted.length) {
            throw new IllegalArgumentException(
                    truth.length + " true labels, " + predicted.length + " predicted ones");
        }
        var matrix = new ConfusionMatrix(labels, new long[labels.size() * labels.size()]);
        for (var i = 0; i < truth.length; i++) {
            matrix.counts[matrix.index(truth[i]) * labels.size() + matrix.index(predicted[i])]++;
        }
        return matrix;
    }

    public List<String> labels() {
        return labels;
    }

    /// Records of label `truth` that were given label `predicted`.
    public long count(int truth, int predicted) {
        return counts[index(truth) * labels.size() + index(predicted)];
    }

    /// Records of label `label`.
    public long support(int label) {
        var sum = 0L;
        for (var other = 0; other < labels.size(); other++) {
            sum += count(label, other);
        }
        return sum;
    }

    /// Records that were given label `label`.
    public long predictions(int label) {
        var sum = 0L;
        for (var other = 0; other < labels.size(); other++) {
            sum += count(other, label);
        }
        return sum;
    }

    public long total() {
        var sum = 0L;
        for (var count : counts) {
            sum += count;
        }
        return sum;
    }

    public double accuracy() {
        var right = 0L;
        for (var label = 0; label < labels.size(); label++) {
            right += count(label, label);
        }
        return share(right, total());
    }

    public double precision(int label) {
        return share(count(label, label), predictions(label));
    }

    public double recall(int label) {
        return share(count(label, label), support(label));
    }

    /// The harmonic mean of precision and recall.
    public double f1(int label) {
        return share(2 * count(label, label), predictions(label) + support(label));
    }

    public double macroPrecision() {
        return macro(this::precision);
    }

    public double macroRecall() {
        return macro(this::recall);
    }

    public double macroF1() {
        return macro(this::f1);
    }

    private double macro(java.util.function.IntToDoubleFunction metric) {
        var sum = 0.0;
        var present = 0;
        for (var label = 0; label < labels.size(); label++) {
            if (support(label) + predictions(label) > 0) {
                sum += metric.applyAsDouble(label);
                present++;
            }
        }
        return present == 0 ? 0 : sum / present;
    }

    private static double share(long part, long whole) {
        return whole == 0 ? 0 : (double) part / whole;
    }

    private int index(int label) {
        java.util.Objects.checkIndex(label, labels.size());
        return label;
    }
}
