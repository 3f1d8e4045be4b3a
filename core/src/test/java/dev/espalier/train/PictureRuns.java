package dev.espalier.train;

import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Model;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntBinaryOperator;
import javax.imageio.ImageIO;
import tools.jackson.databind.node.JsonNodeFactory;

/// What tests of whole runs on pictures share.
final class PictureRuns {
    private PictureRuns() {}

    /// Writes a PNG.
    ///
    /// @param colour as 0xRRGGBB, of x and y, asked for row by row
    static void write(Path file, int width, int height, IntBinaryOperator colour)
            throws IOException {
        var picture = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        for (var y = 0; y < height; y++) {
            for (var x = 0; x < width; x++) {
                picture.setRGB(x, y, colour.applyAsInt(x, y));
            }
        }
        Files.createDirectories(file.getParent());
        ImageIO.write(picture, "png", file.toFile());
    }

    /// Leaves a model and how it reads pictures in `folder`, as a run does.
    static Path saved(Path folder, Model model, Preprocessor preprocessor) throws IOException {
        Files.createDirectories(folder);
        HuggingFace.write(folder, model, JsonNodeFactory.instance.objectNode());
        preprocessor.write(folder);
        return folder;
    }

    /// A figure of the test pictures.
    static double value(List<Score> scores, String metric) {
        return scores.stream()
                .filter(s -> s.data().equals("test") && s.metric().equals(metric))
                .findFirst()
                .orElseThrow(() -> new AssertionError(metric + " is not in " + scores))
                .value();
    }
}
