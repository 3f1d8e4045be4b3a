package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.Picture;
import dev.espalier.image.Box;
import dev.espalier.image.Detection;
import dev.espalier.image.Drawing;
import dev.espalier.image.Image;
import dev.espalier.image.Mask;
import dev.espalier.image.RunLengths;
import dev.espalier.image.ShownImage;
import dev.espalier.io.AtomicFiles;
import dev.espalier.io.Json;
import dev.espalier.task.ObjectDetector;
import dev.espalier.task.PictureCaptioner;
import dev.espalier.task.PictureClassifier;
import dev.espalier.task.PictureSegmenter;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// What a model sees in pictures: printed, drawn, written as masks, and gathered in COCO's form. A
/// picture that cannot be read is told of and set aside. A `@Mixin`.
final class SeenPictures {
    /// Pictures that are told together.
    static final int TOGETHER = 32;

    @Option(
            names = "--score",
            paramLabel = "P",
            defaultValue = "0.5",
            description =
                    "From what score on a thing in a picture is told. Default: ${DEFAULT-VALUE}.")
    private double score;

    @Option(
            names = "--draw",
            paramLabel = "DIR",
            description = "Where the pictures go with what was told drawn in, as PNG.")
    private @Nullable Path drawn;

    @Option(
            names = "--masks",
            paramLabel = "DIR",
            description =
                    "Where the classes of pictures' pixels go: PNG with a palette, whose pixels hold the classes'"
                            + " numbers.")
    private @Nullable Path masks;

    @Option(
            names = "--coco",
            paramLabel = "FILE",
            description =
                    "Where the boxes, masks or captions of all pictures go, as COCO has them.")
    private @Nullable Path coco;

    private final List<Map<String, Object>> images = new ArrayList<>();
    private final List<Map<String, Object>> annotations = new ArrayList<>();
    private int setAside;

    /// What a model tells of a picture.
    ///
    /// @param lines for a person, but for the file
    /// @param json beside the file's name
    /// @param shown with it drawn in
    /// @param annotations as COCO has them, but for their numbers
    private record Told(
            List<String> lines,
            Map<String, Object> json,
            ShownImage shown,
            @Nullable Mask mask,
            List<Map<String, Object>> annotations) {}

    /// A model that sees.
    private interface Sight extends AutoCloseable {
        List<Told> tell(List<Picture> pictures);

        /// COCO's categories, by their numbers; null where the model tells nothing that COCO has.
        @Nullable Map<Integer, String> categories();

        @Override
        void close();
    }

    /// Whether the model in `folder` tells pictures.
    static boolean tells(Path folder) {
        return HuggingFace.isDetector(folder)
                || HuggingFace.isSegmenter(folder)
                || HuggingFace.isPictureClassifier(folder)
                || HuggingFace.isCaptioner(folder);
    }

    private Sight open(Path model) {
        if (HuggingFace.isDetector(model)) {
            return new Boxes(ObjectDetector.load(model), score);
        }
        if (HuggingFace.isSegmenter(model)) {
            return new Masks(PictureSegmenter.load(model));
        }
        return HuggingFace.isCaptioner(model)
                ? new Captions(PictureCaptioner.load(model))
                : new Labels(PictureClassifier.load(model));
    }

    /// Tells the pictures that are named by arguments, or by the lines of a file.
    ///
    /// @throws EspalierException (DATA) if none can be read
    void tell(Console console, Path model, List<String> names, TextLines lines) {
        names.forEach(name -> Given.file(Path.of(name)));
        try (var sight = open(model)) {
            var categories = sight.categories();
            if (coco != null && categories == null) {
                throw EspalierException.usage(
                        "--coco: this model tells labels of whole pictures; COCO's predictions are boxes, masks"
                                + " and captions");
            }
            if (masks != null && !(sight instanceof Masks)) {
                throw EspalierException.usage("--masks: this model tells no classes of pixels");
            }
            lines.forEach(names, TOGETHER, (first, chunk) -> tell(console, sight, chunk));
            if (coco != null && categories != null && !images.isEmpty()) {
                writeCoco(coco, categories);
            }
        }
        if (setAside > 0) {
            var message =
                    "%d of %d pictures cannot be read and were set aside"
                            .formatted(setAside, setAside + images.size());
            if (images.isEmpty()) {
                throw EspalierException.data(message);
            }
            console.note(message);
        }
    }

