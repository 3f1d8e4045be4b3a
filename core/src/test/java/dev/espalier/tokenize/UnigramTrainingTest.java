package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class UnigramTrainingTest {
    private static UnigramTraining of(Map<String, Integer> texts) {
        var sorted = texts.keySet().stream().sorted().toList();
        var characters =
                sorted.stream()
                        .flatMapToInt(String::codePoints)
                        .distinct()
                        .sorted()
                        .boxed()
                        .toList();
        return new UnigramTraining(
                new SentencePieceTrainer.Segments(
                        sorted, sorted.stream().mapToLong(texts::get).toArray(), characters),
                Set.of());
    }

    /// Abramowitz and Stegun, table 6.1, and ψ(1) = -γ.
    @Test
    void digammaIsThatOfTheTables() {
        assertThat(UnigramTraining.digamma(1)).isEqualTo(-0.5772156649, within(1e-8));
        assertThat(UnigramTraining.digamma(1.5)).isEqualTo(0.0364899740, within(1e-8));
        assertThat(UnigramTraining.digamma(2)).isEqualTo(0.4227843351, within(1e-8));
        assertThat(UnigramTraining.digamma(0.5)).isEqualTo(-1.9635100260, within(1e-8));
        assertThat(UnigramTraining.digamma(100)).isEqualTo(4.6001618527, within(1e-8));
    }

    /// The substrings of "abab" and "abc" that go on in more than one way: ab, and whole texts.
    @Test
    void seedsAreTheInnerNodesOfTheSuffixTree() {
        var training = of(Map.of("abab", 3, "abc", 1));
        var names =
                IntStream.range(0, training.expected().length).mapToObj(training::text).toList();
        assertThat(names).containsExactlyInAnyOrder("a", "b", "c", "ab", "abab", "bab");
    }

    @Test
    void expectedCountsAreThoseOverAllSpellings() {
        var training = of(Map.of("abab", 3, "abc", 1));
        var expected = training.expected();
        var names = IntStream.range(0, expected.length).mapToObj(training::text).toList();
        var sums = new HashMap<String, Double>();
        // Seeds start with frequency times length.
        var scores = Map.of("a", 7.0, "b", 7.0, "c", 1.0, "ab", 14.0, "abab", 12.0, "bab", 9.0);
        for (var text : Map.of("abab", 3, "abc", 1).entrySet()) {
            var spellings = new HashMap<List<String>, Double>();
            spellings(text.getKey(), List.of(), scores, spellings);
            double all = spellings.values().stream().mapToDouble(p -> p).sum();
            spellings.forEach((pieces, p) ->
                    pieces.forEach(
                            piece -> sums.merge(piece, text.getValue() * p / all, Double::sum)));
        }
        for (int i = 0; i < expected.length; i++) {
            assertThat(expected[i])
                    .as(names.get(i))
                    .isEqualTo(sums.get(names.get(i)), within(1e-9));
        }
    }

    private static void spellings(
            String rest,
            List<String> pieces,
            Map<String, Double> scores,
            Map<List<String>, Double> into) {
        double all = scores.values().stream().mapToDouble(s -> s).sum();
        if (rest.isEmpty()) {
            into.put(
                    pieces,
                    pieces.stream()
                            .mapToDouble(p -> scores.getOrDefault(p, Double.NaN) / all)
                            .reduce(1, (a, b) -> a * b));
        }
        for (var piece : scores.keySet()) {
            if (rest.startsWith(piece)) {
                var longer = new java.util.ArrayList<>(pieces);
                longer.add(piece);
                spellings(rest.substring(piece.length()), longer, scores, into);
            }
        }
    }

    @Test
    void whatOftenStandsTogetherBecomesAPiece() {
        var texts = new HashMap<String, Integer>();
        for (var stem : List.of("walk", "talk", "jump", "look", "help")) {
            for (var ending : List.of("", "ed", "ing", "s")) {
                texts.put("\u2581" + stem + ending, 10);
            }
        }
        var pieces = of(texts).run(24);
        assertThat(pieces)
                .hasSizeLessThanOrEqualTo(24)
                .isSortedAccordingTo((a, b) -> Double.compare(b.score(), a.score()));
        assertThat(pieces.stream().map(UnigramTraining.Piece::text))
                .contains("\u2581jump", "\u2581look", "\u2581walk", "\u2581talk", "\u2581help")
                .contains("w", "t", "j", "u", "m", "p");
        assertThat(pieces.stream().mapToDouble(p -> Math.exp(p.score())).sum()).isLessThan(1.01);
    }

    @Test
    void aLongTextDoesNotOverflow() {
        var pieces = of(Map.of("ab".repeat(250), 5, "a".repeat(500), 1)).run(10);
        assertThat(pieces).allMatch(p -> Double.isFinite(p.score()) && p.score() < 0);
    }
}
