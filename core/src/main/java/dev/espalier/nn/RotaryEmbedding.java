package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Rotary position embedding (Su et al. 2021, arXiv:2104.09864), eq. 34: at position m the i-th
/// pair of a query's or key's numbers is turned by the angle m θᵢ with θᵢ = theta^(-2i/d), so that
/// the product of a query and a key depends on the distance of their positions alone. A pair is
/// made of the i-th number of the first and of the second half, as Llama's Hugging Face files have
/// it.
public final class RotaryEmbedding {
    /// How a model is stretched to longer texts than it was first trained on.
    public sealed interface Scaling {}

    /// Not at all.
    public record None() implements Scaling {}

    /// Positions divided by `factor` (Chen et al. 2023, arXiv:2306.15595).
    public record Linear(double factor) implements Scaling {}

    /// A theta that grows with the text once it is longer than the model's context ("dynamic NTK").
    /// Beyond the context the longest text of a batch sets the theta of all, and what a cache holds
    /// keeps the theta of when it came in, both as in the Hugging Face library.
    public record Dynamic(double factor) implements Scaling {}

    /// Pairs that turn fast stay, pairs that turn slowly are divided by `factor`, with a smooth
    /// passage between (Llama 3.1).
    ///
    /// @param low turns within `original` positions up to which a pair is slow
    /// @param high turns from which it is fast
    /// @param original the positions that the model was first trained on
    public record Llama3(double factor, double low, double high, double original)
            implements Scaling {}

    /// YaRN (Peng et al. 2023, arXiv:2309.00071), section 3.2: as [Llama3], by the place of a pair
    /// among the others, and the scores are sharpened.
    ///
    /// @param attention what cosine and sine are multiplied by; null stands for 0.1 ln(factor) + 1
    /// @param fast turns within `original` positions from which a pair is fast
    /// @param slow turns up to which it is slow
    /// @param truncate whether the passage begins and ends at whole pairs
    public record Yarn(
            double factor,
            double original,
            @Nullable Double attention,
            double fast,
            double slow,
            boolean truncate)
            implements Scaling {}

    private final int width;
    private final double theta;
    private final Scaling scaling;
    private final long context;

    /// @param width of a head, even
    /// @param context the positions that the model knows
    public RotaryEmbedding(int width, double theta, Scaling scaling, long context) {
        this.width = width;
        this.theta = theta;
        this.scaling = scaling;
        this.context = context;
    }

    /// The turns at some positions.
    ///
    /// @param cos (B|1, 1, T, d/2)
    /// @param sin likewise
    public record Rotation(Tensor cos, Tensor sin) {
        /// Turns queries or keys.
        public Tensor apply(Tensor x) { // (B, H, T, d)
            var half = x.size(-1) / 2;
            var a = x.narrow(-1, 0, half); // (B, H, T, d/2)
            var b = x.narrow(-1, half, half);
            return Tensor.concat(
                    -1, a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))); // (B, H, T, d)
        }
    }

    /// The turns at `positions` (B|1, T).
    public Rotation at(Tensor positions) {
        var length =
                scaling instanceof Dynamic
                        ? Arrays.stream(positions.longs()).max().orElse(0) + 1
                        : 0;
        var inverse = inverseFrequencies(length);
        // In fp32 as in training by others: exact angles would be other angles far out.
        var angles =
                positions
                        .to(DType.FLOAT)
                        .unsqueeze(1)
                        .unsqueeze(-1)
                        .mul(Tensor.of(inverse, inverse.length)); // (B, 1, T, d/2)
        var factor = attentionFactor();
        return new Rotation(scaled(angles.cos(), factor), scaled(angles.sin(), factor));
    }

    private static Tensor scaled(Tensor x, double factor) {
        return factor == 1 ? x : x.mul(factor);
    }

    /// The angle per position of each pair, in a text of `length` tokens.
    public float[] inverseFrequencies(long length) {
        var base = base(length);
        var inverse = new float[width / 2];
        for (var i = 0; i < inverse.length; i++) {
            var plain = Math.pow(base, -2.0 * i / width);
            inverse[i] =
                    (float)
                            switch (scaling) {
                                case None _, Dynamic _ -> plain;
                                case Linear linear -> plain / linear.factor;
                                case Llama3 llama3 -> llama3(llama3, plain);
                                case Yarn yarn -> yarn(yarn, plain, i);
                            };
        }
        return inverse;
    }

    private double base(long length) {
        if (!(scaling instanceof Dynamic dynamic) || length <= context) {
            return theta;
        }
        var stretch = dynamic.factor * length / context - (dynamic.factor - 1);
        return theta * Math.pow(stretch, width / (width - 2.0));
    }

    private static double llama3(Llama3 s, double plain) {
        var turns = s.original * plain / (2 * Math.PI);
        if (turns < s.low) {
            return plain / s.factor;
        }
        if (turns > s.high) {
            return plain;
        }
        return mix((turns - s.low) / (s.high - s.low), plain, plain / s.factor);
    }

    private double yarn(Yarn s, double plain, int pair) {
        var first = pairThatTurns(s, s.fast);
        var last = pairThatTurns(s, s.slow);
        if (s.truncate) {
            first = Math.floor(first);
            last = Math.ceil(last);
        }
        first = Math.max(first, 0);
        last = Math.min(last, width - 1);
        var passage = first == last ? 0.001 : last - first;
        return mix(Math.clamp((pair - first) / passage, 0, 1), plain / s.factor, plain);
    }

    /// The place of the pair that makes so many turns within the original context.
    private double pairThatTurns(Yarn s, double turns) {
        return width * Math.log(s.original / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    private static double mix(double share, double a, double b) {
        return share * a + (1 - share) * b;
    }

    /// What cosines and sines are multiplied by.
    public double attentionFactor() {
        if (!(scaling instanceof Yarn yarn)) {
            return 1;
        }
        return yarn.attention == null
                ? Math.max(1, 0.1 * Math.log(yarn.factor) + 1)
                : yarn.attention;
    }
}
