package dev.espalier.objective;

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

    @Test
    void textInfillingHidesWordsInSpansOfPoisson() {
        var denoising = denoising(0.3, 0, 0, 0, 0);
        int runs = 2000, hidden = 0, masks = 0, inserted = 0, n = 0;
        var lengths = new int[20];
        for (var seed = 0; seed < runs; seed++) {
            var noisy = noisy(denoising, WORDS, seed);
            var words =
                    Arrays.stream(noisy.replace("<mask>", " <mask> ").trim().split(" +")).toList();
            var last = -1;
            var open = 0; // masks since the last word that stayed
            for (var word : words) {
                if (word.equals("<mask>")) {
                    open++;
                    masks++;
                    continue;
                }
                var number = Integer.parseInt(word.substring(1));
                assertThat(number).isGreaterThan(last);
                var gap = number - last - 1;
                hidden += gap;
                if (open == 0) {
                    assertThat(gap).isZero();
                } else if (open == 1 && gap < lengths.length) {
                    lengths[gap]++;
                    n++;
                }
                inserted += open == 1 && gap == 0 ? 1 : 0;
                last = number;
                open = 0;
            }
            hidden += 199 - last;
        }
        assertThat(hidden / (runs * 200.0)).isCloseTo(0.3, within(1e-9));
        // 60 words need some 60 / 3 spans, and the last is cut: a little more than 20.
        assertThat(masks / (double) runs).isBetween(20.0, 21.0);
        assertThat(inserted).isPositive();
        // Of spans that stand alone the lengths are Poisson's, but for those cut.
        var p = Math.exp(-3);
        for (var k = 0; k <= 7; k++) {
            assertThat(lengths[k] / (double) n).as("length %d", k).isCloseTo(p, within(0.015));
            p *= 3 / (k + 1.0);
        }
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
            assertThat(count).isCloseTo(1000, within(150));
        }
    }

    @Test
    void aShareOfTheSentencesMoves() {
        var moved = 0;
        for (var seed = 0; seed < 1000; seed++) {
            moved += noisy(denoising(0, 0.4, 0, 0, 0), SENTENCES, seed).equals(SENTENCES) ? 0 : 1;
        }
        // Two of five change places, or both stay.
        assertThat(moved).isCloseTo(500, within(80));
    }

    @Test
    void tokensBecomeMasksDisappearOrRotateByTheirRates() {
        var ids = TOKENIZER.encode(WORDS);
        int masks = 0, gone = 0, rotated = 0, runs = 500;
        for (var seed = 0; seed < runs; seed++) {
            var masked = denoising(0, 0, 0.2, 0, 0).of(ids, "", Rng.at(seed)).input();
            assertThat(masked).hasSize(ids.length + 2);
            for (var i = 0; i < ids.length; i++) {
                masks += masked[i + 1] == MASK ? 1 : 0;
                assertThat(masked[i + 1]).isIn(MASK, ids[i]);
            }
            var deleted = denoising(0, 0, 0, 0.25, 0).of(ids, "", Rng.at(seed)).input();
            gone += ids.length + 2 - deleted.length;
            var turned = denoising(0, 0, 0, 0, 0.5).of(ids, "", Rng.at(seed)).input();
            assertThat(turned).hasSize(ids.length + 2).startsWith(TOKENIZER.encode("<s>"));
            rotated += turned[1] == ids[0] && turned[2] == ids[1] ? 0 : 1;
        }
        assertThat(masks / (double) (runs * ids.length)).isCloseTo(0.2, within(1e-3));
        assertThat(gone / (double) (runs * ids.length)).isCloseTo(0.25, within(1e-3));
        assertThat(rotated / (double) runs).isCloseTo(0.5, within(0.1));
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
