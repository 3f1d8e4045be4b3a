package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.lang.Character.UnicodeScript;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Learns tokenizers in the manner of SentencePiece (Kudo and Richardson 2018, arXiv:1808.06226): a
/// unigram language model as T5 has it, or byte-pair encoding of characters as Llama 2 has it.
///
/// A token begins with `▁` or has none, but for those that are nothing else; it has one script
/// only, so that marks and digits are not joined to letters; and 16 characters at most. Ids are the
/// special tokens', in the order given, then the bytes', then what was learnt. The result depends
/// on the texts alone, not on their order.
public final class SentencePieceTrainer {
    /// Of a token, in characters.
    static final int LONGEST = 16;

    /// Text without a border is cut after so many characters, for numbers that a double holds.
    private static final int LONGEST_SEGMENT = 512;

    private SentencePieceTrainer() {}

    /// A unigram language model of at most `vocabularySize` tokens. Texts are normalized, spaces at
    /// their ends left out, and of others one stays.
    ///
    /// @param texts documents
    /// @param vocabularySize room for the special tokens, the bytes, and the characters
    /// @param coverage the share of the text's characters, the most frequent first, that are tokens
    /// @param byteFallback whether other characters are spelt by their bytes, and not unknown
    /// @param specialTokens such as `<pad>`, `</s>` and `<unk>`; one of them is the unknown token
    /// @throws EspalierException if there is no text, or a setting is out of range
    public static SentencePieceTokenizer unigram(
            Iterable<String> texts,
            int vocabularySize,
            double coverage,
            Normalization normalization,
            boolean byteFallback,
            List<String> specialTokens) {
        var json =
                TokenizerFiles.sentencePieceJson(
                        normalization.charsmap(), true, true, byteFallback);
        var names = names(specialTokens, byteFallback);
        int unknown = unknown(specialTokens);
        json.set("model", TokenizerFiles.unigramModel(unknown, byteFallback));
        var text = SentencePieceFiles.text(NEW, json, vocabulary(List.of()));
        var segments = Segments.of(texts, text, specialTokens, coverage, false);
        checkSize(vocabularySize, names.size() + segments.characters().size());
        var learnt =
                new UnigramTraining(segments, Set.copyOf(names)).run(vocabularySize - names.size());
        var scores = new double[names.size() + learnt.size()];
        for (var piece : learnt) {
            scores[names.size()] = piece.score();
            names.add(piece.text());
        }
        var vocabulary = vocabulary(names);
        return tokenizer(
                json,
                text,
                new Unigram(vocabulary, scores, unknown, byteIds(vocabulary, byteFallback)),
                vocabulary,
                specialTokens);
    }

    /// Byte-pair encoding of at most `vocabularySize` tokens, which keeps every text as it is: what
    /// the vocabulary lacks is spelt by bytes, and digits are tokens of their own.
    ///
    /// @param texts documents
    /// @param vocabularySize room for the special tokens, 256 bytes, and the characters
    /// @param minimumFrequency pairs that are rarer are not merged
    /// @param coverage the share of the text's characters, the most frequent first, that are tokens
    /// @param specialTokens such as `<unk>`, `<s>` and `</s>`; one of them is the unknown token
    /// @throws EspalierException if there is no text, or a setting is out of range
    public static SentencePieceTokenizer bytePairs(
            Iterable<String> texts,
            int vocabularySize,
            int minimumFrequency,
            double coverage,
            List<String> specialTokens) {
        if (minimumFrequency < 1) {
            throw EspalierException.usage(
                    "the minimum frequency is %d, and must be at least 1"
                            .formatted(minimumFrequency));
        }
        var json = TokenizerFiles.sentencePieceJson(null, false, true, true);
        int unknown = unknown(specialTokens);
        ((ObjectNode) json.get("model")).put("unk_token", specialTokens.get(unknown));
        // Text is cut at each space that does not follow another.
        var joining = new BitSet();
        joining.set(SentencePieceText.SPACE);
        var given = SentencePieceFiles.text(NEW, json, vocabulary(List.of()));
        var cut =
                new SentencePieceText(
                        given.charsmap(),
                        given.strip(),
                        given.collapse(),
                        given.prefix(),
                        given.escape(),
                        given.whitespace(),
                        given.metaspace(),
                        given.split(),
                        joining);
        var segments = Segments.of(texts, cut, specialTokens, coverage, true);
        var tokens = new BytePairTrainer.Tokens(specialTokens, "", LONGEST);
        for (int b = 0; b < 256; b++) {
            tokens.add(Spelling.byteName(b), new byte[] {(byte) b});
        }
        checkSize(vocabularySize, tokens.size() + segments.characters().size());
        var ids = new HashMap<Integer, Integer>();
        for (int c : segments.characters()) {
            var name = Character.toString(c);
            ids.put(c, tokens.add(name, name.getBytes(StandardCharsets.UTF_8)));
        }
        var words =
                segments.texts().stream()
                        .map(s -> s.codePoints().map(c -> ids.getOrDefault(c, 0)).toArray())
                        .toArray(int[][]::new);
        var merges =
                new BytePairTrainer.Training(
                                tokens, words, segments.counts(), vocabularySize, minimumFrequency)
                        .run();
        var vocabulary = tokens.vocabulary();
        return tokenizer(
                json,
                SentencePieceFiles.text(NEW, json, vocabulary),
                new CharacterMerges(vocabulary, merges, unknown, true, byteIds(vocabulary, true)),
                vocabulary,
                specialTokens);
    }

