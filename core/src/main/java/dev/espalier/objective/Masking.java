package dev.espalier.objective;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.BitSet;

/// Which tokens of a sequence are hidden, and behind what (Devlin et al. 2018, arXiv:1810.04805,
/// section 3.1; drawn anew each time a sequence is seen, as in Liu et al. 2019, arXiv:1907.11692,
/// section 4.1).
///
/// Of n units, tokens or whole words, `rate` n are chosen with equal probability, rounded up or
/// down at random so that the mean is exact, but at least one. Each token of them then becomes the
/// mask with probability `masked`, another token with probability `random`, or stays as it is.
/// Special tokens are never chosen.
public final class Masking {
    private final double rate;
    private final double masked;
    private final double random;
    private final int mask;
    private final int[] words;
    private final BitSet ordinary;
    private final Units units;

    /// What is chosen as a whole.
    @FunctionalInterface
    public interface Units {
        /// Each token is a unit of its own.
        Units TOKENS =
                ids -> {
                    var all = new BitSet(ids.length);
                    all.set(0, ids.length);
                    return all;
                };

        /// Which of `ids` begin a unit.
        BitSet starts(int[] ids);
    }

    /// @param rate the share of the units that is chosen, in (0, 1]
    /// @param masked the share of the chosen tokens that becomes `mask`
    /// @param random the share of them that becomes one of `ordinary`, each as likely
    /// @param mask the id of the mask
    /// @param ordinary the tokens that may be chosen
    /// @param units tokens or whole words
    public Masking(
            double rate, double masked, double random, int mask, BitSet ordinary, Units units) {
        if (!(rate > 0 && rate <= 1)
                || !(masked >= 0 && random >= 0 && masked + random <= 1 + 1e-9)
                || ordinary.isEmpty()) {
            throw new IllegalArgumentException(
                    "rates %s, %s and %s, %d tokens"
                            .formatted(rate, masked, random, ordinary.cardinality()));
        }
        this.rate = rate;
        this.masked = masked;
        this.random = random;
        this.mask = mask;
        this.ordinary = (BitSet) ordinary.clone();
        this.units = units;
        words = ordinary.stream().toArray();
    }

    /// A sequence with tokens hidden.
    ///
    /// @param ids the tokens as the model sees them
    /// @param places of the tokens to be told, ascending; none where all tokens are special
    /// @param labels the token that stood at each of them
    /// @param where they stand, for a person who wants to look at the text
    @SuppressWarnings("ArrayRecordComponent") // filled once, here
    public record Masked(int[] ids, int[] places, int[] labels, String where) {}

    /// `ids`, which stand `where`, with tokens hidden as `rng` has it.
    public Masked of(int[] ids, String where, Rng rng) {
        var begins = units.starts(ids);
        var starts = new int[ids.length];
        var all = 0;
        for (var i = 0; i < ids.length; i++) {
            if (ordinary.get(ids[i]) && (begins.get(i) || i == 0 || !ordinary.get(ids[i - 1]))) {
                starts[all++] = i;
            }
        }
        if (all == 0) {
            return new Masked(ids.clone(), new int[0], new int[0], where);
        }
        var count = (int) Math.clamp(rng.round(rate * all), 1, all);
        for (var i = 0; i < count; i++) { // the first steps of Fisher and Yates
            var j = i + rng.below(all - i);
            var chosen = starts[j];
            starts[j] = starts[i];
            starts[i] = chosen;
        }
        Arrays.sort(starts, 0, count);
        var seen = ids.clone();
        var places = new int[ids.length];
        var found = 0;
        for (var u = 0; u < count; u++) {
            var at = starts[u];
            do {
                places[found++] = at;
                seen[at] = shown(ids[at], rng);
                at++;
            } while (at < ids.length && ordinary.get(ids[at]) && !begins.get(at));
        }
        places = Arrays.copyOf(places, found);
        return new Masked(seen, places, Arrays.stream(places).map(p -> ids[p]).toArray(), where);
    }

    private int shown(int id, Rng rng) {
        var draw = rng.uniform();
        if (draw < masked) {
            return mask;
        }
        return draw < masked + random ? words[rng.below(words.length)] : id;
    }
}
