package dev.espalier.objective;

import dev.espalier.Rng;
import java.util.Arrays;
import java.util.stream.IntStream;

/// Span corruption, with which T5 is pre-trained (Raffel et al. 2020, arXiv:1910.10683, sections
/// 3.1.4 and 3.3.4): spans of the text drop out, each for a sentinel of its own, and the target is
/// the sentinels, each with what it stands for, and the end:
///
///     Thank you ⟨X⟩ me to your party ⟨Y⟩ week.  →  ⟨X⟩ for inviting ⟨Y⟩ last
///
/// Of n tokens round(density n) drop out, in round(that / mean) spans; both how they are cut into
/// spans and how the others are cut into what stands before each span are as likely as any other
/// way. The text begins with a token that stays and ends with a span.
///
/// @param density the share of the tokens that drop out, in (0, 1)
/// @param mean the mean length of a span, at least 1
/// @param sentinels ids, of which the first stands for the first span
/// @param end the id that ends input and target
@SuppressWarnings("ArrayRecordComponent") // copied in, and never handed out
public record SpanCorruption(double density, double mean, int[] sentinels, int end) {
    public SpanCorruption {
        if (!(density > 0 && density < 1) || !(mean >= 1)) {
            throw new IllegalArgumentException("density " + density + ", spans of " + mean);
        }
        sentinels = sentinels.clone();
    }

    private static int noise(int length, double density) {
        return Math.clamp(Math.round(length * density), 1, length - 1);
    }

    /// Spans of a text of `length` tokens, at least 2.
    public static int spans(int length, double density, double mean) {
        var noise = noise(length, density);
        return Math.clamp(Math.round(noise / mean), 1, Math.min(noise, length - noise));
    }

    /// Tokens of the input that a text of `length` tokens makes, with its end.
    public static int inputLength(int length, double density, double mean) {
        return length - noise(length, density) + spans(length, density, mean) + 1;
    }

    /// Tokens of the target, with its end.
    public static int targetLength(int length, double density, double mean) {
        return noise(length, density) + spans(length, density, mean) + 1;
    }

    /// The longest text whose input and target have at most so many tokens; 0 if there is none.
    public static int rawLength(int input, int target, double density, double mean) {
        var length = 0;
        for (var n = 2; n <= input + target; n++) {
            if (inputLength(n, density, mean) <= input
                    && targetLength(n, density, mean) <= target) {
                length = n;
            }
        }
        return length;
    }

    /// `ids`, at least 2 tokens, corrupted as `rng` has it.
    public SequencePair of(int[] ids, String where, Rng rng) {
        var noise = noise(ids.length, density);
        var spans = spans(ids.length, density, mean);
        if (spans > sentinels.length) {
            throw new IllegalArgumentException(
                    spans + " spans, but " + sentinels.length + " sentinels");
        }
        var dropped = parts(noise, spans, rng);
        var kept = parts(ids.length - noise, spans, rng);
        var input = IntStream.builder();
        var target = IntStream.builder();
        var at = 0;
        for (var span = 0; span < spans; span++) {
            Arrays.stream(ids, at, at + kept[span]).forEach(input);
            at += kept[span];
            input.add(sentinels[span]);
            target.add(sentinels[span]);
            Arrays.stream(ids, at, at + dropped[span]).forEach(target);
            at += dropped[span];
        }
        return new SequencePair(
                input.add(end).build().toArray(), target.add(end).build().toArray(), where);
    }

    /// How `n` things are cut into `count` parts of at least one each.
    private static int[] parts(int n, int count, Rng rng) {
        var cut = rng.choose(count - 1, n - 1);
        var parts = new int[count];
        var part = 0;
        for (var i = 0; i < n; i++) {
            parts[part]++;
            if (i < n - 1 && cut[i]) {
                part++;
            }
        }
        return parts;
    }

    @Override
    public boolean equals(@org.jspecify.annotations.Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(sentinels);
    }
}
