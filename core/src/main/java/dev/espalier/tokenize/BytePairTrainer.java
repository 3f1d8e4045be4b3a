package dev.espalier.tokenize;

import dev.espalier.EspalierException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Learns a byte-level byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909,
/// algorithm 1): time and again the most frequent pair of neighbouring tokens becomes a token.
///
/// Pairs are counted within the pieces of [Split#GPT2]. Of pairs that are equally frequent the one
/// whose bytes are greater wins, the left token's first: so the result depends on the text alone,
/// not on how ids were given. Ids are the special tokens', in the order given, then the bytes' in
/// GPT-2's order, then the merges'.
public final class BytePairTrainer {
    private BytePairTrainer() {}

    /// A tokenizer of at most `vocabularySize` tokens: fewer if the pairs run out.
    ///
    /// @param texts documents; no pair crosses from one to the next, or a special token
    /// @param vocabularySize at least 256 more than there are special tokens
    /// @param minimumFrequency pairs that are rarer are not merged
    /// @param specialTokens such as `<|endoftext|>`
    /// @throws EspalierException if there is no text, or a setting is out of range
    public static BytePairTokenizer train(
            Iterable<String> texts,
            int vocabularySize,
            int minimumFrequency,
            List<String> specialTokens) {
        checkSpecialTokens(specialTokens);
        if (vocabularySize < 256 + specialTokens.size()) {
            throw EspalierException.usage(
                    "a vocabulary of %d is too small: 256 bytes and %d special tokens make at least %d"
                            .formatted(
                                    vocabularySize,
                                    specialTokens.size(),
                                    256 + specialTokens.size()));
        }
        if (minimumFrequency < 1) {
            throw EspalierException.usage(
                    "the minimum frequency is %d, and must be at least 1"
                            .formatted(minimumFrequency));
        }
        var words = count(texts, specialTokens);
        if (words.size() == 0) {
            throw EspalierException.data("there is no text to train a tokenizer on");
        }
        return byteLevel(words, vocabularySize, minimumFrequency, specialTokens);
    }

    static void checkSpecialTokens(List<String> specialTokens) {
        var seen = new HashSet<String>();
        for (var token : specialTokens) {
            if (token.isBlank()) {
                throw EspalierException.usage("a special token is blank");
            }
            if (!seen.add(token)) {
                throw EspalierException.usage(
                        "the special token \"%s\" is given twice".formatted(token));
            }
        }
    }

    private static WordCounts count(Iterable<String> texts, List<String> specialTokens) {
        var specials = new ArrayList<AddedToken>();
        for (var token : specialTokens) {
            specials.add(AddedToken.special(specials.size(), token));
        }
        var boundaries = new AddedTokens(specials);
        var words = new WordCounts();
        var chunks = new Utf8Chunks();
        for (var text : texts) {
            boundaries.split(
                    text,
                    false,
                    new AddedTokens.Pieces() {
                        @Override
                        public void text(Normalized piece, int from, int to) {
                            chunks.read(piece.text(), from, to, false);
                            while (chunks.next()) {
                                var bytes = chunks.bytes();
                                int limit = chunks.limit();
                                for (int at = 0; at < limit; ) {
                                    int end = Split.GPT2.next(bytes, at, limit);
                                    words.add(bytes, at, end);
                                    at = end;
                                }
                            }
                        }

                        @Override
                        public void token(int id, int from, int to) {}
                    });
        }
        return words;
    }

