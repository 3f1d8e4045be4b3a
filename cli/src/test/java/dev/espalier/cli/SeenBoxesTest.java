package dev.espalier.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.image.Preprocessor;
import dev.espalier.io.Json;
import dev.espalier.model.VitConfig;
import dev.espalier.model.Yolos;
import dev.espalier.model.YolosConfig;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

class SeenBoxesTest {
    @TempDir Path folder;

    @Test
    void boxesArePrintedDrawnAndWrittenAsCocoHasThem() throws IOException {
        var model = Files.createDirectories(folder.resolve("model"));
        var config = YolosConfig.of(VitConfig.of(16, 8, 8, 1, 2, 0), 3);
        var yolos = new Yolos(config, List.of("cat", "dog")).initialize(1);
        HuggingFace.write(model, yolos, JsonNodeFactory.instance.objectNode());
        Preprocessor.vit(16, 16).write(model);
        var picture = folder.resolve("one.png");
        ImageIO.write(
                new BufferedImage(40, 20, BufferedImage.TYPE_INT_RGB), "png", picture.toFile());
        var out = new ByteArrayOutputStream();
        var drawn = folder.resolve("drawn");
        var coco = folder.resolve("coco.json");
        var stop = new Stop();
        try {
            var code =
                    new Main(
                                    new PrintStream(out, true, StandardCharsets.UTF_8),
                                    System.err,
                                    false,
                                    false)
                            .run(
                                    stop,
                                    List.of(
                                            "predict",
                                            model.toString(),
                                            picture.toString(),
                                            "--score",
                                            "0",
                                            "--draw",
                                            drawn.toString(),
                                            "--coco",
                                            coco.toString()));
            assertThat(code).isZero();
        } finally {
            stop.finished();
        }
        assertThat(out.toString(StandardCharsets.UTF_8).lines())
                .hasSize(3)
                .allMatch(line ->
                        line.matches("(cat|dog)\\t0\\.\\d{3}\\t\\S+ \\S+ \\S+ \\S+\\t" + picture));
        assertThat(drawn.resolve("0001-one.png.png")).isNotEmptyFile();
        var json = Json.read(coco);
        assertThat(json.path("images").size()).isEqualTo(1);
        assertThat(json.path("categories").path(1).path("name").asString()).isEqualTo("dog");
        assertThat(json.path("annotations").size()).isEqualTo(3);
        for (var annotation : json.path("annotations")) {
            assertThat(annotation.path("image_id").asInt()).isEqualTo(1);
            // In the picture's own pixels.
            assertThat(annotation.path("bbox").path(2).asDouble()).isBetween(0.0, 40.0);
            assertThat(annotation.path("area").asDouble()).isBetween(0.0, 800.0);
        }
    }
}
