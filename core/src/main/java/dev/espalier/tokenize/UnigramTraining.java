package dev.espalier.tokenize;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/// Learns a unigram language model (Kudo 2018, arXiv:1804.10959, section 3.2), with the details
/// that SentencePiece's code has:
///
/// 1. Seeds are the characters, and of the texts' substrings that go on in more than one way those
///    of the greatest frequency times length, found by a suffix array.
/// 2. EM: the expected number of times that each piece occurs, over all spellings of each text by
///    their likelihood (forward-backward); then p(x) ∝ exp(ψ(expected)), where the digamma function
///    ψ, which Liang et al. (2007) take from a Dirichlet prior, holds rare pieces down. Pieces that
///    are expected less than half a time go.
/// 3. Of the pieces that stand in some best spelling, three quarters stay: those whose loss is the
///    greatest, that is, whose replacement by their second best spelling would make the text least
///    likely. 2 and 3 take turns until there are 1.1 times as many pieces as wanted, of which the
///    most likely remain.
///
/// Characters always stay. All spellings of all texts are one lattice, kept as lists of the pieces
/// that begin at each place of the texts; it shrinks with the pieces, and no trie is searched.
final class UnigramTraining {
    private static final int MOST_SEEDS = 1_000_000;
    private static final int ROUNDS_OF_EM = 2;
    private static final double LEAST_EXPECTED = 0.5;
    private static final double SHRINKING = 0.75;
    private static final double SURPLUS = 1.1;

    record Piece(String text, double score) {}

    private final SentencePieceTrainer.Segments segments;

    /// Names that no piece may have.
    private final Set<String> taken;

    /// The texts' characters, each text ended by a 0; and of each place the frequency of its text.
    private final int[] points;

    private final long[] weights;

    /// Pieces: a place where each stands, how long it is, and the logarithm of its probability. The
    /// first are the single characters.
    private int[] places;

    private int[] lengths;
    private double[] scores;
    private final int characters;

    /// The lattice: pieces that begin at place p are `edges[edgeStarts[p], edgeStarts[p + 1])`.
    private int[] edgeStarts;

    private int[] edges;

    UnigramTraining(SentencePieceTrainer.Segments segments, Set<String> taken) {
        this.segments = segments;
        this.taken = taken;
        int size =
                segments.texts().stream().mapToInt(t -> t.codePointCount(0, t.length()) + 1).sum();
        points = new int[size];
        weights = new long[size];
        int at = 0;
        for (int s = 0; s < segments.texts().size(); s++) {
            var text = segments.texts().get(s);
            for (int i = 0; i < text.length(); i += Character.charCount(points[at - 1])) {
                weights[at] = segments.counts()[s];
                points[at++] = text.codePointAt(i);
            }
            at++;
        }
        characters = segments.characters().size();
        seed();
    }

    /// The pieces, at most so many, the most likely first.
    List<Piece> run(int most) {
        int wanted = (int) Math.max(characters, Math.min(SURPLUS * most, Integer.MAX_VALUE));
        while (true) {
            for (int i = 0; i < ROUNDS_OF_EM; i++) {
                maximize(expected());
            }
            if (scores.length <= wanted) {
                break;
            }
            if (!prune(wanted)) {
                break;
            }
        }
        var pieces = new ArrayList<Piece>();
        for (int i = 0; i < scores.length; i++) {
            pieces.add(new Piece(text(i), scores[i]));
        }
        var best = Comparator.comparingDouble((Piece p) -> -p.score()).thenComparing(Piece::text);
        var rest = pieces.subList(characters, pieces.size()).stream().sorted(best);
        var kept = new ArrayList<>(pieces.subList(0, characters));
        rest.filter(piece -> !taken.contains(piece.text()))
                .limit(most - characters)
                .forEach(kept::add);
        kept.sort(best);
        return kept;
    }

    String text(int piece) {
        return new String(points, places[piece], lengths[piece]);
    }

    // Seeds

    /// A candidate: the suffixes `[from, to)` of the array begin with its `length` characters.
    private record Seed(int from, int to, int length, double score) {}

