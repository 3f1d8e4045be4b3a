package dev.espalier.image;

import dev.espalier.Rng;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/// Pictures changed at random in training, so that a model sees each in another way every epoch: a
/// pure function of (seed, epoch, index).
///
/// @param changes of each picture by itself, in order
/// @param mosaic how often four pictures are put together to one (Bochkovskiy et al. 2020,
///   arXiv:2004.10934), 0 to 1
/// @param mixUp α of the Beta(α, α) that tells how much of another picture shines through (Zhang et
///   al. 2017, arXiv:1710.09412); 0 for never
/// @param cutMix α of the Beta(α, α) that tells how much of a picture, and of its mask, another one
///   covers (Yun et al. 2019, arXiv:1905.04899; of masks French et al. 2019, arXiv:1906.01916); 0
///   for never, and every second time where there is MixUp, too
public record Augmentation(
        List<Change> changes, double mosaic, double mixUp, double cutMix, long seed) {
    public Augmentation {
        changes = List.copyOf(changes);
    }

    /// The example `index` as `epoch` sees it, not yet resized to what a model reads.
    ///
    /// @param original of 0 to `examples` - 1 as it stands
    public Sample at(IntFunction<Sample> original, int examples, long epoch, int index) {
        var rng = Rng.at(seed, epoch, index);
        var sample = one(original, examples, index, rng);
        var cut = cutMix > 0 && (mixUp == 0 || rng.nextLong() < 0);
        if (cut || mixUp > 0) {
            var share = beta(cut ? cutMix : mixUp, rng);
            var other = one(original, examples, rng.below(examples), rng);
            return cut ? cutMix(sample, other, share, rng) : mixUp(sample, other, share);
        }
        return sample;
    }

    private Sample one(IntFunction<Sample> original, int examples, int index, Rng rng) {
        var sample = original.apply(index);
        if (mosaic > 0 && rng.uniform() < mosaic) {
            sample =
                    mosaic(
                            List.of(
                                    sample,
                                    original.apply(rng.below(examples)),
                                    original.apply(rng.below(examples)),
                                    original.apply(rng.below(examples))),
                            rng);
        }
        for (var change : changes) {
            sample = change.apply(sample, rng);
        }
        return sample;
    }

    /// Four pictures around a random point in the middle half, each showing the corner that it
    /// turns to it, as large as the first picture.
    static Sample mosaic(List<Sample> four, Rng rng) {
        var first = four.getFirst();
        var width = first.image().width();
        var height = first.image().height();
        var x = (int) Math.rint(width * Geometry.between(0.25, 0.75, rng));
        var y = (int) Math.rint(height * Geometry.between(0.25, 0.75, rng));
        var rgb = new byte[3 * width * height];
        var classes = first.mask() == null ? null : Mask.of(width, height, Mask.IGNORED).classes();
        var regions = new ArrayList<Region>();
        var parts = new ArrayList<Sample.Part>();
        for (var i = 0; i < 4; i++) {
            var left = i % 2 == 0 ? 0 : x;
            var top = i / 2 == 0 ? 0 : y;
            var columns = i % 2 == 0 ? x : width - x;
            var rows = i / 2 == 0 ? y : height - y;
            // Of a picture a pixel wide or high, two of the parts have nothing.
            if (columns == 0 || rows == 0) {
                continue;
            }
            var sample = four.get(i);
            // Those on the left show their right side, those above their lower one.
            var fromX = i % 2 == 0 ? sample.image().width() - columns : 0;
            var fromY = i / 2 == 0 ? sample.image().height() - rows : 0;
            var part = Geometry.window(sample, fromX, fromY, columns, rows);
            paste(part, left, top, width, rgb, classes);
            regions.addAll(Sample.moved(part.regions(), 1, left, 1, top, width, height));
            var share = (double) columns * rows / (width * height);
            sample.parts().forEach(p -> parts.add(new Sample.Part(p.index(), p.share() * share)));
        }
        return new Sample(
                new Image(width, height, rgb),
                regions,
                classes == null ? null : new Mask(width, height, classes),
                parts);
    }

    private static void paste(
            Sample part, int left, int top, int width, byte[] rgb, byte @Nullable [] classes) {
        var image = part.image();
        for (var row = 0; row < image.height(); row++) {
            var from = row * image.width();
            var to = (top + row) * width + left;
            System.arraycopy(image.rgb(), 3 * from, rgb, 3 * to, 3 * image.width());
            if (classes != null && part.mask() != null) {
                System.arraycopy(part.mask().classes(), from, classes, to, image.width());
            }
        }
    }

    /// `share` of one picture and the rest of the other, pixel by pixel.
    static Sample mixUp(Sample one, Sample other, double share) {
        var image = one.image();
        var second = Resampling.BILINEAR.resize(other.image(), image.width(), image.height());
        var rgb = new byte[image.rgb().length];
        for (var i = 0; i < rgb.length; i++) {
            var v = (image.rgb()[i] & 0xFF) * share + (second.rgb()[i] & 0xFF) * (1 - share);
            rgb[i] = (byte) Math.rint(v);
        }
        return new Sample(
                new Image(image.width(), image.height(), rgb),
                List.of(),
                null,
                mixed(one, other, share));
    }

    /// About 1 - `share` of one picture, and of its mask, covered by the same place of the other.
    static Sample cutMix(Sample one, Sample other, double share, Rng rng) {
        int width = one.image().width(), height = one.image().height();
        var side = Math.sqrt(1 - share);
        var x = rng.below(width);
        var y = rng.below(height);
        var halfWidth = (int) (width * side) / 2;
        var halfHeight = (int) (height * side) / 2;
        var left = Math.max(0, x - halfWidth);
        var columns = Math.min(width, x + halfWidth) - left;
        var top = Math.max(0, y - halfHeight);
        var rows = Math.min(height, y + halfHeight) - top;
        var rgb = one.image().rgb().clone();
        var classes = one.mask() == null ? null : one.mask().classes().clone();
        if (columns > 0 && rows > 0) {
            var part = Geometry.window(other.resized(width, height), left, top, columns, rows);
            paste(part, left, top, width, rgb, classes);
        }
        // What the picture's edge cuts off is not covered.
        var covered = (double) columns * rows / (width * height);
        return new Sample(
                new Image(width, height, rgb),
                List.of(),
                classes == null ? null : new Mask(width, height, classes),
                mixed(one, other, 1 - covered));
    }

    /// The examples of two that are put together, `share` being of the first.
    private static List<Sample.Part> mixed(Sample one, Sample other, double share) {
        var parts = new ArrayList<Sample.Part>();
        one.parts().forEach(p -> parts.add(new Sample.Part(p.index(), p.share() * share)));
        other.parts().forEach(p -> parts.add(new Sample.Part(p.index(), p.share() * (1 - share))));
        return parts;
    }

    /// From Beta(α, α), by Jöhnk's method (1964).
    static double beta(double alpha, Rng rng) {
        while (true) {
            var u = rng.uniform();
            var v = rng.uniform();
            var x = StrictMath.pow(u, 1 / alpha);
            var y = StrictMath.pow(v, 1 / alpha);
            if (x + y > 0 && x + y <= 1) {
                return x / (x + y);
            }
            // Of a small α both are too small for a number, but not their ratio's logarithm.
            if (x + y == 0 && u != v) {
                return 1 / (1 + StrictMath.exp((StrictMath.log(v) - StrictMath.log(u)) / alpha));
            }
        }
    }
}
