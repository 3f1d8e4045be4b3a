package dev.espalier.image;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A picture on its way to a model, with what is marked in it.
///
/// @param mask of the picture's size, or null
/// @param parts which examples it is made of, and how much of it each is; together 1
public record Sample(Image image, List<Region> regions, @Nullable Mask mask, List<Part> parts) {
    /// What an example has in it.
    ///
    /// @param index the example's number
    /// @param share 0 to 1
    public record Part(int index, double share) {}

    /// Of a thing that is cut, at least this share of its box must be left for it to be told.
    static final double LEFT = 0.1;

    public Sample {
        regions = List.copyOf(regions);
        parts = List.copyOf(parts);
        if (mask != null && (mask.width() != image.width() || mask.height() != image.height())) {
            throw new IllegalArgumentException("a mask of another size");
        }
    }

    /// The picture of the example `index`.
    public Sample(int index, Image image, List<Region> regions, @Nullable Mask mask) {
        this(image, regions, mask, List.of(new Part(index, 1)));
    }

    /// The same with other samples of the same places.
    Sample with(Image image) {
        return new Sample(image, regions, mask, parts);
    }

    /// At the size that a model reads.
    public Sample resized(Preprocessor preprocessor) {
        return resized(preprocessor.resize(image), mask == null ? null : preprocessor.resize(mask));
    }

    /// At another size.
    Sample resized(int width, int height) {
        return resized(
                Resampling.BILINEAR.resize(image, width, height),
                mask == null ? null : mask.resize(width, height));
    }

    private Sample resized(Image resized, @Nullable Mask itsMask) {
        var across = (double) resized.width() / image.width();
        var down = (double) resized.height() / image.height();
        return new Sample(
                resized,
                moved(regions, across, 0, down, 0, resized.width(), resized.height()),
                itsMask,
                parts);
    }

    /// What is left of `regions` in a picture of that size, after x becomes `x * across + right`,
    /// and y likewise. Things that are cut, and of which less than a tenth is left, or less than a
    /// pixel, are none; small ones that are whole stay, since they are looked for too.
    static List<Region> moved(
            List<Region> regions,
            double across,
            double right,
            double down,
            double below,
            int width,
            int height) {
        var moved = new ArrayList<Region>();
        for (var region : regions) {
            var whole = region.box().moved(across, right, down, below);
            // Mirrored, left and right have changed places.
            var box =
                    new Box(
                            Math.min(whole.left(), whole.right()),
                            Math.min(whole.top(), whole.bottom()),
                            Math.max(whole.left(), whole.right()),
                            Math.max(whole.top(), whole.bottom()));
            var left = box.in(width, height);
            // What rounding alone puts outside is not cut.
            var intact = left.area() > 0.99 * box.area();
            if (intact
                    || (left.width() >= 1
                            && left.height() >= 1
                            && left.area() >= LEFT * box.area())) {
                var area = region.area() * Math.abs(across * down) * left.area() / box.area();
                moved.add(
                        new Region(left, region.label(), area, region.crowd(), region.difficult()));
            }
        }
        return moved;
    }
}