    private static BytePairTokenizer byteLevel(
            WordCounts words,
            int vocabularySize,
            int minimumFrequency,
            List<String> specialTokens) {
        var tokens = new Tokens(specialTokens, "", Integer.MAX_VALUE);
        var byteIds = new int[256];
        for (int b : ByteAlphabet.order()) {
            byteIds[b] =
                    tokens.add(String.valueOf(ByteAlphabet.character(b)), new byte[] {(byte) b});
        }
        var spelt = new int[words.size()][];
        var counts = new long[spelt.length];
        for (int w = 0; w < spelt.length; w++) {
            spelt[w] = new int[words.length(w)];
            for (int i = 0; i < spelt[w].length; i++) {
                spelt[w][i] = byteIds[words.byteAt(w, i) & 0xff];
            }
            counts[w] = words.count(w);
        }
        var merges = new Training(tokens, spelt, counts, vocabularySize, minimumFrequency).run();
        var vocabulary = tokens.vocabulary();
        return new BytePairTokenizer(
                vocabulary,
                merges,
                byteIds,
                new BytePairTokenizer.Options(Split.GPT2, false, false, true, false),
                TokenizerFiles.byteLevelFrame()
                        .with(specialTokens, vocabulary, true)
                        .forEncoders(vocabulary));
    }

    /// Tokens while they are learnt.
    static final class Tokens {
        private final Set<String> specials;
        private final String prefix;
        private final int longest;
        private final List<String> names = new ArrayList<>();
        private final List<byte[]> bytes = new ArrayList<>();
        private final Map<String, Integer> ids = new HashMap<>();

        /// @param prefix what the names of tokens within a word begin with
        /// @param longest of what is learnt, in characters
        Tokens(List<String> specialTokens, String prefix, int longest) {
            this.longest = longest;
            specials = Set.copyOf(specialTokens);
            this.prefix = prefix;
            for (var token : specialTokens) {
                add(token, token.getBytes(StandardCharsets.UTF_8));
            }
        }

        /// @param value decides between equally frequent pairs
        int add(String name, byte[] value) {
            ids.put(name, names.size());
            names.add(name);
            bytes.add(value);
            return names.size() - 1;
        }

        int size() {
            return names.size();
        }

        /// The token that two become, -1 if it is a special one or too long.
        int join(int left, int right) {
            var name = names.get(left) + names.get(right).substring(prefix.length());
            if (specials.contains(name) || name.codePointCount(0, name.length()) > longest) {
                return -1;
            }
            var id = ids.get(name);
            if (id != null) {
                return id;
            }
            var head = bytes.get(left);
            var tail = bytes.get(right);
            var value = Arrays.copyOf(head, head.length + tail.length);
            System.arraycopy(tail, 0, value, head.length, tail.length);
            return add(name, value);
        }

        Vocabulary vocabulary() {
            var model = new BitSet();
            model.set(0, names.size());
            return new Vocabulary(names.toArray(String[]::new), model);
        }
    }

    /// The state of one training.
    static final class Training {
        private final int vocabularySize;
        private final int minimumFrequency;
        private final Tokens tokens;
        private final List<BytePairTokenizer.Merge> merges = new ArrayList<>();

        /// Word w is `symbols[starts[w], starts[w] + lengths[w])`, and occurs `counts[w]` times.
        private final int[] symbols;

        private final int[] starts;
        private final int[] lengths;
        private final long[] counts;

        private final PairCounts pairs = new PairCounts();
        private final PairHeap heap = new PairHeap();

        /// The last merge that saw a word or raised a pair.
        private final int[] wordSeen;

        private final Ids raised = new Ids(64);
        private boolean[] changed = new boolean[64];

        /// @param words each as the tokens that spell it
        /// @param counts how often each occurs
        Training(
                Tokens tokens,
                int[][] words,
                long[] counts,
                int vocabularySize,
                int minimumFrequency) {
            this.vocabularySize = vocabularySize;
            this.minimumFrequency = minimumFrequency;
            this.tokens = tokens;
            this.counts = counts;
            int n = words.length;
            starts = new int[n];
            lengths = new int[n];
            wordSeen = new int[n];
            symbols = new int[Arrays.stream(words).mapToInt(word -> word.length).sum()];
            int at = 0;
            for (int w = 0; w < n; w++) {
                starts[w] = at;
                lengths[w] = words[w].length;
                System.arraycopy(words[w], 0, symbols, at, lengths[w]);
                at += lengths[w];
            }
        }