    /// How long reading and telling these pictures takes once some have been told.
    ///
    /// @throws EspalierException (DATA) if one cannot be read
    static double seconds(Path model, List<String> names) {
        try (var sight = new SeenPictures().open(model)) {
            sight.tell(readable(names.subList(0, Math.min(8, names.size()))));
            var start = System.nanoTime();
            for (var i = 0; i < names.size(); i += TOGETHER) {
                sight.tell(readable(names.subList(i, Math.min(names.size(), i + TOGETHER))));
            }
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private static List<Picture> readable(List<String> names) {
        return names.parallelStream()
                .map(name ->
                        switch (read(name)) {
                            case Picture picture -> picture;
                            case Object reason -> throw EspalierException.data(reason.toString());
                        })
                .toList();
    }

    private void tell(Console console, Sight sight, List<String> names) {
        var pictures = names.parallelStream().map(SeenPictures::read).toList();
        var readable =
                pictures.stream()
                        .filter(Picture.class::isInstance)
                        .map(Picture.class::cast)
                        .toList();
        var told = readable.isEmpty() ? List.<Told>of() : sight.tell(readable);
        var next = 0;
        for (var i = 0; i < names.size(); i++) {
            var json = new LinkedHashMap<String, Object>();
            json.put("file", names.get(i));
            if (pictures.get(i) instanceof String reason) {
                setAside++;
                json.put("error", reason);
                console.note(reason);
                if (console.json()) {
                    console.result("", json);
                }
                continue;
            }
            take(console, names.get(i), told.get(next++), json);
        }
    }

    /// The picture, or why there is none.
    private static Object read(String name) {
        try {
            var file = Path.of(name);
            return new Picture.Held(new Picture.InFile(file).image(), name);
        } catch (EspalierException e) {
            return String.valueOf(e.getMessage());
        } catch (InvalidPathException e) {
            return name + ": is no path";
        }
    }

    private void take(Console console, String name, Told told, Map<String, Object> json) {
        var image = new LinkedHashMap<String, Object>();
        image.put("id", images.size() + 1);
        image.put("file_name", name);
        image.put("width", told.shown().image().width());
        image.put("height", told.shown().image().height());
        images.add(image);
        for (var each : told.annotations()) {
            var annotation = new LinkedHashMap<String, Object>();
            annotation.put("id", annotations.size() + 1);
            annotation.put("image_id", images.size());
            annotation.putAll(each);
            annotations.add(annotation);
        }
        json.putAll(told.json());
        // Pictures of one name may come from several folders.
        var png = "%04d-%s.png".formatted(images.size(), Path.of(name).getFileName());
        if (drawn != null) {
            // What is told of the whole picture stands below it.
            write(
                    drawn.resolve(png),
                    told.shown().caption().isEmpty()
                            ? Drawing.png(told.shown())
                            : Drawing.sheet(List.of(told.shown()), 1));
        }
        if (masks != null && told.mask() != null) {
            write(masks.resolve(png), Drawing.palette(told.mask()));
            json.put("mask", masks.resolve(png).toString());
        }
        console.result(
                told.lines().stream()
                        .map(line -> line + "\t" + Predict.inOneLine(name))
                        .collect(Collectors.joining("\n")),
                json);
    }

    private static void write(Path file, byte[] bytes) {
        AtomicFiles.write(file, to -> Files.write(to, bytes));
    }

    private void writeCoco(Path file, Map<Integer, String> names) {
        var categories = new ArrayList<Map<String, Object>>();
        names.forEach((id, name) -> {
            var category = new LinkedHashMap<String, Object>();
            category.put("id", id);
            category.put("name", name);
            categories.add(category);
        });
        var json = new LinkedHashMap<String, Object>();
        json.put("images", images);
        json.put("annotations", annotations);
        json.put("categories", categories);
        AtomicFiles.write(file, Json.pretty(json));
    }

    private static String line(String format, @Nullable Object... values) {
        return String.format(Locale.ROOT, format, values);
    }

    private static List<Double> bbox(Box box) {
        return List.of(box.left(), box.top(), box.width(), box.height());
    }

    private record Labels(PictureClassifier classifier) implements Sight {
        @Override
        public List<Told> tell(List<Picture> pictures) {
            var predictions = classifier.predict(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i -> told(pictures.get(i).image(), predictions.get(i)))
                    .toList();
        }

        private static Told told(Image image, PictureClassifier.Prediction prediction) {
            var labels =
                    prediction.labels().stream()
                            .map(label ->
                                    line("%s\t%.3f", label, prediction.probabilities().get(label)))
                            .collect(Collectors.joining("\t"));
            var json = new LinkedHashMap<String, Object>();
            json.put("labels", prediction.labels());
            json.put("probabilities", prediction.probabilities());
            return new Told(
                    List.of(labels.isEmpty() ? "(none)" : labels),
                    json,
                    new ShownImage(image, labels.replace('\t', ' ')),
                    null,
                    List.of());
        }

        @Override
        public @Nullable Map<Integer, String> categories() {
            return null;
        }

        @Override
        public void close() {
            classifier.close();
        }
    }

    private record Captions(PictureCaptioner captioner) implements Sight {
        @Override
        public List<Told> tell(List<Picture> pictures) {
            var captions = captioner.caption(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i ->
                            new Told(
                                    List.of(Predict.inOneLine(captions.get(i))),
                                    Map.of("caption", captions.get(i)),
                                    new ShownImage(pictures.get(i).image(), captions.get(i)),
                                    null,
                                    List.of(Map.of("caption", captions.get(i)))))
                    .toList();
        }

        @Override
        public Map<Integer, String> categories() {
            return Map.of();
        }

        @Override
        public void close() {
            captioner.close();
        }
    }

    /// @param score from which on a thing is told
    private record Boxes(ObjectDetector detector, double score) implements Sight {
        @Override
        public List<Told> tell(List<Picture> pictures) {
            var seen = detector.detect(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i ->
                            told(
                                    pictures.get(i).image(),
                                    seen.get(i).stream().filter(d -> d.score() >= score).toList()))
                    .toList();
        }

        private Told told(Image image, List<Detection> seen) {
            var lines = new ArrayList<String>();
            var boxes = new ArrayList<Map<String, Object>>();
            var annotations = new ArrayList<Map<String, Object>>();
            for (var each : seen) {
                var box = each.box();
                lines.add(
                        line(
                                "%s\t%.3f\t%.1f %.1f %.1f %.1f",
                                each.label(),
                                each.score(),
                                box.left(),
                                box.top(),
                                box.width(),
                                box.height()));
                var json = new LinkedHashMap<String, Object>();
                json.put("label", each.label());
                json.put("score", each.score());
                json.put("bbox", bbox(box));
                boxes.add(json);
                var annotation = new LinkedHashMap<String, Object>();
                annotation.put("category_id", detector.labels().indexOf(each.label()) + 1);
                annotation.put("bbox", bbox(box));
                annotation.put("area", box.area());
                annotation.put("iscrowd", 0);
                annotation.put("score", each.score());
                annotations.add(annotation);
            }
            return new Told(
                    lines.isEmpty() ? List.of("(none)\t\t") : lines,
                    Map.of("boxes", boxes),
                    new ShownImage(
                            image, ShownImage.seen(seen, detector.labels(), score), null, ""),
                    null,
                    annotations);
        }

        @Override
        public Map<Integer, String> categories() {
            var names = new LinkedHashMap<Integer, String>();
            detector.labels().forEach(label -> names.put(names.size() + 1, label));
            return names;
        }

        @Override
        public void close() {
            detector.close();
        }
    }

    /// The first class is the background, of which COCO has no annotation.
    private record Masks(PictureSegmenter segmenter) implements Sight {
        @Override
        public List<Told> tell(List<Picture> pictures) {
            return pictures.stream().map(p -> told(p.image())).toList();
        }

        private Told told(Image image) {
            var mask = segmenter.segment(image).mask();
            var lines = new ArrayList<String>();
            var classes = new ArrayList<Map<String, Object>>();
            var annotations = new ArrayList<Map<String, Object>>();
            for (var c = 0; c < segmenter.labels().size(); c++) {
                var runs = RunLengths.of(mask, c);
                if (runs.area() == 0) {
                    continue;
                }
                var share = (double) runs.area() / mask.classes().length;
                lines.add(line("%s\t%.3f", segmenter.labels().get(c), share));
                var packed = new LinkedHashMap<String, Object>();
                packed.put("size", List.of(mask.height(), mask.width()));
                packed.put("counts", runs.counts());
                var json = new LinkedHashMap<String, Object>();
                json.put("label", segmenter.labels().get(c));
                json.put("share", share);
                json.put("segmentation", packed);
                classes.add(json);
                if (c > 0) {
                    var annotation = new LinkedHashMap<String, Object>();
                    annotation.put("category_id", c);
                    annotation.put("segmentation", packed);
                    annotation.put("bbox", bbox(runs.box()));
                    annotation.put("area", runs.area());
                    annotation.put("iscrowd", 1);
                    annotations.add(annotation);
                }
            }
            return new Told(
                    lines,
                    Map.of("classes", classes),
                    new ShownImage(image, List.of(), mask, ""),
                    mask,
                    annotations);
        }

        @Override
        public Map<Integer, String> categories() {
            var names = new LinkedHashMap<Integer, String>();
            for (var c = 1; c < segmenter.labels().size(); c++) {
                names.put(c, segmenter.labels().get(c));
            }
            return names;
        }

        @Override
        public void close() {
            segmenter.close();
        }
    }
}
