package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class BoundariesTest {
    private static final BytePairTokenizer TOKENIZER =
            BytePairTrainer.train(
                    List.of("the cat, the dog. The end! \"Why?\"\n"), 270, 1, List.of("</s>"));

    /// WordPiece and a unigram model.
    private static List<Tokenizer> others() {
        var texts = List.of("the unseen cats are 3.14 long. two dogs? 5 do!");
        return List.of(
                WordPieceTrainer.train(texts, 80, 1, true, true),
                SentencePieceTrainer.unigram(
                        texts,
                        50,
                        1,
                        Normalization.NMT_NFKC,
                        false,
                        List.of("<pad>", "</s>", "<unk>")));
    }

    private static List<String> words(Tokenizer tokenizer, String text) {
        var ids = tokenizer.encode(text);
        var starts = new Boundaries(tokenizer).words(ids);
        assertThat(starts.length() <= ids.length && starts.get(0)).isTrue();
        return starts.stream()
                .mapToObj(from -> {
                    var end = starts.nextSetBit(from + 1);
                    var to = end < 0 ? ids.length : end;
                    return tokenizer.decode(Arrays.copyOfRange(ids, from, to));
                })
                .toList();
    }

    @Test
    void wordsEndAtSpacesPunctuationAndSpecialTokens() {
        assertThat(words(TOKENIZER, "the dogs, catnip; x2</s>tail"))
                .containsExactly("the", " dogs", ",", " catnip", ";", " x2", "</s>", "tail");
    }

    /// Two or three tokens make a character here, since the tokenizer knows none of them.
    @Test
    void charactersDecideAndNotTheirBytes() {
        assertThat(words(TOKENIZER, "house\u2014and “naïve”\u00a0друзья 👍🏽 e\u0301t"))
                .containsExactly(
                        "house",
                        "\u2014",
                        "and",
                        " ",
                        "“",
                        "naïve",
                        "”",
                        "\u00a0",
                        "друзья",
                        " ",
                        "👍",
                        "🏽",
                        " e\u0301t");
        assertThat(words(TOKENIZER, "猫です。 ลิง x한국어 ー"))
                .containsExactly("猫", "で", "す", "。", " ลิ", "ง", " x한국어", " ー");
        assertThat(words(TOKENIZER, "人々ๆ2 スー")).containsExactly("人", "々", "ๆ", "2", " スー");
    }

    @Test
    void aCharacterThatABorderCutsIsPartOfAWord() {
        var ids = TOKENIZER.encode("a猫b");
        assertThat(ids).hasSize(5);
        var boundaries = new Boundaries(TOKENIZER);
        assertThat(boundaries.words(Arrays.copyOfRange(ids, 2, 5)).stream()).containsExactly(0);
        assertThat(boundaries.words(Arrays.copyOfRange(ids, 0, 2)).stream()).containsExactly(0);
        assertThat(boundaries.words(ids).stream()).containsExactly(0, 1, 4);
        assertThat(boundaries.words(new int[0]).isEmpty()).isTrue();
    }

    /// As books have them.
    @Test
    void linesOfAParagraphAreNoSentences() {
        assertThat(
                        sentences(
                                "the end of\nthe dog. Why\nThe\n \ncat\r\n\r\nthe dog.\r\n\r\nThe end"))
                .containsExactly(
                        "the end of\nthe dog.",
                        " Why\nThe\n \n",
                        "cat\r\n\r\n",
                        "the dog.\r\n\r\n",
                        "The end");
        assertThat(sentences("猫。\n\n猫」")).containsExactly("猫。\n\n", "猫」");
    }

    @Test
    void aLotOfEmptyLinesIsNoTrouble() {
        assertThat(sentences("The end." + " \n".repeat(100_000) + "cat" + "\n".repeat(100_000)))
                .hasSize(2);
        assertThat(sentences("the end." + ")".repeat(30_000) + " The" + "。」".repeat(20_000)))
                .hasSizeGreaterThan(2);
    }

    private static List<String> sentences(String text) {
        var ids = TOKENIZER.encode(text);
        var starts = new Boundaries(TOKENIZER).sentences(ids);
        var found = new ArrayList<String>();
        for (var i = 0; i < starts.length; i++) {
            var end = i + 1 < starts.length ? starts[i + 1] : ids.length;
            found.add(TOKENIZER.decode(Arrays.copyOfRange(ids, starts[i], end)));
        }
        return found;
    }

    @Test
    void sentencesAreFoundInTheText() {
        var text =
                "It is 3.14. Is it (why?) so? \"Yes!\" he said.\nNext… line “end.” It ends. 猫です。犬です。";
        assertThat(sentences(text))
                .containsExactly(
                        "It is 3.14.",
                        " Is it (why?) so?",
                        " \"Yes!\" he said.\n",
                        "Next…",
                        " line “end.”",
                        " It ends.",
                        " 猫です。",
                        "犬です。");
        assertThat(new Boundaries(TOKENIZER).sentences(new int[0])).containsExactly(0);
    }

    /// WordPiece keeps no white space, and has a space before every token that begins a word.
    @Test
    void numbersAreNoEndsWhateverTheTokens() {
        var text = "the cats are 3.14 long. two dogs? 5 do!";
        for (var tokenizer : others()) {
            assertThat(sentences(tokenizer, text))
                    .containsExactly("the cats are 3.14 long.", "two dogs?", "5 do!");
        }
    }

    /// Tokens that keep white space tell a year before a number from a number.
    @Test
    void aSentenceMayEndInANumberBeforeANumber() {
        var text = "two dogs are 1444. 3 cats. two are 1444.3. the cats.";
        for (var tokenizer : List.of(TOKENIZER, others().get(1))) {
            assertThat(new Boundaries(tokenizer).sentences(tokenizer.encode(text))).hasSize(4);
        }
        assertThat(sentences(others().getFirst(), text))
                .containsExactly("two dogs are 1444.3 cats.", "two are 1444.3.", "the cats.");
    }

    private static List<String> sentences(Tokenizer tokenizer, String text) {
        var ids = tokenizer.encode(text);
        var starts = new Boundaries(tokenizer).sentences(ids);
        var found = new ArrayList<String>();
        for (var i = 0; i < starts.length; i++) {
            var end = i + 1 < starts.length ? starts[i + 1] : ids.length;
            found.add(
                    tokenizer
                            .decode(Arrays.copyOfRange(ids, starts[i], end))
                            .replaceAll(" ?([.?!]) ?", "$1")
                            .strip());
        }
        return found;
    }

    @Test
    void wordsAreWholeWhateverTheTokens() {
        for (var tokenizer : others()) {
            assertThat(words(tokenizer, "the unseen cats? two dogs"))
                    .extracting(String::strip)
                    .filteredOn(word -> !word.isEmpty())
                    .containsExactly("the", "unseen", "cats", "?", "two", "dogs");
        }
    }
}
