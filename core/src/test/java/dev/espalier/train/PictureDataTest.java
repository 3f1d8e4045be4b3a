package dev.espalier.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.espalier.EspalierException;
import dev.espalier.recipe.FinetuneRecipe;
import dev.espalier.recipe.Recipes;
import dev.espalier.recipe.TaskRecipe;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PictureDataTest {
    @TempDir Path folder;

    private PictureData.Named boxed(String train, String validation, String test) {
        var recipe =
                (FinetuneRecipe)
                        Recipes.parse(
                                """
                                data: {train: %s, validation: %s, test: %s}
                                model: {type: yolos, image: [16, 16], patch: 8, width: 8, layers: 1, heads: 1}
                                task: {type: object-detection}
                                """
                                        .formatted(
                                                folder.resolve(train),
                                                folder.resolve(validation),
                                                folder.resolve(test)),
                                "x");
        return PictureData.boxed(
                recipe, (TaskRecipe.ObjectDetection) recipe.task(), folder, new Watcher() {});
    }

    private void picture(Path file) throws IOException {
        Files.createDirectories(file.getParent());
        ImageIO.write(new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB), "png", file.toFile());
    }

    /// A picture of Pascal VOC for each thing.
    private void voc(String part, String... things) throws IOException {
        for (var thing : things) {
            picture(folder.resolve(part + "/JPEGImages/" + thing + ".png"));
            var xml = folder.resolve(part + "/Annotations/" + thing + ".xml");
            Files.createDirectories(xml.getParent());
            Files.writeString(
                    xml,
                    """
                    <annotation><filename>%1$s.png</filename><object><name>%1$s</name><bndbox>
                    <xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>
                    </bndbox></object></annotation>
                    """
                            .formatted(thing));
        }
    }

    /// VOC names no classes but those that there are.
    @Test
    void whatIsHeldOutMayLackClassesAndHasNoOthers() throws IOException {
        voc("train", "cat", "dog", "emu");
        voc("validation", "dog");
        voc("test", "cat", "emu");
        var read = boxed("train", "validation", "test");
        assertThat(read.classes()).containsExactly("cat", "dog", "emu");
        assertThat(read.records().validation()).hasSize(1);
        voc("other", "dog", "fox");
        assertThatThrownBy(() -> boxed("train", "validation", "other"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("fox.png: the label 'fox' is none of those")
                .hasMessageContaining("[cat, dog, emu]");
    }

    /// One file describes all parts of YOLO's data, and is read for each of them.
    @Test
    void aDescriptionIsReadForEachPart() throws IOException {
        for (var picture : new String[] {"train/a", "train/b", "val/c", "test/d"}) {
            picture(folder.resolve("images/" + picture + ".png"));
            var labels = folder.resolve("labels/" + picture + ".txt");
            Files.createDirectories(labels.getParent());
            Files.writeString(labels, "0 0.5 0.5 0.5 0.5\n");
        }
        var parts = "train: images/train\nval: images/val\n";
        var yaml = folder.resolve("data.yaml");
        Files.writeString(yaml, "names: [cat]\n" + parts + "test: images/test\n");
        var records = boxed("data.yaml", "data.yaml", "data.yaml").records();
        assertThat(records.train()).hasSize(2);
        assertThat(records.validation()).singleElement().asString().contains("c.png");
        assertThat(records.test()).singleElement().asString().contains("d.png");
        Files.writeString(yaml, "names: [cat]\n" + parts);
        assertThatThrownBy(() -> boxed("data.yaml", "data.yaml", "data.yaml"))
                .isInstanceOf(EspalierException.class)
                .hasMessageContaining("data.yaml: `test` is missing");
    }
}
