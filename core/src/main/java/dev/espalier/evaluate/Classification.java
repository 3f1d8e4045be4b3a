package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What a classifier made of a test set: a label for each record, beside the true one.
public final class Classification implements Judgement {
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
        Arrays.fill(answers, label);
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

    /// Of each record 1 where it was told rightly, else 0.
    public double[] correct() {
        var correct = new double[truth.length];
        Arrays.setAll(correct, i -> truth[i] == predicted[i] ? 1 : 0);
        return correct;
    }

    /// Accuracy, macro-F1, macro precision and macro recall.
    @Override
    public List<Score> scores(String data, long seed) {
        var scores = new ArrayList<Score>();
        scores.add(Score.of(data, "accuracy", accuracy(), n()));
        sets().scores(data, seed).stream()
                .filter(s -> s.metric().startsWith("macro-"))
                .forEach(scores::add);
        return List.copyOf(scores);
    }

    /// As [LabelSets#labelScores].
    @Override
    public List<Score> labelScores(String data) {
        return sets().labelScores(data);
    }

    /// The same as sets of one label each.
    public LabelSets sets() {
        return new LabelSets(labels, single(truth), single(predicted));
    }

    private static int[][] single(int[] classes) {
        return Arrays.stream(classes).mapToObj(c -> new int[] {c}).toArray(int[][]::new);
    }

    /// How this classifier differs from another on the same records.
    public Comparison minus(Classification other) {
        if (!Arrays.equals(truth, other.truth)) {
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
