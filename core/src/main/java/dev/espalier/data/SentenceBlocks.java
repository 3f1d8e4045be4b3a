package dev.espalier.data;

import dev.espalier.Rng;
import java.util.BitSet;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;

/// Text in blocks of whole sentences, as RoBERTa is trained on (Liu et al. 2019, arXiv:1907.11692,
/// section 4.2): as many as fit into a length, from one document (the paper's DOC-SENTENCES) or
/// across the ends of documents, with a separator there (FULL-SENTENCES). A sentence that is longer
/// than a block is cut. Each epoch passes over all blocks in a new order.
public final class SentenceBlocks implements Windows {
    private static final int SLICE = 1 << 16;

    /// Tokens before and behind a slice by which it is told where sentences begin in it.
    private static final int AROUND = 16;

    private final TokenShard shard;
    private final int separator;

    /// Where each block begins; it ends where the next begins, but for separators.
    private final long[] starts;

    /// @param sentences tells where among tokens the sentences of their text begin
    /// @param separator the token that ends a document, left out at a block's ends; -1 for none
    /// @param length the most tokens of a block
    /// @param acrossDocuments whether a block may go on in the next document
    public SentenceBlocks(
            TokenShard shard,
            UnaryOperator<int[]> sentences,
            int separator,
            int length,
            boolean acrossDocuments) {
        if (length < 1) {
            throw new IllegalArgumentException("blocks of " + length);
        }
        this.shard = shard;
        this.separator = separator;
        var blocks = LongStream.builder();
        var start = 0L; // of the block that is being filled
        var whole = 0L; // where its last whole sentence ends
        var document = 0L;
        var ids = new int[0];
        var begins = new BitSet();
        for (var at = 0L; at < shard.tokens(); at++) {
            if (at % SLICE == 0) {
                ids = shard.read(at, (int) Math.min(SLICE, shard.tokens() - at));
                begins = begins(at, ids.length, sentences);
            }
            var place = (int) (at % SLICE);
            var id = ids[place];
            if (id == separator || begins.get(place)) {
                whole = at;
            }
            if (at - start == length) {
                blocks.add(start);
                start = whole > start ? whole : at;
            }
            if (id == separator && at == start) {
                start++;
            }
            if (at + 1 == shard.documentEnd(document)) {
                whole = at + 1;
                document++;
                if (!acrossDocuments && start <= at) {
                    blocks.add(start);
                    start = at + 1;
                }
            }
        }
        if (start < shard.tokens()) {
            blocks.add(start);
        }
        starts = blocks.build().toArray();
    }

    /// At which of `length` tokens from `at` on a sentence begins.
    private BitSet begins(long at, int length, UnaryOperator<int[]> sentences) {
        var from = Math.max(0, at - AROUND);
        var to = Math.min(shard.tokens(), at + length + AROUND);
        var begins = new BitSet();
        for (var start : sentences.apply(shard.read(from, (int) (to - from)))) {
            var place = from + start - at;
            if (place >= 0 && place < length) {
                begins.set((int) place);
            }
        }
        return begins;
    }

    /// Blocks in one pass over the text; 0 where there is none.
    @Override
    public long perEpoch() {
        return starts.length;
    }

    @Override
    public Window window(long seed, long index) {
        var order = new Permutation(starts.length, Rng.seed(seed, index / starts.length));
        return block((int) order.at(index % starts.length));
    }

    /// The `index`-th block from the start of the text.
    public Window block(int index) {
        var end = index + 1 < starts.length ? starts[index + 1] : shard.tokens();
        var length = (int) (end - starts[index]);
        var ids = shard.read(starts[index], length);
        while (length > 1 && ids[length - 1] == separator) {
            length--;
        }
        return shard.window(starts[index], length);
    }
}
