package dev.espalier.model;

import dev.espalier.nn.Attention;
import dev.espalier.nn.KeyValueCache;
import dev.espalier.nn.MultiHeadAttention.KeysAndValues;
import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The transformer of Vaswani et al. 2017 (arXiv:1706.03762): an encoder, all of whose positions
/// see each other, reads the input, and a decoder, whose positions see what is before them and all
/// that the encoder gave, the memory, writes the output.
///
/// B batch, S positions of the input, T of the output, D width.
public abstract non-sealed class EncoderDecoder extends LanguageModel {
    /// The most tokens of an input, and of an output: the context, unless places are told by their
    /// distances alone.
    public int longest() {
        return context();
    }

    /// The memory (B, S, D) of the input `ids` (B, S). `keep` (B, S) is 1 for tokens and 0 for
    /// padding, null for no padding.
    public final Tensor encode(Tensor ids, @Nullable Tensor keep) {
        return encode(ids, padding(keep), state -> {});
    }

    /// The last hidden states (B, T, D) of the decoder, which has written `ids` (B, T), from a
    /// memory (B, S, D) and the `keep` of its input.
    public final Tensor decode(Tensor ids, Tensor memory, @Nullable Tensor keep) {
        return decode(ids, memory, padding(keep), state -> {});
    }

    /// What each block of the encoder reads, and the memory.
    public final List<Tensor> encoderStates(Tensor ids, @Nullable Tensor keep) {
        var states = new ArrayList<Tensor>();
        states.add(encode(ids, padding(keep), states::add));
        return states;
    }

    /// What each block of the decoder reads, and its last hidden states.
    public final List<Tensor> decoderStates(Tensor ids, Tensor memory, @Nullable Tensor keep) {
        var states = new ArrayList<Tensor>();
        states.add(decode(ids, memory, padding(keep), states::add));
        return states;
    }

    /// What a decoder that writes token by token has computed already.
    ///
    /// @param own keys and values of what it has written
    /// @param memory keys and values of the memory, layer by layer
    /// @param mask the additive (B, 1, 1, S) mask of the input's padding, or null
    public record Cache(KeyValueCache own, List<KeysAndValues> memory, @Nullable Tensor mask) {
        public Cache {
            memory = List.copyOf(memory);
        }
    }

    /// A cache for up to `capacity` tokens to be written from `memory`.
    public final Cache cache(Tensor memory, @Nullable Tensor keep, long capacity) {
        return new Cache(ownCache(memory.size(0), capacity), read(memory), padding(keep));
    }

    /// The last hidden states (B, T, D) of `ids` (B, T), which follow those in `cache`.
    public abstract Tensor decode(Tensor ids, Cache cache);

    /// `mask` is the additive mask of padding.
    abstract Tensor encode(Tensor ids, @Nullable Tensor mask, Consumer<Tensor> states);

    abstract Tensor decode(
            Tensor ids, Tensor memory, @Nullable Tensor mask, Consumer<Tensor> states);

    abstract KeyValueCache ownCache(long batch, long capacity);

    abstract List<KeysAndValues> read(Tensor memory);

    private static @Nullable Tensor padding(@Nullable Tensor keep) {
        return keep == null ? null : Attention.padding(keep);
    }

    /// The token that the decoder begins with.
    public abstract int start();

    /// The token that ends a text.
    public abstract int end();

    /// What the decoder reads while it is to write `labels` (B, T): the start, and each label a
    /// place later. Ignored labels become padding.
    public final Tensor shiftedRight(Tensor labels) {
        var start = Tensor.of(new long[] {start()}, 1, 1).expand(labels.size(0), 1); // (B, 1)
        var before = labels.to(DType.LONG).narrow(1, 0, labels.size(1) - 1); // (B, T - 1)
        return Tensor.concat(
                1, start, before.maskedFill(before.eq(Tensor.IGNORE), padding())); // (B, T)
    }

    @Override
    public abstract EncoderDecoder withVocabulary(int size);
}
