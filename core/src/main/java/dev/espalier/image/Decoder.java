package dev.espalier.image;

import com.twelvemonkeys.imageio.stream.ByteArrayImageInputStream;
import dev.espalier.EspalierException;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.PackedColorModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.Element;

/// Reads pictures from JPEG (CMYK too, turned as the camera says), PNG, GIF, BMP, TIFF and WebP.
///
/// A file is not trusted: its size is judged by its header, before anything is decoded.
public final class Decoder {
    /// The most pixels of a picture: 64 Mi, which take 192 MiB as [Image].
    public static final long MOST_PIXELS = 64L << 20;

    /// The most bytes of a file.
    private static final long MOST_BYTES = 256L << 20;

    /// In which a picture's size nearly always stands.
    private static final int HEADER_BYTES = 1 << 18;

    /// Where a GIF states how wide and, behind it, how high its screen is.
    private static final int GIF_SCREEN = 6;

    private static final Set<String> FORMATS = Set.of("jpeg", "png", "gif", "bmp", "tiff", "webp");

    /// What readers say of a file that ends too early, and go on from with grey.
    private static final Pattern TRUNCATED =
            Pattern.compile("premature|truncated|unexpected end|EOF", Pattern.CASE_INSENSITIVE);

    private Decoder() {}

    /// What a file holds.
    ///
    /// @param image the first or only picture
    /// @param animated whether others follow it
    public record Decoded(Image image, boolean animated) {}

    /// The size of a picture as it should be seen.
    public record Size(int width, int height) {}

    /// The first picture of `file`.
    ///
    /// @throws EspalierException (DATA) naming the file and what is wrong with it
    public static Decoded read(Path file) {
        return decode(bytes(file, (int) MOST_BYTES), file.toString());
    }

    /// The size of the first picture of `file`, which is not decoded. How it is turned may stand at
    /// the file's end.
    ///
    /// @throws EspalierException (DATA) as for [#read], where the header tells
    public static Size size(Path file) {
        var bytes = bytes(file, (int) MOST_BYTES);
        return with(
                bytes,
                file.toString(),
                (_, screen) -> {
                    var turned = Orientation.of(bytes) >= 5;
                    return turned
                            ? new Size(screen.height, screen.width)
                            : new Size(screen.width, screen.height);
                });
    }

    /// How many pixels the first picture of `file` has, by the file's beginning where that tells.
    ///
    /// @throws EspalierException (DATA) as for [#size]
    public static long pixels(Path file) {
        var start = bytes(file, HEADER_BYTES);
        try {
            return pixels(start, file.toString());
        } catch (EspalierException e) {
            if (start.length < HEADER_BYTES) {
                throw e;
            }
            // TIFF may tell at its end, and others behind a profile of colours.
            return pixels(bytes(file, (int) MOST_BYTES), file.toString());
        }
    }

    private static long pixels(byte[] file, String where) {
        return with(file, where, (_, screen) -> (long) screen.width * screen.height);
    }

    /// The first picture of a file's bytes.
    ///
    /// @param where names it in messages
    public static Decoded decode(byte[] file, String where) {
        return with(
                file,
                where,
                (reader, screen) -> {
                    var truncated = new AtomicReference<@Nullable String>();
                    reader.addIIOReadWarningListener((_, warning) -> {
                        if (TRUNCATED.matcher(warning).find()) {
                            truncated.compareAndSet(null, warning);
                        }
                    });
                    var image = image(screen.filled(reader.read(0)));
                    var warning = truncated.get();
                    if (warning != null) {
                        throw new IOException(warning);
                    }
                    // The others hold one picture, and JPEG's reader would go through it again.
                    var format = format(reader);
                    var many = format.equals("gif") || format.equals("webp");
                    return new Decoded(
                            Orientation.upright(image, Orientation.of(file)),
                            many && reader.getNumImages(true) > 1);
                });
    }

