package dev.espalier.evaluate;

import dev.espalier.image.Mask;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/// The masks that were told of pictures, beside the true ones. With, over all pictures and for a
/// class c, T the pixels that are c, P those told to be c, and R those that are both:
///
/// IoU = R / (T + P - R), Dice = 2 R / (T + P)
///
/// Pixels that are ignored in the true mask count for nothing.
public final class Segmentations {
    private final List<String> classes;

    /// For each picture the R, T and P of each class.
    private final List<int[]> counts = new ArrayList<>();

    /// Pixels of all pictures, a row for each true class.
    private final long[] taken;

    public Segmentations(List<String> classes) {
        this.classes = List.copyOf(classes);
        taken = new long[classes.size() * classes.size()];
    }

    /// Adds a picture.
    ///
    /// @param told of the size of `truth`
    public void add(Mask truth, Mask told) {
        if (truth.width() != told.width() || truth.height() != told.height()) {
            throw new IllegalArgumentException("masks of different sizes");
        }
        var k = classes.size();
        var row = new int[3 * k];
        for (var i = 0; i < truth.classes().length; i++) {
            var is = truth.classes()[i] & 0xFF;
            var said = told.classes()[i] & 0xFF;
            if (is == Mask.IGNORED) {
                continue;
            }
            row[k + is]++;
            if (said < k) {
                row[2 * k + said]++;
                taken[is * k + said]++;
            }
            if (said == is) {
                row[is]++;
            }
        }
        counts.add(row);
    }

    /// `pixel-accuracy`, and the means over the classes that there are or were told, `mean-iou` and
    /// `mean-dice`, with bootstrap intervals over the pictures.
    ///
    /// @param seed of the bootstrap
    public List<Score> scores(String data, long seed) {
        var intervals =
                Interval.bootstraps(
                        counts.size(),
                        seed,
                        places -> {
                            var sum = sum(places);
                            return new double[] {
                                accuracy(sum), mean(c -> iou(sum, c)), mean(c -> dice(sum, c))
                            };
                        });
        var scores = new ArrayList<Score>();
        for (var i = 0; i < 3; i++) {
            var name = List.of("pixel-accuracy", "mean-iou", "mean-dice").get(i);
            scores.add(Score.of(data, name, intervals.get(i), counts.size()));
        }
        return List.copyOf(scores);
    }

    /// The `iou`, `dice` and `accuracy` (the share of its pixels that were told) of each class that
    /// there is or was told, as `iou:CLASS`, with bootstrap intervals over the pictures.
    ///
    /// @param seed of the bootstrap
    public List<Score> labelScores(String data, long seed) {
        var k = classes.size();
        var whole = sum(IntStream.range(0, counts.size()).toArray());
        var intervals =
                Interval.bootstraps(
                        counts.size(),
                        seed,
                        places -> {
                            var sum = sum(places);
                            var values = new double[3 * k];
                            for (var c = 0; c < k; c++) {
                                // A resample without the class has nothing wrong in it.
                                values[3 * c] = orOne(iou(sum, c));
                                values[3 * c + 1] = orOne(dice(sum, c));
                                values[3 * c + 2] = orOne((double) sum[c] / sum[k + c]);
                            }
                            return values;
                        });
        var scores = new ArrayList<Score>();
        for (var c = 0; c < k; c++) {
            if (Double.isNaN(iou(whole, c))) {
                continue;
            }
            for (var m = 0; m < (whole[k + c] > 0 ? 3 : 2); m++) {
                var name = List.of("iou", "dice", "accuracy").get(m) + ":" + classes.get(c);
                scores.add(Score.of(data, name, intervals.get(3 * c + m), counts.size()));
            }
        }
        return List.copyOf(scores);
    }

    /// Which class the pixels of each were told to be.
    public ConfusionMatrix confusion() {
        return ConfusionMatrix.of(classes, taken);
    }

    /// The places of the pictures, from the one with the highest mean IoU to the lowest.
    public List<Integer> bestFirst() {
        var means = new double[counts.size()];
        Arrays.setAll(
                means,
                i -> {
                    var sum = sum(new int[] {i});
                    return orOne(mean(c -> iou(sum, c)));
                });
        return IntStream.range(0, means.length)
                .boxed()
                .sorted((a, b) -> Double.compare(means[b], means[a]))
                .toList();
    }

    private static double orOne(double value) {
        return Double.isNaN(value) ? 1 : value;
    }

    private long[] sum(int[] places) {
        var sum = new long[3 * classes.size()];
        for (var place : places) {
            var row = counts.get(place);
            for (var i = 0; i < sum.length; i++) {
                sum[i] += row[i];
            }
        }
        return sum;
    }

    private double accuracy(long[] sum) {
        var k = classes.size();
        var right = Arrays.stream(sum, 0, k).sum();
        return orOne((double) right / Arrays.stream(sum, k, 2 * k).sum());
    }

    private double iou(long[] sum, int c) {
        var k = classes.size();
        return (double) sum[c] / (sum[k + c] + sum[2 * k + c] - sum[c]);
    }

    private double dice(long[] sum, int c) {
        var k = classes.size();
        return 2.0 * sum[c] / (sum[k + c] + sum[2 * k + c]);
    }

    private double mean(IntToDoubleFunction value) {
        return IntStream.range(0, classes.size())
                .mapToDouble(value)
                .filter(v -> !Double.isNaN(v))
                .average()
                .orElse(1);
    }
}
