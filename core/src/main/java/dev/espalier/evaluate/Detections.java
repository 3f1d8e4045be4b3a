package dev.espalier.evaluate;

import dev.espalier.image.Box;
import dev.espalier.image.Detection;
import dev.espalier.image.Region;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/// What a detector saw in pictures, beside what is in them, measured as COCO does it (Lin et al.
/// 2014, arXiv:1405.0312, as its `pycocotools` define it).
///
/// Within a picture and a class, the detections in the order of their scores each take the thing
/// that they overlap most, if by at least a threshold and not taken before. Over all pictures, in
/// the order of scores, precision is the share of detections that took a thing, and recall that of
/// things that were taken; the average precision is the mean, over 101 recalls from 0 to 1, of the
/// best precision at that recall or a higher one. Detections of a crowd, of things that are marked
/// as difficult, and of things or by boxes of another size than asked for, count for nothing.
public final class Detections {
    /// The overlaps from which a thing counts as found: 0.5, 0.55 and so on to 0.95.
    private static final int THRESHOLDS = 10;

    private static final int RECALLS = 101;

    /// The most detections of a class that count in a picture.
    private static final int MOST = 100;

    /// Things by their size: all, and by the square root of their area.
    private enum Size {
        ALL(0, 1e5),
        SMALL(0, 32),
        MEDIUM(32, 96),
        LARGE(96, 1e5);

        private final double low;
        private final double high;

        Size(double low, double high) {
            this.low = low * low;
            this.high = high * high;
        }

        boolean excludes(double area) {
            return area < low || area > high;
        }
    }

    private final List<String> classes;
    private final List<List<Region>> truth;
    private final List<List<Detection>> seen;

    /// @param truth of each picture
    /// @param seen in each picture
    public Detections(List<String> classes, List<List<Region>> truth, List<List<Detection>> seen) {
        if (truth.isEmpty() || truth.size() != seen.size()) {
            throw new IllegalArgumentException(
                    truth.size() + " pictures, and " + seen.size() + " with detections");
        }
        this.classes = List.copyOf(classes);
        this.truth = truth.stream().map(List::copyOf).toList();
        this.seen = seen.stream().map(List::copyOf).toList();
    }

    /// The detections of a class in all pictures, the surest first.
    ///
    /// @param pictures of each
    /// @param ranks of each among those of its picture
    /// @param found a bit for each threshold at which it took a thing
    /// @param ignored a bit for each threshold at which it counts for nothing
    /// @param things that count, of each picture
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Matches(int[] pictures, int[] ranks, int[] found, int[] ignored, int[] things) {
        /// The average precision at a threshold; NaN where there is nothing to find.
        ///
        /// @param times how often each picture counts
        double precision(int threshold, int[] times) {
            var all = 0L;
            for (var i = 0; i < things.length; i++) {
                all += (long) things[i] * times[i];
            }
            if (all == 0) {
                return Double.NaN;
            }
            var recalls = new double[pictures.length];
            var precisions = new double[pictures.length];
            var n = 0;
            var right = 0L;
            var wrong = 0L;
            for (var d = 0; d < pictures.length; d++) {
                var count = times[pictures[d]];
                if (count == 0 || (ignored[d] >> threshold & 1) != 0) {
                    continue;
                }
                if ((found[d] >> threshold & 1) != 0) {
                    right += count;
                } else {
                    wrong += count;
                }
                recalls[n] = (double) right / all;
                precisions[n++] = (double) right / (right + wrong);
            }
            for (var d = n - 2; d >= 0; d--) {
                precisions[d] = Math.max(precisions[d], precisions[d + 1]);
            }
            var sum = 0.0;
            var d = 0;
            for (var r = 0; r < RECALLS; r++) {
                while (d < n && recalls[d] < r * 0.01) {
                    d++;
                }
                sum += d < n ? precisions[d] : 0;
            }
            return sum / RECALLS;
        }

        /// The share of things that were taken by the `most` surest detections of their picture.
        double recall(int threshold, int most) {
            var all = Arrays.stream(things).asLongStream().sum();
            var taken = 0L;
            for (var d = 0; d < pictures.length; d++) {
                var counts = ranks[d] < most && (ignored[d] >> threshold & 1) == 0;
                taken += counts && (found[d] >> threshold & 1) != 0 ? 1 : 0;
            }
            return all == 0 ? Double.NaN : (double) taken / all;
        }
    }

