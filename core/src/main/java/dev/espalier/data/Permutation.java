package dev.espalier.data;

import dev.espalier.Rng;
import java.util.Objects;

/// A seeded permutation of 0 … size - 1 that is computed place by place and takes no memory: a
/// balanced Feistel network (Luby and Rackoff 1988) on the next even number of bits, walked until
/// it falls into the range again (cycle walking; Black and Rogaway 2002), on average at most 4
/// steps.
public record Permutation(long size, long seed) {
    private static final int ROUNDS = 6;

    public Permutation {
        if (size < 1 || size > 1L << 62) {
            throw new IllegalArgumentException("a permutation of " + size);
        }
    }

    /// Where `index` goes.
    public long at(long index) {
        Objects.checkIndex(index, size);
        var half = Math.max(1, (65 - Long.numberOfLeadingZeros(size - 1)) / 2);
        var mask = (1L << half) - 1;
        var place = index;
        do {
            var left = place >>> half;
            var right = place & mask;
            for (var round = 0; round < ROUNDS; round++) {
                var next = left ^ (Rng.seed(seed, round, right) >>> 1 & mask);
                left = right;
                right = next;
            }
            place = left << half | right;
        } while (place >= size);
        return place;
    }
}
