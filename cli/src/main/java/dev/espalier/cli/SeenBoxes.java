package dev.espalier.cli;

import dev.espalier.data.Picture;
import dev.espalier.image.Detection;
import dev.espalier.image.Drawing;
import dev.espalier.image.ShownImage;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.task.ObjectDetector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// What a detector sees in pictures: printed, drawn, and gathered in COCO's form.
final class SeenBoxes {
    private final List<String> labels;
    private final double score;
    private final @Nullable Path drawn;
    private final List<Map<String, Object>> images = new ArrayList<>();
    private final List<Map<String, Object>> annotations = new ArrayList<>();

    SeenBoxes(List<String> labels, double score, @Nullable Path drawn) {
        this.labels = labels;
        this.score = score;
        this.drawn = drawn;
    }

    void print(Console console, ObjectDetector detector, List<String> names) {
        var files = names.stream().map(name -> Given.file(Path.of(name))).toList();
        var seen =
                detector.detect(
                        files.stream().map(file -> (Picture) new Picture.InFile(file)).toList());
        for (var i = 0; i < files.size(); i++) {
            var told = seen.get(i).stream().filter(d -> d.score() >= score).toList();
            print(console, files.get(i), told);
            add(files.get(i), told);
            if (drawn != null) {
                draw(drawn, files.get(i), told);
            }
        }
    }

    private static void print(Console console, Path file, List<Detection> told) {
        var json = new LinkedHashMap<String, Object>();
        json.put("file", file.toString());
        json.put(
                "boxes",
                told.stream()
                        .map(d -> {
                            var box = new LinkedHashMap<String, Object>();
                            box.put("label", d.label());
                            box.put("score", d.score());
                            box.put("bbox", bbox(d));
                            return box;
                        })
                        .toList());
        var text =
                told.stream()
                        .map(d ->
                                String.format(
                                        Locale.ROOT,
                                        "%s\t%.3f\t%.1f %.1f %.1f %.1f\t%s",
                                        d.label(),
                                        d.score(),
                                        d.box().left(),
                                        d.box().top(),
                                        d.box().width(),
                                        d.box().height(),
                                        file))
                        .collect(Collectors.joining("\n"));
        console.result(text.isEmpty() ? "(none)\t\t\t" + file : text, json);
    }

    private static List<Double> bbox(Detection seen) {
        var box = seen.box();
        return List.of(box.left(), box.top(), box.width(), box.height());
    }

    private void add(Path file, List<Detection> told) {
        var image = new LinkedHashMap<String, Object>();
        image.put("id", images.size() + 1);
        image.put("file_name", file.toString());
        images.add(image);
        for (var seen : told) {
            var annotation = new LinkedHashMap<String, Object>();
            annotation.put("id", annotations.size() + 1);
            annotation.put("image_id", images.size());
            annotation.put("category_id", labels.indexOf(seen.label()) + 1);
            annotation.put("bbox", bbox(seen));
            annotation.put("area", seen.box().area());
            annotation.put("iscrowd", 0);
            annotation.put("score", seen.score());
            annotations.add(annotation);
        }
    }

    private void draw(Path folder, Path file, List<Detection> told) {
        var image = new Picture.InFile(file).image();
        var name = "%04d-%s.png".formatted(images.size(), file.getFileName());
        var png =
                Drawing.png(new ShownImage(image, ShownImage.seen(told, labels, score), null, ""));
        AtomicFiles.write(folder.resolve(name), to -> Files.write(to, png));
    }

    void writeCoco(Path file) {
        var categories = new ArrayList<Map<String, Object>>();
        for (var label : labels) {
            categories.add(Map.of("id", categories.size() + 1, "name", label));
        }
        var json = new LinkedHashMap<String, Object>();
        json.put("images", images);
        json.put("annotations", annotations);
        json.put("categories", categories);
        AtomicFiles.write(file, Json.pretty(json));
    }
}
