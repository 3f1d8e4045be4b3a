package dev.espalier.objective;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.Rng;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DenoisingTest {
    private static final String WORDS =
            IntStream.range(0, 200).mapToObj(i -> "w" + i).collect(Collectors.joining(" "));
    private static final String SENTENCES =
            "One is 3.14 long. Two asks (why?) here. Is three \"so.\" Four! Five ends";
    private static final Tokenizer TOKENIZER =
            BytePairTrainer.train(
                    List.of(WORDS + " " + SENTENCES),
                    400,
                    2,
                    List.of("<s>", "<pad>", "</s>", "<unk>", "<mask>"));
    private static final int MASK = TOKENIZER.specials().mask().orElseThrow();
    private static final int END = TOKENIZER.specials().endOfText().orElseThrow();

    private static Denoising denoising(
            double infilling,
            double permutation,
            double masking,
            double deletion,
            double rotation) {
        return new Denoising(
                new Denoising.Rates(infilling, 3, permutation, masking, deletion, rotation),
                TOKENIZER,
                MASK);
    }

    private static String noisy(Denoising denoising, String text, long seed) {
        var ids = TOKENIZER.encode(text);
        var pair = denoising.of(ids, "", Rng.at(seed));
        assertThat(TOKENIZER.decode(pair.target())).isEqualTo("<s>" + text + "</s>");
        var noisy = TOKENIZER.decode(pair.input());
        assertThat(noisy).startsWith("<s>").endsWith("</s>");
        return noisy.substring(3, noisy.length() - 4);
    }

    private static int[] places(Denoising denoising, int[] ids, long seed) {
        return requireNonNull(denoising.of(ids, "", Rng.at(seed)).places());
    }

    /// How often something of probability `p` happened in `n` draws, within four deviations.
    private static void assertRate(int count, int n, double p) {
        assertThat((double) count).isCloseTo(n * p, within(4 * Math.sqrt(n * p * (1 - p))));
    }

    /// What infilling made of a text.
    ///
    /// @param lengths how many of the masks that stand alone hide so many words
    private record Spans(int masks, int hidden, int[] lengths) {
        static Spans of(String text, long seed) {
            var ids = TOKENIZER.encode(text);
            var words = new int[ids.length + 2]; // which word stands at each place, from 1
            for (var i = 0; i < ids.length; i++) {
                var begins = i == 0 || TOKENIZER.decode(new int[] {ids[i]}).startsWith(" ");
                words[i + 1] = words[i] + (begins ? 1 : 0);
            }
            words[ids.length + 1] = words[ids.length] + 1;
            int masks = 0, hidden = 0, last = 0, open = 0; // masks since the last word that stayed
            var lengths = new int[50];
            for (var place : places(denoising(0.3, 0, 0, 0, 0), ids, seed)) {
                if (place == Denoising.MASK) {
                    open++;
                } else if (words[place] != last) {
                    var gap = words[place] - last - 1;
                    assertThat(gap).isBetween(0, open == 0 ? 0 : ids.length);
                    lengths[gap] += open == 1 ? 1 : 0;
                    masks += open;
                    hidden += gap;
                    last = words[place];
                    open = 0;
                }
            }
            return new Spans(masks, hidden, lengths);
        }
    }

    /// A million words, of which the one span that is cut does not show.
    @Test
    void textInfillingHidesWordsInSpansOfPoisson() {
        var spans = Spans.of((WORDS + " ").repeat(5000).strip(), 1);
        assertThat(spans.hidden).isEqualTo(300_000);
        // Lengths of mean and variance 3 reach t after t / 3 of them, with a variance of t / 9.
        assertThat((double) spans.masks).isCloseTo(1e5, within(4 * Math.sqrt(3e5 / 9)));
        var alone = Arrays.stream(spans.lengths).sum();
        assertThat(alone).isGreaterThan(70_000);
        var p = Math.exp(-3); // of spans of no words, whose masks are inserted
        for (var k = 0; k <= 9; k++) {
            assertRate(spans.lengths[k], alone, p);
            p *= 3 / (k + 1.0);
        }
    }

    /// As many spans as it takes Poisson's lengths to reach 60: the last is cut.
    @Test
    void aTextOf200WordsHasAsManySpansAs60OfThemTake() {
        var spans = new double[61]; // that are expected to hide so many words
        for (var words = 1; words <= 60; words++) {
            var p = Math.exp(-3);
            spans[words] = 1;
            for (var k = 1; k < words; k++) {
                p *= 3.0 / k;
                spans[words] += p * spans[words - k];
            }
            spans[words] /= 1 - Math.exp(-3);
        }
        var masks = 0;
        for (var seed = 0; seed < 2000; seed++) {
            var made = Spans.of(WORDS, seed);
            assertThat(made.hidden).isEqualTo(60);
            masks += made.masks;
        }
        assertThat(masks / 2000.0).isCloseTo(spans[60], within(4 * Math.sqrt(60 / 9.0 / 2000)));
    }

    /// Documents of a few words, and spans so short that nearly all of them hide nothing.
    @ParameterizedTest
    @ValueSource(doubles = {3, 1, 0.01, 1e-6, 1e-20})
    void aTextGetsNoLonger(double span) {
        var window = TOKENIZER.encode("w1 w2 w3 Four!</s>".repeat(40));
        var denoising =
                new Denoising(new Denoising.Rates(0.3, span, 1, 0, 0, 0.5), TOKENIZER, MASK);
        var masks = 0L;
        for (var seed = 0; seed < 100; seed++) {
            var pair = denoising.of(window, "", Rng.at(seed));
            assertThat(pair.input()).hasSizeLessThanOrEqualTo(pair.target().length);
            masks += Arrays.stream(pair.input()).filter(id -> id == MASK).count();
            var long_ = denoising.of(TOKENIZER.encode(WORDS), "", Rng.at(seed));
            assertThat(long_.input()).hasSizeLessThanOrEqualTo(long_.target().length);
            var hiding = Arrays.stream(long_.input()).filter(id -> id == MASK).count();
            // 60 words are hidden: one each where spans are short, but then nothing is inserted.
            assertThat(hiding).isBetween(12L, 60L);
        }
        // Of each document's five words, more where rotation cuts one, some 1.5 are hidden.
        assertThat(masks / (100 * 40.0)).isBetween(0.9, 1.7);
    }

    /// "w1" is two tokens or more; either all of them stay or none.
    @Test
    void wordsAreHiddenWhole() {
        var stays = Pattern.compile("(?:<mask>)*(?: ?w\\d+(?:<mask>)*)*");
        for (var seed = 0; seed < 50; seed++) {
            var noisy = noisy(denoising(0.5, 0, 0, 0, 0), WORDS, seed);
            assertThat(noisy).matches(stays);
            for (var word : noisy.replace("<mask>", " ").trim().split(" +")) {
                assertThat((" " + WORDS + " ").contains(" " + word + " ")).as(word).isTrue();
            }
        }
    }

    @Test
    void sentencesAreFoundInTheTextAndPermuted() {
        var denoising = denoising(0, 1, 0, 0, 0);
        var sentences =
                List.of(
                        "One is 3.14 long.",
                        " Two asks (why?) here.",
                        " Is three \"so.\"",
                        " Four!",
                        " Five ends");
        var first = new int[5];
        for (var seed = 0; seed < 5000; seed++) {
            var left = noisy(denoising, SENTENCES, seed);
            var order = new ArrayList<Integer>();
            while (!left.isEmpty()) {
                var rest = left;
                var next =
                        IntStream.range(0, 5)
                                .filter(i -> rest.startsWith(sentences.get(i)))
                                .findFirst();
                assertThat(next).as(rest).isPresent();
                order.add(next.orElseThrow());
                left = left.substring(sentences.get(order.getLast()).length());
            }
            assertThat(order).containsExactlyInAnyOrder(0, 1, 2, 3, 4);
            first[order.getFirst()]++;
        }
        for (var count : first) {
            assertRate(count, 5000, 0.2);
        }
    }

    @Test
    void aShareOfTheSentencesMoves() {
        var moved = 0;
        for (var seed = 0; seed < 1000; seed++) {
            moved += noisy(denoising(0, 0.4, 0, 0, 0), SENTENCES, seed).equals(SENTENCES) ? 0 : 1;
        }
        // Two of five change places, or both stay.
        assertRate(moved, 1000, 0.5);
    }

    @Test
    void tokensBecomeMasksOrDisappearByTheirRates() {
        var ids = TOKENIZER.encode(WORDS);
        int masks = 0, gone = 0, runs = 500;
        for (var seed = 0; seed < runs; seed++) {
            var masked = denoising(0, 0, 0.21, 0, 0).of(ids, "", Rng.at(seed)).input();
            assertThat(masked).hasSize(ids.length + 2);
            for (var i = 0; i < ids.length; i++) {
                masks += masked[i + 1] == MASK ? 1 : 0;
                assertThat(masked[i + 1]).isIn(MASK, ids[i]);
            }
            var deleted = denoising(0, 0, 0, 0.26, 0).of(ids, "", Rng.at(seed)).input();
            gone += ids.length + 2 - deleted.length;
        }
        // Each time so many, or by what is left over one more.
        var perRun = 0.21 * ids.length;
        assertRate(masks - runs * (int) perRun, runs, perRun % 1);
        perRun = 0.26 * ids.length;
        assertRate(gone - runs * (int) perRun, runs, perRun % 1);
    }

    @Test
    void documentsRotateByTheirRateToAnyToken() {
        var ids = TOKENIZER.encode(WORDS);
        int rotated = 0, runs = 10_000;
        var first = new int[ids.length];
        for (var seed = 0; seed < runs; seed++) {
            var half = places(denoising(0, 0, 0, 0, 0.5), ids, seed);
            rotated += half[1] == 1 ? 0 : 1;
            first[places(denoising(0, 0, 0, 0, 1), ids, seed)[1] - 1]++;
        }
        // One rotation of each length begins where the document does.
        assertRate(rotated, runs, 0.5 * (1 - 1.0 / ids.length));
        var mean = runs / (double) ids.length;
        var chi = Arrays.stream(first).mapToDouble(n -> (n - mean) * (n - mean) / mean).sum();
        var degrees = ids.length - 1;
        assertThat(chi).isCloseTo(degrees, within(4 * Math.sqrt(2.0 * degrees)));
        var turned = noisy(denoising(0, 0, 0, 0, 1), WORDS, 3);
        assertThat(turned).hasSameSizeAs(WORDS);
        assertThat(WORDS + WORDS).contains(turned);
    }

    @Test
    void whatEndsADocumentStaysBehindIt() {
        var first = TOKENIZER.encode("Alpha one. Beta two. Gamma three.");
        var second = TOKENIZER.encode("w1 w2 w3 w4 w5 w6 w7 w8 w9");
        var ids =
                IntStream.concat(
                                IntStream.concat(Arrays.stream(first), IntStream.of(END)),
                                Arrays.stream(second))
                        .toArray();
        for (var seed = 0; seed < 300; seed++) {
            var pair = denoising(0.3, 1, 0.1, 0.1, 0.5).of(ids, "", Rng.at(seed));
            var parts = TOKENIZER.decode(pair.input()).split("</s>", -1);
            assertThat(parts).hasSize(3);
            assertThat(parts[0]).doesNotContainPattern("w\\d");
            assertThat(parts[1]).doesNotContain("lpha").doesNotContain("wo.");
            assertThat(parts[2]).isEmpty();
        }
    }

    @Test
    void theSameDrawsSpoilAlike() {
        var ids = TOKENIZER.encode(WORDS);
        var denoising = denoising(0.3, 1, 0.1, 0.1, 0.5);
        assertThat(denoising.of(ids, "", Rng.at(1, 2)))
                .isEqualTo(denoising.of(ids, "", Rng.at(1, 2)))
                .isNotEqualTo(denoising.of(ids, "", Rng.at(1, 3)));
        assertThat(noisy(denoising(0, 0, 0, 0, 0), WORDS, 1)).isEqualTo(WORDS);
        assertThatThrownBy(() -> denoising(1.1, 0, 0, 0, 0))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
