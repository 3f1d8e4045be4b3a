package dev.espalier.evaluate;

import dev.espalier.model.Encoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.MaskedBatch;
import dev.espalier.objective.Masking;
import dev.espalier.objective.VocabularyLoss;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;

/// Text with tokens hidden, always the same ones, to measure an encoder on.
public record MaskedText(List<Masking.Masked> blocks) {
    /// Blocks in a batch hold about this many tokens.
    private static final int BATCH_TOKENS = 4096;

    public MaskedText {
        blocks = List.copyOf(blocks);
    }

    /// The first blocks, of at most `most` tokens in all but at least one block.
    public MaskedText first(long most) {
        var tokens = 0L;
        var count = 0;
        while (count < blocks.size()
                && (count == 0 || tokens + blocks.get(count).ids().length <= most)) {
            tokens += blocks.get(count).ids().length;
            count++;
        }
        return new MaskedText(blocks.subList(0, count));
    }

    /// What the hidden tokens cost, block by block, and the share of them that the model holds for
    /// the likeliest.
    public record Measured(TextLoss loss, Interval told) {
        /// The loss in nats a hidden token, and the share.
        public List<Score> scores(String data) {
            return List.of(
                    Score.of(data, "loss", loss.loss(), loss.tokens()),
                    Score.of(data, "accuracy", told, loss.tokens()));
        }
    }

    /// The loss in nats a hidden token, and the share of them that the model holds for the
    /// likeliest.
    public List<Score> scores(String data, Encoder model, boolean bf16) {
        return measure(model, bf16, _ -> 0).scores(data);
    }

    /// Measures `model`.
    ///
    /// @param bytes of UTF-8 that a token stands for
    public Measured measure(Encoder model, boolean bf16, IntUnaryOperator bytes) {
        var told = told(model, bf16);
        var loss = new TextLoss();
        var right = new double[blocks.size()];
        var counts = new double[blocks.size()];
        var at = 0;
        for (var b = 0; b < counts.length; b++) {
            var labels = blocks.get(b).labels();
            counts[b] = labels.length;
            var sum = 0.0;
            for (var i = 0; i < labels.length; i++, at++) {
                sum += told.losses()[at];
                right[b] += told.ranks()[at] == 0 ? 1 : 0;
            }
            if (labels.length > 0) {
                loss.add(sum, labels.length, Arrays.stream(labels).map(bytes).sum());
            }
        }
        return new Measured(loss, Interval.clustered(right, counts));
    }

    /// What `model` makes of the hidden tokens, one block's after the other's.
    VocabularyLoss.Ranked told(Encoder model, boolean bf16) {
        var n = blocks.stream().mapToInt(b -> b.places().length).sum();
        var all = new VocabularyLoss.Ranked(new float[n], new long[n]);
        var at = 0;
        for (var start = 0; start < blocks.size(); ) {
            var batch = new ArrayList<Masking.Masked>();
            for (var tokens = 0; start < blocks.size() && tokens < BATCH_TOKENS; start++) {
                batch.add(blocks.get(start));
                tokens += blocks.get(start).ids().length;
            }
            try (var scope = new Scope()) {
                var rows = new MaskedBatch(model, "evaluation", 1, batch, CrossEntropy.PLAIN);
                var told = Torch.noGrad(() -> Torch.bf16(bf16, () -> rows.forward().told()));
                System.arraycopy(told.losses(), 0, all.losses(), at, told.losses().length);
                System.arraycopy(told.ranks(), 0, all.ranks(), at, told.ranks().length);
                at += told.losses().length;
            }
        }
        return all;
    }
}
