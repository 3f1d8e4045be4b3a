package dev.espalier.tokenize;

import java.util.Arrays;

/// A list of ints that grows.
final class Ids {
    private int[] values;
    private int size;

    Ids(int capacity) {
        values = new int[Math.max(capacity, 2)];
    }

    void add(int value) {
        if (size == values.length) {
            grow(1);
        }
        values[size++] = value;
    }

    void addAll(int[] more, int count) {
        if (values.length - size < count) {
            grow(count);
        }
        System.arraycopy(more, 0, values, size, count);
        size += count;
    }

    /// Makes room for `count` more.
    void reserve(int count) {
        if (values.length - size < count) {
            grow(count);
        }
    }

    /// Adds as many of the three ids as the upper half of `high` says; the room must be there.
    void addThree(long low, long high) {
        int at = size;
        values[at] = (int) low;
        values[at + 1] = (int) (low >>> 32);
        values[at + 2] = (int) high;
        size = at + (int) (high >>> 32);
    }

    private void grow(int count) {
        long wanted = Math.max((long) size + count, size + (size >> 1));
        if (wanted > Integer.MAX_VALUE - 8) {
            throw new OutOfMemoryError("more than 2^31 tokens");
        }
        values = Arrays.copyOf(values, (int) wanted);
    }

    int size() {
        return size;
    }

    int pop() {
        return values[--size];
    }

    void clear() {
        size = 0;
    }

    int get(int index) {
        return values[index];
    }

    void set(int index, int value) {
        values[index] = value;
    }

    int[] toArray() {
        return size == values.length ? values : Arrays.copyOf(values, size);
    }
}
