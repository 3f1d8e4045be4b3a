package dev.espalier.evaluate;

import dev.espalier.model.EncoderDecoder;
import dev.espalier.objective.CrossEntropy;
import dev.espalier.objective.SequencePair;
import dev.espalier.objective.SequenceToSequenceBatch;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.util.ArrayList;
import java.util.List;

/// Pairs of sequences, always the same ones, to measure an encoder-decoder on.
public record PairedText(List<SequencePair> pairs) {
    /// Pairs in a batch hold about this many tokens.
    private static final int BATCH_TOKENS = 4096;

    public PairedText {
        pairs = List.copyOf(pairs);
    }

    private static int tokens(SequencePair pair) {
        return pair.input().length + pair.target().length;
    }

    /// The first pairs, of at most `most` tokens in all but at least one pair.
    public PairedText first(long most) {
        var tokens = 0L;
        var count = 0;
        while (count < pairs.size() && (count == 0 || tokens + tokens(pairs.get(count)) <= most)) {
            tokens += tokens(pairs.get(count));
            count++;
        }
        return new PairedText(pairs.subList(0, count));
    }

    /// The loss in nats a token of the targets, and the perplexity.
    public List<Score> scores(String data, EncoderDecoder model, boolean bf16) {
        var sums = new double[pairs.size()];
        var counts = new double[pairs.size()];
        var n = 0L;
        for (var start = 0; start < pairs.size(); ) {
            var batch = new ArrayList<SequencePair>();
            for (var tokens = 0; start + batch.size() < pairs.size() && tokens < BATCH_TOKENS; ) {
                batch.add(pairs.get(start + batch.size()));
                tokens += tokens(batch.getLast());
            }
            try (var scope = new Scope()) {
                var rows =
                        new SequenceToSequenceBatch(
                                model, "evaluation", 1, batch, CrossEntropy.PLAIN);
                var losses = Torch.noGrad(() -> Torch.bf16(bf16, () -> rows.forward().each()));
                var longest = losses.length / batch.size();
                for (var row = 0; row < batch.size(); row++) {
                    counts[start + row] = batch.get(row).target().length;
                    n += batch.get(row).target().length;
                    for (var t = 0; t < longest; t++) {
                        sums[start + row] += losses[row * longest + t];
                    }
                }
            }
            start += batch.size();
        }
        var loss = Interval.loss(sums, counts);
        return List.of(
                Score.of(data, "loss", loss, n),
                Score.of(data, "perplexity", loss.map(Math::exp), n));
    }
}
