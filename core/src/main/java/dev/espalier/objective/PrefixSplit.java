package dev.espalier.objective;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Prefix language modelling with an encoder (Raffel et al. 2020, arXiv:1910.10683, section 3.3.1):
/// a text is cut in two at a place that is as likely as any other; the encoder reads the first
/// part, and the decoder is to go on.
///
/// @param end the id that ends input and target
public record PrefixSplit(int end) {
    /// `ids`, at least 2 tokens, cut as `rng` has it.
    public SequencePair of(int[] ids, String where, Rng rng) {
        var cut = 1 + rng.below(ids.length - 1);
        return new SequencePair(
                ended(Arrays.stream(ids, 0, cut)),
                ended(Arrays.stream(ids, cut, ids.length)),
                where);
    }

    private int[] ended(IntStream ids) {
        return IntStream.concat(ids, IntStream.of(end)).toArray();
    }
}