        /// Adds tokens until there are enough, and gives the merges that made them.
        List<BytePairTokenizer.Merge> run() {
            for (int w = 0; w < starts.length; w++) {
                for (int i = starts[w]; i + 1 < starts[w] + lengths[w]; i++) {
                    pairs.add(symbols[i], symbols[i + 1], counts[w], w);
                }
            }
            for (int pair = 0; pair < pairs.size(); pair++) {
                heap.offer(pair, pairs.count(pair));
            }
            while (tokens.size() < vocabularySize && heap.size() > 0) {
                long count = heap.topCount();
                int pair = heap.poll();
                if (count != pairs.count(pair)) {
                    heap.offer(pair, pairs.count(pair));
                    continue;
                }
                if (count < minimumFrequency) {
                    break;
                }
                merge(pair);
            }
            return merges;
        }

        private void merge(int pair) {
            int left = pairs.left(pair);
            int right = pairs.right(pair);
            int id = tokens.join(left, right);
            if (id < 0) {
                return;
            }
            merges.add(new BytePairTokenizer.Merge(left, right, id));
            var words = pairs.takeWords(pair);
            for (int i = 0; i < words.size(); i++) {
                int w = words.get(i);
                if (wordSeen[w] != merges.size()) {
                    wordSeen[w] = merges.size();
                    merge(w, left, right, id);
                }
            }
            for (int i = 0; i < raised.size(); i++) {
                heap.offer(raised.get(i), pairs.count(raised.get(i)));
            }
            raised.clear();
        }

        /// Merges a pair in one word, and corrects the counts of the pairs that go and come.
        private void merge(int w, int left, int right, int id) {
            int start = starts[w];
            int n = lengths[w];
            if (changed.length < n) {
                changed = new boolean[2 * n];
            }
            Arrays.fill(changed, 0, n, false);
            for (int i = 0; i + 1 < n; i++) {
                if (symbols[start + i] == left && symbols[start + i + 1] == right) {
                    changed[i] = true;
                    changed[++i] = true;
                }
            }
            for (int i = 0; i + 1 < n; i++) {
                if (changed[i] || changed[i + 1]) {
                    pairs.subtract(symbols[start + i], symbols[start + i + 1], counts[w]);
                }
            }
            int to = 0;
            for (int i = 0; i < n; i++) {
                boolean merged = changed[i];
                symbols[start + to] = merged ? id : symbols[start + i];
                i += merged ? 1 : 0;
                changed[to++] = merged;
            }
            lengths[w] = to;
            for (int i = 0; i + 1 < to; i++) {
                if (changed[i] || changed[i + 1]) {
                    int pair = pairs.add(symbols[start + i], symbols[start + i + 1], counts[w], w);
                    if (pairs.raise(pair, merges.size())) {
                        raised.add(pair);
                    }
                }
            }
        }

        /// A heap of pairs, the most frequent on top. Counts are those at the time of the offer.
        private final class PairHeap {
            private int[] entries = new int[1024];
            private long[] entryCounts = new long[1024];
            private int size;

            int size() {
                return size;
            }

            long topCount() {
                return entryCounts[0];
            }

            void offer(int pair, long count) {
                if (count < minimumFrequency) {
                    return;
                }
                if (size == entries.length) {
                    entries = Arrays.copyOf(entries, 2 * size);
                    entryCounts = Arrays.copyOf(entryCounts, 2 * size);
                }
                int at = size++;
                while (at > 0) {
                    int parent = (at - 1) >> 1;
                    if (!above(pair, count, entries[parent], entryCounts[parent])) {
                        break;
                    }
                    entries[at] = entries[parent];
                    entryCounts[at] = entryCounts[parent];
                    at = parent;
                }
                entries[at] = pair;
                entryCounts[at] = count;
            }

