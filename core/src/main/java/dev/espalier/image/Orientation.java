package dev.espalier.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/// How a camera was held, as its pictures say (Exif 2.32, section 4.6.4, tag 0x112): where in the
/// picture as it should be seen the first stored row and column lie.
final class Orientation {
    private static final int TAG = 0x112;
    private static final short JPEG = (short) 0xFFD8;
    private static final int JPEG_APP1 = 0xFFE1;
    private static final int PNG_SIGNATURE = 8;
    private static final int RIFF_HEADER = 12;

    private Orientation() {}

    /// The orientation, 1 to 8, that the bytes of a file state; 1, as stored, where they state none
    /// or what cannot be read.
    static int of(byte[] file) {
        var bytes = ByteBuffer.wrap(file);
        try {
            if (bytes.getShort(0) == JPEG) {
                return jpeg(bytes);
            }
            return switch (bytes.getInt(0)) {
                case 0x89504E47 -> chunks(bytes, PNG_SIGNATURE, "eXIf", true);
                case 0x52494646 -> chunks(bytes, RIFF_HEADER, "EXIF", false);
                default -> tiff(bytes);
            };
        } catch (IndexOutOfBoundsException e) {
            return 1;
        }
    }

    private static int jpeg(ByteBuffer bytes) {
        for (var at = 2; (bytes.getShort(at) & 0xFF00) == 0xFF00; ) {
            var marker = bytes.getShort(at) & 0xFFFF;
            var length = bytes.getShort(at + 2) & 0xFFFF;
            if (marker == 0xFFDA || length < 2) {
                return 1;
            }
            if (marker == JPEG_APP1 && text(bytes, at + 4, 6).equals("Exif\0\0")) {
                return tiff(bytes.slice(at + 10, length - 8));
            }
            at += 2 + length;
        }
        return 1;
    }

    /// In the chunk `name` of a PNG (length before name, checksum at the end) or of a WebP.
    private static int chunks(ByteBuffer bytes, int start, String name, boolean png) {
        bytes.order(png ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
        for (long at = start; at + 8 <= bytes.limit(); ) {
            var here = (int) at;
            var length = bytes.getInt(png ? here : here + 4);
            if (length < 0) {
                return 1;
            }
            if (text(bytes, png ? here + 4 : here, 4).equals(name)) {
                var content = bytes.slice(here + 8, length);
                // Some writers of WebP leave JPEG's heading before it.
                return tiff(
                        text(content, 0, 4).equals("Exif")
                                ? content.slice(6, length - 6)
                                : content);
            }
            at += 8L + length + (png ? 4 : length & 1);
        }
        return 1;
    }

    private static int tiff(ByteBuffer bytes) {
        switch (text(bytes, 0, 2)) {
            case "II" -> bytes.order(ByteOrder.LITTLE_ENDIAN);
            case "MM" -> bytes.order(ByteOrder.BIG_ENDIAN);
            default -> {
                return 1;
            }
        }
        var directory = bytes.getInt(4);
        var entries = bytes.getShort(directory) & 0xFFFF;
        for (var i = 0; i < entries; i++) {
            var entry = directory + 2 + 12 * i;
            if ((bytes.getShort(entry) & 0xFFFF) == TAG) {
                var value = bytes.getShort(entry + 8);
                return value >= 1 && value <= 8 ? value : 1;
            }
        }
        return 1;
    }

    private static String text(ByteBuffer bytes, int at, int length) {
        var text = new byte[length];
        bytes.get(at, text);
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    /// The stored picture as it should be seen.
    static Image upright(Image stored, int orientation) {
        int width = stored.width(), height = stored.height();
        var samples = upright(stored.rgb(), 3, width, height, orientation);
        return orientation >= 5
                ? new Image(height, width, samples)
                : new Image(width, height, samples);
    }

    /// The stored mask as it should be seen.
    static Mask upright(Mask stored, int orientation) {
        int width = stored.width(), height = stored.height();
        var classes = upright(stored.classes(), 1, width, height, orientation);
        return orientation >= 5
                ? new Mask(height, width, classes)
                : new Mask(width, height, classes);
    }

    /// @param each bytes of a pixel
    private static byte[] upright(
            byte[] stored, int each, int storedWidth, int storedHeight, int orientation) {
        if (orientation == 1) {
            return stored;
        }
        var turned = orientation >= 5;
        var width = turned ? storedHeight : storedWidth;
        var height = turned ? storedWidth : storedHeight;
        var fromRight = orientation == 2 || orientation == 3 || orientation >= 7;
        var fromBottom =
                orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
        var upright = new byte[stored.length];
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                var across = turned ? y : x;
                var down = turned ? x : y;
                var column = fromRight ? storedWidth - 1 - across : across;
                var row = fromBottom ? storedHeight - 1 - down : down;
                var from = each * (row * storedWidth + column);
                System.arraycopy(stored, from, upright, each * (y * width + x), each);
            }
        }
        return upright;
    }
}
