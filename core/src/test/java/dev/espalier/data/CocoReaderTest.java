package dev.espalier.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.data.ImageData.Wanted;
import dev.espalier.image.Box;
import dev.espalier.image.Region;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CocoReaderTest {
    private static final Wanted.Labels ONE =
            new Wanted.Labels("", "", new LabelledReader.Labels.One());

    @TempDir Path folder;

    private final Ledger ledger = new Ledger(null, new Ledger.Limit.Count(100));

    @BeforeEach
    void pictures() throws IOException {
        TestPictures.write(folder.resolve("images/a.png"), 8, 6, 0);
        TestPictures.write(folder.resolve("images/b.png"), 4, 4, 0);
    }

    /// Of a file whose lists hold these, on two pictures and the categories 3, cat, and 1, dog.
    private ImageData read(Wanted wanted, String images, String annotations) throws IOException {
        return read(
                wanted,
                """
                {"images": [{"id": 7, "file_name": "images/a.png", "width": 8, "height": 6},
                            {"id": 2, "file_name": "images/b.png"} %s],
                 "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}],
                 "annotations": [%s]}
                """
                        .formatted(images, annotations));
    }

    private ImageData read(Wanted wanted, String json) throws IOException {
        var file = folder.resolve("coco.json");
        Files.writeString(file, json);
        return ImageReader.read(new ImageData.Place(file, null), wanted, ledger);
    }

    @Test
    void boxesAreLeftTopWidthHeight() throws IOException {
        var data =
                read(
                        new Wanted.Boxes(),
                        "",
                        """
                        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 5, "iscrowd": 0},
                        {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0.5, 0, 2, 2], "iscrowd": 1}
                        """);
        assertThat(data.classes()).containsExactly("cat", "dog");
        assertThat(data.images().getFirst().regions())
                .containsExactly(
                        new Region(new Box(1, 2, 4, 6), "dog", 5, false),
                        new Region(new Box(0.5, 0, 2.5, 2), "cat", 4, true));
        // A picture of nothing is one to learn from, too.
        assertThat(data.images().get(1).regions()).isEmpty();
        assertThat(ledger.counts().kept()).isEqualTo(2);
    }

    @Test
    void badBoxesAreSetAside() throws IOException {
        var data =
                read(
                        new Wanted.Boxes(),
                        "",
                        """
                        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [6, 4, 9, 9]},
                        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [8, 0, 2, 2]},
                        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [1, 1, 0, 2]},
                        {"id": 4, "image_id": 7, "category_id": 1, "bbox": [1, 1, -1, 2]},
                        {"id": 5, "image_id": 7, "category_id": 1, "bbox": [1, 1, 2]},
                        {"id": 6, "image_id": 7, "category_id": 1, "bbox": [1, "1", 2, 2]},
                        {"id": 7, "image_id": 7, "category_id": 1},
                        {"id": 8, "image_id": 7, "category_id": 9, "bbox": [1, 1, 2, 2]},
                        {"id": 9, "image_id": 5, "category_id": 1, "bbox": [1, 1, 2, 2]}
                        """);
        assertThat(data.images().getFirst().regions())
                .containsExactly(new Region(new Box(6, 4, 8, 6), "dog"));
        assertThat(ledger.counts().changed()).containsEntry("box cut at its picture's edge", 1L);
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("box outside its picture", 1L),
                        Map.entry("box of no area", 2L),
                        Map.entry("broken box", 3L),
                        Map.entry("unknown category", 1L));
        assertThat(ledger.counts().dropped())
                .containsOnly(
                        Map.entry("annotation without a picture", 1L),
                        Map.entry("class without a picture", 1L));
        assertThat(String.valueOf(ledger.firstReject()))
                .isEqualTo(
                        folder.resolve("coco.json")
                                + ": the annotation 2 has the box [8,0,2,2], in pixels, in a picture"
                                + " of 8 x 6");
    }

    /// As where numbers of pictures were lost.
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "5 | [1, 1, 2, 2] | (dropped: 1 annotation without a picture)",
                "7 | [1, 2, 0, 5] | (set aside: 1 box of no area)"
            })
    void dataWithoutABoxAreRefused(int image, String box, String leftOut) {
        assertThatThrownBy(() ->
                        read(
                                new Wanted.Boxes(),
                                "",
                                "{\"id\": 1, \"image_id\": %d, \"category_id\": 1, \"bbox\": %s}"
                                        .formatted(image, box)))
                .isInstanceOf(EspalierException.class)
                .hasMessage(folder.resolve("coco.json") + ": no picture has a box " + leftOut);
    }

    @Test
    void boxesInSharesOfTheirPicturesAreRefusedAndSmallOnesAreRead() throws IOException {
        var shares =
                "{\"id\": 1, \"image_id\": 2, \"category_id\": 1, \"bbox\": [0.1, 0.2, 0.5, 0.5]}";
        assertThatThrownBy(() -> read(new Wanted.Boxes(), "", shares))
                .isInstanceOf(EspalierException.class)
                .hasMessageStartingWith(
                        folder.resolve("coco.json")
                                + ": each box is smaller than a pixel; are they shares of the picture?");
        var more = ", {\"id\": 2, \"image_id\": 2, \"category_id\": 1, \"bbox\": [0, 0, 2, 2]}";
        var read = read(new Wanted.Boxes(), "", shares + more);
        assertThat(read.images().stream().mapToInt(i -> i.regions().size()).sum()).isEqualTo(2);
        assertThat(ledger.counts().rejected()).isEmpty();
    }

    @Test
    void badPicturesAreSetAside() throws IOException {
        Files.writeString(folder.resolve("images/c.png"), "text");
        var outside = Files.createDirectories(folder.resolve("../outside" + folder.hashCode()));
        var data =
                read(
                        new Wanted.Boxes(),
                        """
                        , {"id": 10, "file_name": "gone.png"},
                        {"id": 11, "file_name": "../%s"},
                        {"id": 12, "file_name": "images/c.png"},
                        {"id": 13, "file_name": "images/b.png", "width": 5, "height": 4},
                        {"id": 14}
                        """
                                .formatted(outside.getFileName()),
                        "{\"id\": 1, \"image_id\": 2, \"category_id\": 1, \"bbox\": [0, 0, 1, 1]}");
        Files.delete(outside);
        assertThat(data.images()).hasSize(2);
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("no such picture", 2L),
                        Map.entry("picture outside the data", 1L),
                        Map.entry("broken picture", 1L),
                        Map.entry("picture of another size", 1L));
    }

    @Test
    void outlinesBecomeAMask() throws IOException {
        var data =
                read(
                        new Wanted.Masks(null),
                        "",
                        """
                        {"id": 1, "image_id": 2, "category_id": 1, "bbox": [1, 1, 1, 1],
                         "segmentation": [[1, 1, 2, 1, 2, 2, 1, 2]]},
                        {"id": 2, "image_id": 2, "category_id": 3,
                         "segmentation": [[0, 0, 3, 0, 3, 3, 0, 3], [4, 4, 6, 4, 6, 6, 4, 6]]},
                        {"id": 3, "image_id": 2, "category_id": 3, "bbox": [0, 3, 1.5, 1],
                         "segmentation": [[0, 0, 3, 0]]},
                        {"id": 4, "image_id": 2, "category_id": 3, "bbox": [0, 0, 3, 3],
                         "segmentation": {"counts": [16], "size": [4, 4]}},
                        {"id": 5, "image_id": 2, "category_id": 3, "bbox": [3, 3, 1, 1],
                         "segmentation": {"counts": [15, 1], "size": [4, 4]}},
                        {"id": 6, "image_id": 2, "category_id": 3,
                         "segmentation": {"counts": "<22", "size": [4, 4]}},
                        {"id": 7, "image_id": 2, "category_id": 3, "bbox": [2, 2, 1, 1],
                         "segmentation": {"counts": [15, 2], "size": [4, 4]}},
                        {"id": 8, "image_id": 2, "category_id": 3, "bbox": [2, 2, 1, 1],
                         "segmentation": {"counts": [12], "size": [4, 3]}},
                        {"id": 9, "image_id": 2, "category_id": 3, "bbox": [2, 2, 1, 1],
                         "segmentation": {"counts": "a b", "size": [4, 4]}},
                        {"id": 10, "image_id": 2, "category_id": 3, "bbox": [3, 2, 1, 1],
                         "segmentation": []},
                        {"id": 11, "image_id": 2, "category_id": 3, "bbox": [2, 3, 0.5, 1]},
                        {"id": 12, "image_id": 2, "category_id": 9, "bbox": [0, 0, 1, 1]}
                        """);
        assertThat(data.classes()).containsExactly("background", "cat", "dog");
        var mask = Objects.requireNonNull(data.images().get(1).mask()).mask();
        // The smaller thing lies above the larger, whichever comes first. Where a thing cannot be
        // read, its box means nothing.
        assertThat(mask.classes())
                .containsExactly(-1, 1, 1, 1, 1, 2, 1, 1, 1, 1, -1, -1, -1, -1, -1, 1);
        // Boxes beside a mask would keep changes from turning the picture.
        assertThat(data.images().get(1).regions()).isEmpty();
        assertThat(ledger.counts().rejected())
                .containsOnly(
                        Map.entry("broken outline", 1L),
                        Map.entry("broken run lengths", 3L),
                        Map.entry("no outline", 2L),
                        Map.entry("unknown category", 1L));
        assertThat(ledger.counts().dropped())
                .containsEntry("outline of no area in its picture", 1L);
    }

    /// What is background cannot be told then.
    @Test
    void aPictureWithAThingThatIsNowhereHasNoMask() throws IOException {
        var data =
                read(
                        new Wanted.Masks(null),
                        "",
                        """
                        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 1, 2],
                         "segmentation": [[1, 1, 2, 1]]}
                        """);
        assertThat(data.images())
                .extracting(LabelledImage::where)
                .containsExactly(folder.resolve("images/b.png").toString());
        assertThat(ledger.counts().dropped())
                .containsEntry("picture with a thing that cannot be read", 1L);
    }

    @Test
    void wholePicturesHaveLabels() throws IOException {
        var annotations =
                """
                {"id": 1, "image_id": 2, "category_id": 1},
                {"id": 2, "image_id": 7, "category_id": 3},
                {"id": 3, "image_id": 7, "category_id": 1}
                """;
        assertThat(read(ONE, "", annotations).images())
                .extracting(LabelledImage::label)
                .containsExactly("dog");
        assertThat(ledger.counts().rejected()).containsOnly(Map.entry("several labels", 1L));
        var several = new Wanted.Labels("", "", new LabelledReader.Labels.Several(",", true));
        assertThat(read(several, "", annotations).images().getFirst().labels())
                .containsExactly("cat", "dog");
    }

    @Test
    void captionsNeedNoCategories() throws IOException {
        var data =
                read(
                        new Wanted.Captions("", ""),
                        """
                        {"images": [{"id": 7, "file_name": "images/a.png"},
                                    {"id": 2, "file_name": "images/b.png"}],
                         "annotations": [{"id": 1, "image_id": 7, "caption": " A cat. "},
                                         {"id": 2, "image_id": 7, "caption": "Some cat."},
                                         {"id": 3, "image_id": 7, "caption": " "}]}
                        """);
        assertThat(data.images()).hasSize(1);
        assertThat(data.images().getFirst().captions()).containsExactly("A cat.", "Some cat.");
        assertThat(ledger.counts().dropped())
                .containsOnly(
                        Map.entry("empty caption", 1L), Map.entry("picture without a caption", 1L));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[] | `images` is no list; COCO has the lists",
                "{\"images\": [], \"categories\": {}} | `categories` is no list",
                "{\"images\": [], \"categories\": []} | `categories` is empty; one at least is needed",
                "{\"images\": [{}], \"categories\": []} | `id` of one of `images` is missing; a whole number is needed",
                "{\"images\": [], \"categories\": [{\"id\": 1}]} | the category 1 has the name ``",
                "{\"images\": [], \"categories\": [{\"id\": 1, \"name\": \"a\"}, {\"id\": 1, \"name\": \"b\"}]} | two of `categories` have the id 1",
                "{\"images\": [], \"categories\": [{\"id\": 1, \"name\": \"a\"}], \"annotations\": []} | no picture can be used"
            })
    void whatIsNotCocoIsSaid(String json, String message) {
        assertThatThrownBy(() -> read(new Wanted.Boxes(), json))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("coco.json: " + message);
    }
}
