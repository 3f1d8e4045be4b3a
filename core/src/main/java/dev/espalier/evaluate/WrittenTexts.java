package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.List;
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

    /// All metrics, with bootstrap intervals over the texts but for `exact-match`, which is a
    /// share; `character-error-rate` and `word-error-rate` are [ErrorRate]s; `bleu`, `chrf` and
    /// `chrf-plus-plus` go from 0 to 100; `rouge-1`, `rouge-2`, `rouge-l` and `rouge-lsum` are
    /// means of the texts' F1.
    ///
    /// @param prefix put before the metrics' names
    /// @param seed of the bootstrap
    public List<Score> scores(String data, String prefix, Settings settings, long seed) {
        var rouge = new Rouge(settings.stemming());
        var table = new Table(data, prefix, seed);
        return List.of(
                table.exact(),
                table.rate("character-error-rate", ErrorRate.CHARACTERS),
                table.rate("word-error-rate", ErrorRate.WORDS),
                table.bleu(settings),
                table.score("chrf", ChrF.CHARACTERS::counts, ChrF.CHARACTERS::score),
                table.score("chrf-plus-plus", ChrF.WITH_WORDS::counts, ChrF.WITH_WORDS::score),
                table.mean(
                        "rouge-1",
                        (text, right) -> Rouge.best(right, r -> rouge.ngrams(text, r, 1))),
                table.mean(
                        "rouge-2",
                        (text, right) -> Rouge.best(right, r -> rouge.ngrams(text, r, 2))),
                table.mean(
                        "rouge-l", (text, right) -> Rouge.best(right, r -> rouge.longest(text, r))),
                table.mean(
                        "rouge-lsum",
                        (text, right) -> Rouge.best(right, r -> rouge.longestByLine(text, r))));
    }

    /// Of captions, a picture each: `exact-match`, `bleu` and `cider`, with intervals as those of
    /// [#scores]; `cider` ([Cider]) goes from 0 to 10.
    ///
    /// @param prefix put before the metrics' names
    /// @param seed of the bootstrap
    public List<Score> captionScores(String data, String prefix, long seed) {
        var table = new Table(data, prefix, seed);
        return List.of(table.exact(), table.bleu(Settings.USUAL), cider(data, prefix, seed));
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

    /// What a text adds to a metric of all.
    private interface Counts {
        double[] of(String written, List<String> references);
    }

    private final class Table {
        private final String data;
        private final String prefix;
        private final long seed;

        Table(String data, String prefix, long seed) {
            this.data = data;
            this.prefix = prefix;
            this.seed = seed;
        }

        Score exact() {
            var right =
                    IntStream.range(0, written.size())
                            .filter(i -> references.get(i).contains(written.get(i)))
                            .count();
            return Score.of(
                    data,
                    prefix + "exact-match",
                    Interval.share(right, written.size()),
                    written.size());
        }

        Score score(String metric, Counts counts, ToDoubleFunction<double[]> of) {
            var rows = new double[written.size()][];
            Arrays.setAll(rows, i -> counts.of(written.get(i), references.get(i)));
            var interval =
                    Interval.bootstrap(
                            rows.length,
                            seed,
                            places -> {
                                var sums = new double[rows[0].length];
                                for (var place : places) {
                                    Bleu.add(sums, rows[place]);
                                }
                                return of.applyAsDouble(sums);
                            });
            return Score.of(data, prefix + metric, interval, rows.length);
        }

        Score bleu(Settings settings) {
            return score(
                    "bleu",
                    new Bleu(settings.tokens())::counts,
                    counts -> Bleu.score(counts, false));
        }

        Score rate(String metric, ErrorRate rate) {
            return score(metric, rate::counts, ErrorRate::score);
        }

        Score mean(String metric, ToDoubleBiFunction<String, List<String>> value) {
            return score(
                    metric,
                    (text, right) -> new double[] {value.applyAsDouble(text, right), 1},
                    sums -> sums[0] / sums[1]);
        }
    }
}
