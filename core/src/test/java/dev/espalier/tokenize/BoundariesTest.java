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

    private static List<String> words(String text) {
        var boundaries = new Boundaries(TOKENIZER);
        var words = new ArrayList<String>();
        var previous = -1;
        for (var id : TOKENIZER.encode(text)) {
            var token = TOKENIZER.decode(new int[] {id});
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
        assertThat(words("the dogs, catnip; x2</s>tail"))
                .containsExactly("the", " dogs", ",", " catnip", ";", " x2", "</s>", "tail");
    }

    @Test
    void sentencesEndWithTheirMarksAndLines() {
        var ends = new Boundaries(TOKENIZER).sentenceEnds();
        var text = "the cat. \"Why?\" end!\nthe, x";
        var found = new ArrayList<String>();
        for (var id : TOKENIZER.encode(text)) {
            if (ends.get(id)) {
                found.add(TOKENIZER.decode(new int[] {id}));
            }
        }
        assertThat(String.join("", found)).isEqualTo(".?\"!\n");
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
}
