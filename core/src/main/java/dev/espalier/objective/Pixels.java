package dev.espalier.objective;

import dev.espalier.torch.Tensor;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A picture as a model reads it.
///
/// @param values normalised, channel by channel, each row by row
/// @param where the picture stands
@SuppressWarnings("ArrayRecordComponent") // handed over, never shared
public record Pixels(float[] values, int channels, int height, int width, String where) {
    public Pixels {
        if (values.length != channels * height * width) {
            throw new IllegalArgumentException(
                    "%d values for %d x %d x %d".formatted(values.length, channels, height, width));
        }
    }

    /// Pictures of one size behind one another, in the scope that is open: (B, C, H, W).
    public static Tensor stacked(List<Pixels> pictures) {
        var first = pictures.getFirst();
        var each = first.values.length;
        var all = new float[Math.multiplyExact(pictures.size(), each)];
        for (var i = 0; i < pictures.size(); i++) {
            var picture = pictures.get(i);
            if (picture.height != first.height || picture.width != first.width) {
                throw new IllegalArgumentException(
                        picture.where + ": of another size than " + first.where);
            }
            System.arraycopy(picture.values, 0, all, i * each, each);
        }
        return Tensor.of(all, pictures.size(), first.channels, first.height, first.width);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(values);
    }
}
