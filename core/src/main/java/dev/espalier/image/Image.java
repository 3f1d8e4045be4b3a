package dev.espalier.image;

/// A picture of 8 bits a sample in sRGB, alpha laid over white, grey in all three.
///
/// @param rgb (height, width, 3), from the top left; not copied, and not to be changed
@SuppressWarnings("ArrayRecordComponent") // passed on, never compared
public record Image(int width, int height, byte[] rgb) {
    public Image {
        if (width < 1 || height < 1 || rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(
                    "%d x %d pixels of %d bytes".formatted(width, height, rgb.length));
        }
    }

    /// The picture of one grey sample a pixel, (height, width).
    public static Image grey(int width, int height, byte[] grey) {
        var rgb = new byte[3 * grey.length];
        for (var i = 0; i < grey.length; i++) {
            rgb[3 * i] = grey[i];
            rgb[3 * i + 1] = grey[i];
            rgb[3 * i + 2] = grey[i];
        }
        return new Image(width, height, rgb);
    }

    /// The sample of a channel, 0 to 255.
    public int at(int x, int y, int channel) {
        return rgb[3 * (y * width + x) + channel] & 0xFF;
    }
}
