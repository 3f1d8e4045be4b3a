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

    private Tensor append(Tensor all, Tensor fresh) {
        all.narrow(2, length, fresh.size(2)).copyInPlace(fresh);
        return all.narrow(2, 0, length + fresh.size(2));
    }

    /// Ends a step in which every layer has appended `positions` positions.
    public void advance(long positions) {
        length += positions;
    }

    /// Keeps, for each place in the batch, the sequence that `rows` (B) names; for beams.
    public void reorder(Tensor rows) {
        for (var tensors : List.of(keys, values)) {
            for (var t : tensors) {
                t.copyInPlace(t.indexSelect(0, rows));
            }
        }
    }
}
