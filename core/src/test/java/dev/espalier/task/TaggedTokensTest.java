package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TaggedTokensTest {
    private static final String[] WORDS = {
        "Anna", "saw", "the", "unbelievable", "木林", "don't", "\u200b", "é", "🌳🌳", "3.14", "x", ","
    };

    static List<Tokenizer> tokenizers() {
        var texts = List.of("Anna saw the unbelievable tree, the treetop 3.14");
        return List.of(
                BytePairTrainer.train(texts, 280, 1, List.of("<s>", "<pad>", "</s>", "<mask>")),
                BytePairTrainer.train(texts, 280, 1, List.of("<|endoftext|>")),
                WordPieceTrainer.train(texts, 60, 1, true, true));
    }

    /// Whatever the words: each has one token of its own that tells its tag, in order, whether it
    /// is read by its first token or its last, and however short the stretches are.
    @ParameterizedTest
    @MethodSource("tokenizers")
    void tagsGoToTokensAndBackWithoutLoss(Tokenizer tokenizer) {
        for (var seed = 0; seed < 300; seed++) {
            var rng = Rng.at(seed);
            var text = new StringBuilder();
            var starts = new int[1 + rng.nextInt(12)];
            var ends = new int[starts.length];
            for (var w = 0; w < starts.length; w++) {
                text.append(" ".repeat(rng.nextInt(3)));
                starts[w] = text.length();
                text.append(WORDS[rng.nextInt(WORDS.length)]);
                ends[w] = text.length();
            }
            var tagged =
                    new TaggedText(
                            text.toString(),
                            starts,
                            ends,
                            Collections.nCopies(starts.length, "O"),
                            "");
            var most = 4 + rng.nextInt(30);
            for (var last : new boolean[] {false, true}) {
                var words = new ArrayList<Integer>();
                for (var part : TaggedTokens.of(tokenizer, tagged, most, last)) {
                    assertThat(part.ids().length).isLessThanOrEqualTo(most);
                    assertThat(part.places()).isSorted().doesNotHaveDuplicates();
                    for (var w = 0; w < part.words(); w++) {
                        words.add(part.firstWord() + w);
                        var place = part.places()[w];
                        var word = part.firstWord() + w;
                        var alone =
                                tokenizer.encode(
                                        tagged.text()
                                                .substring(
                                                        word == 0 ? starts[0] : ends[word - 1],
                                                        ends[word]));
                        if (alone.length > 0 && alone.length < most - 2) {
                            assertThat(part.ids()[place])
                                    .isEqualTo(last ? alone[alone.length - 1] : alone[0]);
                        }
                    }
                }
                assertThat(words)
                        .isEqualTo(
                                java.util.stream.IntStream.range(0, starts.length)
                                        .boxed()
                                        .toList());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("tokenizers")
    void aTextWithoutWordsHasNoStretch(Tokenizer tokenizer) {
        assertThat(TaggedTokens.of(tokenizer, TaggedReader.untagged(" \n"), 8, true)).isEmpty();
    }
}
