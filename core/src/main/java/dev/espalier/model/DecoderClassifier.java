package dev.espalier.model;

import dev.espalier.Rng;
import dev.espalier.nn.Linear;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// A decoder with a linear map from the hidden state of each text's last token to its classes, as
/// Hugging Face's `…ForSequenceClassification` of the decoder families have it.
public final class DecoderClassifier extends Module {
    private final Decoder body;
    private final Linear score;
    private final List<String> labels;

    /// A head of its own that `body` has for the vocabulary is trained no more and not saved, but
    /// goes on scoring general text.
    public DecoderClassifier(Decoder body, List<String> labels) {
        var head = body.parameters().get(Decoder.HEAD);
        if (head != null) {
            head.trained(false);
        }
        this.body = child("", body);
        this.score = child("score", Linear.of(body.width(), labels.size(), false));
        this.labels = List.copyOf(labels);
    }

    /// New weights for the head: N(0, 0.02²), as the families' other weights start. A pure function
    /// of `seed`.
    public void initializeHead(long seed) {
        var weight = score.weight().value();
        var rng = Rng.at(seed, 2);
        var values = new float[Math.toIntExact(weight.count())];
        for (var i = 0; i < values.length; i++) {
            values[i] = (float) (0.02 * rng.nextGaussian());
        }
        weight.segment().copyFrom(MemorySegment.ofArray(values));
    }

    /// The scores (B, classes) of texts whose last tokens stand at the places `last` (B).
    ///
    /// `hidden` is (B, T, D). Padding behind the last token changes nothing, since no token sees
    /// what follows it.
    public Tensor forward(Tensor hidden, Tensor last) {
        long b = hidden.size(0), d = hidden.size(2);
        var index = last.view(b, 1, 1).expand(b, 1, d); // (B, 1, D)
        return score.forward(hidden.gather(1, index).view(b, d)); // (B, classes)
    }

    public Decoder body() {
        return body;
    }

    public Linear score() {
        return score;
    }

    /// The classes' names, in the order of the scores.
    public List<String> labels() {
        return labels;
    }
}