    private void seed() {
        var suffixes = Suffixes.sorted(points, SentencePieceTrainer.LONGEST + 1);
        var found = candidates(suffixes);
        // The order of suffixes is that of their characters, so that ties depend on the text alone.
        found.sort(
                Comparator.comparingDouble((Seed s) -> -s.score)
                        .thenComparingInt(s -> s.from)
                        .thenComparingInt(s -> s.length));
        var seeds = found.subList(0, Math.min(found.size(), MOST_SEEDS));
        places = new int[characters + seeds.size()];
        lengths = new int[places.length];
        scores = new double[places.length];
        var ids = new HashMap<Integer, Integer>();
        for (int c : segments.characters()) {
            lengths[ids.size()] = 1;
            ids.put(c, ids.size());
        }
        var counts = new int[points.length + 1];
        for (int p = points.length - 1; p >= 0; p--) {
            if (points[p] != 0) {
                int id = ids.getOrDefault(points[p], 0);
                places[id] = p;
                scores[id] += weights[p];
                counts[p]++;
            }
        }
        for (var seed : seeds) {
            for (int i = seed.from; i < seed.to; i++) {
                counts[suffixes[i]]++;
            }
        }
        edgeStarts = new int[points.length + 1];
        for (int p = 0; p < points.length; p++) {
            edgeStarts[p + 1] = Math.addExact(edgeStarts[p], counts[p]);
        }
        edges = new int[edgeStarts[points.length]];
        var next = edgeStarts.clone();
        for (int p = 0; p < points.length; p++) {
            if (points[p] != 0) {
                edges[next[p]++] = ids.getOrDefault(points[p], 0);
            }
        }
        for (int s = 0; s < seeds.size(); s++) {
            var seed = seeds.get(s);
            int id = characters + s;
            places[id] = suffixes[seed.from];
            lengths[id] = seed.length;
            scores[id] = seed.score;
            for (int i = seed.from; i < seed.to; i++) {
                edges[next[suffixes[i]]++] = id;
            }
        }
        double log = Math.log(Arrays.stream(scores).sum());
        Arrays.setAll(scores, i -> Math.log(scores[i]) - log);
    }

    /// Substrings of at least two characters that occur at least twice, and are followed by
    /// different characters or ends: the inner nodes of the suffix tree.
    private List<Seed> candidates(int[] suffixes) {
        int n = suffixes.length;
        var sums = new long[n + 1];
        for (int i = 0; i < n; i++) {
            sums[i + 1] = sums[i] + weights[suffixes[i]];
        }
        var found = new ArrayList<Seed>();
        // Nodes that are open, by their first suffix and their length.
        var froms = new Ids(64);
        var open = new Ids(64);
        int before = 0;
        for (int i = 0; i < n; i++) {
            int shared = i + 1 < n ? shared(suffixes[i], suffixes[i + 1]) : 0;
            // A whole text's end, if the texts beside it go on otherwise.
            int whole = toEnd(suffixes[i]);
            if (whole > Math.max(before, shared)) {
                add(found, i, i + 1, whole, sums);
            }
            int from = i;
            while (open.size() > 0 && open.get(open.size() - 1) > shared) {
                int length = open.pop();
                from = froms.pop();
                add(found, from, i + 1, length, sums);
            }
            if (shared > 0 && (open.size() == 0 || open.get(open.size() - 1) < shared)) {
                open.add(shared);
                froms.add(from);
            }
            before = shared;
        }
        return found;
    }

    private static void add(List<Seed> found, int from, int to, int length, long[] sums) {
        long frequency = sums[to] - sums[from];
        if (length >= 2 && length <= SentencePieceTrainer.LONGEST && frequency >= 2) {
            found.add(new Seed(from, to, length, (double) frequency * length));
        }
    }

    private int shared(int a, int b) {
        int length = 0;
        while (length <= SentencePieceTrainer.LONGEST
                && points[a + length] != 0
                && points[a + length] == points[b + length]) {
            length++;
        }
        return length;
    }

    private int toEnd(int place) {
        int length = 0;
        while (length <= SentencePieceTrainer.LONGEST && points[place + length] != 0) {
            length++;
        }
        return length;
    }