    private Matches matches(String label, Size size) {
        var pictures = new ArrayList<int[]>();
        var scores = new ArrayList<Double>();
        var things = new int[truth.size()];
        for (var p = 0; p < truth.size(); p++) {
            var regions = truth.get(p).stream().filter(r -> r.label().equals(label)).toList();
            for (var region : regions) {
                things[p] += isOther(region, size) ? 0 : 1;
            }
            var surest =
                    seen.get(p).stream()
                            .filter(d -> d.label().equals(label))
                            .sorted(Comparator.comparingDouble(Detection::score).reversed())
                            .limit(MOST)
                            .toList();
            var bits = match(regions, surest, size);
            for (var d = 0; d < surest.size(); d++) {
                pictures.add(new int[] {p, d, bits[d][0], bits[d][1]});
                scores.add(surest.get(d).score());
            }
        }
        var order = new Integer[scores.size()];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, (a, b) -> Double.compare(scores.get(b), scores.get(a)));
        var columns = new int[4][order.length];
        for (var i = 0; i < order.length; i++) {
            for (var c = 0; c < 4; c++) {
                columns[c][i] = pictures.get(order[i])[c];
            }
        }
        return new Matches(columns[0], columns[1], columns[2], columns[3], things);
    }

    /// For each detection of a picture the bits of [Matches#found] and [Matches#ignored].
    private static int[][] match(List<Region> regions, List<Detection> surest, Size size) {
        // Those that count stand first.
        var things = regions.stream().sorted(Comparator.comparing(r -> isOther(r, size))).toList();
        var bits = new int[surest.size()][2];
        for (var t = 0; t < THRESHOLDS; t++) {
            var taken = new boolean[things.size()];
            for (var d = 0; d < surest.size(); d++) {
                var box = surest.get(d).box();
                var best = best(things, taken, box, threshold(t), size);
                if (best >= 0) {
                    taken[best] = true;
                    bits[d][0] |= 1 << t;
                }
                var other = best < 0 ? size.excludes(box.area()) : isOther(things.get(best), size);
                bits[d][1] |= other ? 1 << t : 0;
            }
        }
        return bits;
    }

    /// Whether it counts for nothing.
    private static boolean isOther(Region thing, Size size) {
        return !thing.counts() || size.excludes(thing.area());
    }

    /// The thing that a box takes, or -1: one that does not count only where none does that counts.
    private static int best(
            List<Region> things, boolean[] taken, Box box, double threshold, Size size) {
        var best = -1;
        var most = Math.min(threshold, 1 - 1e-10);
        for (var i = 0; i < things.size(); i++) {
            var thing = things.get(i);
            // What does not count may be taken by any number of boxes.
            if (taken[i] && thing.counts()) {
                continue;
            }
            if (best >= 0 && !isOther(things.get(best), size) && isOther(thing, size)) {
                break;
            }
            var overlap = overlap(box, thing);
            if (overlap >= most) {
                most = overlap;
                best = i;
            }
        }
        return best;
    }

    /// Of a crowd, it is enough that the box lies in it.
    private static double overlap(Box box, Region thing) {
        return thing.crowd()
                ? box.in(thing.box()).area() / Math.max(box.area(), 1e-12)
                : box.overlap(thing.box());
    }

    private static double threshold(int t) {
        return t == THRESHOLDS - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / (THRESHOLDS - 1));
    }

    /// `map` over all thresholds, `map-50` and `map-75` at one, with bootstrap intervals over the
    /// pictures; by the things' size `map-small` (less than 32 x 32 pixels), `map-medium` and
    /// `map-large` (more than 96 x 96), `recall-1`, `recall-10` and `recall-100`, the shares found
    /// by so many detections a picture and class, and by a hundred `recall-small` and so on,
    /// without. Those of which there is nothing to find are left out.
    ///
    /// @param seed of the bootstrap
    public List<Score> scores(String data, long seed) {
        var n = truth.size();
        var all = classes.stream().map(c -> matches(c, Size.ALL)).toList();
        var intervals =
                Interval.bootstraps(
                        n,
                        seed,
                        places -> {
                            var times = new int[n];
                            for (var place : places) {
                                times[place]++;
                            }
                            var at = new double[THRESHOLDS];
                            // In a resample of empty pictures nothing is found.
                            Arrays.setAll(at, t -> orNothing(mean(all, t, times)));
                            return new double[] {
                                Arrays.stream(at).average().orElse(Double.NaN), at[0], at[5]
                            };
                        });
        var scores = new ArrayList<Score>();
        for (var i = 0; i < 3; i++) {
            var name = List.of("map", "map-50", "map-75").get(i);
            scores.add(Score.of(data, name, intervals.get(i), n));
        }
        var once = new int[n];
        Arrays.fill(once, 1);
        var recalls = new ArrayList<Score>();
        for (var most : new int[] {1, 10, MOST}) {
            add(recalls, data, "recall-" + most, recall(all, most));
        }
        for (var size : List.of(Size.SMALL, Size.MEDIUM, Size.LARGE)) {
            var sized = classes.stream().map(c -> matches(c, size)).toList();
            var name = size.name().toLowerCase(Locale.ROOT);
            var sum = 0.0;
            for (var t = 0; t < THRESHOLDS; t++) {
                sum += mean(sized, t, once);
            }
            add(scores, data, "map-" + name, sum / THRESHOLDS);
            add(recalls, data, "recall-" + name, recall(sized, MOST));
        }
        scores.addAll(recalls);
        return List.copyOf(scores);
    }

    /// The mean recall over all thresholds and the classes that there are to find.
    private static double recall(List<Matches> classes, int most) {
        return classes.stream()
                .mapToDouble(m -> {
                    var sum = 0.0;
                    for (var t = 0; t < THRESHOLDS; t++) {
                        sum += m.recall(t, most);
                    }
                    return sum / THRESHOLDS;
                })
                .filter(r -> !Double.isNaN(r))
                .average()
                .orElse(Double.NaN);
    }

    /// The `map` and `map-50` of each class that there is to find, as `map:CLASS`, without
    /// intervals.
    public List<Score> labelScores(String data) {
        var scores = new ArrayList<Score>();
        var once = new int[truth.size()];
        Arrays.fill(once, 1);
        for (var label : classes) {
            var matches = List.of(matches(label, Size.ALL));
            var sum = 0.0;
            for (var t = 0; t < THRESHOLDS; t++) {
                sum += mean(matches, t, once);
            }
            add(scores, data, "map:" + label, sum / THRESHOLDS);
            add(scores, data, "map-50:" + label, mean(matches, 0, once));
        }
        return List.copyOf(scores);
    }

    /// The mean average precision at a threshold over the classes that there are to find.
    private static double mean(List<Matches> classes, int threshold, int[] times) {
        return classes.stream()
                .mapToDouble(m -> m.precision(threshold, times))
                .filter(p -> !Double.isNaN(p))
                .average()
                .orElse(Double.NaN);
    }

    private static double orNothing(double value) {
        return Double.isNaN(value) ? 0 : value;
    }

    private void add(List<Score> scores, String data, String metric, double value) {
        if (!Double.isNaN(value)) {
            scores.add(
                    new Score(
                            data,
                            metric,
                            value,
                            Double.NEGATIVE_INFINITY,
                            Double.POSITIVE_INFINITY,
                            truth.size()));
        }
    }

    /// What things were taken for by the detections of at least `score`: each, the surest first,
    /// takes the thing of whatever class that it overlaps most, if by a half and not taken before.
    /// The last class is nothing: what was seen where no thing is, and things that were not seen.
    /// Crowds and difficult things, and what was seen of them, are left out.
    public ConfusionMatrix confusion(double score) {
        var labels = new ArrayList<>(classes);
        labels.add("nothing");
        int k = labels.size(), nothing = k - 1;
        var counts = new long[k * k];
        for (var p = 0; p < truth.size(); p++) {
            var things =
                    truth.get(p).stream().sorted(Comparator.comparing(r -> !r.counts())).toList();
            var taken = new boolean[things.size()];
            var surest =
                    seen.get(p).stream()
                            .filter(d -> d.score() >= score)
                            .sorted(Comparator.comparingDouble(Detection::score).reversed())
                            .toList();
            for (var detection : surest) {
                var best = best(things, taken, detection.box(), threshold(0), Size.ALL);
                var is = best < 0 ? nothing : labels.indexOf(things.get(best).label());
                if (best >= 0) {
                    taken[best] = true;
                }
                if (best < 0 || things.get(best).counts()) {
                    counts[is * k + labels.indexOf(detection.label())]++;
                }
            }
            for (var i = 0; i < taken.length; i++) {
                if (!taken[i] && things.get(i).counts()) {
                    counts[labels.indexOf(things.get(i).label()) * k + nothing]++;
                }
            }
        }
        return ConfusionMatrix.of(labels, counts);
    }

    /// The places of the pictures, from the one whose things are told best to the worst: by the F1
    /// of detections of at least `score` at an overlap of a half.
    public List<Integer> bestFirst(double score) {
        var f1 = new double[truth.size()];
        for (var p = 0; p < f1.length; p++) {
            var right = 0;
            var told = 0;
            for (var label : classes) {
                var sure =
                        seen.get(p).stream()
                                .filter(d -> d.label().equals(label) && d.score() >= score)
                                .sorted(Comparator.comparingDouble(Detection::score).reversed())
                                .toList();
                var regions = truth.get(p).stream().filter(r -> r.label().equals(label)).toList();
                for (var bits : match(regions, sure, Size.ALL)) {
                    var counts = (bits[1] & 1) == 0;
                    told += counts ? 1 : 0;
                    right += counts ? bits[0] & 1 : 0;
                }
            }
            var all = told + truth.get(p).stream().filter(Region::counts).count();
            f1[p] = all == 0 ? 1 : 2.0 * right / all;
        }
        var places = new ArrayList<Integer>();
        for (var p = 0; p < f1.length; p++) {
            places.add(p);
        }
        places.sort((a, b) -> Double.compare(f1[b], f1[a]));
        return places;
    }
}
