package dev.espalier.model;

import dev.espalier.torch.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A transformer all of whose positions see each other, pre-trained to tell the tokens that were
/// hidden from it (Devlin et al. 2018, arXiv:1810.04805). Its head goes from hidden states through
/// one more layer to the scores: W LN(φ(W' h + b')) + b with W the token table.
public abstract non-sealed class Encoder extends LanguageModel {
    /// The last hidden states (B, T, D) of `ids` (B, T).
    ///
    /// `segments` (B, T) tells the texts of a pair apart, null for all 0; families without segments
    /// pass over it. `keep` (B, T) is 1 for tokens and 0 for padding, null for no padding.
    public final Tensor hidden(Tensor ids, @Nullable Tensor segments, @Nullable Tensor keep) {
        return body().forward(ids, positions(ids), segments, keep, state -> {});
    }

    /// All states (B, T, D) on the way to the hidden states: what each block reads, and the last
    /// hidden states themselves, one more than there are layers.
    public final List<Tensor> states(Tensor ids, @Nullable Tensor segments, @Nullable Tensor keep) {
        var states = new java.util.ArrayList<Tensor>();
        states.add(body().forward(ids, positions(ids), segments, keep, states::add));
        return states;
    }

    /// Where each of `ids` (B, T) stands, as rows of the position table: (B|1, T).
    Tensor positions(Tensor ids) {
        return Tensor.arange(0, ids.size(1)).unsqueeze(0);
    }

    abstract EncoderBody body();

    abstract EncoderConfig config();

    abstract @Nullable MaskedHead maskedHead();

    /// New weights: N(0, 0.02²), biases and the padding's embedding 0, gains 1. A pure function of
    /// `seed`.
    public Encoder initialize(long seed) {
        InitialWeights.fill(this, seed, name -> config().initializerRange());
        body().clearPadding();
        return this;
    }

    /// As [#initialize] for the head of the vocabulary alone, which files of other tasks lack.
    public final void initializeHead(long seed) {
        if (maskedHead() instanceof MaskedHead head) {
            InitialWeights.fill(head, seed, name -> config().initializerRange());
        }
    }

    @Override
    public final Tensor head() {
        return body().table();
    }

    @Override
    public final @Nullable Tensor headBias() {
        return maskedHead() instanceof MaskedHead head ? head.bias() : null;
    }

    @Override
    public final Tensor transformed(Tensor hidden) {
        return maskedHead() instanceof MaskedHead head ? head.transform(hidden) : hidden;
    }

    @Override
    public final tools.jackson.databind.node.ObjectNode configJson() {
        return config().json();
    }

    @Override
    public abstract Encoder withVocabulary(int size);

    /// The head with which the family classifies each token.
    final ClassificationHead tokenHead(int classes) {
        return new ClassificationHead.Plain(
                "classifier", width(), classes, true, config().tokenClassifierDropout());
    }

    @Override
    public final int vocabulary() {
        return config().vocabulary();
    }

    @Override
    public final int context() {
        return config().context();
    }

    @Override
    public final int width() {
        return config().width();
    }

    @Override
    public final int layers() {
        return config().layers();
    }

    @Override
    public final int padding() {
        return config().padding();
    }

    @Override
    public final long matrixWeights() {
        // The token table is multiplied by as the head; the others are only looked up.
        return parameterCount() - body().lookedUp();
    }
}
