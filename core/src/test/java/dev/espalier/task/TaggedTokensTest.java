package dev.espalier.task;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.Rng;
import dev.espalier.corpus.Ledger;
import dev.espalier.corpus.TaggedReader;
import dev.espalier.corpus.TaggedText;
import dev.espalier.tokenize.BytePairTrainer;
import dev.espalier.tokenize.Normalization;
import dev.espalier.tokenize.SentencePieceTrainer;
import dev.espalier.tokenize.Tokenizer;
import dev.espalier.tokenize.WordPieceTrainer;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
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
                WordPieceTrainer.train(texts, 60, 1, true, true),
                SentencePieceTrainer.unigram(
                        texts,
                        60,
                        1,
                        Normalization.NMT_NFKC,
                        false,
                        List.of("<pad>", "</s>", "<unk>")),
                SentencePieceTrainer.bytePairs(texts, 300, 1, 1, List.of("<unk>", "<s>", "</s>")));
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
            check(tokenizer, tagged, 4 + rng.nextInt(30));
        }
    }

    /// `-Despalier.tagged=FILES`, parted as the class path is, reads other files.
    @ParameterizedTest
    @MethodSource("tokenizers")
    void everyTokenOfADataSetGoesThereAndBack(Tokenizer tokenizer) {
        var files = System.getProperty("espalier.tagged", "../recipes/data/village-tagged.conll");
        for (var file : files.split(File.pathSeparator)) {
            var ledger = new Ledger(null, new Ledger.Limit.Count(0));
            var texts = TaggedReader.read(Path.of(file), "", "text", "spans", ledger);
            assertThat(texts).isNotEmpty();
            for (var text : texts) {
                check(tokenizer, text, 40);
                check(tokenizer, text, 4096);
            }
        }
    }

    private static void check(Tokenizer tokenizer, TaggedText text, int most) {
        for (var last : new boolean[] {false, true}) {
            var words = 0;
            var room = most - tokenizer.template().addedToOne();
            for (var part : TaggedTokens.of(tokenizer, text, most, last)) {
                var longer = 0;
                assertThat(part.ids().length).isLessThanOrEqualTo(most);
                assertThat(part.places()).isSorted().doesNotHaveDuplicates();
                assertThat(part.firstWord()).isEqualTo(words);
                for (var w = 0; w < part.words(); w++, words++) {
                    var tokens = tokens(tokenizer, text, words);
                    var cut = Math.min(tokens.size(), room);
                    longer += tokens.size() > room ? 1 : 0;
                    assertThat(part.ids()[part.places()[w]])
                            .as(text.where() + " " + text.text() + " " + words)
                            .isEqualTo(tokens.get(last ? cut - 1 : 0));
                }
                assertThat(part.cut()).as(text.text()).isEqualTo(longer);
            }
            assertThat(words).isEqualTo(text.words());
        }
    }

    /// Those of the whole text that lie between the word before and the end of this one, or, where
    /// one of them touches another word too, or there are none, the word's by itself.
    private static List<Integer> tokens(Tokenizer tokenizer, TaggedText text, int word) {
        var origin = text.starts()[0];
        var from = word == 0 ? origin : text.ends()[word - 1];
        var to = text.ends()[word];
        var whole = tokenizer.encodeWithOffsets(text.text().substring(origin));
        var tokens = new ArrayList<Integer>();
        var shared = false;
        for (var t = 0; t < whole.ids().length; t++) {
            var start = origin + whole.starts()[t];
            var end = origin + whole.ends()[t];
            shared |= start < to && end > to || start < from && end > from;
            if (start >= from && start < to) {
                tokens.add(whole.ids()[t]);
            }
        }
        if (!shared && !tokens.isEmpty()) {
            return tokens;
        }
        var alone = tokenizer.encode(text.text().substring(from, to));
        return alone.length > 0
                ? Arrays.stream(alone).boxed().toList()
                : List.of(tokenizer.specials().unknown().orElse(0));
    }

    /// A punctuation mark behind a word is no word with a space before it.
    @Test
    void tokensAreThoseOfTheWholeText() {
        var tokenizer = tokenizers().get(3);
        var text = TaggedReader.untagged("tree, the tree");
        assertThat(TaggedTokens.of(tokenizer, text, 64, false).getFirst().ids())
                .isEqualTo(tokenizer.template().apply(tokenizer.encode("tree, the tree")));
    }

    @ParameterizedTest
    @MethodSource("tokenizers")
    void aTextWithoutWordsHasNoStretch(Tokenizer tokenizer) {
        assertThat(TaggedTokens.of(tokenizer, TaggedReader.untagged(" \n"), 8, true)).isEmpty();
    }
}