            int poll() {
                int top = entries[0];
                size--;
                int pair = entries[size];
                long count = entryCounts[size];
                int at = 0;
                while (true) {
                    int child = 2 * at + 1;
                    if (child >= size) {
                        break;
                    }
                    if (child + 1 < size
                            && above(
                                    entries[child + 1],
                                    entryCounts[child + 1],
                                    entries[child],
                                    entryCounts[child])) {
                        child++;
                    }
                    if (!above(entries[child], entryCounts[child], pair, count)) {
                        break;
                    }
                    entries[at] = entries[child];
                    entryCounts[at] = entryCounts[child];
                    at = child;
                }
                entries[at] = pair;
                entryCounts[at] = count;
                return top;
            }

            private boolean above(int pair, long count, int other, long otherCount) {
                if (count != otherCount) {
                    return count > otherCount;
                }
                int order =
                        Arrays.compareUnsigned(
                                tokens.bytes.get(pairs.left(pair)),
                                tokens.bytes.get(pairs.left(other)));
                return order != 0
                        ? order > 0
                        : Arrays.compareUnsigned(
                                        tokens.bytes.get(pairs.right(pair)),
                                        tokens.bytes.get(pairs.right(other)))
                                > 0;
            }
        }
    }

    /// How often each pair of neighbours occurs, and in which words it may.
    private static final class PairCounts {
        private static final long FREE = -1;

        private long[] keys = new long[1 << 12];
        private int[] indices = new int[1 << 12];
        private int size;
        private long[] pairKeys = new long[1 << 11];
        private long[] counts = new long[1 << 11];
        private int[] raisedAt = new int[1 << 11];
        private Ids[] words = new Ids[1 << 11];

        PairCounts() {
            Arrays.fill(keys, FREE);
        }

        int size() {
            return size;
        }

        int left(int pair) {
            return (int) (pairKeys[pair] >>> 32);
        }

        int right(int pair) {
            return (int) pairKeys[pair];
        }

        long count(int pair) {
            return counts[pair];
        }

        int add(int left, int right, long count, int word) {
            int pair = index(left, right);
            counts[pair] += count;
            var list = words[pair];
            if (list.size() == 0 || list.get(list.size() - 1) != word) {
                list.add(word);
            }
            return pair;
        }

        void subtract(int left, int right, long count) {
            counts[index(left, right)] -= count;
        }

        /// Whether this is the first time that `step` raises the pair.
        boolean raise(int pair, int step) {
            boolean first = raisedAt[pair] != step;
            raisedAt[pair] = step;
            return first;
        }

        /// The words of a pair, which are forgotten: once merged it occurs in them no more.
        Ids takeWords(int pair) {
            var taken = words[pair];
            words[pair] = new Ids(0);
            return taken;
        }

        private int index(int left, int right) {
            long key = (long) left << 32 | right;
            int mask = keys.length - 1;
            int slot = WordCounts.spread(key) & mask;
            while (keys[slot] != key) {
                if (keys[slot] == FREE) {
                    return insert(key, slot);
                }
                slot = slot + 1 & mask;
            }
            return indices[slot];
        }

        private int insert(long key, int slot) {
            keys[slot] = key;
            indices[slot] = size;
            if (size == pairKeys.length) {
                pairKeys = Arrays.copyOf(pairKeys, 2 * size);
                counts = Arrays.copyOf(counts, 2 * size);
                raisedAt = Arrays.copyOf(raisedAt, 2 * size);
                words = Arrays.copyOf(words, 2 * size);
            }
            pairKeys[size] = key;
            words[size] = new Ids(0);
            int pair = size++;
            if (2 * size > keys.length) {
                rehash();
            }
            return pair;
        }

        private void rehash() {
            keys = new long[2 * keys.length];
            indices = new int[keys.length];
            Arrays.fill(keys, FREE);
            int mask = keys.length - 1;
            for (int pair = 0; pair < size; pair++) {
                int slot = WordCounts.spread(pairKeys[pair]) & mask;
                while (keys[slot] != FREE) {
                    slot = slot + 1 & mask;
                }
                keys[slot] = pairKeys[pair];
                indices[slot] = pair;
            }
        }
    }
}
