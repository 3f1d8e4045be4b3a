package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
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
        var boundaries = new Boundaries(tokenizer);
        var words = new ArrayList<String>();
        var previous = -1;
        for (var id : tokenizer.encode(text)) {
            var token = new String(tokenizer.bytes(id), StandardCharsets.UTF_8);
            if (previous >= 0 && boundaries.continuesWord(previous, id)) {
                words.set(words.size() - 1, words.getLast() + token);
            } else {
                words.add(token);
            }
            previous = id;
        }
        return words;
    }

    @Test
    void wordsEndAtSpacesPunctuationAndSpecialTokens() {
        assertThat(words(TOKENIZER, "the dogs, catnip; x2</s>tail"))
                .containsExactly("the", " dogs", ",", " catnip", ";", " x2", "</s>", "tail");
    }

    @Test
    void sentencesAreFoundInTheText() {
        var text =
                "It is 3.14. Is it (why?) so? \"Yes!\" he said.\nNext… line “end.” It ends. 猫です。犬です。";
        var ids = TOKENIZER.encode(text);
        var starts = new Boundaries(TOKENIZER).sentences(ids);
        var found = new ArrayList<String>();
        for (var i = 0; i < starts.length; i++) {
            var end = i + 1 < starts.length ? starts[i + 1] : ids.length;
            found.add(TOKENIZER.decode(Arrays.copyOfRange(ids, starts[i], end)));
        }
        assertThat(found)
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
            assertThat(found).containsExactly("the cats are 3.14 long.", "two dogs?", "5 do!");
        }
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