    // EM

    private int end(int text) {
        int end = text;
        while (points[end] != 0) {
            end++;
        }
        return end;
    }

    /// How often each piece occurs in all spellings, by their likelihood. Sums of likelihoods are
    /// kept relative to the best spelling's, from the beginning and from the end.
    double[] expected() {
        var expected = new double[scores.length];
        var bestTo = new double[64];
        var sumTo = new double[64];
        var bestFrom = new double[64];
        var sumFrom = new double[64];
        for (int text = 0, end; text < points.length; text = end + 1) {
            end = end(text);
            int n = end - text;
            if (bestTo.length <= n) {
                bestTo = new double[2 * n];
                sumTo = new double[2 * n];
                bestFrom = new double[2 * n];
                sumFrom = new double[2 * n];
            }
            forward(text, n, bestTo, sumTo);
            backward(text, n, bestFrom, sumFrom);
            double weight = weights[text] / sumTo[n];
            for (int i = 0; i < n; i++) {
                for (int e = edgeStarts[text + i]; e < edgeStarts[text + i + 1]; e++) {
                    int piece = edges[e];
                    int to = i + lengths[piece];
                    double relative = bestTo[i] + scores[piece] + bestFrom[to] - bestTo[n];
                    if (relative > -700) {
                        expected[piece] += weight * sumTo[i] * sumFrom[to] * Math.exp(relative);
                    }
                }
            }
        }
        return expected;
    }

    private void forward(int text, int n, double[] best, double[] sum) {
        Arrays.fill(best, 1, n + 1, Double.NEGATIVE_INFINITY);
        best[0] = 0;
        for (int i = 0; i < n; i++) {
            for (int e = edgeStarts[text + i]; e < edgeStarts[text + i + 1]; e++) {
                int to = i + lengths[edges[e]];
                best[to] = Math.max(best[to], best[i] + scores[edges[e]]);
            }
        }
        Arrays.fill(sum, 1, n + 1, 0);
        sum[0] = 1;
        for (int i = 0; i < n; i++) {
            for (int e = edgeStarts[text + i]; e < edgeStarts[text + i + 1]; e++) {
                int to = i + lengths[edges[e]];
                sum[to] += sum[i] * Math.exp(best[i] + scores[edges[e]] - best[to]);
            }
        }
    }

    private void backward(int text, int n, double[] best, double[] sum) {
        best[n] = 0;
        sum[n] = 1;
        for (int i = n - 1; i >= 0; i--) {
            best[i] = Double.NEGATIVE_INFINITY;
            for (int e = edgeStarts[text + i]; e < edgeStarts[text + i + 1]; e++) {
                best[i] = Math.max(best[i], scores[edges[e]] + best[i + lengths[edges[e]]]);
            }
            sum[i] = 0;
            for (int e = edgeStarts[text + i]; e < edgeStarts[text + i + 1]; e++) {
                int to = i + lengths[edges[e]];
                sum[i] += sum[to] * Math.exp(scores[edges[e]] + best[to] - best[i]);
            }
        }
    }

    private void maximize(double[] expected) {
        for (int i = 0; i < characters; i++) {
            expected[i] = Math.max(expected[i], LEAST_EXPECTED);
        }
        var kept =
                IntStream.range(0, scores.length)
                        .filter(i -> expected[i] >= LEAST_EXPECTED)
                        .toArray();
        double log = digamma(Arrays.stream(kept).mapToDouble(i -> expected[i]).sum());
        for (int i : kept) {
            scores[i] = digamma(expected[i]) - log;
        }
        keep(kept);
    }

    /// ψ(x), by its recurrence ψ(x) = ψ(x + 1) - 1 / x and its asymptotic series (Bernardo 1976,
    /// Algorithm AS 103).
    static double digamma(double x) {
        double result = 0;
        double at = x;
        for (; at < 7; at++) {
            result -= 1 / at;
        }
        at -= 0.5;
        double x2 = 1 / (at * at);
        double x4 = x2 * x2;
        return result
                + Math.log(at)
                + x2 / 24
                - 7.0 / 960 * x4
                + 31.0 / 8064 * x4 * x2
                - 127.0 / 30720 * x4 * x4;
    }

