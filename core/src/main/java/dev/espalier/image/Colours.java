package dev.espalier.image;

import dev.espalier.Rng;
import java.util.function.IntUnaryOperator;

/// Changes of how bright and colourful pictures are, as Pillow's `ImageEnhance` and `ImageOps` make
/// them.
public final class Colours {
    private Colours() {}

    /// Brightness, contrast and saturation each times a factor of 1 - x to 1 + x, and the hue
    /// turned by up to x of a whole turn, in this order.
    public static Change jitter(double brightness, double contrast, double saturation, double hue) {
        return (sample, rng) -> {
            var image = sample.image();
            image = brightness(image, factor(brightness, rng));
            image = contrast(image, factor(contrast, rng));
            image = saturation(image, factor(saturation, rng));
            return sample.with(hue(image, Geometry.between(-hue, hue, rng)));
        };
    }

    private static double factor(double by, Rng rng) {
        return Geometry.between(Math.max(0, 1 - by), 1 + by, rng);
    }

    /// Each sample times `factor`.
    static Image brightness(Image image, double factor) {
        return factor == 1 ? image : mapped(image, v -> (int) Math.rint(v * factor));
    }

    /// Each sample's distance from the mean grey times `factor`.
    static Image contrast(Image image, double factor) {
        if (factor == 1) {
            return image;
        }
        var sum = 0L;
        for (var i = 0; i < image.rgb().length; i += 3) {
            sum += grey(image.rgb(), i);
        }
        var mean = (int) Math.rint(3.0 * sum / image.rgb().length);
        return mapped(image, v -> (int) Math.rint(mean + (v - mean) * factor));
    }

    /// Each sample's distance from its pixel's grey times `factor`.
    static Image saturation(Image image, double factor) {
        if (factor == 1) {
            return image;
        }
        var rgb = new byte[image.rgb().length];
        for (var i = 0; i < rgb.length; i += 3) {
            var grey = grey(image.rgb(), i);
            for (var c = i; c < i + 3; c++) {
                var v = image.rgb()[c] & 0xFF;
                rgb[c] = eight((int) Math.rint(grey + (v - grey) * factor));
            }
        }
        return new Image(image.width(), image.height(), rgb);
    }

    /// The hue turned by `turns` (of HSV's circle).
    static Image hue(Image image, double turns) {
        if (turns == 0) {
            return image;
        }
        var rgb = new byte[image.rgb().length];
        for (var i = 0; i < rgb.length; i += 3) {
            turn(image.rgb(), i, turns, rgb);
        }
        return new Image(image.width(), image.height(), rgb);
    }

    private static void turn(byte[] from, int i, double turns, byte[] to) {
        var r = from[i] & 0xFF;
        var g = from[i + 1] & 0xFF;
        var b = from[i + 2] & 0xFF;
        var most = Math.max(r, Math.max(g, b));
        var range = most - Math.min(r, Math.min(g, b));
        if (range == 0) {
            System.arraycopy(from, i, to, i, 3);
            return;
        }
        // In sixths of the circle, from red.
        var sixths =
                most == r
                        ? (double) (g - b) / range
                        : most == g ? 2 + (double) (b - r) / range : 4 + (double) (r - g) / range;
        sixths = (sixths / 6 + turns - Math.floor(sixths / 6 + turns)) * 6;
        for (var c = 0; c < 3; c++) {
            // How far the channel's own hue lies away; within one sixth it is at its most.
            var away = Math.abs(sixths - 2 * c);
            away = Math.min(away, 6 - away);
            var v = most - range * Math.clamp(away - 1, 0.0, 1.0);
            to[i + c] = eight((int) Math.rint(v));
        }
    }

    /// Samples of at least `threshold` become 255 less them.
    static Image solarized(Image image, int threshold) {
        return mapped(image, v -> v < threshold ? v : 255 - v);
    }

    /// Only the `bits` highest bits of each sample.
    static Image posterized(Image image, int bits) {
        return mapped(image, v -> v & (0xFF << (8 - bits)));
    }

    /// Each channel stretched to reach from 0 to 255.
    static Image stretched(Image image) {
        var rgb = new byte[image.rgb().length];
        for (var c = 0; c < 3; c++) {
            var counts = counts(image, c);
            var low = 0;
            while (counts[low] == 0) {
                low++;
            }
            var high = 255;
            while (counts[high] == 0) {
                high--;
            }
            for (var i = c; i < rgb.length; i += 3) {
                var v = image.rgb()[i] & 0xFF;
                rgb[i] = eight(high > low ? (v - low) * 255 / (high - low) : v);
            }
        }
        return new Image(image.width(), image.height(), rgb);
    }

    /// Each channel with its levels spread so that all are about as common.
    static Image equalized(Image image) {
        var rgb = new byte[image.rgb().length];
        for (var c = 0; c < 3; c++) {
            var counts = counts(image, c);
            var last = 255;
            while (counts[last] == 0) {
                last--;
            }
            var step = (rgb.length / 3 - counts[last]) / 255;
            var below = step / 2;
            var map = new int[256];
            for (var v = 0; v < 256; v++) {
                map[v] = step == 0 ? v : below / step;
                below += counts[v];
            }
            for (var i = c; i < rgb.length; i += 3) {
                rgb[i] = eight(map[image.rgb()[i] & 0xFF]);
            }
        }
        return new Image(image.width(), image.height(), rgb);
    }

    private static int[] counts(Image image, int channel) {
        var counts = new int[256];
        for (var i = channel; i < image.rgb().length; i += 3) {
            counts[image.rgb()[i] & 0xFF]++;
        }
        return counts;
    }

    /// Each sample's distance from the mean of its neighbourhood (itself with a weight of 5, its
    /// eight neighbours with 1) times `factor`; those at the edge stay as they are.
    static Image sharpened(Image image, double factor) {
        var rgb = image.rgb().clone();
        var row = 3 * image.width();
        for (var y = 1; y < image.height() - 1; y++) {
            for (var i = y * row + 3; i < (y + 1) * row - 3; i++) {
                var sum = 4 * (image.rgb()[i] & 0xFF);
                for (var dy = -row; dy <= row; dy += row) {
                    for (var dx = -3; dx <= 3; dx += 3) {
                        sum += image.rgb()[i + dy + dx] & 0xFF;
                    }
                }
                var smooth = Math.rint(sum / 13.0);
                var v = image.rgb()[i] & 0xFF;
                rgb[i] = eight((int) Math.rint(smooth + (v - smooth) * factor));
            }
        }
        return new Image(image.width(), image.height(), rgb);
    }

    /// A pixel's luma (ITU-R 601), as Pillow rounds it.
    private static int grey(byte[] rgb, int i) {
        return ((rgb[i] & 0xFF) * 19595
                        + (rgb[i + 1] & 0xFF) * 38470
                        + (rgb[i + 2] & 0xFF) * 7471
                        + 0x8000)
                >> 16;
    }

    private static Image mapped(Image image, IntUnaryOperator map) {
        var table = new byte[256];
        for (var v = 0; v < 256; v++) {
            table[v] = eight(map.applyAsInt(v));
        }
        var rgb = new byte[image.rgb().length];
        for (var i = 0; i < rgb.length; i++) {
            rgb[i] = table[image.rgb()[i] & 0xFF];
        }
        return new Image(image.width(), image.height(), rgb);
    }

    private static byte eight(int value) {
        return (byte) Math.clamp(value, 0, 255);
    }
}
