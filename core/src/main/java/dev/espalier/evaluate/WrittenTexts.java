package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.ToDoubleBiFunction;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/// Texts that were written, beside what they should have been: one reference or several for each,
/// of which that counts which a metric holds for the nearest.
public record WrittenTexts(List<String> written, List<List<String>> references) {
    public WrittenTexts {
        written = List.copyOf(written);
        references = references.stream().map(List::copyOf).toList();
        if (written.isEmpty() || written.size() != references.size()) {
            throw new IllegalArgumentException(
                    written.size() + " texts beside " + references.size() + " references");
        }
    }

    /// What of the metrics may be chosen.
    ///
    /// @param tokens what a word is to BLEU
    /// @param stemming whether ROUGE compares English stems
    public record Settings(Bleu.Tokens tokens, boolean stemming) {
        public static final Settings USUAL = new Settings(Bleu.Tokens.WMT_13A, false);
    }

    private static final String EXACT = "exact-match";

    private static final List<String> METRICS =
            List.of(
                    EXACT,
                    "character-error-rate",
                    "word-error-rate",
                    "bleu",
                    "chrf",
                    "chrf-plus-plus",
                    "rouge-1",
                    "rouge-2",
                    "rouge-l",
                    "rouge-lsum");

    /// All metrics, with bootstrap intervals over the texts but for `exact-match`, which is a
    /// share; `character-error-rate` and `word-error-rate` are [ErrorRate]s; `bleu`, `chrf` and
    /// `chrf-plus-plus` go from 0 to 100; `rouge-1`, `rouge-2`, `rouge-l` and `rouge-lsum` are
    /// means of the texts' F1.
    ///
    /// @param prefix put before the metrics' names
    /// @param seed of the bootstrap
    public List<Score> scores(String data, String prefix, Settings settings, long seed) {
        return METRICS.stream().map(m -> score(data, prefix, m, settings, seed)).toList();
    }

    /// Of captions, a picture each: `exact-match`, `bleu` and `cider`, with intervals as those of
    /// [#scores]; `cider` ([Cider]) goes from 0 to 10.
    ///
    /// @param prefix put before the metrics' names
    /// @param seed of the bootstrap
    public List<Score> captionScores(String data, String prefix, long seed) {
        return List.of(
                score(data, prefix, EXACT, Settings.USUAL, seed),
                score(data, prefix, "bleu", Settings.USUAL, seed),
                cider(data, prefix, seed));
    }

    private Score score(String data, String prefix, String metric, Settings settings, long seed) {
        var sums = sums(metric, settings);
        return Score.of(
                data, prefix + metric, interval(metric, List.of(sums), seed), sums.records());
    }

    /// Of the mean over several writers of the same texts: of exact matches Wilson's, which has a
    /// width where none is one; of others the bootstrap's.
    ///
    /// @param seeds the [#sums] of `metric`
    public static Interval interval(String metric, List<Sums> seeds, long seed) {
        if (!metric.equals(EXACT)) {
            return Sums.interval(seeds, seed);
        }
        var n = seeds.getFirst().records();
        var mean = seeds.stream().mapToDouble(Sums::value).average().orElseThrow();
        return Interval.share(Math.round(n * mean), n);
    }

    /// A metric of [#scores] as what the texts add to it.
    ///
    /// @throws IllegalArgumentException if it is none of them
    public Sums sums(String metric, Settings settings) {
        var rouge = new Rouge(settings.stemming());
        return switch (metric) {
            case EXACT -> mean((text, right) -> right.contains(text) ? 1 : 0);
            case "character-error-rate" -> sums(ErrorRate.CHARACTERS::counts, ErrorRate::score);
            case "word-error-rate" -> sums(ErrorRate.WORDS::counts, ErrorRate::score);
            case "bleu" -> sums(new Bleu(settings.tokens())::counts, c -> Bleu.score(c, false));
            case "chrf" -> sums(ChrF.CHARACTERS::counts, ChrF.CHARACTERS::score);
            case "chrf-plus-plus" -> sums(ChrF.WITH_WORDS::counts, ChrF.WITH_WORDS::score);
            case "rouge-1" -> mean((t, right) -> Rouge.best(right, r -> rouge.ngrams(t, r, 1)));
            case "rouge-2" -> mean((t, right) -> Rouge.best(right, r -> rouge.ngrams(t, r, 2)));
            case "rouge-l" -> mean((t, right) -> Rouge.best(right, r -> rouge.longest(t, r)));
            case "rouge-lsum" ->
                    mean((t, right) -> Rouge.best(right, r -> rouge.longestByLine(t, r)));
            default -> throw new IllegalArgumentException(metric + " is not of written texts");
        };
    }

    private Sums mean(ToDoubleBiFunction<String, List<String>> value) {
        return sums(
                (text, right) -> new double[] {value.applyAsDouble(text, right), 1},
                sums -> sums[0] / sums[1]);
    }

    private Sums sums(
            BiFunction<String, List<String>, double[]> counts, ToDoubleFunction<double[]> figure) {
        var rows = new double[written.size()][];
        Arrays.setAll(rows, i -> counts.apply(written.get(i), references.get(i)));
        return new Sums(rows, figure);
    }

    private Score cider(String data, String prefix, long seed) {
        var cider = new Cider(references);
        var scores = new double[written.size()];
        Arrays.setAll(scores, i -> cider.score(i, written.get(i)));
        return Score.of(
                data,
                prefix + "cider",
                Interval.bootstrap(
                        scores.length,
                        seed,
                        places ->
                                Arrays.stream(places)
                                        .mapToDouble(p -> scores[p])
                                        .average()
                                        .orElseThrow()),
                scores.length);
    }

    /// The places of the texts, from the one nearest to its reference by chrF to the farthest.
    public List<Integer> bestFirst() {
        var scores =
                IntStream.range(0, written.size())
                        .mapToDouble(
                                i -> ChrF.CHARACTERS.sentence(written.get(i), references.get(i)))
                        .toArray();
        return IntStream.range(0, scores.length)
                .boxed()
                .sorted((a, b) -> Double.compare(scores[b], scores[a]))
                .toList();
    }
}