    /// Drops the pieces that are not among `kept`, ascending, from the model and the lattice.
    private void keep(int[] kept) {
        if (kept.length == scores.length) {
            return;
        }
        var ids = new int[scores.length];
        Arrays.fill(ids, -1);
        for (int i = 0; i < kept.length; i++) {
            ids[kept[i]] = i;
        }
        int to = 0;
        for (int p = 0, e = 0; p < points.length; p++) {
            int end = edgeStarts[p + 1];
            for (; e < end; e++) {
                int id = ids[edges[e]];
                if (id >= 0) {
                    edges[to++] = id;
                }
            }
            edgeStarts[p + 1] = to;
        }
        places = select(places, kept);
        lengths = select(lengths, kept);
        scores = Arrays.stream(kept).mapToDouble(i -> scores[i]).toArray();
    }

    private static int[] select(int[] values, int[] kept) {
        return Arrays.stream(kept).map(i -> values[i]).toArray();
    }

    // Pruning

    /// The best spelling of `n` characters from `place` on, as its pieces from the last to the
    /// first.
    ///
    /// @param whole whether one piece may be all of it
    private void best(int place, int n, boolean whole, Best spelling) {
        spelling.reserve(n + 1);
        Arrays.fill(spelling.best, 1, n + 1, Double.NEGATIVE_INFINITY);
        spelling.best[0] = 0;
        for (int i = 0; i < n; i++) {
            for (int e = edgeStarts[place + i]; e < edgeStarts[place + i + 1]; e++) {
                int to = i + lengths[edges[e]];
                double score = spelling.best[i] + scores[edges[e]];
                if (to <= n && (whole || to - i < n) && score > spelling.best[to]) {
                    spelling.best[to] = score;
                    spelling.pieces[to] = edges[e];
                }
            }
        }
        spelling.result.clear();
        for (int at = n; at > 0; at -= lengths[spelling.pieces[at]]) {
            spelling.result.add(spelling.pieces[at]);
        }
    }

    private static final class Best {
        private double[] best = new double[64];
        private int[] pieces = new int[64];
        private final Ids result = new Ids(64);

        void reserve(int size) {
            if (best.length < size) {
                best = new double[2 * size];
                pieces = new int[2 * size];
            }
        }
    }

    /// Whether a piece went.
    private boolean prune(int wanted) {
        var frequencies = new double[scores.length];
        double texts = 0;
        var spelling = new Best();
        for (int text = 0, end; text < points.length; text = end + 1) {
            end = end(text);
            best(text, end - text, true, spelling);
            texts += weights[text];
            for (int i = 0; i < spelling.result.size(); i++) {
                frequencies[spelling.result.get(i)] += weights[text];
            }
        }
        double sum = Arrays.stream(frequencies).sum();
        var losses = new double[scores.length];
        var candidates = new ArrayList<Integer>();
        for (int i = characters; i < scores.length; i++) {
            best(places[i], lengths[i], false, spelling);
            // What is not the best spelling of itself stands in none.
            if (frequencies[i] == 0 || spelling.best[lengths[i]] > scores[i]) {
                continue;
            }
            var instead = spelling.result;
            double logSum = Math.log(sum + frequencies[i] * (instead.size() - 1));
            double without = 0;
            for (int p = 0; p < instead.size(); p++) {
                without += Math.log(frequencies[instead.get(p)] + frequencies[i]) - logSum;
            }
            double with = Math.log(frequencies[i]) - Math.log(sum);
            losses[i] = frequencies[i] / texts * (with - without);
            candidates.add(i);
        }
        candidates.sort(
                Comparator.comparingDouble((Integer i) -> -losses[i])
                        .thenComparing(Comparator.naturalOrder()));
        int most = (int) Math.max(wanted, SHRINKING * scores.length) - characters;
        int before = scores.length;
        var kept =
                IntStream.concat(
                                IntStream.range(0, characters),
                                candidates.stream().limit(Math.max(most, 0)).mapToInt(i -> i))
                        .sorted()
                        .toArray();
        keep(kept);
        return scores.length < before;
    }
}
