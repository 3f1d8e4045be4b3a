package dev.espalier.evaluate;

import java.util.Arrays;
import java.util.List;

/// What foreseeing a text cost a language model, sequence by sequence. Not safe for threads.
///
/// The sequences count as independent. Neighbours of one document resemble each other, so for few
/// long documents the intervals are somewhat narrow.
public final class TextLoss {
    private double[] losses = new double[64];
    private double[] tokens = new double[64];
    private double[] bytes = new double[64];
    private int n;

    /// A sequence: the sum of its losses in nats, how many tokens these were, and how many bytes of
    /// UTF-8 those tokens stand for.
    public void add(double lossSum, long tokens, long bytes) {
        if (tokens < 1 || bytes < 0) {
            throw new IllegalArgumentException(tokens + " tokens of " + bytes + " bytes");
        }
        if (n == losses.length) {
            losses = Arrays.copyOf(losses, 2 * n);
            this.tokens = Arrays.copyOf(this.tokens, 2 * n);
            this.bytes = Arrays.copyOf(this.bytes, 2 * n);
        }
        losses[n] = lossSum;
        this.tokens[n] = tokens;
        this.bytes[n++] = bytes;
    }

    public int sequences() {
        return n;
    }

    public long tokens() {
        return (long) Arrays.stream(tokens, 0, n).sum();
    }

    public long bytes() {
        return (long) Arrays.stream(bytes, 0, n).sum();
    }

    /// Nats a token.
    public Interval loss() {
        return Interval.loss(Arrays.copyOf(losses, n), Arrays.copyOf(tokens, n));
    }

    /// exp(loss).
    public Interval perplexity() {
        return loss().map(Math::exp);
    }

    /// Bits a byte of UTF-8, which models of different vocabularies can be compared by.
    public Interval bitsPerByte() {
        return Interval.loss(Arrays.copyOf(losses, n), Arrays.copyOf(bytes, n))
                .map(nats -> nats / Math.log(2));
    }

    /// Loss, perplexity and bits-per-byte.
    public List<Score> scores(String data) {
        return List.of(
                Score.of(data, "loss", loss(), tokens()),
                Score.of(data, "perplexity", perplexity(), tokens()),
                Score.of(data, "bits-per-byte", bitsPerByte(), bytes()));
    }

    /// The relative rise of the perplexity since `before`, on the same sequences: what was
    /// forgotten. Paired, and so far tighter than the two perplexities' own intervals.
    public Interval riseSince(TextLoss before) {
        if (n != before.n || !Arrays.equals(tokens, 0, n, before.tokens, 0, n)) {
            throw new IllegalArgumentException("two texts cannot be compared sequence by sequence");
        }
        var differences = new double[n];
        Arrays.setAll(differences, i -> losses[i] - before.losses[i]);
        return Interval.ratio(differences, Arrays.copyOf(tokens, n)).map(Math::expm1);
    }
}
