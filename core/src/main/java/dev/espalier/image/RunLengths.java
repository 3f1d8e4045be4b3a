package dev.espalier.image;

import dev.espalier.EspalierException;
import java.util.Arrays;

/// The pixels of one kind in a picture, as COCO packs them: column by column, how many are not of
/// it, how many are, and so on in turn. As text the numbers are differences to the last but one, in
/// digits of five bits, the least first, as the characters from `0` on.
///
/// @param counts together all pixels of the picture
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
public record RunLengths(int width, int height, int[] counts) {
    private static final int DIGIT = 5;
    private static final int MORE = 1 << DIGIT;

    /// @throws EspalierException (DATA) if `counts` are not as many pixels as the picture has
    public RunLengths {
        var sum = 0L;
        for (var count : counts) {
            if (count < 0) {
                throw EspalierException.data("a run length of " + count);
            }
            sum += count;
        }
        if (sum != (long) width * height) {
            throw EspalierException.data(
                    "run lengths of %,d pixels in all, where %d x %d are %,d"
                            .formatted(sum, width, height, (long) width * height));
        }
    }

    /// The pixels of `mask` that are of the class `kind`.
    public static RunLengths of(Mask mask, int kind) {
        var counts = new int[16];
        var n = 0;
        var inside = false;
        for (var x = 0; x < mask.width(); x++) {
            for (var y = 0; y < mask.height(); y++) {
                if (mask.at(x, y) == kind != inside) {
                    inside = !inside;
                    n++;
                    counts = n < counts.length ? counts : Arrays.copyOf(counts, 2 * n);
                }
                counts[n]++;
            }
        }
        return new RunLengths(mask.width(), mask.height(), Arrays.copyOf(counts, n + 1));
    }

    /// From COCO's text.
    ///
    /// @throws EspalierException (DATA) if it is none, or not of a picture of this size
    public static RunLengths parse(int width, int height, String text) {
        var counts = new int[text.length()];
        var n = 0;
        for (var at = 0; at < text.length(); n++) {
            var value = 0L;
            var shift = 0;
            int digit;
            do {
                digit = at < text.length() ? text.charAt(at++) - '0' : -1;
                if (digit < 0 || digit >= 2 * MORE || shift > 30) {
                    throw EspalierException.data("run lengths that are no text of COCO's");
                }
                value |= (long) (digit & (MORE - 1)) << shift;
                shift += DIGIT;
            } while ((digit & MORE) != 0);
            // The highest bit of the last digit is the sign.
            value = (digit & (MORE >> 1)) == 0 ? value : value - (1L << shift);
            value += n > 2 ? counts[n - 2] : 0;
            if (value < 0 || value > Integer.MAX_VALUE) {
                throw EspalierException.data("a run length of " + value);
            }
            counts[n] = (int) value;
        }
        return new RunLengths(width, height, Arrays.copyOf(counts, n));
    }

    /// How many pixels are of the kind.
    public long area() {
        var area = 0L;
        for (var i = 1; i < counts.length; i += 2) {
            area += counts[i];
        }
        return area;
    }

    /// The least box around them, of no area where there are none.
    public Box box() {
        var sides = new int[] {width, height, 0, 0};
        forEach((x, y) -> {
            sides[0] = Math.min(sides[0], x);
            sides[1] = Math.min(sides[1], y);
            sides[2] = Math.max(sides[2], x + 1);
            sides[3] = Math.max(sides[3], y + 1);
        });
        return area() == 0 ? new Box(0, 0, 0, 0) : new Box(sides[0], sides[1], sides[2], sides[3]);
    }

    /// Tells of each pixel of the kind.
    public void forEach(Pixel pixel) {
        var at = 0;
        for (var i = 0; i < counts.length; i++) {
            for (var end = at + counts[i]; at < end; at++) {
                if (i % 2 == 1) {
                    pixel.at(at / height, at % height);
                }
            }
        }
    }

    /// Takes a pixel.
    @FunctionalInterface
    public interface Pixel {
        void at(int x, int y);
    }
}
