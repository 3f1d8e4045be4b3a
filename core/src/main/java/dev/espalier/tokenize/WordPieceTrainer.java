package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/// Learns a WordPiece vocabulary for BERT. Which tokens are joined goes by the frequency of their
/// pair, as in byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909, algorithm 1)
/// and as the Hugging Face library has it; Schuster and Nakajima (2012) join what raises the text's
/// likelihood most, in a program that was not published.
///
/// Ids are those of `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`, then of the characters that
/// begin words, those within words, and what was joined.
public final class WordPieceTrainer {
    /// BERT's special tokens.
    public static final List<String> SPECIALS =
            List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");

    private static final String PREFIX = "##";
    private static final int LONGEST_WORD = 100;

    private WordPieceTrainer() {}

    /// A tokenizer of at most `vocabularySize` tokens: fewer if the pairs run out. At most half of
    /// them are single characters, the most frequent; words with another one are unknown.
    ///
    /// @param texts documents
    /// @param vocabularySize at least 20
    /// @param minimumFrequency characters and pairs that are rarer are left out
    /// @param lowercase whether text is read in small letters
    /// @param stripAccents whether marks that take no room are left out
    /// @throws EspalierException if there is no text, or a setting is out of range
    public static WordPieceTokenizer train(
            Iterable<String> texts,
            int vocabularySize,
            int minimumFrequency,
            boolean lowercase,
            boolean stripAccents) {
        if (vocabularySize < 20 || minimumFrequency < 1) {
            throw EspalierException.usage(
                    "a vocabulary of %d with a minimum frequency of %d; at least 20 and 1 are needed"
                            .formatted(vocabularySize, minimumFrequency));
        }
        var text = new BertText(true, true, stripAccents, lowercase);
        var words = count(texts, text);
        if (words.size() == 0) {
            throw EspalierException.data("there is no text to train a tokenizer on");
        }
        var all = new ArrayList<int[]>();
        var counts = new ArrayList<Long>();
        for (var w = 0; w < words.size(); w++) {
            all.add(words.text(w).codePoints().toArray());
            counts.add(words.count(w));
        }
        var tokens = new BytePairTrainer.Tokens(SPECIALS, PREFIX, Integer.MAX_VALUE);
        var spelt = spell(tokens, all, counts, vocabularySize / 2, minimumFrequency);
        var kept = new ArrayList<int[]>();
        var keptCounts = new ArrayList<Long>();
        for (var w = 0; w < spelt.size(); w++) {
            if (spelt.get(w).length > 0) {
                kept.add(spelt.get(w));
                keptCounts.add(counts.get(w));
            }
        }
        new BytePairTrainer.Training(
                        tokens,
                        kept.toArray(int[][]::new),
                        keptCounts.stream().mapToLong(Long::longValue).toArray(),
                        vocabularySize,
                        minimumFrequency)
                .run();
        return tokenizer(tokens.vocabulary(), text, lowercase, stripAccents);
    }

    private static WordCounts count(Iterable<String> texts, BertText text) {
        var boundaries =
                new AddedTokens(
                        java.util.stream.IntStream.range(0, SPECIALS.size())
                                .mapToObj(id -> AddedToken.special(id, SPECIALS.get(id)))
                                .toList());
        var words = new WordCounts();
        for (var document : texts) {
            boundaries.split(
                    document,
                    false,
                    new AddedTokens.Pieces() {
                        @Override
                        public void text(Normalized piece, int from, int to) {
                            text.words(
                                    piece.text(),
                                    from,
                                    to,
                                    LONGEST_WORD,
                                    word -> {
                                        if (word.characters() <= LONGEST_WORD) {
                                            words.add(word.bytes(), 0, word.length());
                                        }
                                    });
                        }

                        @Override
                        public void token(int id, int from, int to) {}
                    });
        }
        return words;
    }

    /// Adds the characters to `tokens`, and gives each word as its characters' tokens; none for a
    /// word with a character that was left out.
    private static List<int[]> spell(
            BytePairTrainer.Tokens tokens,
            List<int[]> words,
            List<Long> counts,
            int mostCharacters,
            int minimumFrequency) {
        // A character that begins words and stands within them is two tokens.
        var frequencies = new HashMap<String, Long>();
        for (var w = 0; w < words.size(); w++) {
            var word = words.get(w);
            for (var i = 0; i < word.length; i++) {
                frequencies.merge(name(word[i], i), counts.get(w), Long::sum);
            }
        }
        var kept =
                new TreeSet<>(Comparator.comparing((String n) -> isTail(n)).thenComparing(n -> n));
        frequencies.entrySet().stream()
                .filter(e -> e.getValue() >= minimumFrequency)
                .sorted(
                        Map.Entry.<String, Long>comparingByValue()
                                .reversed()
                                .thenComparing(Map.Entry.comparingByKey()))
                .limit(mostCharacters)
                .forEach(e -> kept.add(e.getKey()));
        var ids = new HashMap<String, Integer>();
        for (var name : kept) {
            ids.put(name, tokens.add(name, name.getBytes(StandardCharsets.UTF_8)));
        }
        return words.stream()
                .map(word -> {
                    var spelt = new int[word.length];
                    for (var i = 0; i < word.length; i++) {
                        var id = ids.get(name(word[i], i));
                        if (id == null) {
                            return new int[0];
                        }
                        spelt[i] = id;
                    }
                    return spelt;
                })
                .toList();
    }

    private static String name(int character, int place) {
        return (place == 0 ? "" : PREFIX) + Character.toString(character);
    }

    private static boolean isTail(String name) {
        return name.length() > PREFIX.length() && name.startsWith(PREFIX);
    }

    private static WordPieceTokenizer tokenizer(
            Vocabulary vocabulary, BertText text, boolean lowercase, boolean stripAccents) {
        int separator = SPECIALS.indexOf("[SEP]"), classification = SPECIALS.indexOf("[CLS]");
        var frame =
                TokenizerFiles.wordPieceFrame(lowercase, stripAccents)
                        .with(SPECIALS, vocabulary, true);
        frame.json()
                .set(
                        "post_processor",
                        TokenizerFiles.bert("[SEP]", separator, "[CLS]", classification));
        return new WordPieceTokenizer(
                vocabulary,
                SPECIALS.indexOf("[UNK]"),
                new WordPieceTokenizer.Options(text, PREFIX, LONGEST_WORD, true),
                new Frame(
                        new AddedTokens(frame.added().all(), text),
                        Template.around(classification, separator, false),
                        frame.specials(),
                        frame.json(),
                        frame.mergesAsPairs(),
                        frame.config(),
                        frame.map()));
    }
}
