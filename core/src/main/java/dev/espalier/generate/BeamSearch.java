package dev.espalier.generate;

import dev.espalier.EspalierException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;

/// The beams of one prompt: which continuations are followed, and which are finished. As the
/// Hugging Face library's scorer of release 4.41, down to the order of its steps.
final class BeamSearch {
    /// A finished continuation.
    ///
    /// @param ids without the prompt, with the id that ended it
    /// @param score the sum of log-probabilities over the length to the power of the penalty
    record Hypothesis(int[] ids, double score) {}

    private final Beams beams;
    private final Set<Integer> ends;
    private final int promptTokens;
    private final int limit;
    private final List<Hypothesis> finished = new ArrayList<>(); // in the order of their coming
    private int[][] open; // prompt and continuation of each beam
    private float[] sums; // log-probability of each beam
    private boolean done;

    /// For at most `limit` new tokens.
    BeamSearch(Beams beams, int[] prompt, int limit, Set<Integer> ends) {
        this.beams = beams;
        this.ends = ends;
        this.limit = limit;
        promptTokens = prompt.length;
        open = new int[beams.count()][];
        Arrays.fill(open, prompt);
        sums = new float[beams.count()];
        // All beams begin alike: only the first may be gone on from.
        Arrays.fill(sums, 1, sums.length, -1e9f);
    }

    boolean done() {
        return done;
    }

    /// Whether the next token is the last that is left.
    boolean isLast() {
        return open[0].length - promptTokens == limit - 1;
    }

    /// The prompt and the continuation of a beam.
    int[] ids(int beam) {
        return open[beam];
    }

    /// Chooses the next token of every beam by log-probabilities: `vocabulary` of them for each
    /// beam, the first ones at `offset`, those of each further beam `stride` later. Gives the beam
    /// that each new one goes on from.
    int[] step(float[] logProbabilities, int offset, int stride, int vocabulary) {
        var count = beams.count();
        // One token for each beam that is no end remains, whatever the ends take.
        var best =
                new Best(
                        (int)
                                Math.min(
                                        count * (long) vocabulary,
                                        Math.max(2, 1 + ends.size()) * count));
        for (var beam = 0; beam < count; beam++) {
            for (var id = 0; id < vocabulary; id++) {
                best.offer(
                        logProbabilities[offset + beam * stride + id] + sums[beam],
                        beam * vocabulary + id);
            }
        }
        var from = new int[count];
        var nextOpen = new int[count][];
        var nextSums = new float[count];
        var next = 0;
        for (var rank = 0; rank < best.size && next < count; rank++) {
            var beam = best.places[rank] / vocabulary;
            var id = best.places[rank] % vocabulary;
            if (!ends.contains(id)) {
                from[next] = beam;
                nextOpen[next] = with(open[beam], id);
                nextSums[next] = best.values[rank];
                next++;
            } else if (rank < count) {
                finish(with(open[beam], id), best.values[rank]);
            }
        }
        if (next < count) {
            throw EspalierException.usage(
                    "of %d tokens too few end no text for %d beams".formatted(vocabulary, count));
        }
        open = nextOpen;
        sums = nextSums;
        var written = open[0].length - promptTokens;
        done = finished.size() == count && settled(best.values[0], written);
        if (!done && written == limit) {
            for (var beam = 0; beam < count; beam++) {
                finish(open[beam], sums[beam]);
            }
            done = true;
        }
        return from;
    }

    private static int[] with(int[] ids, int id) {
        var longer = Arrays.copyOf(ids, ids.length + 1);
        longer[ids.length] = id;
        return longer;
    }

    private void finish(int[] ids, double sum) {
        var own = Arrays.copyOfRange(ids, promptTokens, ids.length);
        var fresh = new Hypothesis(own, sum / power(own.length));
        if (finished.size() == beams.count()) {
            if (fresh.score() <= worst().score()) {
                return;
            }
            finished.remove(worst());
        }
        finished.add(fresh);
    }

    /// The first of those with the lowest score.
    private Hypothesis worst() {
        return finished.stream().min(Comparator.comparing(Hypothesis::score)).orElseThrow();
    }

    private double power(int length) {
        return StrictMath.pow(length, beams.lengthPenalty());
    }

    /// Whether no open beam is hoped to rank above a finished one.
    private boolean settled(double bestSum, int written) {
        var length =
                switch (beams.earlyStopping()) {
                    case YES -> 0;
                    case NO -> written;
                    // Sums are negative, so the longest text divides best where length counts.
                    case NEVER -> beams.lengthPenalty() > 0 ? limit : written;
                };
        return length == 0 || worst().score() >= bestSum / power(length);
    }

    /// The `n` best finished ones, the best first.
    List<Hypothesis> best(int n) {
        var ranked = new ArrayList<>(finished.reversed());
        ranked.sort(Comparator.comparing(Hypothesis::score).reversed());
        return List.copyOf(ranked.subList(0, n));
    }

    /// The largest of many values, in descending order; of equal ones the first to come stands
    /// first.
    private static final class Best {
        private final float[] values;
        private final int[] places;
        private int size;

        Best(int most) {
            values = new float[most];
            places = new int[most];
        }

        void offer(float value, int place) {
            if (Float.isNaN(value)) {
                throw Sampler.notNumbers();
            }
            if (size == values.length && !(value > values[size - 1])) {
                return;
            }
            var at = size < values.length ? size++ : size - 1;
            for (; at > 0 && value > values[at - 1]; at--) {
                values[at] = values[at - 1];
                places[at] = places[at - 1];
            }
            values[at] = value;
            places[at] = place;
        }
    }
}
