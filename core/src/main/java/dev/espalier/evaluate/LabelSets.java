package dev.espalier.evaluate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/// What a classifier made of a test set whose records have any number of labels each: the labels
/// told, beside the true ones.
///
/// Of a label, h counts the records where it was told rightly, p those where it was told, and s
/// those where it is true: its precision is h / p, its recall h / s, and its F1 2h / (p + s), 0
/// where that would divide by 0. Micro averages take the sums of h, p and s over all labels; macro
/// averages are means over the labels that were told or are true anywhere.
public final class LabelSets implements Judgement {
    private final List<String> labels;
    private final int[][] truth;
    private final int[][] told;

    /// @param truth the true labels' indices of each record, ascending
    /// @param told the predicted ones'
    public LabelSets(List<String> labels, int[][] truth, int[][] told) {
        if (truth.length == 0 || truth.length != told.length) {
            throw new IllegalArgumentException(
                    truth.length + " records to judge by, " + told.length + " judged");
        }
        this.labels = List.copyOf(labels);
        this.truth = truth.clone();
        this.told = told.clone();
    }

    /// The answer that does best where it is given for every record: the most frequent labels, as
    /// many as give the highest micro-F1. Fit it to the training records.
    ///
    /// @param truth the labels' indices of each record
    public static int[] constant(int[][] truth, int labels) {
        var support = new int[labels];
        var all = 0;
        for (var record : truth) {
            for (var label : record) {
                support[label]++;
                all++;
            }
        }
        var order =
                IntStream.range(0, labels)
                        .boxed()
                        .sorted((a, b) -> Integer.compare(support[b], support[a]))
                        .toList();
        var best = 0;
        var highest = 0.0;
        var hits = 0L;
        for (var count = 1; count <= labels; count++) {
            hits += support[order.get(count - 1)];
            var f1 = 2.0 * hits / ((double) count * truth.length + all);
            if (f1 > highest) {
                best = count;
                highest = f1;
            }
        }
        return order.subList(0, best).stream().mapToInt(i -> i).sorted().toArray();
    }

    /// How often each label was told rightly, told, and true.
    private record Counts(int[] hits, int[] told, int[] support) {
        double precision(int label) {
            return share(hits[label], told[label]);
        }

        double recall(int label) {
            return share(hits[label], support[label]);
        }

        double f1(int label) {
            return share(2L * hits[label], (long) told[label] + support[label]);
        }

        /// Records where the label was told, is true, or both.
        int seen(int label) {
            return told[label] + support[label] - hits[label];
        }

        double macro(IntToDoubleFunction metric) {
            return IntStream.range(0, hits.length)
                    .filter(label -> told[label] + support[label] > 0)
                    .mapToDouble(metric)
                    .average()
                    .orElse(0);
        }

        private static double share(long part, long whole) {
            return whole == 0 ? 0 : (double) part / whole;
        }
    }

    private Counts counts(int[] places) {
        var n = labels.size();
        var counts = new Counts(new int[n], new int[n], new int[n]);
        for (var place : places) {
            for (var label : truth[place]) {
                counts.support[label]++;
            }
            for (var label : told[place]) {
                counts.told[label]++;
                if (Arrays.binarySearch(truth[place], label) >= 0) {
                    counts.hits[label]++;
                }
            }
        }
        return counts;
    }

    private Counts counts() {
        return counts(IntStream.range(0, truth.length).toArray());
    }

    /// The precision, the recall, the F1 and the number of true records of each label.
    public record OfLabel(String label, double precision, double recall, double f1, int support) {}

    /// Label by label.
    public List<OfLabel> each() {
        var counts = counts();
        return IntStream.range(0, labels.size())
                .mapToObj(l ->
                        new OfLabel(
                                labels.get(l),
                                counts.precision(l),
                                counts.recall(l),
                                counts.f1(l),
                                counts.support[l]))
                .toList();
    }

    /// Micro averages with [Interval#clustered] by records; macro averages by the bootstrap over
    /// records, at least as wide as the labels' own intervals make them if they were independent
    /// (decision 041); and the share of records whose labels are all told and no other, with
    /// Wilson's interval.
    @Override
    public List<Score> scores(String data, long seed) {
        var n = truth.length;
        var hits = new double[n];
        var told = new double[n];
        var support = new double[n];
        var seen = new double[n];
        for (var i = 0; i < n; i++) {
            var record = counts(new int[] {i});
            hits[i] = Arrays.stream(record.hits).sum();
            told[i] = this.told[i].length;
            support[i] = truth[i].length;
            seen[i] = told[i] + support[i] - hits[i];
        }
        var all = counts();
        var macro =
                Interval.bootstraps(
                        n,
                        seed,
                        places -> {
                            var c = counts(places);
                            return new double[] {
                                c.macro(c::f1), c.macro(c::precision), c.macro(c::recall)
                            };
                        });
        var right = IntStream.range(0, n).filter(i -> Arrays.equals(truth[i], this.told[i]));
        return List.of(
                Score.of(data, "micro-f1", Interval.clustered(hits, seen).toF1(), n),
                Score.of(data, "macro-f1", widened(macro.get(0), all, l -> f1(all, l)), n),
                Score.of(data, "micro-precision", Interval.clustered(hits, told), n),
                Score.of(data, "micro-recall", Interval.clustered(hits, support), n),
                Score.of(
                        data,
                        "macro-precision",
                        widened(macro.get(1), all, l -> share(all.hits[l], all.told[l])),
                        n),
                Score.of(
                        data,
                        "macro-recall",
                        widened(macro.get(2), all, l -> share(all.hits[l], all.support[l])),
                        n),
                Score.of(data, "subset-accuracy", Interval.share(right.count(), n), n));
    }

    private Interval widened(Interval macro, Counts counts, IntFunction<Interval> ofLabel) {
        var each =
                IntStream.range(0, labels.size())
                        .filter(l -> counts.seen(l) > 0)
                        .mapToObj(ofLabel)
                        .toList();
        return macro.widenedBy(each.isEmpty() ? new Interval(0, 0, 1) : Interval.mean(each));
    }

    /// The share of right ones among `of` records; of none it is 0 by convention, and may be all.
    private static Interval share(int hits, int of) {
        return of == 0 ? new Interval(0, 0, 1) : Interval.share(hits, of);
    }

    private static Interval f1(Counts counts, int label) {
        return Interval.share(counts.hits[label], counts.seen(label)).toF1();
    }

    /// Precision (n: how often it was told), recall (n: how often it is true) and F1 of every label
    /// that occurs, as `precision:LABEL` and so on, with Wilson's interval: F1 by way of the share
    /// of right ones among the records that are of the label or were given it.
    @Override
    public List<Score> labelScores(String data) {
        var counts = counts();
        var scores = new ArrayList<Score>();
        for (var l = 0; l < labels.size(); l++) {
            var name = labels.get(l);
            int hits = counts.hits[l], told = counts.told[l], support = counts.support[l];
            if (told > 0) {
                scores.add(Score.of(data, "precision:" + name, Interval.share(hits, told), told));
            }
            if (support > 0) {
                scores.add(
                        Score.of(data, "recall:" + name, Interval.share(hits, support), support));
            }
            if (told + support > 0) {
                scores.add(Score.of(data, "f1:" + name, f1(counts, l), truth.length));
            }
        }
        return List.copyOf(scores);
    }
}
