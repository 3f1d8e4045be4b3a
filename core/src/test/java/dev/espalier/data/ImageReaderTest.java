package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.GZIPOutputStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageReaderTest {
    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(100));

    private Path picture(String name, int width, int height, int rgb) throws IOException {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (var i = 0; i < width * height; i++) {
            image.setRGB(i % width, i / width, rgb);
        }
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        ImageIO.write(image, name.substring(name.lastIndexOf('.') + 1), file.toFile());
        return file;
    }

    @Test
    void aFolderIsALabel() throws IOException {
        picture("dog/2.png", 3, 2, 0x010203);
        picture("dog/more/1.jpg", 8, 8, 0);
        var cat = picture("cat/1.png", 4, 4, 0);
        Files.writeString(folder.resolve("cat/notes.txt"), "about cats");
        Files.writeString(folder.resolve("readme.txt"), "about all");
        Files.writeString(folder.resolve(".hidden"), "");
        var images = ImageReader.folders(folder, ledger);
        assertThat(images).extracting(LabelledImage::label).containsExactly("cat", "dog", "dog");
        assertThat(images.getFirst().where()).isEqualTo(cat.toString());
        assertThat(images.get(1).picture().image().rgb())
                .containsExactly(1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3);
        assertThat(ledger.counts().kept()).isEqualTo(3);
        assertThat(ledger.counts().dropped())
                .containsEntry("file beside the folders of labels", 1L)
                .containsEntry("not a picture by its name", 1L);
    }

    @Test
    void brokenPicturesAreSetAside() throws IOException {
        picture("cat/1.png", 4, 4, 0);
        Files.writeString(folder.resolve("cat/2.png"), "text");
        Files.writeString(folder.resolve("cat/3.jpg"), "");
        assertThat(ImageReader.folders(folder, ledger)).hasSize(1);
        assertThat(ledger.counts().rejected()).containsEntry("broken picture", 2L);
        assertThat(String.valueOf(ledger.firstReject()))
                .startsWith(folder.resolve("cat/2.png") + ": not a picture that can be read");
    }

    @Test
    void aLabelWithoutAPictureIsSaid() throws IOException {
        picture("cat/1.png", 4, 4, 0);
        Files.createDirectories(folder.resolve("dog"));
        assertThatThrownBy(() -> ImageReader.folders(folder, ledger))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("dog: the label `dog` has no picture");
        assertThatThrownBy(() -> ImageReader.folders(folder.resolve("none"), ledger))
                .hasMessageEndingWith("none: there is no such folder");
        assertThatThrownBy(() -> ImageReader.folders(folder.resolve("dog"), ledger))
                .hasMessageContaining("holds no folder of pictures");
    }

    private Path idx(String name, int magic, int[] sizes, byte[] content) throws IOException {
        var bytes = ByteBuffer.allocate(4 + 4 * sizes.length + content.length).putInt(magic);
        for (var size : sizes) {
            bytes.putInt(size);
        }
        bytes.put(content);
        var file = folder.resolve(name);
        var packed = new ByteArrayOutputStream();
        try (var out = new GZIPOutputStream(packed)) {
            out.write(bytes.array());
        }
        Files.write(file, name.endsWith(".gz") ? packed.toByteArray() : bytes.array());
        return file;
    }

    @Test
    void idxHoldsPicturesAndLabelsApart() throws IOException {
        var images =
                idx("images.gz", 0x803, new int[] {2, 1, 2}, new byte[] {0, 50, (byte) 200, 7});
        var labels = idx("labels", 0x801, new int[] {2}, new byte[] {3, 9});
        var read = ImageReader.idx(images, labels, ledger);
        assertThat(read).extracting(LabelledImage::label).containsExactly("3", "9");
        assertThat(read.get(1).picture().image().rgb())
                .containsExactly((byte) 200, (byte) 200, (byte) 200, 7, 7, 7);
        assertThat(read.get(1).where()).isEqualTo(images + "#1");
        assertThat(ledger.counts().kept()).isEqualTo(2);
    }

    @Test
    void brokenIdxIsSaid() throws IOException {
        var images = idx("images", 0x803, new int[] {2, 1, 2}, new byte[4]);
        var one = idx("one", 0x801, new int[] {1}, new byte[1]);
        var text = folder.resolve("text");
        Files.writeString(text, "no numbers");
        assertThatThrownBy(() -> ImageReader.idx(images, one, ledger))
                .hasMessage(images + ": holds 2 pictures, and " + one + " holds 1 labels");
        assertThatThrownBy(() -> ImageReader.idx(images, images, ledger))
                .hasMessage(images + ": not IDX of bytes in 1 dimensions");
        assertThatThrownBy(() -> ImageReader.idx(images, text, ledger))
                .hasMessage(text + ": not IDX of bytes in 1 dimensions");
        var cut = idx("cut", 0x803, new int[] {1, 1, 2}, new byte[1]);
        assertThatThrownBy(() -> ImageReader.idx(cut, one, ledger))
                .hasMessage(cut + ": ends before its header says");
        var longer = idx("longer", 0x803, new int[] {1, 1, 1}, new byte[2]);
        assertThatThrownBy(() -> ImageReader.idx(longer, one, ledger))
                .hasMessage(longer + ": goes on after the 1 bytes that its header tells");
        for (var sizes : new int[][] {{0, 1, 1}, {-1, 1, 1}, {1 << 30, 1 << 30, 1 << 30}}) {
            var huge = idx("huge", 0x803, sizes, new byte[1]);
            assertThatThrownBy(() -> ImageReader.idx(huge, one, ledger))
                    .hasMessageStartingWith(huge + ": IDX of the sizes [" + sizes[0] + ", ");
        }
        var gone = folder.resolve("gone");
        assertThatThrownBy(() -> ImageReader.idx(gone, one, ledger))
                .hasMessage(gone + ": there is no such file");
    }
}
