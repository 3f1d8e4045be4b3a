package dev.espalier.image;

import dev.espalier.Rng;

/// Several changes, drawn anew for each picture from a list of fourteen, all of one strength (Cubuk
/// et al. 2019, arXiv:1909.13719, figure 2).
///
/// A picture with boxes is not turned or sheared, since its boxes would no longer fit.
///
/// @param changes how many
/// @param magnitude how strong, 0 to 10
public record RandAugment(int changes, double magnitude) implements Change {
    private static final int KINDS = 14;

    /// Those from here on turn or shear.
    private static final int TURNING = 11;

    @Override
    public Sample apply(Sample sample, Rng rng) {
        var result = sample;
        for (var i = 0; i < changes; i++) {
            result = one(result, rng.below(sample.regions().isEmpty() ? KINDS : TURNING), rng);
        }
        return result;
    }

    private Sample one(Sample sample, int kind, Rng rng) {
        var image = sample.image();
        var strength = magnitude / 10;
        var signed = rng.nextLong() < 0 ? -strength : strength;
        var factor = 1 + 0.9 * signed;
        return switch (kind) {
            case 0 -> sample;
            case 1 -> sample.with(Colours.stretched(image));
            case 2 -> sample.with(Colours.equalized(image));
            case 3 -> sample.with(Colours.solarized(image, (int) Math.rint(256 * (1 - strength))));
            case 4 -> sample.with(Colours.posterized(image, 8 - (int) Math.rint(4 * strength)));
            case 5 -> sample.with(Colours.brightness(image, factor));
            case 6 -> sample.with(Colours.contrast(image, factor));
            case 7 -> sample.with(Colours.saturation(image, factor));
            case 8 -> sample.with(Colours.sharpened(image, factor));
            case 9 -> moved(sample, 1, 0, 0.45 * signed * image.width(), 0, 1, 0);
            case 10 -> moved(sample, 1, 0, 0, 0, 1, 0.45 * signed * image.height());
            case 11 -> aroundMiddle(sample, 1, 0.3 * signed, 0, 1);
            case 12 -> aroundMiddle(sample, 1, 0, 0.3 * signed, 1);
            default -> {
                var angle = StrictMath.toRadians(30 * signed);
                var cos = StrictMath.cos(angle);
                var sin = StrictMath.sin(angle);
                yield aroundMiddle(sample, cos, -sin, sin, cos);
            }
        };
    }

    private static Sample moved(Sample sample, double... matrix) {
        return Geometry.affine(sample, matrix);
    }

    /// With the picture's middle where it was.
    private static Sample aroundMiddle(Sample sample, double a, double b, double d, double e) {
        var x = sample.image().width() / 2.0;
        var y = sample.image().height() / 2.0;
        return moved(sample, a, b, x - a * x - b * y, d, e, y - d * x - e * y);
    }
}
