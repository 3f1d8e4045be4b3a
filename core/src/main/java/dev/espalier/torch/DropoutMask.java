package dev.espalier.torch;

import dev.espalier.Rng;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The factors of dropout (Srivastava et al. 2014, "Dropout: a simple way to prevent neural
/// networks from overfitting"): each 0 with a given probability, else what keeps the mean.
///
/// Whether an element is kept is told by 16 bits, four elements by one number of [Rng]'s stream; so
/// a probability is met to 1 / 65 536. libtorch draws 64 bits an element, for which a small model's
/// step took a quarter of its time. In fp32 and bf16 the same elements are kept.
final class DropoutMask {
    private static final int LANES = 4;

    /// Numbers drawn before they are copied into the tensor: 32 KiB of bf16.
    private static final int CHUNK = 4096;

    private DropoutMask() {}

    /// Fills `out`, of `count` elements in fp32 or bf16.
    static void fill(MemorySegment out, long count, boolean bf16, double keep, long seed) {
        var rng = Rng.at(seed);
        var below = Math.round(keep * 0x1p16);
        var factor = Float.floatToRawIntBits((float) (1 / keep));
        var wide = bf16 ? 2 : 4;
        var most = (int) Math.min(CHUNK, Math.ceilDiv(count, LANES));
        var lanes = new long[most];
        var floats = bf16 ? new int[0] : new int[most * LANES];
        for (var start = 0L; start < count; start += (long) CHUNK * LANES) {
            var length = (int) Math.min((long) CHUNK * LANES, count - start);
            var draws = Math.ceilDiv(length, LANES);
            rng.fill(lanes, draws);
            if (bf16) {
                keep(lanes, draws, below, bf16(factor));
            } else {
                keep(lanes, draws, below, factor, floats);
            }
            MemorySegment.copy(
                    bf16 ? MemorySegment.ofArray(lanes) : MemorySegment.ofArray(floats),
                    ValueLayout.JAVA_BYTE,
                    0,
                    out,
                    ValueLayout.JAVA_BYTE,
                    start * wide,
                    (long) length * wide);
        }
    }

    /// Replaces each draw by four factors in bf16. No branches, so that it is done in vectors.
    private static void keep(long[] lanes, int draws, long below, long factor) {
        for (var i = 0; i < draws; i++) {
            var z = lanes[i];
            lanes[i] =
                    ((z & 0xFFFF) - below >> 63 & factor)
                            | ((z >>> 16 & 0xFFFF) - below >> 63 & factor) << 16
                            | ((z >>> 32 & 0xFFFF) - below >> 63 & factor) << 32
                            | ((z >>> 48) - below >> 63 & factor) << 48;
        }
    }

    private static void keep(long[] lanes, int draws, long below, int factor, int[] out) {
        for (var i = 0; i < draws; i++) {
            var z = lanes[i];
            out[LANES * i] = (int) ((z & 0xFFFF) - below >> 63) & factor;
            out[LANES * i + 1] = (int) ((z >>> 16 & 0xFFFF) - below >> 63) & factor;
            out[LANES * i + 2] = (int) ((z >>> 32 & 0xFFFF) - below >> 63) & factor;
            out[LANES * i + 3] = (int) ((z >>> 48) - below >> 63) & factor;
        }
    }

    /// The nearest bf16, to even where two are as near.
    private static long bf16(int bits) {
        return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
    }
}