    /// The numbers that the pixels of `file` hold: those of a palette's entries, or grey levels.
    ///
    /// @throws EspalierException (DATA) as for [#read], and where a pixel has more than one number,
    ///   or one beyond 255
    public static Mask numbers(Path file) {
        var bytes = bytes(file, (int) MOST_BYTES);
        return with(
                bytes,
                file.toString(),
                (reader, screen) -> {
                    var image = screen.filled(reader.read(0));
                    var raster = image.getRaster();
                    var colours = image.getColorModel();
                    if (!(colours instanceof IndexColorModel)
                            && (raster.getNumBands() != 1 || colours.getPixelSize() > 8)) {
                        throw new IOException(
                                "its pixels have colours, where a palette or grey of 8 bits holds"
                                        + " the numbers of classes");
                    }
                    var width = image.getWidth();
                    var height = image.getHeight();
                    var samples = new int[width];
                    var numbers = new byte[width * height];
                    for (var y = 0; y < height; y++) {
                        raster.getSamples(
                                raster.getMinX(), raster.getMinY() + y, width, 1, 0, samples);
                        for (var x = 0; x < width; x++) {
                            numbers[y * width + x] = (byte) samples[x];
                        }
                    }
                    return Orientation.upright(
                            new Mask(width, height, numbers), Orientation.of(bytes));
                });
    }

