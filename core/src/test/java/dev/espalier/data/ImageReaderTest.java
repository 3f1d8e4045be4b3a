package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData.Wanted;
import dev.espalier.image.Fit;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Resampling;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageReaderTest {
    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(100));

    private Path picture(String name, int width, int height, int rgb) throws IOException {
        return TestPictures.write(folder.resolve(name), width, height, rgb);
    }

    private Path text(String name, String content) throws IOException {
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
        return file;
    }

    private List<LabelledImage> labels(Path data) {
        return read(data, new Wanted.Labels("file", "label", new LabelledReader.Labels.One()))
                .images();
    }

    private ImageData read(Path data, Wanted wanted) {
        return ImageReader.read(new ImageData.Place(data, null), wanted, ledger);
    }

    @Test
    void aFolderIsALabel() throws IOException {
        picture("dog/2.png", 3, 2, 0x010203);
        picture("dog/more/1.jpg", 8, 8, 0);
        var cat = picture("cat/1.png", 4, 4, 0);
        Files.writeString(folder.resolve("cat/notes.txt"), "about cats");
        Files.writeString(folder.resolve("readme.txt"), "about all");
        Files.writeString(folder.resolve(".hidden"), "");
        var images = labels(folder);
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
        assertThat(labels(folder)).hasSize(1);
        assertThat(ledger.counts().rejected()).containsEntry("broken picture", 2L);
        assertThat(String.valueOf(ledger.firstReject()))
                .startsWith(folder.resolve("cat/2.png") + ": not a picture that can be read");
    }

    @Test
    void aLabelWithoutAPictureIsSaid() throws IOException {
        picture("cat/1.png", 4, 4, 0);
        Files.createDirectories(folder.resolve("dog"));
        assertThatThrownBy(() -> labels(folder))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("dog: the label `dog` has no picture");
        assertThatThrownBy(() -> labels(folder.resolve("none")))
                .hasMessageEndingWith("none: there is no such file or folder");
        assertThatThrownBy(() -> labels(folder.resolve("dog")))
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
                idx(
                        "images-idx3.gz",
                        0x803,
                        new int[] {2, 1, 2},
                        new byte[] {0, 50, (byte) 200, 7});
        idx("labels-idx1.gz", 0x801, new int[] {2}, new byte[] {3, 9});
        var read = labels(images);
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

    @Test
    void aTableNamesPicturesAndLabels() throws IOException {
        picture("a.png", 2, 2, 0);
        picture("more/b.png", 2, 2, 0);
        var table =
                text(
                        "train.csv",
                        """
                        file,label
                        a.png,red
                        more/b.png,blue
                        gone.png,red
                        ../a.png,red
                        /etc/passwd,red
                        a.png,
                        """);
        var read = read(table, new Wanted.Labels("file", "label", new LabelledReader.Labels.One()));
        assertThat(read.images()).extracting(LabelledImage::label).containsExactly("red", "blue");
        assertThat(read.classes()).containsExactly("blue", "red");
        var counts = ledger.counts();
        assertThat(counts.kept()).isEqualTo(2);
        assertThat(counts.dropped()).containsEntry("empty label", 1L);
        assertThat(counts.rejected())
                .containsEntry("no such picture", 1L)
                .containsEntry("picture outside the data", 2L);
        assertThat(String.valueOf(ledger.firstReject()))
                .isEqualTo(
                        table
                                + ":4: names `gone.png`, and there is no such file as "
                                + folder.resolve("gone.png"));
    }

    @Test
    void severalLabelsAndAnotherFolderOfPictures() throws IOException {
        picture("pictures/a.png", 2, 2, 0);
        var table =
                text("labels/train.jsonl", "{\"image\": \"a.png\", \"tags\": [\"x\", \"y\"]}\n");
        var read =
                ImageReader.read(
                        new ImageData.Place(table, folder.resolve("pictures")),
                        new Wanted.Labels(
                                "image", "tags", new LabelledReader.Labels.Several(";", false)),
                        ledger);
        assertThat(read.images().getFirst().labels()).containsExactly("x", "y");
        assertThat(read.classes()).containsExactly("x", "y");
    }

    @Test
    void aPictureHasSeveralCaptions() throws IOException {
        picture("a.png", 2, 2, 0);
        picture("b.png", 2, 2, 0);
        var table = text("captions.csv", "image,caption\na.png,one\nb.png,two\na.png,another\n");
        var read = read(table, new Wanted.Captions("image", "caption"));
        assertThat(read.images())
                .extracting(LabelledImage::captions)
                .containsExactly(List.of("one", "another"), List.of("two"));
    }

    private void mask(String name, int width, int height, int... values) throws IOException {
        TestPictures.grey(folder.resolve(name), width, height, values);
    }

    private static final MaskSource.Classes TWO =
            new MaskSource.Classes(List.of("nothing", "cell"), null);

    @Test
    void aMaskBelongsToThePictureOfItsName() throws IOException {
        picture("images/a.jpg", 2, 1, 0);
        picture("images/deep/b.png", 2, 1, 0);
        mask("masks/a.png", 2, 1, 1, 255);
        mask("masks/deep/b.png", 2, 1, 0, 1);
        var read = read(folder, new Wanted.Masks(TWO));
        assertThat(read.classes()).containsExactly("nothing", "cell");
        var mask = read.images().getFirst().mask();
        assertThat(Objects.requireNonNull(mask).mask().classes()).containsExactly(1, -1);
    }

    @Test
    void aListOfVocsNamesMasks() throws IOException {
        for (var name : List.of("a", "b")) {
            picture("JPEGImages/" + name + ".jpg", 2, 1, 0);
            mask("SegmentationClass/" + name + ".png", 2, 1, 0, 1);
        }
        picture("JPEGImages/c.jpg", 2, 1, 0);
        mask("SegmentationClass/alone.png", 2, 1, 0, 1);
        var list = text("ImageSets/Segmentation/train.txt", "b\nnone\nalone\n");
        assertThat(read(list, new Wanted.Masks(TWO)).images())
                .extracting(LabelledImage::where)
                .containsExactly(folder.resolve("JPEGImages/b.jpg").toString());
        assertThat(ledger.counts().rejected()).containsOnly(Map.entry("no such picture", 2L));
        assertThat(read(folder, new Wanted.Masks(TWO)).images()).hasSize(2);
    }

    @Test
    void badMasksAreSetAside() throws IOException {
        for (var name : List.of("good", "size", "class", "none")) {
            picture("images/" + name + ".png", 2, 1, 0);
        }
        mask("masks/good.png", 2, 1, 0, 1);
        mask("masks/size.png", 2, 2, 0, 0, 0, 0);
        mask("masks/class.png", 2, 1, 0, 2);
        mask("masks/good.tif", 2, 1, 1, 1);
        mask("masks/alone.png", 2, 1, 0, 1);
        assertThat(read(folder, new Wanted.Masks(TWO)).images()).hasSize(1);
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("picture without a mask", 1L),
                        Map.entry("second mask of a picture", 1L),
                        Map.entry("mask of another size", 1L),
                        Map.entry("broken mask", 1L));
        assertThat(ledger.counts().dropped()).containsEntry("mask without a picture", 1L);
        var strict = Ledger.strict();
        Files.delete(folder.resolve("images/none.png"));
        for (var file : List.of("images/size.png", "masks/size.png", "masks/alone.png")) {
            Files.delete(folder.resolve(file));
        }
        Files.delete(folder.resolve("masks/good.tif"));
        assertThatThrownBy(() ->
                        ImageReader.read(
                                new ImageData.Place(folder, null), new Wanted.Masks(TWO), strict))
                .hasMessage(
                        folder.resolve("images/class.png")
                                + ": "
                                + folder.resolve("masks/class.png")
                                + ": an unknown class 2 at (1, 0); allowed: 0 to 1 (nothing, cell),"
                                + " and 255 for none");
    }

    @Test
    void classesAreSeenInMasksThatFindNoRoomToo() throws IOException {
        var file = picture("images/a.png", 2, 1, 0);
        mask("masks/a.png", 2, 1, 1, 255);
        var source = new MaskSource.InFile(folder.resolve("masks/a.png"), TWO);
        var image =
                new LabelledImage(
                        new Picture.InFile(file), List.of(), List.of(), source, List.of());
        var seen = new BitSet();
        var read =
                ImageReader.decoded(List.of(image), new ImageReader.Room(0), Fit.ANY, seen, ledger);
        assertThat(read.getFirst().mask()).isSameAs(source);
        assertThat(seen.stream()).containsExactly(1, 255);
    }

    /// By headers alone, so that large pictures, and their masks, do not lie in memory together.
    @Test
    void aPictureIsAsLargeAsItsHeaderAndItsMasksSay() throws IOException {
        var file = picture("images/a.png", 3, 2, 0);
        mask("masks/a.png", 4, 1, 1, 1, 1, 1);
        var source = new MaskSource.InFile(folder.resolve("masks/a.png"), TWO);
        var image =
                new LabelledImage(
                        new Picture.InFile(file), List.of(), List.of(), source, List.of());
        assertThat(ImageReader.pixels(image)).isEqualTo(6 + 4);
        assertThat(
                        ImageReader.groups(
                                List.of(1, 2, 3, 4, 5), 2, 1 << 24, i -> i == 2 ? 1L << 25 : 1))
                .containsExactly(List.of(1), List.of(2), List.of(3, 4), List.of(5));
    }

    @Test
    void allDataOfARunShareTheRoomInMemory() throws IOException {
        picture("train/cat/a.png", 2, 2, 0);
        picture("test/cat/a.png", 2, 2, 0);
        var room = new ImageReader.Room(20);
        var wanted = new Wanted.Labels("file", "label", new LabelledReader.Labels.One());
        for (var part : List.of("train", "test")) {
            var place = new ImageData.Place(folder.resolve(part), null);
            var read = ImageReader.read(place, wanted, ledger, room, Fit.ANY).images().getFirst();
            assertThat(read.picture() instanceof Picture.Held)
                    .as(part)
                    .isEqualTo(part.equals("train"));
        }
    }

    // Of a nested type the class file does not say that it may be null.
    @SuppressWarnings("NullAway")
    @Test
    void picturesThatAModelDoesNotSeeAreSetAside() throws IOException {
        picture("train/cat/large.png", 9, 8, 0);
        var small = picture("train/cat/small.png", 9, 7, 0);
        var half = List.of(0.5, 0.5, 0.5);
        var asItIs = new Preprocessor("", null, Resampling.BILINEAR, null, 1, half, half, false);
        var read =
                ImageReader.read(
                        new ImageData.Place(folder.resolve("train"), null),
                        new Wanted.Labels("file", "label", new LabelledReader.Labels.One()),
                        ledger,
                        new ImageReader.Room(),
                        new Fit(asItIs, 8));
        assertThat(read.images()).hasSize(1);
        assertThat(ledger.counts().kept()).isEqualTo(1);
        assertThat(String.valueOf(ledger.firstReject()))
                .isEqualTo(
                        small
                                + ": has 9 x 7 pixels, of which the model reads 9 x 7; it needs 8 at least each way");
    }

    @Test
    void idxIsJudgedByItsHeader() throws IOException {
        var wide = idx("wide", 0x803, new int[] {1, 1 << 14, 1 << 13}, new byte[1]);
        assertThatThrownBy(() -> ImageReader.unlabelled(wide, ledger, new ImageReader.Room()))
                .hasMessage(
                        wide
                                + ": pictures of 8,192 x 16,384 pixels; at most 67,108,864 pixels are read");
        var many = idx("many", 0x803, new int[] {500_000_000, 1, 1}, new byte[1]);
        assertThatThrownBy(() -> ImageReader.unlabelled(many, ledger, new ImageReader.Room()))
                .hasMessageStartingWith(many + ": its 500,000,000 bytes take 102,000,000,000")
                .hasMessageContaining("ESPALIER_HEAP");
    }

    @Test
    void coloursStandForClasses() throws IOException {
        picture("images/a.png", 2, 1, 0);
        picture("images/b.png", 2, 1, 0);
        picture("masks/a.png", 2, 1, 0xFF0000);
        picture("masks/b.png", 2, 1, 0xFF0001);
        var classes = new MaskSource.Classes(List.of("sky", "sea"), List.of(0x0000FF, 0xFF0000));
        var read = read(folder, new Wanted.Masks(classes));
        assertThat(Objects.requireNonNull(read.images().getFirst().mask()).mask().classes())
                .containsExactly(1, 1);
        assertThat(ledger.counts().dropped())
                .containsOnly(Map.entry("class without a picture", 1L));
        assertThat(String.valueOf(ledger.firstReject()))
                .endsWith(
                        "an unknown colour #ff0001 at (0, 0); allowed: #0000ff (sky), #ff0000"
                                + " (sea)");
        // Whose numbers they are is not known without colours.
        assertThatThrownBy(() -> read(folder, new Wanted.Masks(TWO)))
                .hasMessageContaining(
                        "no picture can be used (dropped: 1 class without a picture; set aside: 3 broken mask)");
    }

    @Test
    void anAnimationIsSaid() throws IOException {
        var file = folder.resolve("cat/1.gif");
        Files.createDirectories(folder.resolve("cat"));
        Files.write(file, TestPictures.animation(2));
        assertThat(labels(folder)).hasSize(1);
        assertThat(ledger.counts().changed()).containsEntry("first picture of an animation", 1L);
    }

    @Test
    void whatDoesNotTellWhatIsWantedIsSaid() throws IOException {
        picture("cat/1.png", 2, 2, 0);
        assertThatThrownBy(() -> read(folder, new Wanted.Captions("image", "caption")))
                .hasMessage(folder + ": tells no captions; allowed: a table, or COCO's JSON");
        assertThatThrownBy(() -> read(folder, new Wanted.Masks(null)))
                .hasMessageStartingWith(folder + ": tells no classes of pixels");
        assertThatThrownBy(() -> read(folder, new Wanted.Boxes()))
                .hasMessageContaining("the names of the classes are missing");
    }
}
