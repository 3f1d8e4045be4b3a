package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The unigram language model (Kudo 2018, arXiv:1804.10959, section 3.2): each token t has a
/// probability of its own, and of all ways to spell a word x that one is taken which is the most
/// likely,
///
///     argmax over t₁…tₙ = x of Σ log p(tᵢ)
///
/// found by Viterbi's algorithm. A character that no token spells costs ten more than the least
/// likely token, and neighbours of that kind become one unknown token, or their bytes'. Of equally
/// likely spellings the one is taken whose last token is the longest, as the Hugging Face library
/// does.
final class Unigram implements Spelling {
    private static final double UNKNOWN_PENALTY = 10;

    /// Log-probabilities of the model's tokens, by id.
    private final double[] scores;

    private final int unknown;

    /// The bytes' tokens, or null if unknown characters are not spelt.
    private final int @Nullable [] byteIds;

    private final Vocabulary vocabulary;
    private final DoubleArray trie;
    private final double unknownScore;
    private final BitSet hidden;

    /// @param scores of the tokens from id 0 on, which are the model's
    /// @throws IllegalArgumentException if a token holds U+0000, or they are too many
    Unigram(Vocabulary vocabulary, double[] scores, int unknown, int @Nullable [] byteIds) {
        this.vocabulary = vocabulary;
        this.scores = scores;
        this.unknown = unknown;
        this.byteIds = byteIds;
        hidden = new BitSet();
        unknownScore = Arrays.stream(scores).min().orElse(0) - UNKNOWN_PENALTY;
        var names = new ArrayList<byte[]>(scores.length);
        for (int id = 0; id < scores.length; id++) {
            var name = vocabulary.token(id).getBytes(StandardCharsets.UTF_8);
            if (vocabulary.token(id).indexOf('\0') >= 0) {
                throw new IllegalArgumentException("token %d holds U+0000".formatted(id));
            }
            names.add(name);
        }
        var order =
                IntStream.range(0, scores.length)
                        .filter(id -> names.get(id).length > 0)
                        .boxed()
                        .sorted((a, b) -> Arrays.compareUnsigned(names.get(a), names.get(b)))
                        .mapToInt(Integer::intValue)
                        .toArray();
        trie = DoubleArray.of(Arrays.stream(order).mapToObj(names::get).toList(), order);
    }

    private Unigram(Unigram other, BitSet hidden) {
        vocabulary = other.vocabulary;
        scores = other.scores;
        unknown = other.unknown;
        byteIds = other.byteIds;
        trie = other.trie;
        unknownScore = other.unknownScore;
        this.hidden = hidden;
    }

    @Override
    public Unigram without(BitSet ids) {
        var all = (BitSet) ids.clone();
        if (byteIds != null) {
            for (int id : byteIds) {
                all.set(id);
            }
        }
        return new Unigram(this, all);
    }

    @Override
    public int[] spell(byte[] word, int from, int to, @Nullable Ids places) {
        int length = to - from;
        // Of the best spelling that ends before each byte: its score, its last token, and where
        // that begins; -1 where none ends.
        var best = new double[length + 1];
        var ids = new int[length + 1];
        var begins = new int[length + 1];
        Arrays.fill(begins, -1);
        for (int at = 0; at < length; ) {
            int width = Split.width(word[from + at]);
            double here = best[at];
            boolean known = false;
            int node = trie.root();
            for (int end = at; end < length; end++) {
                byte b = word[from + end];
                int next = trie.next(node, b);
                if (next < 0) {
                    break;
                }
                int id = trie.value(node, b, next);
                if (id >= 0 && !hidden.get(id)) {
                    offer(best, ids, begins, at, end + 1, here + scores[id], id);
                    known |= end + 1 == at + width;
                }
                node = next;
            }
            if (!known) {
                offer(best, ids, begins, at, at + width, here + unknownScore, unknown);
            }
            at += width;
        }
        return trace(word, from, length, ids, begins, places);
    }

    private static void offer(
            double[] best, int[] ids, int[] begins, int at, int end, double score, int id) {
        if (begins[end] < 0 || score > best[end]) {
            best[end] = score;
            ids[end] = id;
            begins[end] = at;
        }
    }

    /// Follows the best spelling back from its end, and joins what is unknown.
    private int[] trace(
            byte[] word, int from, int length, int[] ids, int[] begins, @Nullable Ids places) {
        var ends = new Ids(8);
        for (int end = length; end > 0; end = begins[end]) {
            ends.add(end);
        }
        var result = new Ids(ends.size());
        for (int i = ends.size() - 1; i >= 0; i--) {
            int end = ends.get(i);
            int begin = begins[end];
            if (ids[end] != unknown) {
                add(result, ids[end], begin, end, places);
                continue;
            }
            while (i > 0 && ids[ends.get(i - 1)] == unknown) {
                end = ends.get(--i);
            }
            unknown(word, from, begin, end, result, places);
        }
        return result.toArray();
    }

    private void unknown(
            byte[] word, int from, int begin, int end, Ids result, @Nullable Ids places) {
        var text = new String(word, from + begin, end - begin, StandardCharsets.UTF_8);
        var whole = vocabulary.id(text);
        if (whole.isPresent()
                && whole.getAsInt() < scores.length
                && !hidden.get(whole.getAsInt())) {
            add(result, whole.getAsInt(), begin, end, places);
        } else if (byteIds == null) {
            add(result, unknown, begin, end, places);
        } else {
            for (int at = begin; at < end; at++) {
                add(result, byteIds[word[from + at] & 0xff], begin, end, places);
            }
        }
    }

    private static void add(Ids result, int id, int begin, int end, @Nullable Ids places) {
        result.add(id);
        if (places != null) {
            places.add(begin);
            places.add(end);
        }
    }

    @Override
    public void save(Path folder, Frame frame, Vocabulary wider) {
        TokenizerFiles.save(folder, frame, wider, scores);
    }
}
