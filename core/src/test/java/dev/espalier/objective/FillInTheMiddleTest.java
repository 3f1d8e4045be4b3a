package dev.espalier.objective;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.data.Window;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Normalization;
import dev.espalier.tokenize.SentencePieceTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class FillInTheMiddleTest {
    private static final String TEXT = "the cat sat on the mat, and the dög sat by the cat 猫";
    private static final Tokenizer TOKENIZER =
            BytePairTrainer.train(
                    List.of(TEXT), 300, 2, List.of("<|endoftext|>", "<P>", "<M>", "<S>"));
    private static final int END = TOKENIZER.specials().endOfText().orElseThrow();
    private static final Pattern PSM =
            Pattern.compile("<P>(?<a>[^<]*)<S>(?<c>[^<]*)<M>(?<b>[^<]*)");
    private static final Pattern SPM = Pattern.compile("<P><S>(?<c>[^<]*)<M>(?<ab>[^<]*)");

    private static int id(String token) {
        return TOKENIZER.id(token).orElseThrow();
    }

    private static FillInTheMiddle middle(double rate, double suffixFirst) {
        return new FillInTheMiddle(rate, suffixFirst, TOKENIZER, id("<P>"), id("<M>"), id("<S>"));
    }

    /// So long that nothing is cut off: ends fill it up.
    private static Window window(int... more) {
        var ids = TOKENIZER.encode(TEXT);
        var end = IntStream.generate(() -> END).limit(40);
        var all =
                IntStream.concat(IntStream.concat(Arrays.stream(more), Arrays.stream(ids)), end)
                        .toArray();
        return new Window(all, new int[] {more.length}, "here");
    }

    private static String shown(int[] tokens) {
        return TOKENIZER.decode(tokens).replace("<|endoftext|>", "");
    }

    /// One would learn "wr iting" for a word that is cut behind "wr", the other "aword" for two.
    @Test
    void tokenizersThatCannotGoOnWithinAWordAreRefused() {
        var texts = List.of(TEXT.repeat(20));
        for (Tokenizer tokenizer :
                List.<Tokenizer>of(
                        WordPieceTrainer.train(texts, 80, 1, true, true),
                        SentencePieceTrainer.unigram(
                                texts,
                                60,
                                1,
                                Normalization.NMT_NFKC,
                                false,
                                List.of("<pad>", "</s>", "<unk>")))) {
            assertThatThrownBy(() -> new FillInTheMiddle(0.5, 0.5, tokenizer, 0, 1, 2))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageContaining("cuts texts within words");
        }
    }

    @Test
    void partsOfSentencePieceBeginByNoSpaceOfTheirOwn() {
        var tokenizer =
                SentencePieceTrainer.bytePairs(
                        List.of(TEXT.repeat(20)),
                        320,
                        1,
                        1,
                        List.of("<unk>", "<s>", "</s>", "<pre>", "<mid>", "<suf>"));
        var objective = new FillInTheMiddle(1, 0, tokenizer, 3, 4, 5);
        var ids = tokenizer.encode(TEXT);
        var end = IntStream.generate(() -> 2).limit(40);
        var window =
                new Window(
                        IntStream.concat(Arrays.stream(ids), end).toArray(), new int[] {0}, "here");
        for (var seed = 0; seed < 200; seed++) {
            var given = objective.of(window, Rng.at(seed)).tokens();
            var shown =
                    Arrays.stream(given)
                            .mapToObj(id -> new String(tokenizer.bytes(id), UTF_8))
                            .collect(joining());
            var parts = shown.replace("</s>", "").split("<pre>|<suf>|<mid>", -1);
            assertThat(parts).hasSize(4);
            assertThat(parts[1] + parts[3] + parts[2]).isEqualTo(" " + TEXT);
        }
    }

    @Test
    void aDocumentIsRearrangedInEitherOrderAndNothingIsLost() {
        int rearranged = 0, spm = 0, runs = 4000;
        var cuts = new int[TEXT.length() + 1];
        for (var seed = 0; seed < runs; seed++) {
            var window = window();
            var given = middle(0.5, 0.4).of(window, Rng.at(seed));
            assertThat(given.tokens()).hasSameSizeAs(window.tokens());
            assertThat(given.starts()).containsExactly(0);
            assertThat(given.where()).isEqualTo("here");
            var text = shown(given.tokens());
            var first = SPM.matcher(text);
            var other = PSM.matcher(text);
            if (text.equals(TEXT)) {
                continue;
            }
            rearranged++;
            if (first.matches() && TEXT.equals(first.group("ab") + first.group("c"))) {
                spm++;
            } else {
                assertThat(other.matches()).as(text).isTrue();
                assertThat(other.group("a") + other.group("b") + other.group("c")).isEqualTo(TEXT);
                cuts[other.group("a").length()]++;
            }
        }
        assertThat(rearranged / (double) runs).isCloseTo(0.5, within(0.04));
        // PSM with an empty prefix looks like SPM, once in some thirty.
        assertThat(spm / (double) rearranged).isCloseTo(0.41, within(0.05));
        // The smaller of two even draws: the first half of the places has three quarters.
        var half = IntStream.range(1, TEXT.length() / 2).map(i -> cuts[i]).sum();
        var all = Arrays.stream(cuts, 1, cuts.length).sum();
        assertThat(half / (double) all).isCloseTo(0.74, within(0.06));
    }

    @Test
    void wordsAreCutBetweenCharactersAndNotWithinThem() {
        var inWord = 0;
        for (var seed = 0; seed < 300; seed++) {
            var text = shown(middle(1, 0).of(window(), Rng.at(seed)).tokens());
            assertThat(text).doesNotContain("\uFFFD");
            inWord += text.contains("th<") || text.contains("ca<") ? 1 : 0;
        }
        assertThat(inWord).isPositive();
    }

    /// The first token of a window may be the end of a character that the window before began.
    @Test
    void aCharacterThatTheWindowsBorderCutsStaysOutside() {
        var cat = TOKENIZER.encode("猫");
        assertThat(cat.length).isGreaterThan(1);
        var rest = Arrays.copyOfRange(cat, 1, cat.length);
        var all = IntStream.concat(Arrays.stream(rest), Arrays.stream(window().tokens())).toArray();
        var window = new Window(all, new int[0], "");
        var given = middle(1, 0).of(window, Rng.at(5));
        assertThat(Arrays.copyOf(given.tokens(), rest.length)).isEqualTo(rest);
        assertThat(given.tokens()[rest.length]).isEqualTo(id("<P>"));
        assertThat(given.starts()).isEmpty();
    }

    @Test
    void eachDocumentIsRearrangedForItselfAndEndsWithItsEnd() {
        var before =
                IntStream.concat(
                                Arrays.stream(TOKENIZER.encode("by the mat, the cat")),
                                IntStream.of(END))
                        .toArray();
        for (var seed = 0; seed < 100; seed++) {
            var given = middle(1, 0.5).of(window(before), Rng.at(seed));
            var end = Arrays.stream(given.tokens()).boxed().toList().indexOf(END);
            assertThat(given.starts()).containsExactly(end + 1);
            var text = TOKENIZER.decode(Arrays.copyOf(given.tokens(), end));
            var letters = text.replaceAll("<[PSM]>", "").chars().sorted().toArray();
            assertThat(letters).isEqualTo("by the mat, the cat".chars().sorted().toArray());
        }
    }

    @Test
    void aWindowKeepsItsLengthAndDrawsDecideAlone() {
        var ids = TOKENIZER.encode(TEXT);
        var window = Window.of(ids, "");
        for (var seed = 0; seed < 100; seed++) {
            var given = middle(1, 0.5).of(window, Rng.at(7, seed));
            assertThat(given.tokens()).hasSameSizeAs(ids);
            assertThat(given.tokens())
                    .isEqualTo(middle(1, 0.5).of(window, Rng.at(7, seed)).tokens());
        }
        assertThat(middle(0, 0).of(window, Rng.at(1)).tokens()).isEqualTo(ids);
    }
}
