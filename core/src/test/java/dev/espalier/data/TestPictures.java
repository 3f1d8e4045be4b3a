package dev.espalier.data;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/// Files of pictures for tests.
final class TestPictures {
    private TestPictures() {}

    /// Of one colour, in the format of its name's ending.
    static Path write(Path file, int width, int height, int rgb) throws IOException {
        return write(file, filled(width, height, rgb));
    }

    /// Of these grey levels, as they stand.
    static Path grey(Path file, int width, int height, int... levels) throws IOException {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_BYTE_GRAY);
        image.getRaster().setPixels(0, 0, width, height, levels);
        return write(file, image);
    }

    private static Path write(Path file, BufferedImage image) throws IOException {
        Files.createDirectories(file.getParent());
        var name = file.getFileName().toString();
        ImageIO.write(image, name.substring(name.lastIndexOf('.') + 1), file.toFile());
        return file;
    }

    private static BufferedImage filled(int width, int height, int rgb) {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (var i = 0; i < width * height; i++) {
            image.setRGB(i % width, i / width, rgb);
        }
        return image;
    }

    /// A GIF of so many pictures.
    static byte[] animation(int pictures) throws IOException {
        var writer = ImageIO.getImageWritersByFormatName("gif").next();
        var out = new ByteArrayOutputStream();
        try (var stream = new MemoryCacheImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.prepareWriteSequence(null);
            for (var i = 0; i < pictures; i++) {
                writer.writeToSequence(
                        new IIOImage(filled(8, 8, 0xFF << (8 * i)), null, null), null);
            }
            writer.endWriteSequence();
        }
        return out.toByteArray();
    }
}
