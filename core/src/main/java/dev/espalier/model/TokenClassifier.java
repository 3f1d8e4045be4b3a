package dev.espalier.model;

import dev.espalier.nn.Module;
import dev.espalier.torch.Tensor;
import java.util.List;

/// An encoder with a linear map from each token's hidden state to its classes, as Hugging Face's
/// `…ForTokenClassification` of the families have it.
public final class TokenClassifier extends Module {
    private final Encoder body;
    private final ClassificationHead head;
    private final List<String> labels;

    public TokenClassifier(Encoder body, List<String> labels) {
        this.body = child("", body);
        this.head = child("", body.tokenHead(labels.size()));
        this.labels = List.copyOf(labels);
    }

    /// The scores (B, T, classes) of `hidden` (B, T, D).
    public Tensor forward(Tensor hidden) {
        return head.forward(hidden);
    }

    public Encoder body() {
        return body;
    }

    /// The classes' names, in the order of the scores.
    public List<String> labels() {
        return labels;
    }
}
