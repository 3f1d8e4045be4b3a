package dev.espalier.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.espalier.EspalierException;
import dev.espalier.Rng;
import java.awt.Color;
import java.awt.Point;
import java.awt.image.BufferedImage;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DecoderTest {
    @TempDir Path folder;

    /// Four squares of 8 x 8 pixels: red and green above, blue and white below, the left ones twice
    /// as wide.
    private static BufferedImage quarters(int type) {
        var image = new BufferedImage(24, 16, type);
        var g = image.createGraphics();
        var colours = List.of(Color.RED, Color.GREEN, Color.BLUE, Color.WHITE);
        for (var i = 0; i < 4; i++) {
            g.setColor(colours.get(i));
            g.fillRect(i % 2 * 16, i / 2 * 8, 16, 8);
        }
        g.dispose();
        return image;
    }

    private static byte[] bytes(BufferedImage image, String format) throws IOException {
        var out = new ByteArrayOutputStream();
        assertThat(ImageIO.write(image, format, out)).isTrue();
        return out.toByteArray();
    }

    private static Image decode(byte[] file) {
        return Decoder.decode(file, "here").image();
    }

    private static String colour(Image image, int x, int y) {
        var name = new StringBuilder();
        for (var c = 0; c < 3; c++) {
            var v = image.at(x, y, c);
            name.append(v > 200 ? "RGB".charAt(c) : v < 55 ? '-' : '?');
        }
        return name.toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "gif", "bmp", "tiff"})
    void readsEveryFormat(String format) throws IOException {
        var image = decode(bytes(quarters(BufferedImage.TYPE_INT_RGB), format));
        assertThat(image.width()).isEqualTo(24);
        assertThat(image.height()).isEqualTo(16);
        assertThat(colour(image, 2, 2)).isEqualTo("R--");
        assertThat(colour(image, 20, 2)).isEqualTo("-G-");
        assertThat(colour(image, 2, 13)).isEqualTo("--B");
        assertThat(colour(image, 21, 13)).isEqualTo("RGB");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA",
                "UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA=="
            })
    void readsWebP(String base64) {
        var image = decode(Base64.getDecoder().decode(base64));
        assertThat(image.width()).isEqualTo(1);
        assertThat(image.height()).isEqualTo(1);
    }

    /// Bits, the lowest first, as WebP has them.
    private static final class Bits {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private int held;
        private int count;

        Bits put(int value, int bits) {
            for (var i = 0; i < bits; i++) {
                held |= (value >> i & 1) << count++;
                if (count == 8) {
                    bytes.write(held);
                    held = 0;
                    count = 0;
                }
            }
            return this;
        }

        byte[] end() {
            return put(0, (8 - count) % 8).bytes.toByteArray();
        }
    }

    /// Without loss (RFC 9649, section 3): 3 x 2 pixels, whose green is 20 or 250, red 10 or 200,
    /// and blue 30 or 77, of which a code of one bit each tells.
    @Test
    void webPWithoutLossHasEveryPixel() {
        var image = decode(riff(Map.of("VP8L", webP())));
        assertThat(image.width()).isEqualTo(3);
        assertThat(image.height()).isEqualTo(2);
        for (var pixel = 0; pixel < 6; pixel++) {
            int x = pixel % 3, y = pixel / 3;
            assertThat(image.at(x, y, 0)).isEqualTo((pixel >> 1 & 1) == 0 ? 10 : 200);
            assertThat(image.at(x, y, 1)).isEqualTo((pixel & 1) == 0 ? 20 : 250);
            assertThat(image.at(x, y, 2)).isEqualTo((pixel >> 2 & 1) == 0 ? 30 : 77);
        }
    }

    /// Three pixels by two, whose colours tell their places.
    private static byte[] webP() {
        var bits = new Bits().put(0x2F, 8).put(2, 14).put(1, 14).put(0, 1 + 3);
        // No transform, no cache of colours, the same codes everywhere.
        bits.put(0, 3);
        for (var two : new int[][] {{20, 250}, {10, 200}, {30, 77}}) {
            bits.put(1, 1).put(1, 1).put(1, 1).put(two[0], 8).put(two[1], 8);
        }
        // Opaque, and no distance.
        bits.put(1, 1).put(0, 1).put(1, 1).put(255, 8);
        bits.put(1, 1).put(0, 1).put(0, 1).put(0, 1);
        for (var pixel = 0; pixel < 6; pixel++) {
            bits.put(pixel & 1, 1).put(pixel >> 1 & 1, 1).put(pixel >> 2 & 1, 1);
        }
        return bits.end();
    }

    /// A WebP of these chunks, by their names.
    private static byte[] riff(Map<String, byte[]> chunks) {
        var size = chunks.values().stream().mapToInt(c -> 8 + c.length + (c.length & 1)).sum();
        var file = ByteBuffer.allocate(12 + size).order(ByteOrder.LITTLE_ENDIAN);
        file.put("RIFF".getBytes(StandardCharsets.US_ASCII)).putInt(4 + size);
        file.put("WEBP".getBytes(StandardCharsets.US_ASCII));
        chunks.forEach((name, content) -> {
            file.put(name.getBytes(StandardCharsets.US_ASCII)).putInt(content.length).put(content);
            file.put(new byte[content.length & 1]);
        });
        return file.array();
    }

    @Test
    void greyIsTakenAsItStands() throws IOException {
        var grey = new BufferedImage(256, 1, BufferedImage.TYPE_BYTE_GRAY);
        var deep = new BufferedImage(256, 1, BufferedImage.TYPE_USHORT_GRAY);
        for (var x = 0; x < 256; x++) {
            grey.getRaster().setSample(x, 0, 0, x);
            deep.getRaster().setSample(x, 0, 0, x * 257);
        }
        for (var file : List.of(bytes(grey, "png"), bytes(deep, "png"), bytes(deep, "tiff"))) {
            var image = decode(file);
            for (var x = 0; x < 256; x++) {
                for (var c = 0; c < 3; c++) {
                    assertThat(image.at(x, 0, c)).isEqualTo(x);
                }
            }
        }
    }

    @Test
    void sixteenBitsAreRoundedToEight() throws IOException {
        var png =
                png(
                        2,
                        1,
                        16,
                        2,
                        row -> {
                            for (var sample : new int[] {0, 65535, 32896, 128, 129, 300}) {
                                row.writeShort(sample);
                            }
                        });
        // 128 / 257 is below a half, 129 / 257 above.
        assertThat(decode(png).rgb()).containsExactly(0, (byte) 255, (byte) 128, 0, 1, 1);
    }

    @Test
    void alphaIsLaidOnWhite() throws IOException {
        var image = new BufferedImage(3, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x00000000);
        image.setRGB(1, 0, 0x80FF0000);
        image.setRGB(2, 0, 0xFF0000FF);
        assertThat(decode(bytes(image, "png")).rgb())
                .containsExactly(-1, -1, -1, (byte) 255, 127, 127, 0, 0, (byte) 255);
    }

    @Test
    void palettesAreLookedUp() throws IOException {
        byte[] red = {10, 20, 30};
        byte[] green = {40, 50, 60};
        byte[] blue = {70, 80, 90};
        var model = new IndexColorModel(2, 3, red, green, blue, 2);
        var image = new BufferedImage(3, 1, BufferedImage.TYPE_BYTE_BINARY, model);
        for (var x = 0; x < 3; x++) {
            image.getRaster().setSample(x, 0, 0, x);
        }
        // The third is transparent.
        assertThat(decode(bytes(image, "png")).rgb())
                .containsExactly(10, 40, 70, 20, 50, 80, -1, -1, -1);
    }

    @Test
    void cmykBecomesRgb() throws IOException {
        WritableRaster inks =
                Raster.createInterleavedRaster(DataBuffer.TYPE_BYTE, 16, 8, 4, new Point());
        for (var y = 0; y < 8; y++) {
            for (var x = 0; x < 16; x++) {
                inks.setPixel(
                        x, y, x < 8 ? new int[] {0, 255, 255, 255} : new int[] {255, 255, 255, 0});
            }
        }
        var writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        var out = new ByteArrayOutputStream();
        try (var stream = new MemoryCacheImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.write(null, new IIOImage(inks, null, null), null);
        }
        // With the mark of Adobe's programs, which write how much paper is left without ink.
        var marked = ByteBuffer.allocate(out.size() + 16).put(out.toByteArray(), 0, 2);
        marked.putShort((short) 0xFFEE).putShort((short) 14);
        marked.put("Adobe".getBytes(StandardCharsets.US_ASCII))
                .putShort((short) 100)
                .put(new byte[5]);
        var image = decode(marked.put(out.toByteArray(), 2, out.size() - 2).array());
        // Cyan, and black.
        assertThat(image.at(2, 4, 0)).isLessThan(100);
        assertThat(image.at(2, 4, 1)).isGreaterThan(120);
        assertThat(image.at(2, 4, 2)).isGreaterThan(180);
        for (var c = 0; c < 3; c++) {
            assertThat(image.at(13, 4, c)).isLessThan(70);
        }
    }

    private static byte[] exif(int orientation, ByteOrder order) {
        var tiff = ByteBuffer.allocate(26).order(order);
        tiff.put((order == ByteOrder.BIG_ENDIAN ? "MM" : "II").getBytes(StandardCharsets.US_ASCII));
        tiff.putShort((short) 42).putInt(8).putShort((short) 1);
        tiff.putShort((short) 0x112).putShort((short) 3).putInt(1);
        tiff.putShort((short) orientation).putShort((short) 0).putInt(0);
        return tiff.array();
    }

    private static byte[] withExif(byte[] jpeg, byte[] tiff) {
        var content = ByteBuffer.allocate(6 + tiff.length);
        content.put("Exif\0\0".getBytes(StandardCharsets.US_ASCII)).put(tiff);
        return beginning(jpeg, 0xFFE1, content.array());
    }

    /// With another segment before all others.
    private static byte[] beginning(byte[] jpeg, int marker, byte[] content) {
        var file = ByteBuffer.allocate(jpeg.length + 4 + content.length);
        file.put(jpeg, 0, 2).putShort((short) marker).putShort((short) (2 + content.length));
        return file.put(content).put(jpeg, 2, jpeg.length - 2).array();
    }

    /// The stored picture has R G in its first row and B W in its second; the corners are given in
    /// the order of reading as the Exif standard says that they must be seen.
    @ParameterizedTest
    @CsvSource({
        "1, R--, -G-, --B, RGB",
        "2, -G-, R--, RGB, --B",
        "3, RGB, --B, -G-, R--",
        "4, --B, RGB, R--, -G-",
        "5, R--, --B, -G-, RGB",
        "6, --B, R--, RGB, -G-",
        "7, RGB, -G-, --B, R--",
        "8, -G-, RGB, R--, --B"
    })
    void picturesAreTurnedAsTheCameraSays(
            int orientation, String topLeft, String topRight, String bottomLeft, String bottomRight)
            throws IOException {
        var stored = bytes(quarters(BufferedImage.TYPE_INT_RGB), "jpg");
        var order = orientation % 2 == 0 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        var file = withExif(stored, exif(orientation, order));
        var image = decode(file);
        var path = folder.resolve("turned.jpg");
        Files.write(path, file);
        assertThat(Decoder.size(path)).isEqualTo(new Decoder.Size(image.width(), image.height()));
        var right = image.width() - 2;
        var bottom = image.height() - 2;
        assertThat(image.width()).isEqualTo(orientation >= 5 ? 16 : 24);
        assertThat(colour(image, 1, 1)).isEqualTo(topLeft);
        assertThat(colour(image, right, 1)).isEqualTo(topRight);
        assertThat(colour(image, 1, bottom)).isEqualTo(bottomLeft);
        assertThat(colour(image, right, bottom)).isEqualTo(bottomRight);
    }

    private static BufferedImage six() {
        var image = new BufferedImage(3, 2, BufferedImage.TYPE_BYTE_GRAY);
        image.getRaster().setPixels(0, 0, 3, 2, new int[] {1, 2, 3, 4, 5, 6});
        return image;
    }

    /// With a chunk behind its header.
    private static byte[] withExifPng(byte[] png, byte[] tiff) throws IOException {
        var file = new ByteArrayOutputStream();
        var out = new DataOutputStream(file);
        out.write(png, 0, 33);
        chunk(out, "eXIf", tiff);
        out.write(png, 33, png.length - 33);
        return file.toByteArray();
    }

    /// The six grey pixels without compression.
    private static byte[] tiff(int orientation) {
        var tags =
                new int[][] {
                    {256, 3}, {257, 2}, {258, 8}, {259, 1}, {262, 1},
                    {273, 8}, {274, orientation}, {277, 1}, {278, 2}, {279, 6}
                };
        var file = ByteBuffer.allocate(14 + 2 + 12 * tags.length + 4);
        file.put("MM".getBytes(StandardCharsets.US_ASCII)).putShort((short) 42).putInt(14);
        file.put(new byte[] {1, 2, 3, 4, 5, 6}).putShort((short) tags.length);
        for (var tag : tags) {
            file.putShort((short) tag[0]).putShort((short) 3).putInt(1);
            file.putShort((short) tag[1]).putShort((short) 0);
        }
        return file.putInt(0).array();
    }

    private static byte[] ofSix(String format, int orientation) throws IOException {
        var turn = exif(orientation, ByteOrder.LITTLE_ENDIAN);
        return switch (format) {
            case "png" -> withExifPng(bytes(six(), "png"), turn);
            case "tiff" -> tiff(orientation);
            default -> {
                var chunks = new LinkedHashMap<String, byte[]>();
                // That there is Exif, and a width and a height less one of three bytes each.
                chunks.put("VP8X", new byte[] {8, 0, 0, 0, 2, 0, 0, 1, 0, 0});
                chunks.put("VP8L", webP());
                chunks.put("EXIF", turn);
                yield riff(chunks);
            }
        };
    }

    /// A mask that is turned with its picture must not be turned less than it.
    @ParameterizedTest
    @ValueSource(strings = {"png", "tiff", "webp"})
    void everyContainerTellsHowAPictureIsTurned(String format) throws IOException {
        var stored = decode(ofSix(format, 1));
        var turned = decode(ofSix(format, 6));
        assertThat(stored.width()).isEqualTo(3);
        assertThat(turned.width()).isEqualTo(2);
        assertThat(turned.height()).isEqualTo(3);
        for (var y = 0; y < 3; y++) {
            for (var x = 0; x < 2; x++) {
                for (var c = 0; c < 3; c++) {
                    assertThat(turned.at(x, y, c)).isEqualTo(stored.at(y, 1 - x, c));
                }
            }
        }
        var file = folder.resolve("turned." + format);
        Files.write(file, ofSix(format, 6));
        assertThat(Decoder.size(file)).isEqualTo(new Decoder.Size(2, 3));
        if (!format.equals("webp")) {
            var mask = Decoder.numbers(file);
            assertThat(mask.width()).isEqualTo(2);
            assertThat(mask.classes()).containsExactly(4, 1, 5, 2, 6, 3);
        }
    }

    /// Files longer than the beginning that is read, in TIFF with the sizes behind the pixels.
    @ParameterizedTest
    @ValueSource(strings = {"png", "bmp", "tiff", "jpg"})
    void howManyPixelsThereAreIsToldWithoutTurns(String format) throws IOException {
        var image = new BufferedImage(600, 500, BufferedImage.TYPE_INT_RGB);
        var rng = Rng.at(1);
        for (var i = 0; i < 600 * 500; i++) {
            image.setRGB(i % 600, i / 600, rng.nextInt(1 << 24));
        }
        var file = folder.resolve("noise." + format);
        Files.write(file, bytes(image, format));
        assertThat(Files.size(file)).isGreaterThan(format.equals("jpg") ? 1 << 17 : 1 << 19);
        assertThat(Decoder.pixels(file)).isEqualTo(300_000);
        Files.write(file, Arrays.copyOf(Files.readAllBytes(file), 9));
        assertThatThrownBy(() -> Decoder.pixels(file)).isInstanceOf(EspalierException.class);
    }

    /// Programs put notes of their own first, such as Photoshop's (0xED) and comments (0xFE).
    @ParameterizedTest
    @ValueSource(ints = {0xFFED, 0xFFFE, 0xFFEC, 0xFFE3})
    void theOrientationIsFoundWhateverAPictureBeginsWith(int marker) throws IOException {
        var turned =
                withExif(
                        bytes(quarters(BufferedImage.TYPE_INT_RGB), "jpg"),
                        exif(6, ByteOrder.BIG_ENDIAN));
        var note = "a note".getBytes(StandardCharsets.US_ASCII);
        var image = decode(beginning(turned, marker, note));
        assertThat(image.width()).isEqualTo(16);
        assertThat(colour(image, 1, 1)).isEqualTo("--B");
    }

    @Test
    void aBrokenOrientationIsNone() throws IOException {
        var stored = bytes(quarters(BufferedImage.TYPE_INT_RGB), "jpg");
        var tiff = exif(6, ByteOrder.BIG_ENDIAN);
        for (var cut : new int[] {0, 1, 3, 9, 12, 19}) {
            var image = decode(withExif(stored, Arrays.copyOf(tiff, cut)));
            assertThat(image.width()).isEqualTo(24);
        }
        assertThat(decode(withExif(stored, exif(9, ByteOrder.BIG_ENDIAN))).width()).isEqualTo(24);
    }

    private byte[] animation(int frames) throws IOException {
        var writer = ImageIO.getImageWritersByFormatName("gif").next();
        var out = new ByteArrayOutputStream();
        try (var stream = new MemoryCacheImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (var i = 0; i < frames; i++) {
                var frame = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
                var g = frame.createGraphics();
                g.setColor(i == 0 ? Color.RED : Color.BLUE);
                g.fillRect(0, 0, 8, 8);
                g.dispose();
                writer.writeToSequence(new IIOImage(frame, null, null), null);
            }
            writer.endWriteSequence();
        }
        return out.toByteArray();
    }

    @Test
    void animationsGiveTheirFirstPicture() throws IOException {
        var moving = Decoder.decode(animation(3), "here");
        assertThat(moving.animated()).isTrue();
        assertThat(colour(moving.image(), 4, 4)).isEqualTo("R--");
        assertThat(Decoder.decode(animation(1), "here").animated()).isFalse();
    }

    /// A GIF of one picture of 2 x 1 pixels at (1, 1) of a screen of 4 x 3, of red and green; blue
    /// is the first of the palette.
    private static byte[] small(int transparent) {
        var gif = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        gif.put("GIF89a".getBytes(StandardCharsets.US_ASCII));
        gif.putShort((short) 4).putShort((short) 3).put((byte) 0x81).putShort((short) 0);
        gif.put(new byte[] {0, 0, -1, -1, 0, 0, 0, -1, 0, 0, 0, 0});
        if (transparent >= 0) {
            gif.put(new byte[] {0x21, (byte) 0xF9, 4, 1, 0, 0, (byte) transparent, 0});
        }
        gif.put((byte) 0x2C).putShort((short) 1).putShort((short) 1);
        gif.putShort((short) 2).putShort((short) 1).put((byte) 0);
        // Of three bits each: clear, 1, 2, end.
        var codes = 4 | 1 << 3 | 2 << 6 | 5 << 9;
        gif.put((byte) 2).put((byte) 2).putShort((short) codes).put((byte) 0).put((byte) 0x3B);
        return Arrays.copyOf(gif.array(), gif.position());
    }

    /// As Pillow opens them.
    @ParameterizedTest
    @CsvSource({"-1, --B", "3, RGB"})
    void aGifIsAsLargeAsItsScreen(int transparent, String around) throws IOException {
        var file = folder.resolve("small.gif");
        Files.write(file, small(transparent));
        var image = Decoder.read(file).image();
        assertThat(image.width()).isEqualTo(4);
        assertThat(image.height()).isEqualTo(3);
        assertThat(Decoder.size(file)).isEqualTo(new Decoder.Size(4, 3));
        for (var i = 0; i < 12; i++) {
            assertThat(colour(image, i % 4, i / 4))
                    .isEqualTo(i == 5 ? "R--" : i == 6 ? "-G-" : around);
        }
        var nothing = (byte) Math.max(0, transparent);
        var numbers = new byte[12];
        Arrays.fill(numbers, nothing);
        numbers[5] = 1;
        numbers[6] = 2;
        assertThat(Decoder.numbers(file).classes()).containsExactly(numbers);
    }

    @Test
    void aHugeScreenIsRefused() {
        var gif = small(-1);
        Arrays.fill(gif, 6, 10, (byte) 0xFF);
        assertThatThrownBy(() -> Decoder.decode(gif, "here"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("65,535 x 65,535 pixels");
    }

    private interface Rows {
        void write(DataOutputStream row) throws IOException;
    }

    /// A PNG whose only row, or only compressed data, is what `rows` writes.
    private static byte[] png(int width, int height, int bits, int colours, Rows rows)
            throws IOException {
        var packed = new ByteArrayOutputStream();
        try (var row = new DataOutputStream(new DeflaterOutputStream(packed))) {
            row.write(0);
            rows.write(row);
        }
        var header = ByteBuffer.allocate(13).putInt(width).putInt(height);
        header.put((byte) bits).put((byte) colours).put(new byte[3]);
        var file = new ByteArrayOutputStream();
        var out = new DataOutputStream(file);
        out.writeLong(0x89504E470D0A1A0AL);
        chunk(out, "IHDR", header.array());
        chunk(out, "IDAT", packed.toByteArray());
        chunk(out, "IEND", new byte[0]);
        return file.toByteArray();
    }

    private static void chunk(DataOutputStream out, String name, byte[] content)
            throws IOException {
        var named = ByteBuffer.allocate(4 + content.length);
        named.put(name.getBytes(StandardCharsets.US_ASCII)).put(content);
        var crc = new CRC32();
        crc.update(named.array());
        out.writeInt(content.length);
        out.write(named.array());
        out.writeInt((int) crc.getValue());
    }

    @Test
    void hugePicturesAreRefusedByTheirHeader() throws IOException {
        var bomb = png(60_000, 60_000, 1, 0, row -> row.write(new byte[30_000_000]));
        assertThat(bomb.length).isBetween(25_000, 35_000);
        var file = folder.resolve("bomb.png");
        Files.write(file, bomb);
        for (var read : List.<Runnable>of(() -> Decoder.read(file), () -> Decoder.size(file))) {
            assertThatThrownBy(read::run)
                    .isInstanceOf(EspalierException.class)
                    .hasMessage(
                            file
                                    + ": a picture of 60,000 x 60,000 pixels; at most 67,108,864"
                                    + " pixels are read");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"png", "jpg", "gif", "bmp", "tiff"})
    void truncatedFilesAreBroken(String format) throws IOException {
        var noise = new BufferedImage(64, 64, BufferedImage.TYPE_INT_RGB);
        for (var i = 0; i < 64 * 64; i++) {
            noise.setRGB(i % 64, i / 64, (int) ((i * 2654435761L) >>> 3));
        }
        var file = bytes(noise, format);
        for (var share : new double[] {0.05, 0.5, 0.9}) {
            var cut = Arrays.copyOf(file, (int) (file.length * share));
            assertThatThrownBy(() -> Decoder.decode(cut, "here"))
                    .isInstanceOf(EspalierException.class)
                    .hasMessageStartingWith("here: ");
        }
    }

    @Test
    void whatIsNoPictureIsSaid() throws IOException {
        assertThatThrownBy(() -> Decoder.decode("text".getBytes(StandardCharsets.UTF_8), "here"))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "here: not a picture that can be read; allowed: JPEG, PNG, GIF, BMP, TIFF,"
                                + " WebP");
        assertThatThrownBy(() -> Decoder.read(folder.resolve("none.png")))
                .hasMessageEndingWith("none.png: there is no such file");
        var empty = folder.resolve("empty.png");
        Files.write(empty, new byte[0]);
        assertThatThrownBy(() -> Decoder.read(empty)).hasMessageContaining("not a picture");
    }

    @Test
    void jpegIsCloseToWhatWasWritten() throws IOException {
        var image = new BufferedImage(64, 64, BufferedImage.TYPE_INT_RGB);
        for (var i = 0; i < 64 * 64; i++) {
            image.setRGB(i % 64, i / 64, (i % 64 * 3) << 16 | (i / 64 * 3) << 8 | 128);
        }
        var decoded = decode(bytes(image, "jpg"));
        for (var at = 0; at < 64; at += 7) {
            assertThat(decoded.at(at, 20, 0)).isCloseTo(at * 3, within(12));
            assertThat(decoded.at(20, at, 1)).isCloseTo(at * 3, within(12));
        }
    }
}
