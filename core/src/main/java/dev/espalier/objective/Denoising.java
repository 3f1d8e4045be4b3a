package dev.espalier.objective;

import dev.espalier.Rng;
import dev.espalier.tokenize.Boundaries;
import dev.espalier.tokenize.Tokenizer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;

/// Denoising, with which BART is pre-trained (Lewis et al. 2019, arXiv:1910.13461, section 2.2):
/// the text is spoilt in up to five ways, one after the other, and is to be written as it was.
///
/// 1. Sentence permutation: a share of the sentences change places.
/// 2. Document rotation: a document begins with one of its tokens, and what stood before that
///    follows its end.
/// 3. Text infilling: spans of words, whose lengths are drawn from a Poisson distribution, become
///    one mask each until a share of the words is hidden; a span of no words puts a mask between
///    two words, if that makes the text no longer than it was.
/// 4. Token masking: a share of the tokens become masks.
/// 5. Token deletion: a share of the tokens disappear.
///
/// Counts are rounded up or down at random so that their means are exact. Special tokens stay where
/// they are, those that end a document too: each document is spoilt for itself.
public final class Denoising {
    /// In [SequencePair#places] what stands for a mask.
    static final int MASK = -1;

    private final Rates rates;
    private final Tokenizer tokenizer;
    private final Boundaries boundaries;
    private final BitSet special = new BitSet();
    private final int mask;

    /// How much of a text is spoilt, all but `span` in [0, 1].
    ///
    /// @param infilling the share of the words that spans hide
    /// @param span the mean of the Poisson distribution of their lengths, above 0
    /// @param permutation the share of the sentences that change places
    /// @param masking the share of the tokens that become masks
    /// @param deletion the share of the tokens that disappear
    /// @param rotation the probability that a document is rotated
    public record Rates(
            double infilling,
            double span,
            double permutation,
            double masking,
            double deletion,
            double rotation) {
        public Rates {
            for (var rate : new double[] {infilling, permutation, masking, deletion, rotation}) {
                if (!(rate >= 0 && rate <= 1)) {
                    throw new IllegalArgumentException("a rate of " + rate);
                }
            }
            if (!(span > 0 && span <= 100)) {
                throw new IllegalArgumentException("spans of " + span);
            }
        }
    }

    /// @param tokenizer whose template puts a beginning and an end around a text
    /// @param mask the id of the mask
    public Denoising(Rates rates, Tokenizer tokenizer, int mask) {
        this.rates = rates;
        this.tokenizer = tokenizer;
        this.mask = mask;
        boundaries = new Boundaries(tokenizer);
        // A word that the tokenizer does not know parts no documents.
        var unknown = tokenizer.specials().unknown().orElse(-1);
        for (var id = 0; id < tokenizer.vocabularySize(); id++) {
            special.set(id, tokenizer.isSpecial(id) && id != unknown);
        }
    }

    /// The text `ids`, spoilt as `rng` has it, and the text itself, with what stands around both.
    public SequencePair of(int[] ids, String where, Rng rng) {
        var target = tokenizer.template().apply(ids);
        var before = tokenizer.template().before();
        var all = IntStream.builder();
        IntStream.range(0, before).forEach(all);
        for (int start = 0, at = 0; at <= ids.length; at++) {
            if (at == ids.length || special.get(ids[at])) {
                if (at > start) {
                    var from = before + start;
                    Arrays.stream(spoilt(Arrays.copyOfRange(ids, start, at), rng))
                            .map(i -> i == MASK ? MASK : i < 0 ? i - from : i + from)
                            .forEach(all);
                }
                if (at < ids.length) {
                    all.add(before + at);
                }
                start = at + 1;
            }
        }
        IntStream.range(before + ids.length, target.length).forEach(all);
        var places = all.build().toArray();
        var input =
                Arrays.stream(places)
                        .filter(i -> i >= MASK)
                        .map(i -> i == MASK ? mask : target[i])
                        .toArray();
        return new SequencePair(input, target, where, places);
    }

    /// A document, or the part of it that is seen, spoilt: for each token that is left its place in
    /// `ids`, for each that disappeared [#gone] of its place, and for each mask [#MASK].
    private int[] spoilt(int[] ids, Rng rng) {
        var places = rotated(permuted(ids, rng), rng);
        places = infilled(places, ids, rng);
        places = masked(places, rng);
        return deleted(places, rng);
    }

