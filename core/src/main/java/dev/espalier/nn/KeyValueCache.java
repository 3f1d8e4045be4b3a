package dev.espalier.nn;

import dev.espalier.torch.DType;
import dev.espalier.torch.Tensor;
import java.util.ArrayList;
import java.util.List;

/// The keys and values of the positions that a decoder has already seen, so that each new position
/// is computed once. Owned by the loop that generates; its memory is allocated at once, for
/// `capacity` positions.
public final class KeyValueCache {
    private final List<Tensor> keys = new ArrayList<>();
    private final List<Tensor> values = new ArrayList<>();
    private final long capacity;
    private long length;

    /// For `layers` layers of keys and values (batch, heads, capacity, width).
    public KeyValueCache(int layers, long batch, long heads, long capacity, long width) {
        this.capacity = capacity;
        for (var i = 0; i < layers; i++) {
            keys.add(Tensor.zeros(DType.FLOAT, batch, heads, capacity, width));
            values.add(Tensor.zeros(DType.FLOAT, batch, heads, capacity, width));
        }
    }

    /// Positions that every layer has seen.
    public long length() {
        return length;
    }

    /// Bytes of the keys and values that a layer has seen.
    public long layerBytes() {
        return 2 * length * keys.getFirst().bytes() / capacity;
    }

    public long capacity() {
        return capacity;
    }

    /// Appends a layer's keys (B, H, T, d) and gives all of them (B, H, S, d).
    public Tensor keys(int layer, Tensor fresh) {
        return append(keys.get(layer), fresh);
    }

    /// Appends a layer's values (B, H, T, d) and gives all of them (B, H, S, d).
    public Tensor values(int layer, Tensor fresh) {
        return append(values.get(layer), fresh);
    }

    /// Appends a layer's keys and values and gives all of them.
    public MultiHeadAttention.KeysAndValues append(
            int layer, MultiHeadAttention.KeysAndValues fresh) {
        return new MultiHeadAttention.KeysAndValues(
                keys(layer, fresh.keys()), values(layer, fresh.values()));
    }

    private Tensor append(Tensor all, Tensor fresh) {
        all.narrow(2, length, fresh.size(2)).copyInPlace(fresh);
        return all.narrow(2, 0, length + fresh.size(2));
    }

    /// Ends a step in which every layer has appended `positions` positions.
    public void advance(long positions) {
        length += positions;
    }

    /// Takes over, for each place in the batch, what `other` (or this cache itself, for beams) has
    /// seen of the sequence that `rows` (B) names.
    public void copyFrom(KeyValueCache other, Tensor rows) {
        for (var i = 0; i < keys.size(); i++) {
            copy(other.keys.get(i), keys.get(i), other.length, rows);
            copy(other.values.get(i), values.get(i), other.length, rows);
        }
        length = other.length;
    }

    private static void copy(Tensor from, Tensor to, long length, Tensor rows) {
        to.narrow(2, 0, length).copyInPlace(from.narrow(2, 0, length).indexSelect(0, rows));
    }
}