    /// The first `most` bytes of `file`, or all that there are.
    private static byte[] bytes(Path file, int most) {
        try {
            var size = Files.size(file);
            if (size > MOST_BYTES) {
                throw EspalierException.data(
                        "%s: a picture of %,d bytes; at most %,d are read"
                                .formatted(file, size, MOST_BYTES));
            }
            try (var in = Files.newInputStream(file)) {
                return in.readNBytes(most);
            }
        } catch (NoSuchFileException e) {
            throw EspalierException.data(file + ": there is no such file", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    /// What is done with the reader of a file whose first picture is seen on `screen`.
    private interface Use<T> {
        T apply(ImageReader reader, Screen screen) throws IOException;
    }

    private static String format(ImageReader reader) throws IOException {
        return reader.getFormatName().toLowerCase(Locale.ROOT);
    }

    /// What a picture is seen on: its own size, but of a GIF, whose pictures may fill a part alone,
    /// as Pillow has it: the size that the file states, or more where a picture needs it.
    ///
    /// @param left where the picture begins
    private record Screen(int width, int height, int left, int top) {
        static Screen of(ImageReader reader, byte[] file) throws IOException {
            int width = reader.getWidth(0), height = reader.getHeight(0);
            if (!format(reader).equals("gif")) {
                return new Screen(width, height, 0, 0);
            }
            var metadata = reader.getImageMetadata(0);
            var tree = (Element) metadata.getAsTree(metadata.getNativeMetadataFormatName());
            var place = (Element) tree.getElementsByTagName("ImageDescriptor").item(0);
            var left = Integer.parseInt(place.getAttribute("imageLeftPosition"));
            var top = Integer.parseInt(place.getAttribute("imageTopPosition"));
            var stated = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
            return new Screen(
                    Math.max(left + width, stated.getShort(GIF_SCREEN) & 0xFFFF),
                    Math.max(top + height, stated.getShort(GIF_SCREEN + 2) & 0xFFFF),
                    left,
                    top);
        }

        /// The whole screen, where nothing is drawn of the transparent colour, or else of the first
        /// of the palette.
        BufferedImage filled(BufferedImage picture) {
            if (picture.getWidth() == width && picture.getHeight() == height) {
                return picture;
            }
            var colours = picture.getColorModel();
            var raster = colours.createCompatibleWritableRaster(width, height);
            if (colours instanceof IndexColorModel palette && palette.getTransparentPixel() > 0) {
                var row = new int[width];
                Arrays.fill(row, palette.getTransparentPixel());
                for (var y = 0; y < height; y++) {
                    raster.setSamples(0, y, width, 1, 0, row);
                }
            }
            raster.setRect(left, top, picture.getRaster());
            return new BufferedImage(colours, raster, false, null);
        }
    }

    private static <T> T with(byte[] file, String where, Use<T> use) {
        try (var stream = new ByteArrayImageInputStream(file)) {
            var readers = ImageIO.getImageReaders(stream);
            while (readers.hasNext()) {
                var reader = readers.next();
                try {
                    if (FORMATS.contains(format(reader))) {
                        // Metadata may be packed without bound, and is not needed.
                        reader.setInput(stream, false, true);
                        requireSize(reader.getWidth(0), reader.getHeight(0), where);
                        var screen = Screen.of(reader, file);
                        requireSize(screen.width, screen.height, where);
                        return use.apply(reader, screen);
                    }
                } finally {
                    reader.dispose();
                }
            }
        } catch (EspalierException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            // Readers meet what they did not expect with all kinds of unchecked exceptions.
            throw EspalierException.data(
                    "%s: a broken picture (%s)"
                            .formatted(where, e.getMessage() == null ? e : e.getMessage()),
                    e);
        }
        throw EspalierException.data(
                where
                        + ": not a picture that can be read; allowed: JPEG, PNG, GIF, BMP, TIFF,"
                        + " WebP");
    }

    private static void requireSize(int width, int height, String where) {
        if ((long) width * height > MOST_PIXELS) {
            throw EspalierException.data(
                    "%s: a picture of %,d x %,d pixels; at most %,d pixels are read"
                            .formatted(where, width, height, MOST_PIXELS));
        }
    }

    private static Image image(BufferedImage from) {
        var width = from.getWidth();
        var height = from.getHeight();
        var colours = from.getColorModel();
        if (colours instanceof IndexColorModel || !isPlain(colours)) {
            return converted(from);
        }
        var rgb = new byte[3 * width * height];
        var bands = from.getRaster().getNumBands();
        var samples = new int[width * bands];
        var grey = colours.getNumColorComponents() == 1;
        var raster = from.getRaster();
        for (var y = 0; y < height; y++) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, samples);
            for (var x = 0; x < width; x++) {
                var alpha =
                        colours.hasAlpha()
                                ? eight(samples[(x + 1) * bands - 1], colours, bands - 1)
                                : 255;
                for (var c = 0; c < 3; c++) {
                    var band = grey ? 0 : c;
                    rgb[3 * (y * width + x) + c] =
                            onWhite(eight(samples[x * bands + band], colours, band), alpha);
                }
            }
        }
        return new Image(width, height, rgb);
    }

    /// Whether samples are sRGB's or those of a grey that is meant alike, so that they can be taken
    /// as they stand. Java would take grey for linear light and brighten it.
    private static boolean isPlain(ColorModel colours) {
        var space = colours.getColorSpace();
        var type = colours.getTransferType();
        return (type == DataBuffer.TYPE_BYTE
                        || type == DataBuffer.TYPE_USHORT
                        || type == DataBuffer.TYPE_INT)
                && (colours instanceof ComponentColorModel || colours instanceof PackedColorModel)
                && !colours.isAlphaPremultiplied()
                && (space.isCS_sRGB() || space.getType() == ColorSpace.TYPE_GRAY);
    }

    private static int eight(int sample, ColorModel colours, int band) {
        var most = (1L << colours.getComponentSize(band)) - 1;
        return (int) (((sample & 0xFFFFFFFFL) * 255 + most / 2) / most);
    }

    private static byte onWhite(int sample, int alpha) {
        return (byte) ((sample * alpha + 255 * (255 - alpha) + 127) / 255);
    }

    /// By the picture's own colour space or palette.
    private static Image converted(BufferedImage from) {
        var width = from.getWidth();
        var height = from.getHeight();
        var rgb = new byte[3 * width * height];
        var row = new int[width];
        for (var y = 0; y < height; y++) {
            from.getRGB(0, y, width, 1, row, 0, width);
            for (var x = 0; x < width; x++) {
                for (var c = 0; c < 3; c++) {
                    rgb[3 * (y * width + x) + c] =
                            onWhite(row[x] >>> (16 - 8 * c) & 0xFF, row[x] >>> 24);
                }
            }
        }
        return new Image(width, height, rgb);
    }
}
