package dev.espalier.image;

import java.util.Arrays;

/// The class of each pixel of a picture.
///
/// @param classes (height, width), from the top left, 0 to 254, or [#IGNORED]; not copied, and not
///   to be changed
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
public record Mask(int width, int height, byte[] classes) {
    /// Of a pixel that is neither learnt nor measured.
    public static final int IGNORED = 255;

    public Mask {
        if (width < 1 || height < 1 || classes.length != (long) width * height) {
            throw new IllegalArgumentException(
                    "%d x %d pixels of %d classes".formatted(width, height, classes.length));
        }
    }

    /// The class of a pixel, 0 to 255.
    public int at(int x, int y) {
        return classes[y * width + x] & 0xFF;
    }

    /// At another size, by the nearest pixel.
    public Mask resize(int width, int height) {
        if (width == this.width && height == this.height) {
            return this;
        }
        var columns = Resampling.nearest(this.width, width);
        var rows = Resampling.nearest(this.height, height);
        var resized = new byte[width * height];
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                resized[y * width + x] = classes[rows[y] * this.width + columns[x]];
            }
        }
        return new Mask(width, height, resized);
    }

    /// All pixels of one class.
    public static Mask of(int width, int height, int value) {
        var classes = new byte[width * height];
        Arrays.fill(classes, (byte) value);
        return new Mask(width, height, classes);
    }
}
