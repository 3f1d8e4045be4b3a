package dev.espalier.data;

import dev.espalier.Rng;
import java.util.List;

/// See [Windows#mixture].
public final class Mixture implements Windows {
    /// Which window of which source.
    public record Draw(int source, long index) {}

    private final List<Part> parts;
    private final long[] ends;

    Mixture(List<Part> parts) {
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("a mixture of nothing");
        }
        this.parts = List.copyOf(parts);
        ends = new long[parts.size()];
        var end = 0L;
        for (var p = 0; p < ends.length; p++) {
            end = Math.addExact(end, parts.get(p).share());
            ends[p] = end;
        }
    }

    @Override
    public long perEpoch() {
        return ends[ends.length - 1];
    }

    /// Where the `index`-th window comes from.
    public Draw draw(long seed, long index) {
        if (index < 0) {
            throw new IndexOutOfBoundsException(index);
        }
        var epoch = index / perEpoch();
        var order = new Permutation(perEpoch(), Rng.seed(seed, epoch));
        var place = order.at(index % perEpoch());
        var source = 0;
        while (place >= ends[source]) {
            source++;
        }
        var start = source == 0 ? 0 : ends[source - 1];
        return new Draw(source, epoch * (ends[source] - start) + place - start);
    }

    /// How often the source has been gone through when the mixture has given `windows` windows.
    public double epochs(int source, long windows) {
        var share = ends[source] - (source == 0 ? 0 : ends[source - 1]);
        return (double) windows * share / perEpoch() / parts.get(source).windows().perEpoch();
    }

    @Override
    public Window window(long seed, long index) {
        var draw = draw(seed, index);
        return parts.get(draw.source())
                .windows()
                .window(Rng.seed(seed, draw.source()), draw.index());
    }
}
