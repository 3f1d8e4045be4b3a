package dev.espalier.cli;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.ImageReader;
import dev.espalier.data.Picture;
import dev.espalier.image.Box;
import dev.espalier.image.Decoder;
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
    /// Pictures that are told together, and lie in memory at once.
    private static final int TOGETHER = 32;

    /// Their pixels at most, unless one alone has more.
    private static final long PIXELS_TOGETHER = 1L << 24;

    private static final double SCORE = 0.5;

    @Option(
            names = "--score",
            paramLabel = "P",
            description =
                    "From what score on a thing in a picture is told. Default: " + SCORE + ".")
    private @Nullable Double score;

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
                    "Where the boxes, masks, captions or labels of all pictures go, as COCO has them. Pictures are"
                            + " numbered from 1 in their order and named from FILE's folder where they lie in it, and categories in the model's, whatever numbers"
                            + " the data had that it learnt from.")
    private @Nullable Path coco;

    private final List<Map<String, Object>> images = new ArrayList<>();
    private final List<Map<String, Object>> annotations = new ArrayList<>();
    private int told;
    private int setAside;
    private String firstSetAside = "";

    /// What a model tells of a picture.
    ///
    /// @param lines for a person, but for the file
    /// @param json beside the file's name
    /// @param shown with it drawn in
    /// @param annotations as COCO has them, but for their numbers
    private record Answer(
            List<String> lines,
            Map<String, Object> json,
            ShownImage shown,
            @Nullable Mask mask,
            List<Map<String, Object>> annotations) {}

    /// A model that tells what it sees.
    private interface Teller extends AutoCloseable {
        List<Answer> tell(List<Picture> pictures);

        /// COCO's categories, by their numbers.
        Map<Integer, String> categories();

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

    private Teller open(Path model) {
        if (HuggingFace.isDetector(model)) {
            return new Boxes(ObjectDetector.load(model), score == null ? SCORE : score);
        }
        if (HuggingFace.isSegmenter(model)) {
            return new Masks(PictureSegmenter.load(model));
        }
        return HuggingFace.isCaptioner(model)
                ? new Captions(PictureCaptioner.load(model))
                : new Labels(PictureClassifier.load(model));
    }

    /// Refuses what is asked of pictures where the model tells texts.
    void refuse() {
        refuse("--score", score, "it tells texts");
        refuse("--draw", drawn, "it tells texts");
        refuse("--masks", masks, "it tells texts");
        refuse("--coco", coco, "it tells texts");
    }

    private static void refuse(String option, @Nullable Object asked, String why) {
        if (asked != null) {
            throw EspalierException.usage("%s: not for this model: %s".formatted(option, why));
        }
    }

    /// Tells the pictures that are named by arguments, or by the lines of a file.
    ///
    /// @throws EspalierException (DATA) if none can be read
    void tell(Console console, Path model, List<String> names, TextLines lines) {
        names.forEach(name -> Given.file(Path.of(name)));
        try (var teller = open(model)) {
            if (!(teller instanceof Masks)) {
                refuse("--masks", masks, "it tells no classes of pixels");
            }
            if (!(teller instanceof Boxes)) {
                refuse("--score", score, "it tells no things with scores");
            }
            lines.forEach(
                    names,
                    TOGETHER,
                    (first, chunk) -> groups(chunk).forEach(group -> tell(console, teller, group)));
            if (coco != null && told > 0) {
                writeCoco(coco, teller.categories());
            }
        }
        if (setAside > 0) {
            var message =
                    "%d of %d pictures cannot be told and were set aside"
                            .formatted(setAside, setAside + told);
            if (told == 0) {
                throw EspalierException.data(message + ", the first: " + firstSetAside);
            }
            console.note(message);
        }
    }

    /// How long reading and telling these pictures takes once some have been told.
    ///
    /// @throws EspalierException (DATA) if one cannot be read
    static double seconds(Path model, List<String> names) {
        try (var teller = new SeenPictures().open(model)) {
            teller.tell(readable(names.subList(0, Math.min(8, names.size()))));
            var start = System.nanoTime();
            groups(names).forEach(group -> teller.tell(readable(group)));
            return (System.nanoTime() - start) / 1e9;
        }
    }

    private static List<Picture> readable(List<String> names) {
        return names.parallelStream()
                .map(name ->
                        switch (read(name)) {
                            case Read read -> read.picture();
                            case Broken(var reason) -> throw EspalierException.data(reason);
                        })
                .toList();
    }

    /// `names` in parts that are told together.
    static List<List<String>> groups(List<String> names) {
        return ImageReader.groups(names, TOGETHER, PIXELS_TOGETHER, SeenPictures::pixels);
    }

    private static long pixels(String name) {
        try {
            return ImageReader.pixels(Path.of(name));
        } catch (InvalidPathException e) {
            // Reading will say so.
            return 0;
        }
    }

    private void tell(Console console, Teller teller, List<String> names) {
        var all = names.parallelStream().map(SeenPictures::read).toList();
        var pictures =
                all.stream()
                        .filter(Read.class::isInstance)
                        .map(each -> ((Read) each).picture())
                        .toList();
        List<Answer> answers;
        try {
            answers = pictures.isEmpty() ? List.of() : teller.tell(pictures);
        } catch (EspalierException e) {
            // One is too much for the model; the others need not suffer for it.
            if (names.size() > 1) {
                names.forEach(name -> tell(console, teller, List.of(name)));
            } else {
                var name = names.getFirst();
                var message = String.valueOf(e.getMessage());
                setAside(
                        console,
                        name,
                        message.startsWith(name + ": ") ? message : name + ": " + message);
            }
            return;
        }
        var next = 0;
        for (var i = 0; i < names.size(); i++) {
            switch (all.get(i)) {
                case Broken(var reason) -> setAside(console, names.get(i), reason);
                case Read read -> {
                    if (read.animated()) {
                        console.note(
                                names.get(i)
                                        + ": an animation, of which the first picture is told");
                    }
                    take(console, names.get(i), answers.get(next++));
                }
            }
        }
    }

    private void setAside(Console console, String name, String reason) {
        if (setAside++ == 0) {
            firstSetAside = reason;
        }
        console.note(reason);
        if (console.json()) {
            var json = new LinkedHashMap<String, Object>();
            json.put("file", name);
            json.put("error", reason);
            console.result("", json);
        }
    }

    /// What a file was found to be.
    private sealed interface Found {}

    private record Read(Picture picture, boolean animated) implements Found {}

    private record Broken(String reason) implements Found {}

    private static Found read(String name) {
        try {
            var decoded = Decoder.read(Path.of(name));
            return new Read(new Picture.Held(decoded.image(), name), decoded.animated());
        } catch (EspalierException e) {
            return new Broken(String.valueOf(e.getMessage()));
        } catch (InvalidPathException e) {
            return new Broken(name + ": is no path");
        }
    }

    private void take(Console console, String name, Answer answer) {
        told++;
        if (coco != null) {
            gather(coco, name, answer);
        }
        var json = new LinkedHashMap<String, Object>();
        json.put("file", name);
        json.putAll(answer.json());
        // Pictures of one name may come from several folders.
        var png = "%04d-%s.png".formatted(told, Path.of(name).getFileName());
        if (drawn != null) {
            write(drawn.resolve(png), Drawing.whole(answer.shown()));
        }
        if (masks != null && answer.mask() != null) {
            write(masks.resolve(png), Drawing.palette(answer.mask()));
            json.put("mask", masks.resolve(png).toString());
        }
        console.result(
                answer.lines().stream()
                        .map(line -> line + "\t" + Predict.inOneLine(name))
                        .collect(Collectors.joining("\n")),
                json);
    }

    /// For COCO's form, which is written in one go.
    private void gather(Path file, String name, Answer answer) {
        var image = new LinkedHashMap<String, Object>();
        image.put("id", told);
        image.put("file_name", named(file, name));
        image.put("width", answer.shown().image().width());
        image.put("height", answer.shown().image().height());
        images.add(image);
        for (var each : answer.annotations()) {
            var annotation = new LinkedHashMap<String, Object>();
            annotation.put("id", annotations.size() + 1);
            annotation.put("image_id", told);
            annotation.putAll(each);
            annotations.add(annotation);
        }
    }

    /// From the folder of `file` where the picture lies in it, since that is how it can be read
    /// again.
    private static String named(Path file, String name) {
        var folder = file.toAbsolutePath().normalize().getParent();
        var picture = Path.of(name).toAbsolutePath().normalize();
        return folder != null && picture.startsWith(folder)
                ? folder.relativize(picture).toString()
                : name;
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

    /// From 1 on, as COCO counts.
    private static Map<Integer, String> numbered(List<String> labels) {
        var names = new LinkedHashMap<Integer, String>();
        labels.forEach(label -> names.put(names.size() + 1, label));
        return names;
    }

    private static List<Double> bbox(Box box) {
        return List.of(box.left(), box.top(), box.width(), box.height());
    }

    private record Labels(PictureClassifier classifier) implements Teller {
        @Override
        public List<Answer> tell(List<Picture> pictures) {
            var predictions = classifier.predict(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i -> told(pictures.get(i).image(), predictions.get(i)))
                    .toList();
        }

        private Answer told(Image image, PictureClassifier.Prediction prediction) {
            var labels =
                    prediction.labels().stream()
                            .map(label ->
                                    line("%s\t%.3f", label, prediction.probabilities().get(label)))
                            .collect(Collectors.joining("\t"));
            var json = new LinkedHashMap<String, Object>();
            json.put("labels", prediction.labels());
            json.put("probabilities", prediction.probabilities());
            return new Answer(
                    List.of(labels.isEmpty() ? "(none)" : labels),
                    json,
                    new ShownImage(image, labels.replace('\t', ' ')),
                    null,
                    prediction.labels().stream()
                            .map(label -> annotation(label, prediction.probabilities()))
                            .toList());
        }

        private Map<String, Object> annotation(String label, Map<String, Double> probabilities) {
            var annotation = new LinkedHashMap<String, Object>();
            annotation.put("category_id", classifier.problem().labels().indexOf(label) + 1);
            annotation.put("score", probabilities.get(label));
            return annotation;
        }

        @Override
        public Map<Integer, String> categories() {
            return numbered(classifier.problem().labels());
        }

        @Override
        public void close() {
            classifier.close();
        }
    }

    private record Captions(PictureCaptioner captioner) implements Teller {
        @Override
        public List<Answer> tell(List<Picture> pictures) {
            var captions = captioner.caption(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i ->
                            new Answer(
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
    private record Boxes(ObjectDetector detector, double score) implements Teller {
        @Override
        public List<Answer> tell(List<Picture> pictures) {
            var seen = detector.detect(pictures);
            return IntStream.range(0, pictures.size())
                    .mapToObj(i ->
                            told(
                                    pictures.get(i).image(),
                                    seen.get(i).stream().filter(d -> d.score() >= score).toList()))
                    .toList();
        }

        private Answer told(Image image, List<Detection> seen) {
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
            return new Answer(
                    lines.isEmpty() ? List.of("(none)\t\t") : lines,
                    Map.of("boxes", boxes),
                    new ShownImage(
                            image, ShownImage.seen(seen, detector.labels(), score), null, ""),
                    null,
                    annotations);
        }

        @Override
        public Map<Integer, String> categories() {
            return numbered(detector.labels());
        }

        @Override
        public void close() {
            detector.close();
        }
    }

    /// A first class that is the background has no annotation in COCO.
    private record Masks(PictureSegmenter segmenter) implements Teller {
        @Override
        public List<Answer> tell(List<Picture> pictures) {
            return pictures.stream().map(this::told).toList();
        }

        private Answer told(Picture picture) {
            var mask = segmenter.mask(picture);
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
                if (c >= first()) {
                    var annotation = new LinkedHashMap<String, Object>();
                    annotation.put("category_id", c + 1 - first());
                    annotation.put("segmentation", packed);
                    annotation.put("bbox", bbox(runs.box()));
                    annotation.put("area", runs.area());
                    annotation.put("iscrowd", 1);
                    annotations.add(annotation);
                }
            }
            return new Answer(
                    lines,
                    Map.of("classes", classes),
                    new ShownImage(picture.image(), List.of(), drawn(mask), ""),
                    mask,
                    annotations);
        }

        /// Drawings leave class 0 out, which has a colour where it is a class like the others.
        private ShownImage.Areas drawn(Mask mask) {
            var classes = mask.classes().clone();
            for (var i = 0; i < classes.length; i++) {
                classes[i] += (byte) (1 - first());
            }
            return new ShownImage.Areas(
                    new Mask(mask.width(), mask.height(), classes), segmenter.classes().names());
        }

        @Override
        public Map<Integer, String> categories() {
            var names = new LinkedHashMap<Integer, String>();
            for (var c = first(); c < segmenter.labels().size(); c++) {
                names.put(c + 1 - first(), segmenter.labels().get(c));
            }
            return names;
        }

        private int first() {
            return segmenter.hasBackground() ? 1 : 0;
        }

        @Override
        public void close() {
            segmenter.close();
        }
    }
}
