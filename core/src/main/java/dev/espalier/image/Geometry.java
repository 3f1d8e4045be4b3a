package dev.espalier.image;

import dev.espalier.Rng;
import java.util.Arrays;

/// Changes of where things are. What comes from outside of a picture is grey, and ignored in its
/// mask.
public final class Geometry {
    private static final byte OUTSIDE = (byte) 128;

    /// Pixels of a window that reaches beyond its picture; a larger picture is made smaller first.
    private static final long MOST_PIXELS = 4L << 20;

    /// How often a window of a random shape is drawn until it fits.
    private static final int TRIES = 10;

    private Geometry() {}

    /// Mirrors every second picture, each way that is asked for.
    public static Change flips(boolean horizontal, boolean vertical) {
        return (sample, rng) -> {
            var across = horizontal && rng.nextLong() < 0;
            var down = vertical && rng.nextLong() < 0;
            return across || down ? mirrored(sample, across, down) : sample;
        };
    }

    /// A window of a random share of the picture's area and a random shape (Szegedy et al. 2015,
    /// arXiv:1409.4842), later resized to what the model reads.
    ///
    /// @param least the smallest share, of 0 to 1
    /// @param most the largest
    /// @param narrowest width over height, in logarithms as likely as any up to 1 / narrowest
    public static Change crop(double least, double most, double narrowest) {
        return (sample, rng) -> {
            var image = sample.image();
            for (var i = 0; i < TRIES; i++) {
                var area = image.width() * image.height() * between(least, most, rng);
                var ratio = StrictMath.exp(StrictMath.log(narrowest) * between(-1, 1, rng));
                var width = (int) Math.rint(Math.sqrt(area * ratio));
                var height = (int) Math.rint(Math.sqrt(area / ratio));
                if (width >= 1
                        && height >= 1
                        && width <= image.width()
                        && height <= image.height()) {
                    var left = rng.below(image.width() - width + 1);
                    var top = rng.below(image.height() - height + 1);
                    return window(sample, left, top, width, height);
                }
            }
            return sample;
        };
    }

    /// Makes what is seen larger or smaller (large-scale jitter, Ghiasi et al. 2021,
    /// arXiv:2012.07177): a window of 1 / s of the picture's sides, anywhere in it, or around it
    /// where it is larger.
    public static Change scale(double least, double most) {
        return (sample, rng) -> {
            var image = sample.image();
            var s = between(least, most, rng);
            var width = Math.max(1, (int) Math.rint(image.width() / s));
            var height = Math.max(1, (int) Math.rint(image.height() / s));
            var x = rng.uniform() * (image.width() - width);
            var y = rng.uniform() * (image.height() - height);
            var room = Math.max(MOST_PIXELS, (long) image.width() * image.height());
            var less = Math.sqrt(room / ((double) width * height));
            return less >= 1
                    ? window(sample, (int) Math.rint(x), (int) Math.rint(y), width, height)
                    : window(
                            sample.resized(part(image.width(), less), part(image.height(), less)),
                            (int) Math.rint(x * less),
                            (int) Math.rint(y * less),
                            part(width, less),
                            part(height, less));
        };
    }

    private static int part(int length, double share) {
        return Math.max(1, (int) (length * share));
    }

    /// Puts noise in place of a rectangle (Zhong et al. 2017, arXiv:1708.04896): 2 % to a third of
    /// the picture, up to 3.3 times as wide as high or the other way round. There the mask is
    /// ignored; a thing of which less than a tenth is left is none.
    public static Change erase(double probability) {
        return (sample, rng) -> {
            if (rng.uniform() >= probability) {
                return sample;
            }
            var image = sample.image();
            for (var i = 0; i < TRIES; i++) {
                var area = image.width() * image.height() * between(0.02, 1 / 3.0, rng);
                var ratio = StrictMath.exp(StrictMath.log(3.3) * between(-1, 1, rng));
                var width = (int) Math.rint(Math.sqrt(area * ratio));
                var height = (int) Math.rint(Math.sqrt(area / ratio));
                if (width >= 1 && height >= 1 && width < image.width() && height < image.height()) {
                    var left = rng.below(image.width() - width + 1);
                    var top = rng.below(image.height() - height + 1);
                    return erased(sample, left, top, width, height, rng);
                }
            }
            return sample;
        };
    }

