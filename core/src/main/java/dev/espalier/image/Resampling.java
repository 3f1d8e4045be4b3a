package dev.espalier.image;

import java.util.stream.IntStream;

/// How a picture gets another size: as Pillow's `Image.resize` does it, to the bit.
///
/// A sample of the result is the sum of the source's samples around its centre, weighted by a
/// filter f that is stretched by the scale where the picture shrinks (antialiasing):
///
///     w_i = f((i + 1/2 - c) / s),  c = (x + 1/2) · source / target,  s = max(1, source / target)
///
/// over their sum, first along rows, then along columns, rounded to 8 bits after each.
public enum Resampling {
    /// The pixel under the centre.
    NEAREST(0) {
        @Override
        double filter(double x) {
            throw new AssertionError("nearest has no filter");
        }
    },
    /// f(x) = 1 - |x|.
    BILINEAR(1) {
        @Override
        double filter(double x) {
            return Math.max(0, 1 - Math.abs(x));
        }
    },
    /// Keys' cubic (1981) with a = -1/2.
    BICUBIC(2) {
        @Override
        double filter(double x) {
            var a = -0.5;
            var d = Math.abs(x);
            if (d < 1) {
                return ((a + 2) * d - (a + 3)) * d * d + 1;
            }
            return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
        }
    };

    /// Weights are whole numbers of 2^-22, so that the result is the same everywhere.
    private static final int BITS = 22;

    private final double support;

    Resampling(double support) {
        this.support = support;
    }

    abstract double filter(double x);

    /// `image` at another size.
    public Image resize(Image image, int width, int height) {
        if (width == image.width() && height == image.height()) {
            return image;
        }
        if (this == NEAREST) {
            return nearest(image, width, height);
        }
        var wide = width == image.width() ? image : across(image, width);
        return height == image.height() ? wide : down(wide, height);
    }

    private static Image nearest(Image image, int width, int height) {
        var columns = nearest(image.width(), width);
        var rows = nearest(image.height(), height);
        var rgb = new byte[3 * width * height];
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                var from = 3 * (rows[y] * image.width() + columns[x]);
                System.arraycopy(image.rgb(), from, rgb, 3 * (y * width + x), 3);
            }
        }
        return new Image(width, height, rgb);
    }

    /// Which of `source` places lies under the centre of each of `target`.
    static int[] nearest(int source, int target) {
        var scale = (double) source / target;
        return IntStream.range(0, target)
                .map(x -> Math.min(source - 1, (int) ((x + 0.5) * scale)))
                .toArray();
    }

    /// The source's samples of one of the target's.
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    private record Taps(int first, int[] weights) {}

    private Taps[] taps(int source, int target) {
        var scale = (double) source / target;
        var stretch = Math.max(1, scale);
        var taps = new Taps[target];
        for (var x = 0; x < target; x++) {
            var centre = (x + 0.5) * scale;
            var first = Math.max(0, (int) (centre - support * stretch + 0.5));
            var end = Math.min(source, (int) (centre + support * stretch + 0.5));
            var weights = new double[end - first];
            var sum = 0.0;
            for (var i = 0; i < weights.length; i++) {
                weights[i] = filter((first + i - centre + 0.5) / stretch);
                sum += weights[i];
            }
            var whole = new int[weights.length];
            for (var i = 0; i < whole.length; i++) {
                var w = weights[i] / sum * (1 << BITS);
                whole[i] = (int) (w < 0 ? w - 0.5 : w + 0.5);
            }
            taps[x] = new Taps(first, whole);
        }
        return taps;
    }

    private Image across(Image image, int width) {
        var taps = taps(image.width(), width);
        var rgb = new byte[3 * width * image.height()];
        for (var y = 0; y < image.height(); y++) {
            for (var x = 0; x < width; x++) {
                var from = 3 * (y * image.width() + taps[x].first());
                sum(image.rgb(), from, 3, taps[x].weights(), rgb, 3 * (y * width + x));
            }
        }
        return new Image(width, image.height(), rgb);
    }

    private Image down(Image image, int height) {
        var taps = taps(image.height(), height);
        var row = 3 * image.width();
        var rgb = new byte[row * height];
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < row; x += 3) {
                var from = taps[y].first() * row + x;
                sum(image.rgb(), from, row, taps[y].weights(), rgb, y * row + x);
            }
        }
        return new Image(image.width(), height, rgb);
    }

    /// The weighted sum of the pixels at `from`, `from + step` and so on.
    private static void sum(
            byte[] source, int from, int step, int[] weights, byte[] target, int to) {
        var red = 1 << (BITS - 1);
        var green = red;
        var blue = red;
        for (var i = 0; i < weights.length; i++) {
            var at = from + i * step;
            red += (source[at] & 0xFF) * weights[i];
            green += (source[at + 1] & 0xFF) * weights[i];
            blue += (source[at + 2] & 0xFF) * weights[i];
        }
        target[to] = clamped(red);
        target[to + 1] = clamped(green);
        target[to + 2] = clamped(blue);
    }

    private static byte clamped(int sum) {
        return (byte) Math.clamp(sum >> BITS, 0, 255);
    }
}
