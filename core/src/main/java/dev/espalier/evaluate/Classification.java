package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

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

    /// Any metric of the confusion matrix, by the bootstrap over records, which has no width where
    /// all are right.
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
                Score.of(data, "macro-f1", macro(seed, ConfusionMatrix::macroF1, this::f1), n()),
                Score.of(
                        data,
                        "macro-precision",
                        macro(
                                seed,
                                ConfusionMatrix::macroPrecision,
                                l -> share(l, confusion.predictions(l))),
                        n()),
                Score.of(
                        data,
                        "macro-recall",
                        macro(
                                seed,
                                ConfusionMatrix::macroRecall,
                                l -> share(l, confusion.support(l))),
                        n()));
    }

    /// Labels are confused with each other, so that their figures are not independent, which the
    /// bootstrap knows; the labels' own intervals know what to say where few records or none are
    /// wrong. See decision 041.
    private Interval macro(
            long seed, ToDoubleFunction<ConfusionMatrix> metric, IntFunction<Interval> ofLabel) {
        var each = IntStream.range(0, labels.size()).filter(l -> seen(l) > 0).mapToObj(ofLabel);
        return metric(seed, metric).widenedBy(Interval.mean(each.toList()));
    }

    /// The share of right ones among `of` records; of none it is 0 by convention, and may be all.
    private Interval share(int label, int of) {
        return of == 0 ? new Interval(0, 0, 1) : Interval.share(confusion.count(label, label), of);
    }

    /// Records that are of a label, or were given it.
    private int seen(int label) {
        return confusion.support(label)
                + confusion.predictions(label)
                - confusion.count(label, label);
    }

    private Interval f1(int label) {
        return Interval.share(confusion.count(label, label), seen(label)).toF1();
    }

    /// Precision (n: how often it was predicted), recall (n: how often it occurs) and F1 of every
    /// label that occurs, as `precision:LABEL` and so on, with Wilson's interval: F1 by way of the
    /// share of right ones among the records that are of the label or were given it.
    public List<Score> labelScores(String data) {
        var scores = new ArrayList<Score>();
        for (var label = 0; label < labels.size(); label++) {
            int hits = confusion.count(label, label);
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
                scores.add(Score.of(data, "f1:" + name, f1(label), n()));
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