    /// What messages would name, if a new tokenizer's parts could be wrong.
    private static final java.nio.file.Path NEW = java.nio.file.Path.of("tokenizer.json");

    private static int unknown(List<String> specialTokens) {
        BytePairTrainer.checkSpecialTokens(specialTokens);
        for (var name : SpecialTokens.Role.UNKNOWN.customary) {
            if (specialTokens.contains(name)) {
                return specialTokens.indexOf(name);
            }
        }
        throw EspalierException.usage(
                "the special tokens %s have none for what is unknown; add <unk>"
                        .formatted(specialTokens));
    }

    private static List<String> names(List<String> specialTokens, boolean byteFallback) {
        var names = new ArrayList<>(specialTokens);
        for (int b = 0; byteFallback && b < 256; b++) {
            names.add(Spelling.byteName(b));
        }
        return names;
    }

    private static void checkSize(int vocabularySize, int needed) {
        if (vocabularySize < needed) {
            throw EspalierException.usage(
                    "a vocabulary of %d is too small: special tokens, bytes and characters make at least %d; cover fewer characters, or allow more tokens"
                            .formatted(vocabularySize, needed));
        }
    }

    private static Vocabulary vocabulary(List<String> names) {
        var model = new BitSet();
        model.set(0, names.size());
        return new Vocabulary(names.toArray(String[]::new), model);
    }

    private static int @Nullable [] byteIds(Vocabulary vocabulary, boolean byteFallback) {
        if (!byteFallback) {
            return null;
        }
        var ids = new int[256];
        for (int b = 0; b < ids.length; b++) {
            ids[b] = vocabulary.id(Spelling.byteName(b)).orElseThrow();
        }
        return ids;
    }

    private static SentencePieceTokenizer tokenizer(
            ObjectNode json,
            SentencePieceText text,
            Spelling spelling,
            Vocabulary vocabulary,
            List<String> specialTokens) {
        var frame =
                TokenizerFiles.newFrame(json, text)
                        .with(specialTokens, vocabulary, true)
                        .forEncoders(vocabulary);
        return new SentencePieceTokenizer(
                vocabulary,
                spelling,
                text,
                SentencePieceFiles.decoding(NEW, json.path("decoder")),
                frame,
                false);
    }

