package dev.espalier.tokenize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.Rng;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DoubleArrayTest {
    private static int find(DoubleArray trie, byte[] key) {
        int node = trie.root();
        int value = -1;
        for (byte b : key) {
            int next = trie.next(node, b);
            if (next < 0) {
                return -1;
            }
            value = trie.value(node, b, next);
            node = next;
        }
        return value;
    }

    @Test
    void findsItsKeysAndNoOthers() {
        var map = new TreeMap<byte[], Integer>(Arrays::compareUnsigned);
        for (int i = 0; i < 20_000; i++) {
            var random = Rng.at(1, i);
            var key = new byte[1 + random.nextInt(6)];
            for (int b = 0; b < key.length; b++) {
                key[b] = (byte) (1 + random.nextInt(i % 2 == 0 ? 255 : 4));
            }
            map.put(key, i);
        }
        var keys = new ArrayList<byte[]>();
        var values = new Ids(2);
        // Every other key stays out.
        for (var entry : map.entrySet()) {
            if (entry.getValue() % 2 == 0) {
                keys.add(entry.getKey());
                values.add(entry.getValue());
            }
        }
        var built = DoubleArray.of(keys, values.toArray());
        for (var trie : List.of(built, DoubleArray.read(ByteBuffer.wrap(built.toBytes())))) {
            map.forEach((key, value) ->
                    assertThat(find(trie, key)).isEqualTo(value % 2 == 0 ? value : -1));
        }
    }

    @Test
    void aLongKeyIsNoTrouble() {
        var key = "a".repeat(100_000).getBytes(StandardCharsets.UTF_8);
        var trie = DoubleArray.of(List.of(key), new int[] {7});
        assertThat(find(trie, key)).isEqualTo(7);
        assertThat(find(trie, Arrays.copyOf(key, 99_999))).isEqualTo(-1);
        var tooLong = "a".repeat(1 << 22).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> DoubleArray.of(List.of(tooLong), new int[] {0}))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatLeadsOutsideEndsThere() {
        for (int i = 0; i < 2000; i++) {
            var random = Rng.at(2, i);
            var bytes = new byte[4 * random.nextInt(300)];
            IntStream.range(0, bytes.length).forEach(b -> bytes[b] = (byte) random.nextInt(256));
            var trie = DoubleArray.read(ByteBuffer.wrap(bytes));
            var key = new byte[] {(byte) i, (byte) (i >> 3), 5, 9};
            assertThat(find(trie, key)).isGreaterThanOrEqualTo(-1);
        }
    }
}
