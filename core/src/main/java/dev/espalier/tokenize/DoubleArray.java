package dev.espalier.tokenize;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/// A trie over bytes in a double array (Aoe 1989, "An efficient digital search algorithm by using a
/// double-array structure"), in the units of Darts-clone, as SentencePiece keeps it in its files.
///
/// A unit is an int: the byte that leads to it in bits 0 to 7, whether a key ends at it in bit 8,
/// and in bits 10 to 30 an offset (times 256 if bit 9 is set). The child by byte `b` stands at the
/// unit's own place XOR its offset XOR `b`, and the value of a key that ends at a unit where a
/// child by byte 0 would, with the sign bit set.
final class DoubleArray {
    /// What an offset of 21 bits reaches.
    private static final int MOST = 1 << 21;

    /// How many of the last blocks of 256 units are looked through for room.
    private static final int OPEN = 16;

    private final int[] units;

    private DoubleArray(int[] units) {
        this.units = units;
    }

    /// Of bytes that others wrote, of which nothing is believed: what leads outside ends there.
    static DoubleArray read(ByteBuffer bytes) {
        var units = new int[bytes.remaining() / 4];
        bytes.order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(units);
        return new DoubleArray(units);
    }

    /// The trie of `keys`, in the order of their unsigned bytes and all different, none empty and
    /// none with a byte 0.
    ///
    /// @param values from 0
    /// @throws IllegalArgumentException if it would need more than 2^21 units
    static DoubleArray of(List<byte[]> keys, int[] values) {
        var builder = new Builder(keys, values);
        builder.build();
        return new DoubleArray(Arrays.copyOf(builder.units, builder.blocks * 256));
    }

    byte[] toBytes() {
        var bytes = ByteBuffer.allocate(4 * units.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(units);
        return bytes.array();
    }

    /// Where the search for a key begins: the place of the root's children.
    int root() {
        return units.length == 0 ? -1 : offset(units[0]);
    }

    /// From the children's place `node` on by `b`: the place of its children, or -1 if there is
    /// none.
    int next(int node, int b) {
        int at = node ^ b & 0xff;
        if (at < 0 || at >= units.length || b == 0) {
            return -1;
        }
        int unit = units[at];
        return (unit & 0x800000ff) == (b & 0xff) ? at ^ offset(unit) : -1;
    }

    /// The value of the key that ends with the step by `b` from `node` to `next`, or -1.
    int value(int node, int b, int next) {
        return (units[node ^ b & 0xff] & 0x100) != 0 && next < units.length
                ? units[next] & 0x7fffffff
                : -1;
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 0x200) >>> 6);
    }

    private static final class Builder {
        private final List<byte[]> keys;
        private final int[] values;
        private int[] units = new int[1 << 12];
        private int blocks = 1;
        private final BitSet used = new BitSet();

        /// Places that are some unit's place XOR its offset: two units must not share one.
        private final BitSet bases = new BitSet();

        Builder(List<byte[]> keys, int[] values) {
            this.keys = keys;
            this.values = values;
            used.set(0);
        }

        private final int[] labels = new int[256];
        private final int[] starts = new int[257];

        /// Four ints for each unit that is to be filled; keys may be too long for recursion.
        private final Ids stack = new Ids(1 << 10);

        void build() {
            push(0, 0, keys.size(), 0);
            while (stack.size() > 0) {
                int depth = stack.pop(), to = stack.pop(), from = stack.pop();
                node(stack.pop(), from, to, depth);
            }
        }

        private void push(int at, int from, int to, int depth) {
            stack.add(at);
            stack.add(from);
            stack.add(to);
            stack.add(depth);
        }

        /// Fills the unit at `at`, below which are the keys `[from, to)`, alike in `depth` bytes.
        private void node(int at, int from, int to, int depth) {
            int count = 0;
            for (int k = from; k < to; k++) {
                var key = keys.get(k);
                int label = key.length == depth ? 0 : key[depth] & 0xff;
                if (count == 0 || labels[count - 1] != label) {
                    labels[count] = label;
                    starts[count++] = k;
                }
            }
            starts[count] = to;
            if (count == 0) {
                return;
            }
            int base = base(count);
            bases.set(base);
            int offset = at ^ base;
            if (offset >= MOST) {
                throw new IllegalArgumentException("a trie of more than 2^21 units");
            }
            units[at] |= offset << 10 | (labels[0] == 0 ? 0x100 : 0);
            for (int i = count - 1; i >= 0; i--) {
                int child = base ^ labels[i];
                used.set(child);
                units[child] = labels[i] == 0 ? values[starts[i]] | 0x80000000 : labels[i];
                if (labels[i] != 0) {
                    push(child, starts[i], starts[i + 1], depth + 1);
                }
            }
        }

        private int base(int count) {
            for (int block = Math.max(0, blocks - OPEN); block < blocks; block++) {
                int end = (block + 1) * 256;
                for (int free = used.nextClearBit(block * 256);
                        free < end;
                        free = used.nextClearBit(free + 1)) {
                    int base = free ^ labels[0];
                    boolean fits = !bases.get(base);
                    for (int i = 1; fits && i < count; i++) {
                        fits = !used.get(base ^ labels[i]);
                    }
                    if (fits) {
                        return base;
                    }
                }
            }
            if (++blocks * 256 > units.length) {
                units = Arrays.copyOf(units, 2 * units.length);
            }
            return (blocks - 1) * 256;
        }
    }
}