    private int[] permuted(int[] ids, Rng rng) {
        if (rates.permutation == 0) {
            return IntStream.range(0, ids.length).toArray();
        }
        var starts = boundaries.sentences(ids);
        var chosen = rng.choose(rng.round(rates.permutation * starts.length), starts.length);
        var moved = IntStream.range(0, starts.length).filter(i -> chosen[i]).toArray();
        rng.shuffle(moved);
        var next = 0;
        var permuted = IntStream.builder();
        for (var place = 0; place < starts.length; place++) {
            var sentence = chosen[place] ? moved[next++] : place;
            var end = sentence + 1 < starts.length ? starts[sentence + 1] : ids.length;
            IntStream.range(starts[sentence], end).forEach(permuted);
        }
        return permuted.build().toArray();
    }

    private int[] rotated(int[] places, Rng rng) {
        if (rates.rotation == 0 || rng.uniform() >= rates.rotation) {
            return places;
        }
        var first = rng.below(places.length);
        return IntStream.concat(
                        Arrays.stream(places, first, places.length),
                        Arrays.stream(places, 0, first))
                .toArray();
    }

    private int[] infilled(int[] places, int[] ids, Rng rng) {
        if (rates.infilling == 0 || places.length == 0) {
            return places;
        }
        var words = boundaries.words(Arrays.stream(places).map(i -> ids[i]).toArray());
        words.set(0);
        var starts = words.stream().toArray();
        var hidden = rng.round(rates.infilling * starts.length);
        var spans = spans(hidden, rng);
        // Spans and words that stay stand in an order that is as likely as any other.
        var slots = spans.length + starts.length - hidden;
        var isSpan = rng.choose(spans.length, slots);
        var infilled = IntStream.builder();
        int word = 0, span = 0;
        for (var slot = 0; slot < slots; slot++) {
            if (isSpan[slot]) {
                infilled.add(MASK);
                word += spans[span++];
            } else {
                var end = word + 1 < starts.length ? starts[word + 1] : places.length;
                Arrays.stream(places, starts[word], end).forEach(infilled);
                word++;
            }
        }
        return infilled.build().toArray();
    }

    /// Lengths of spans of `hidden` words together, at most as many as these words, so that their
    /// masks make the text no longer; the last that was drawn is cut to fit.
    private int[] spans(int hidden, Rng rng) {
        var spans = IntStream.builder();
        int hiding = 0, inserted = 0;
        for (var left = hidden; left > 0; ) {
            var length = Math.min(left, poisson(inserted < hidden, rng));
            if (length == 0) {
                inserted++;
            } else {
                spans.add(length);
                hiding++;
                left -= length;
            }
        }
        IntStream.range(0, Math.min(inserted, hidden - hiding)).forEach(_ -> spans.add(0));
        var lengths = spans.build().toArray();
        rng.shuffle(lengths); // the one that was cut must not always be the last
        return lengths;
    }

    /// Knuth, "The art of computer programming", section 3.4.1, algorithm Q: as many draws as
    /// multiply to more than exp(-span).
    ///
    /// @param none whether it may be 0; if not, the first draw is one of those above exp(-span)
    private int poisson(boolean none, Rng rng) {
        var least = StrictMath.exp(-rates.span);
        var first = rng.uniform();
        var count = 0;
        for (var product = none ? first : 1 - first * (1 - least);
                product > least;
                product *= rng.uniform()) {
            count++;
        }
        // With a mean of next to 0 exp(-span) is 1, and none of the draws hides anything.
        return none ? count : Math.max(1, count);
    }

    private int[] masked(int[] places, Rng rng) {
        if (rates.masking == 0) {
            return places;
        }
        var chosen = rng.choose(rng.round(rates.masking * places.length), places.length);
        return IntStream.range(0, places.length).map(i -> chosen[i] ? MASK : places[i]).toArray();
    }

    private int[] deleted(int[] places, Rng rng) {
        if (rates.deletion == 0) {
            return places;
        }
        var chosen = rng.choose(rng.round(rates.deletion * places.length), places.length);
        return IntStream.range(0, places.length)
                .filter(i -> !chosen[i] || places[i] != MASK)
                .map(i -> chosen[i] ? gone(places[i]) : places[i])
                .toArray();
    }

    /// What stands for the token at `place` where it disappeared; its own inverse.
    static int gone(int place) {
        return MASK - 1 - place;
    }
}
