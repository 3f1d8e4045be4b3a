package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// What a classifier made of a test set: a label for each record, beside the true one.
public final class Classification {
    private final List<String> labels;
    private final int[] truth;
    private final int[] predicted;
    private final ConfusionMatrix confusion;

    /// @param truth the true label's index of each record
    /// @param predicted the predicted one's
    public Classification(List<String> labels, int[] truth, int[] predicted) {
        if (truth.length == 0) {
            throw new IllegalArgumentException("no records to judge a classifier by");
        }
        this.labels = List.copyOf(labels);
        this.truth = truth.clone();
        this.predicted = predicted.clone();
        this.confusion = ConfusionMatrix.of(this.labels, this.truth, this.predicted);
    }

    /// The same test set as seen by one who always answers `label`.
    public Classification always(int label) {
        var answers = new int[truth.length];
        java.util.Arrays.fill(answers, label);
        return new Classification(labels, truth, answers);
    }

    /// The most frequent of some labels, the first of equals: fit it to the training labels, and
    /// give it to [#always].
    public static int majority(int[] trainingLabels, int labels) {
        var counts = new int[labels];
        for (var label : trainingLabels) {
            counts[label]++;
        }
        var best = 0;
        for (var label = 1; label < labels; label++) {
            best = counts[label] > counts[best] ? label : best;
        }
        return best;
    }

    public int n() {
        return truth.length;
    }

    public ConfusionMatrix confusion() {
        return confusion;
    }

    /// The share of right answers, with Wilson's interval.
    public Interval accuracy() {
        return Interval.share(right(), n());
    }

    /// Any metric of the confusion matrix, by the bootstrap over records.
    public Interval metric(long seed, ToDoubleFunction<ConfusionMatrix> metric) {
        return Interval.bootstrap(
                n(),
                seed,
                places ->
                        metric.applyAsDouble(ConfusionMatrix.of(labels, truth, predicted, places)));
    }

    /// Accuracy, macro-F1, macro precision and macro recall.
    public List<Score> scores(String data, long seed) {
        return List.of(
                Score.of(data, "accuracy", accuracy(), n()),
                Score.of(data, "macro-f1", metric(seed, ConfusionMatrix::macroF1), n()),
                Score.of(
                        data,
                        "macro-precision",
                        metric(seed, ConfusionMatrix::macroPrecision),
                        n()),
                Score.of(data, "macro-recall", metric(seed, ConfusionMatrix::macroRecall), n()));
    }

    /// Precision (n: how often it was predicted), recall (n: how often it occurs) and F1 of every
    /// label that occurs, as `precision:LABEL` and so on. The shares have Wilson's interval, F1 the
    /// bootstrap's.
    public List<Score> labelScores(String data, long seed) {
        var scores = new ArrayList<Score>();
        for (var label = 0; label < labels.size(); label++) {
            int hits = confusion.count(label, label), here = label;
            int predictions = confusion.predictions(label), support = confusion.support(label);
            var name = labels.get(label);
            if (predictions > 0) {
                scores.add(
                        Score.of(
                                data,
                                "precision:" + name,
                                Interval.share(hits, predictions),
                                predictions));
            }
            if (support > 0) {
                scores.add(
                        Score.of(data, "recall:" + name, Interval.share(hits, support), support));
            }
            if (predictions + support > 0) {
                scores.add(Score.of(data, "f1:" + name, metric(seed, m -> m.f1(here)), n()));
            }
        }
        return List.copyOf(scores);
    }

    /// How this classifier differs from another on the same records.
    public Comparison minus(Classification other) {
        if (!java.util.Arrays.equals(truth, other.truth)) {
            throw new IllegalArgumentException("two test sets cannot be compared record by record");
        }
        int gained = 0, lost = 0;
        for (var i = 0; i < truth.length; i++) {
            boolean here = predicted[i] == truth[i], there = other.predicted[i] == truth[i];
            gained += here && !there ? 1 : 0;
            lost += there && !here ? 1 : 0;
        }
        return Comparison.of(gained, lost, n());
    }

    private int right() {
        var right = 0;
        for (var i = 0; i < truth.length; i++) {
            right += truth[i] == predicted[i] ? 1 : 0;
        }
        return right;
    }
}
