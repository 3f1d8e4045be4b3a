package dev.espalier.model;

import dev.espalier.nn.Attention;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.torch.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A causal transformer up to its last hidden states, with the vocabulary head that goes on top.
/// Families differ in how they compute; objectives, tasks and generation need only this.
public abstract non-sealed class Decoder extends LanguageModel {
    /// The path of a head that is not tied to the token table, in all families.
    public static final String HEAD = "lm_head.weight";

    /// That of its map, which no adapter can act on: the objectives multiply by its weight, a part
    /// of the positions at a time.
    public static final String HEAD_MAP = "lm_head";

    /// The last hidden states (B, T, D) of `ids` (B, T).
    ///
    /// `positions` is (B, T) or (1, T) and counts from 0. `mask` is the additive (B|1, 1, T, S)
    /// mask, or null where every position sees all before it and nothing else. With a `cache` the
    /// ids follow those already in it.
    public abstract Tensor hidden(
            Tensor ids, Tensor positions, @Nullable Tensor mask, @Nullable KeyValueCache cache);

    /// As above for whole sequences without padding: positions are 0, 1, 2, …
    public final Tensor hidden(Tensor ids) {
        return hidden(ids, Tensor.arange(0, ids.size(1)).unsqueeze(0), null, null);
    }

    /// As above for rows in which several documents stand one behind the other and know nothing of
    /// each other: positions count from 0 in each. `documents` (B, T) numbers them.
    public final Tensor hidden(Tensor ids, Tensor documents) {
        return hidden(ids, positionsWithin(documents), Attention.causalWithin(documents), null);
    }

    /// The positions (B, T) of tokens in their own of the `documents` (B, T).
    public static Tensor positionsWithin(Tensor documents) {
        var numbers = documents.longs();
        var length = (int) documents.size(1);
        var positions = new long[numbers.length];
        for (var i = 0; i < numbers.length; i++) {
            var begins = i % length == 0 || numbers[i] != numbers[i - 1];
            positions[i] = begins ? 0 : positions[i - 1] + 1;
        }
        return Tensor.of(positions, documents.shape());
    }

    /// All states (B, T, D) on the way to the hidden states: what each block reads, and the last
    /// hidden states themselves, one more than there are layers.
    public abstract List<Tensor> states(Tensor ids, Tensor positions, @Nullable Tensor mask);

    @Override
    public abstract Decoder withVocabulary(int size);

    @Override
    final ClassificationHead classificationHead(int classes) {
        return new ClassificationHead.Plain("score", width(), classes, false, 0);
    }

    /// The head with which the library's classes for the family classify each token.
    final ClassificationHead tokenHead(int classes) {
        var name = this instanceof Gpt2 ? "classifier" : "score";
        return new ClassificationHead.Plain(name, width(), classes, true, 0.1);
    }

    /// Any id will do: no token sees what follows it.
    @Override
    public final int padding() {
        return 0;
    }

    /// A cache for `batch` sequences of up to `capacity` positions.
    public abstract KeyValueCache cache(long batch, long capacity);
}