    private static Sample erased(Sample sample, int left, int top, int width, int height, Rng rng) {
        var image = sample.image();
        var rgb = image.rgb().clone();
        var mask = sample.mask();
        var classes = mask == null ? null : mask.classes().clone();
        for (var y = top; y < top + height; y++) {
            var from = y * image.width() + left;
            for (var i = 3 * from; i < 3 * (from + width); i++) {
                rgb[i] = (byte) (rng.nextLong() >>> 56);
            }
            if (classes != null) {
                Arrays.fill(classes, from, from + width, (byte) Mask.IGNORED);
            }
        }
        var hole = new Box(left, top, left + width, top + height);
        return new Sample(
                new Image(image.width(), image.height(), rgb),
                sample.regions().stream()
                        .filter(r ->
                                r.box().area() - r.box().in(hole).area()
                                        >= Sample.LEFT * r.box().area())
                        .toList(),
                classes == null ? null : new Mask(image.width(), image.height(), classes),
                sample.parts());
    }

    static double between(double low, double high, Rng rng) {
        return low + (high - low) * rng.uniform();
    }

    /// Left and right change places, or above and below, or both.
    private static Sample mirrored(Sample sample, boolean across, boolean down) {
        double width = sample.image().width(), height = sample.image().height();
        return affine(
                sample,
                new double[] {
                    across ? -1 : 1, 0, across ? width : 0, 0, down ? -1 : 1, down ? height : 0
                });
    }

    /// What of a picture lies in a window, which may reach beyond it.
    public static Sample window(Sample sample, int left, int top, int width, int height) {
        var image = sample.image();
        var rgb = new byte[3 * width * height];
        Arrays.fill(rgb, OUTSIDE);
        var mask = sample.mask();
        var classes = new byte[mask == null ? 0 : width * height];
        Arrays.fill(classes, (byte) Mask.IGNORED);
        var x = Math.max(0, -left);
        var columns = Math.min(width, image.width() - left) - x;
        for (var y = Math.max(0, -top); y < height && top + y < image.height(); y++) {
            if (columns <= 0) {
                break;
            }
            var from = (top + y) * image.width() + left + x;
            var to = y * width + x;
            System.arraycopy(image.rgb(), 3 * from, rgb, 3 * to, 3 * columns);
            if (mask != null) {
                System.arraycopy(mask.classes(), from, classes, to, columns);
            }
        }
        return new Sample(
                new Image(width, height, rgb),
                Sample.moved(sample.regions(), 1, -left, 1, -top, width, height),
                mask == null ? null : new Mask(width, height, classes),
                sample.parts());
    }

    /// The picture as seen by x' = a x + b y + c, y' = d x + e y + f, by the nearest pixel. Things
    /// in boxes can only be moved and scaled, since turned boxes would be wider than they.
    static Sample affine(Sample sample, double[] m) {
        var image = sample.image();
        var width = image.width();
        var height = image.height();
        var determinant = m[0] * m[4] - m[1] * m[3];
        // The way back. Divided by here, since a division takes as long as all else of a pixel.
        double a = m[4] / determinant, b = -m[1] / determinant;
        double d = -m[3] / determinant, e = m[0] / determinant;
        var rgb = new byte[image.rgb().length];
        var mask = sample.mask();
        var classes = new byte[mask == null ? 0 : width * height];
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                // Where the centre of this pixel came from.
                var u = x + 0.5 - m[2];
                var v = y + 0.5 - m[5];
                var fromX = (int) Math.floor(a * u + b * v);
                var fromY = (int) Math.floor(d * u + e * v);
                var to = y * width + x;
                var inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
                var from = fromY * width + fromX;
                for (var c = 0; c < 3; c++) {
                    rgb[3 * to + c] = inside ? image.rgb()[3 * from + c] : OUTSIDE;
                }
                if (mask != null) {
                    classes[to] = inside ? mask.classes()[from] : (byte) Mask.IGNORED;
                }
            }
        }
        if (!sample.regions().isEmpty() && (m[1] != 0 || m[3] != 0)) {
            throw new IllegalArgumentException("boxes cannot be turned");
        }
        return new Sample(
                new Image(width, height, rgb),
                Sample.moved(sample.regions(), m[0], m[2], m[4], m[5], width, height),
                mask == null ? null : new Mask(width, height, classes),
                sample.parts());
    }
}