    /// What a text is made of, cut where no token goes across.
    ///
    /// @param texts all different, in the order of their characters
    /// @param counts how often each occurs
    /// @param characters those that are tokens, the most frequent first
    record Segments(List<String> texts, long[] counts, List<Integer> characters) {
        /// @param digits whether each digit stands for itself
        static Segments of(
                Iterable<String> texts,
                SentencePieceText text,
                List<String> specialTokens,
                double coverage,
                boolean digits) {
            var words = count(texts, text, specialTokens);
            var segments = new HashMap<String, Long>();
            var frequencies = new HashMap<Integer, Long>();
            for (int w = 0; w < words.size(); w++) {
                long count = words.count(w);
                cut(words.text(w), digits, segment -> segments.merge(segment, count, Long::sum));
            }
            long all = 0;
            for (var segment : segments.entrySet()) {
                for (var characters = segment.getKey().codePoints().iterator();
                        characters.hasNext(); ) {
                    frequencies.merge(characters.nextInt(), segment.getValue(), Long::sum);
                    all += segment.getValue();
                }
            }
            if (all == 0) {
                throw EspalierException.data("there is no text to train a tokenizer on");
            }
            var characters = new ArrayList<Integer>();
            var kept = new BitSet();
            long covered = 0;
            var order =
                    Map.Entry.<Integer, Long>comparingByValue()
                            .reversed()
                            .thenComparing(Map.Entry.comparingByKey());
            for (var entry : frequencies.entrySet().stream().sorted(order).toList()) {
                if (covered >= coverage * all) {
                    break;
                }
                covered += entry.getValue();
                int c = entry.getKey();
                if (c != 0 && !specialTokens.contains(Character.toString(c))) {
                    characters.add(c);
                    kept.set(c);
                }
            }
            var sorted = new TreeMap<String, Long>();
            segments.forEach((segment, count) ->
                    covered(segment, kept, part -> sorted.merge(part, count, Long::sum)));
            return new Segments(
                    List.copyOf(sorted.keySet()),
                    sorted.values().stream().mapToLong(Long::longValue).toArray(),
                    characters);
        }

        private static WordCounts count(
                Iterable<String> texts, SentencePieceText text, List<String> specialTokens) {
            var specials = new ArrayList<AddedToken>();
            for (var token : specialTokens) {
                specials.add(AddedToken.special(specials.size(), token));
            }
            var borders = new AddedTokens(specials);
            var counts = new WordCounts();
            var words = new SentencePieceText.Words(text, false);
            for (var given : texts) {
                borders.split(
                        given,
                        false,
                        new AddedTokens.Pieces() {
                            @Override
                            public void text(Normalized piece, int from, int to) {
                                words.of(
                                        piece.text(),
                                        from,
                                        to,
                                        Tokenizer.Before.NOTHING,
                                        (bytes, length) -> counts.add(bytes, 0, length));
                            }

                            @Override
                            public void token(int id, int from, int to) {}
                        });
            }
            return counts;
        }

        /// Cuts a word where its script changes, and before a `▁` that begins what follows it.
        private static void cut(String word, boolean digits, Consumer<String> to) {
            int from = 0;
            UnicodeScript script = null;
            int before = 0;
            int length = 0;
            for (int at = 0; at < word.length(); ) {
                int c = word.codePointAt(at);
                int next = at + Character.charCount(c);
                if (c == SentencePieceText.SPACE) {
                    boolean begins =
                            next < word.length() && word.charAt(next) != SentencePieceText.SPACE;
                    if (at > from && (begins || before != SentencePieceText.SPACE)) {
                        to.accept(word.substring(from, at));
                        from = at;
                        length = 0;
                    }
                    script = null;
                } else {
                    var own = script(c);
                    boolean differs =
                            script != null && own != UnicodeScript.INHERITED && own != script;
                    boolean digit = digits && (isDigit(c) || isDigit(before));
                    if (at > from && (differs || digit || length >= LONGEST_SEGMENT)) {
                        to.accept(word.substring(from, at));
                        from = at;
                        length = 0;
                    }
                    script = own == UnicodeScript.INHERITED ? script : own;
                }
                before = c;
                length++;
                at = next;
            }
            if (from < word.length()) {
                to.accept(word.substring(from));
            }
        }

        private static boolean isDigit(int c) {
            return c >= '0' && c <= '9';
        }

        /// Of the three of Japanese one.
        private static UnicodeScript script(int c) {
            if (c == 0x30fc) {
                return UnicodeScript.HAN;
            }
            var script = UnicodeScript.of(c);
            return script == UnicodeScript.HIRAGANA || script == UnicodeScript.KATAKANA
                    ? UnicodeScript.HAN
                    : script;
        }

        /// The parts of a segment that have only characters that are kept.
        private static void covered(String segment, BitSet kept, Consumer<String> to) {
            int from = 0;
            for (int at = 0; at < segment.length(); ) {
                int c = segment.codePointAt(at);
                int next = at + Character.charCount(c);
                if (!kept.get(c)) {
                    if (at > from) {
                        to.accept(segment.substring(from, at));
                    }
                    from = next;
                }
                at = next;
            }
            if (from < segment.length()) {
                to.accept(segment.substring(from));
            }
        }
    }
}
