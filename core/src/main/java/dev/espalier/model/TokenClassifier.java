package dev.espalier.model;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// An encoder or a decoder with a linear map from each token's hidden state to its classes, as
/// Hugging Face's `…ForTokenClassification` of the families have it.
public final class TokenClassifier extends Module {
    private final LanguageModel body;
    private final ClassificationHead head;
    private final List<String> labels;

    /// A head of its own that `body` has for the vocabulary is trained no more and not saved.
    ///
    /// @throws EspalierException if `body` is neither
    public TokenClassifier(LanguageModel body, List<String> labels) {
        body.parameters()
                .forEach((name, p) -> p.trained(p.trained() && body.family().isBody(name)));
        this.body = child("", body);
        this.head =
                child(
                        "",
                        switch (body) {
                            case Encoder encoder -> encoder.tokenHead(labels.size());
                            case Decoder decoder -> decoder.tokenHead(labels.size());
                            case EncoderDecoder _ ->
                                    throw EspalierException.data(
                                            "only encoders and decoders label tokens");
                        });
        this.labels = List.copyOf(labels);
    }

    /// New weights for the head: N(0, 0.02²). A pure function of `seed`.
    public void initializeHead(long seed) {
        for (var parameter : head.parameters().values()) {
            if (parameter.isMatrix()) {
                var rng = Rng.at(seed, 2);
                var values = new float[Math.toIntExact(parameter.value().count())];
                for (var i = 0; i < values.length; i++) {
                    values[i] = (float) (0.02 * rng.nextGaussian());
                }
                parameter.value().segment().copyFrom(MemorySegment.ofArray(values));
            }
        }
    }

    /// The paths of the head's weights.
    public java.util.Set<String> headPaths() {
        return head.parameters().keySet();
    }

    /// Has the head trained, whatever else is frozen.
    public void trainHead() {
        head.parameters().values().forEach(p -> p.trained(true));
    }

    /// The scores (B, T, classes) of `hidden` (B, T, D).
    public Tensor forward(Tensor hidden) {
        return head.forward(hidden);
    }

    /// The scores (N, classes) of the tokens at `places` (N), counted row by row, of texts of
    /// `lengths` tokens, the rows of `ids` (B, T), which are filled up on the right.
    public Tensor scores(Tensor ids, long[] lengths, Tensor places) {
        var hidden =
                switch (body) {
                    case Decoder decoder -> decoder.hidden(ids);
                    case Encoder encoder ->
                            encoder.hidden(
                                    ids, null, SequenceClassifier.keep(lengths, (int) ids.size(1)));
                    case EncoderDecoder _ -> throw new IllegalStateException();
                }; // (B, T, D)
        return head.forward(hidden.reshape(-1, body.width()).indexSelect(0, places));
    }

    public LanguageModel body() {
        return body;
    }

    /// The classes' names, in the order of the scores.
    public List<String> labels() {
        return labels;
    }
}
