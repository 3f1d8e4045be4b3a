package dev.espalier.objective;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What an encoder reads, and what the decoder is to write.
///
/// @param input at least one token
/// @param target with the token that ends it
/// @param where the example stands, for a person who wants to look at it
public record SequencePair(int[] input, int[] target, String where) {
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
