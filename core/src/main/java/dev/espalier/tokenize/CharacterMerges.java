package dev.espalier.tokenize;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Byte-pair encoding of characters (Sennrich, Haddow and Birch 2016, arXiv:1508.07909), as
/// SentencePiece has it: a word's characters are merged pair by pair; a character that the
/// vocabulary lacks is spelt by the tokens of its UTF-8 bytes, or is the unknown token.
final class CharacterMerges implements Spelling {
    private static final int NONE = -1;

    private final List<Map.Entry<String, String>> names;
    private final Merges merges;

    /// Of each token, in bytes.
    private final int[] lengths;

    private final int unknown;

    /// Whether unknown characters that stand together are one token.
    private final boolean fuses;

    private final int @Nullable [] byteIds;

    /// Ids of characters: of the basic plane, and of others.
    private final int[] basic = new int[1 << 16];

    private final Map<Integer, Integer> others = new HashMap<>();

    /// @param pairs none of which has the unknown token, or one of the bytes'
    /// @param unknown a token, or negative if there are tokens for bytes
    CharacterMerges(
            Vocabulary vocabulary,
            List<BytePairTokenizer.Merge> pairs,
            int unknown,
            boolean fuses,
            int @Nullable [] byteIds) {
        this.unknown = unknown;
        this.fuses = fuses;
        this.byteIds = byteIds;
        merges = Merges.of(pairs, vocabulary.size());
        names =
                pairs.stream()
                        .map(m ->
                                Map.entry(vocabulary.token(m.left()), vocabulary.token(m.right())))
                        .toList();
        Arrays.fill(basic, NONE);
        lengths = new int[vocabulary.size()];
        for (int id = 0; id < lengths.length; id++) {
            var name = vocabulary.token(id);
            lengths[id] = name.getBytes(StandardCharsets.UTF_8).length;
            if (vocabulary.isModel(id) && name.codePointCount(0, name.length()) == 1) {
                int c = name.codePointAt(0);
                if (c < basic.length) {
                    basic[c] = id;
                } else {
                    others.put(c, id);
                }
            }
        }
        if (byteIds != null) {
            for (int id : byteIds) {
                lengths[id] = 1;
            }
        }
    }

    /// No merge makes them.
    @Override
    public CharacterMerges without(BitSet ids) {
        return this;
    }

    @Override
    public int[] spell(byte[] word, int from, int to, @Nullable Ids places) {
        var ids = new int[to - from];
        // How many bytes each unknown token stands for, in their order.
        Ids unknowns = null;
        int count = 0;
        boolean wasUnknown = false;
        for (int at = from; at < to; ) {
            int width = Split.width(word[at]);
            int id = id(word, at, width);
            if (id == NONE && byteIds != null) {
                for (int i = 0; i < width; i++) {
                    ids[count++] = byteIds[word[at + i] & 0xff];
                }
            } else if (id == NONE && wasUnknown && fuses && unknowns != null) {
                unknowns.set(unknowns.size() - 1, unknowns.get(unknowns.size() - 1) + width);
            } else if (id == NONE) {
                unknowns = unknowns == null ? new Ids(4) : unknowns;
                unknowns.add(width);
                ids[count++] = unknown;
            } else {
                ids[count++] = id;
            }
            wasUnknown = id == NONE;
            at += width;
        }
        var result = Arrays.copyOf(ids, merges.apply(ids, count));
        if (places != null) {
            int at = 0;
            int seen = 0;
            for (int id : result) {
                places.add(at);
                at += unknowns != null && id == unknown ? unknowns.get(seen++) : lengths[id];
                places.add(at);
            }
        }
        return result;
    }

    private int id(byte[] word, int at, int width) {
        int b = word[at];
        return switch (width) {
            case 1 -> basic[b];
            case 2 -> basic[(b & 0x1f) << 6 | word[at + 1] & 0x3f];
            case 3 -> basic[(b & 0x0f) << 12 | (word[at + 1] & 0x3f) << 6 | word[at + 2] & 0x3f];
            default -> {
                var id =
                        others.get(
                                (b & 0x07) << 18
                                        | (word[at + 1] & 0x3f) << 12
                                        | (word[at + 2] & 0x3f) << 6
                                        | word[at + 3] & 0x3f);
                yield id == null ? NONE : id;
            }
        };
    }

    @Override
    public void save(Path folder, Frame frame, Vocabulary vocabulary) {
        TokenizerFiles.save(folder, frame, vocabulary, names);
    }
}
