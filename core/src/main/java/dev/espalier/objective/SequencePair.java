package dev.espalier.objective;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What an encoder reads, and what the decoder is to write.
///
/// @param input at least one token
/// @param target with the token that ends it
/// @param where the example stands, for a person who wants to look at it
/// @param places where the input is the target spoilt, how, for a person: in the order of the input
///   the place in the target of each token that is left, [Denoising#MASK] for each mask, and
///   [Denoising#gone] of its place for each token that disappeared
public record SequencePair(int[] input, int[] target, String where, int @Nullable [] places) {
    public SequencePair(int[] input, int[] target, String where) {
        this(input, target, where, null);
    }

    public SequencePair {
        if (input.length == 0 || target.length == 0) {
            throw new IllegalArgumentException("a pair without tokens");
        }
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof SequencePair pair
                && Arrays.equals(input, pair.input)
                && Arrays.equals(target, pair.target)
                && where.equals(pair.where);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(input) + Arrays.hashCode(target);
    }

    @Override
    public String toString() {
        return where + ": " + Arrays.toString(input) + " -> " + Arrays.toString(target);
    }
}
