package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData.Part;
import dev.espalier.data.ImageData.Wanted;
import dev.espalier.image.Box;
import dev.espalier.image.Region;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BoxFilesTest {
    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(100));

    private Path text(String name, String content) throws IOException {
        var file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, content);
        return file;
    }

    private void picture(String name) throws IOException {
        TestPictures.write(folder.resolve(name), 20, 10, 0);
    }

    private ImageData read(Path data) {
        return read(data, Part.TRAIN);
    }

    private ImageData read(Path data, Part part) {
        return ImageReader.read(new ImageData.Place(data, null, part), new Wanted.Boxes(), ledger);
    }

    @Test
    void yoloHasMiddleAndSizeInShares() throws IOException {
        picture("images/train/a.png");
        picture("images/train/b.png");
        text("labels/train/a.txt", "1 0.5 0.5 0.2 0.4\n0 0 0 0.5 0 0.5 1\n\n");
        var yaml = text("data.yaml", "path: .\ntrain: images/train\nnames: {0: cat, 1: dog}\n");
        for (var data : new Path[] {yaml, folder, folder.resolve("images/train")}) {
            var read = read(data);
            assertThat(read.classes()).containsExactly("cat", "dog");
            assertThat(read.images()).hasSize(2);
            assertThat(read.images().getFirst().regions())
                    .containsExactly(
                            new Region(new Box(8, 3, 12, 7), "dog"),
                            new Region(new Box(0, 0, 10, 10), "cat"));
            assertThat(read.images().get(1).regions()).isEmpty();
        }
    }

    @Test
    void aDescriptionNamesThePicturesOfEachPart() throws IOException {
        picture("images/train/a.png");
        picture("images/val/b.png");
        picture("images/val/c.png");
        for (var label : new String[] {"train/a", "val/b"}) {
            text("labels/" + label + ".txt", "0 0.5 0.5 0.2 0.4\n");
        }
        var yaml = text("data.yaml", "train: images/train\nval: images/val\nnames: [cat]\n");
        for (var part : new Part[] {Part.TRAIN, Part.VALIDATION, Part.HELD_OUT}) {
            assertThat(read(yaml, part).images()).hasSize(part == Part.TRAIN ? 1 : 2);
        }
        assertThatThrownBy(() -> read(yaml, Part.TEST))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        yaml
                                + ": `test` is missing, where the pictures lie that are wanted here; it has"
                                + " the keys [train, val, names]");
    }

    @Test
    void whatHasNoCounterpartIsCounted() throws IOException {
        picture("images/train/a.png");
        picture("images/train/b.png");
        text("labels/train/a.txt", "0 0.5 0.5 0.2 0.4\n");
        text("labels/train/c.txt", "0 0.5 0.5 0.2 0.4\n");
        text("labels/train/classes.txt", "cat\n");
        text("classes.txt", "cat\n");
        assertThat(read(folder).images()).hasSize(2);
        assertThat(ledger.counts().changed())
                .containsOnly(Map.entry("picture without a label file", 1L));
        assertThat(ledger.counts().dropped())
                .containsOnly(Map.entry("label file without a picture", 1L));
    }

    /// Only what a list or the folders of a set are called tells of what kind they are.
    @Test
    void foldersAboveMayHaveAnyName() throws IOException {
        picture("images/set/a.png");
        text("images/set/a.txt", "0 0.5 0.5 0.2 0.4\n");
        text("images/set/classes.txt", "cat\n");
        picture("ImageSets/yard/images/a.png");
        text("ImageSets/yard/labels/a.txt", "0 0.5 0.5 0.2 0.4\n");
        var yaml = text("ImageSets/yard/data.yaml", "train: images\nnames: [cat]\n");
        for (var data :
                List.of(folder.resolve("images/set"), folder.resolve("ImageSets/yard"), yaml)) {
            assertThat(read(data).images().getFirst().labels()).containsExactly("cat");
        }
    }

    @Test
    void darknetListsPictures() throws IOException {
        picture("obj_train_data/a.png");
        text("obj_train_data/a.txt", "0 0.5 0.5 1 1\n");
        text("obj.names", "cat\n");
        var list =
                text(
                        "train.txt",
                        "data/obj_train_data/a.png\nobj_train_data/gone.png\n../../x.png\n");
        var read = read(list);
        assertThat(read.images()).hasSize(1);
        assertThat(read.images().getFirst().regions())
                .containsExactly(new Region(new Box(0, 0, 20, 10), "cat"));
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("no such picture", 1L),
                        Map.entry("picture outside the data", 1L));
    }

    @Test
    void badLinesAreSetAside() throws IOException {
        picture("images/a.png");
        text("classes.txt", "cat\ndog\n");
        var labels =
                text(
                        "labels/a.txt",
                        """
                        0 0.5 0.5 0.5 0.5
                        2 0.5 0.5 0.5 0.5
                        0.5 0.5 0.5 0.5 0.5
                        0 0.5 0.5 0.5
                        0 0.5 0.5 x 0.5
                        0 0.5 0.5 NaN 0.5
                        0 0.5 0.5 0 0.5
                        0 1.5 0.5 0.5 0.5
                        0 0.1 0.2 0.3 0.4 0.5
                        """);
        assertThat(read(folder).images().getFirst().regions()).hasSize(1);
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("unknown class", 2L),
                        Map.entry("broken box", 4L),
                        Map.entry("box of no area", 1L),
                        Map.entry("box outside its picture", 1L));
        assertThat(ledger.counts().dropped()).containsEntry("class without a picture", 1L);
        assertThat(String.valueOf(ledger.firstReject()))
                .isEqualTo(labels + ":2: the class is `2`; allowed: 0 to 1");
    }

    /// As published descriptions have it.
    @Test
    void aDescriptionThatLeadsOutsideIsLookedUpWhereThePicturesLie() throws IOException {
        picture("set/images/train/a.png");
        text("set/labels/train/a.txt", "0 0.5 0.5 0.2 0.4\n");
        var yaml =
                text(
                        "other/data.yaml",
                        "path: ../datasets/set\ntrain: images/train\nnames: [cat]\n");
        assertThatThrownBy(() -> read(yaml))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "%s: names `../datasets/set/images/train`, and there is no such file in %s; allowed: what lies there, or `pictures` with the folder that `path` stands for, in which the rest is looked up"
                                .formatted(yaml, folder.resolve("other")));
        var set = folder.resolve("set");
        for (var root : List.of(set, Path.of("").toAbsolutePath().relativize(set))) {
            var place = new ImageData.Place(yaml, root);
            var read = ImageReader.read(place, new Wanted.Boxes(), ledger);
            assertThat(read.images().getFirst().labels()).containsExactly("cat");
        }
        var outside = text("other/outside.yaml", "train: ../set/images/train\nnames: [cat]\n");
        assertThatThrownBy(() -> read(outside))
                .hasMessageContaining("`../set/images/train`, which lies outside of");
    }

    /// As Roboflow's descriptions have it.
    @Test
    void aDescriptionThatLeadsUpIsLookedUpBesideIt() throws IOException {
        picture("set/train/images/a.png");
        text("set/train/labels/a.txt", "0 0.5 0.5 0.2 0.4\n");
        picture("set/valid/images/b.png");
        // What lies where it leads is not of this set.
        picture("train/images/c.png");
        var yaml =
                text(
                        "set/data.yaml",
                        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['cat']\n");
        var read = read(yaml);
        assertThat(read.images())
                .extracting(LabelledImage::where)
                .containsExactly(folder.resolve("set/train/images/a.png").toString());
        assertThat(read.images().getFirst().labels()).containsExactly("cat");
        text("set/valid/labels/b.txt", "0 0.5 0.5 0.2 0.4\n");
        assertThat(read(yaml, Part.VALIDATION).images()).hasSize(1);
        assertThatThrownBy(() -> read(yaml, Part.TEST))
                .hasMessageContaining("names `../test/images`, and there is no such file");
    }

    @Test
    void aFolderOfPicturesIsRefusedWhereItIsNotLookedAt() throws IOException {
        picture("images/a.png");
        text("labels/a.txt", "0 0.5 0.5 0.2 0.4\n");
        text("classes.txt", "cat\n");
        assertThatThrownBy(() ->
                        ImageReader.read(
                                new ImageData.Place(folder, folder), new Wanted.Boxes(), ledger))
                .isInstanceOf(EspalierException.class)
                .hasMessage(
                        "pictures: %s is not looked at, since %s lies beside its pictures; allowed with a table, COCO's JSON, or YOLO's description"
                                .formatted(folder, folder));
    }

    @Test
    void aTableTellsNoBoxes() throws IOException {
        var table = text("boxes.csv", "image,label\na.png,cat\n");
        assertThatThrownBy(() -> read(table))
                .hasMessage(
                        table
                                + ": a table tells no boxes; boxes are COCO's JSON, YOLO or Pascal VOC");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "train: images",
                "names: []\ntrain: images",
                "names: {1: cat}\ntrain: images",
                "- 1",
                "names: [cat",
                "names: [cat]\nval: images"
            })
    void badYamlIsSaid(String yaml) throws IOException {
        picture("images/a.png");
        var file = text("data.yaml", yaml);
        assertThatThrownBy(() -> read(file))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(file + ": ");
    }

    private static String voc(String name, String objects) {
        return "<annotation><filename>" + name + "</filename>" + objects + "</annotation>";
    }

    private static String object(String name, String box) {
        var corners = box.split(" ", -1);
        return "<object><name>"
                + name
                + "</name><part><name>head</name><bndbox/></part><bndbox><xmin>"
                + corners[0]
                + "</xmin><ymin>"
                + corners[1]
                + "</ymin><xmax>"
                + corners[2]
                + "</xmax><ymax>"
                + corners[3]
                + "</ymax></bndbox></object>";
    }

    @Test
    void vocCountsPixelsFromOne() throws IOException {
        picture("JPEGImages/a.png");
        picture("JPEGImages/b.png");
        text(
                "Annotations/a.xml",
                voc("a.png", object("dog", "1 1 20 10") + object("cat", "3 2 4 5")));
        text("Annotations/b.xml", voc("b.png", ""));
        var list = text("ImageSets/Main/train.txt", "a\nnone\n");
        var all = read(folder);
        assertThat(all.images()).hasSize(2);
        assertThat(all.classes()).containsExactly("cat", "dog");
        assertThat(all.images().getFirst().regions())
                .containsExactly(
                        new Region(new Box(0, 0, 20, 10), "dog"),
                        new Region(new Box(2, 1, 4, 5), "cat"));
        assertThat(read(list).images()).hasSize(1);
        assertThat(ledger.counts().rejected()).containsOnly(Map.entry("no such picture", 1L));
    }

    @Test
    void whatVocMarksAsDifficultDoesNotCount() throws IOException {
        picture("JPEGImages/a.png");
        var dog = object("dog", "1 1 20 10");
        text(
                "Annotations/a.xml",
                voc(
                        "a.png",
                        dog.replace("<part>", "<difficult>1</difficult><part>")
                                + dog.replace("<part>", "<difficult>0</difficult><part>")));
        assertThat(read(folder).images().getFirst().regions())
                .extracting(Region::counts)
                .containsExactly(false, true);
        assertThat(ledger.counts().changed())
                .containsOnly(Map.entry("difficult thing, neither learnt nor missed", 1L));
    }

    @Test
    void badXmlIsSetAside() throws IOException {
        picture("JPEGImages/a.png");
        text(
                "Annotations/a.xml",
                voc(
                        "a.png",
                        object("dog", "1 1 20 10")
                                + object("dog", "1 1 x 10")
                                + object("", "1 1 2 2")
                                + object("dog", "5 5 4 4")
                                + object("dog", "30 5 40 8")));
        text("Annotations/b.xml", "<annotation>");
        text(
                "Annotations/c.xml",
                "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + voc("&x;", ""));
        text("Annotations/d.xml", voc("gone.png", ""));
        text("Annotations/e.xml", voc("../../a.png", ""));
        assertThat(read(folder).images()).hasSize(1);
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("broken XML", 2L),
                        Map.entry("broken box", 2L),
                        Map.entry("box of no area", 1L),
                        Map.entry("box outside its picture", 1L),
                        Map.entry("no such picture", 1L),
                        Map.entry("picture outside the data", 1L));
    }
}
