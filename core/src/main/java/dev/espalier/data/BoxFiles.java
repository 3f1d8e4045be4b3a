package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.image.Box;
import dev.espalier.image.Decoder;
import dev.espalier.image.Region;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/// Reads boxes that stand in a file for each picture: YOLO's text and Pascal VOC's XML.
final class BoxFiles {
    /// A file of labels is short.
    private static final long MOST_BYTES = 16 << 20;

    private BoxFiles() {}

    /// YOLO: for `images/a/b.jpg` the lines `class x y width height` of `labels/a/b.txt`, in shares
    /// of the picture, x and y being the box's middle, or of a file beside it; more numbers are an
    /// outline. A picture without a file has nothing in it, which is counted.
    ///
    /// @param place of a folder, a list of pictures (`.txt`), or a description (`.yaml`), which
    ///   names those of each part, in the folder that is its `path` unless another one is given;
    ///   the names of classes stand there, or in `data.yaml`, `classes.txt` or `obj.names` in the
    ///   folder or above
    static ImageData yolo(ImageData.Place place, Ledger ledger) {
        var data = place.data();
        var file = data.toString();
        var described = file.endsWith(".yaml") || file.endsWith(".yml");
        var folder = Files.isDirectory(data) ? data : parent(data);
        var names = described ? yamlNames(data, yaml(data)) : names(data, folder);
        var pictures = new ArrayList<Path>();
        if (described) {
            var yaml = yaml(data);
            var given = place.pictures();
            var base = given == null && yaml.containsKey("path") ? yaml.get("path") + "/" : "";
            var root = given == null ? folder : given;
            for (var of : places(data, yaml, place.part())) {
                listed(inside(data, root, base, String.valueOf(of)), root, pictures, ledger);
            }
        } else {
            listed(data, folder, pictures, ledger);
        }
        var images = new ArrayList<LabelledImage>();
        for (var picture : pictures) {
            var size = ImageReader.size(picture, ledger);
            if (size != null) {
                images.add(of(picture, yoloRegions(picture, size, names, ledger)));
            }
        }
        return whole(data, images, names, ledger);
    }

    /// What a description names in `root`. Published ones often name folders of another machine;
    /// those of Roboflow name what lies beside them as if it lay beside their folder.
    private static Path inside(Path data, Path root, String base, String of) {
        var folder = root.toAbsolutePath().normalize();
        var name = base + of;
        var at = at(data, root, name);
        if (!at.startsWith(folder) || !Files.exists(at)) {
            var here = at(data, root, base + of.replaceFirst("^(\\.\\./)+", ""));
            if (here.startsWith(folder) && Files.exists(here)) {
                return here;
            }
            throw EspalierException.data(
                    "%s: names `%s`, %s; allowed: what lies there, or `pictures` with the folder that `path` stands for, in which the rest is looked up"
                            .formatted(
                                    data,
                                    name,
                                    Files.exists(at)
                                            ? "which lies outside of " + folder
                                            : "and there is no such file in " + folder));
        }
        return at;
    }

    private static Path at(Path data, Path root, String name) {
        try {
            return root.resolve(name).toAbsolutePath().normalize();
        } catch (InvalidPathException e) {
            throw EspalierException.data("%s: `%s` is no path".formatted(data, name), e);
        }
    }

    /// Where a description says that the pictures of a part lie.
    private static List<?> places(Path file, Map<?, ?> yaml, ImageData.Part part) {
        for (var key : part.keys()) {
            var places = yaml.get(key);
            if (places != null) {
                return places instanceof List<?> list ? list : List.of(places);
            }
        }
        throw EspalierException.data(
                "%s: `%s` is missing, where the pictures lie that are wanted here; it has the keys %s"
                        .formatted(file, String.join("` or `", part.keys()), yaml.keySet()));
    }

    /// Adds the pictures of a folder, of a list, or the picture itself.
    private static void listed(Path place, Path folder, List<Path> pictures, Ledger ledger) {
        if (Files.isDirectory(place)) {
            var images = place.resolve("images");
            var found = ImageReader.pictures(Files.isDirectory(images) ? images : place, ledger);
            countAlone(found, ledger);
            pictures.addAll(found);
        } else if (place.toString().endsWith(".txt")) {
            var lines = lines(place);
            for (var i = 0; i < lines.size(); i++) {
                // Darknet writes them from the folder above its own.
                var name = lines.get(i).strip().replaceFirst("^data/", "");
                if (!name.isEmpty()) {
                    var picture = ImageReader.inside(folder, name, place, i + 1, ledger);
                    if (picture != null) {
                        pictures.add(picture);
                    }
                }
            }
        } else {
            pictures.add(place);
        }
    }

    private static List<Region> yoloRegions(
            Path picture, Decoder.Size size, List<String> names, Ledger ledger) {
        var file = labels(picture);
        var regions = new ArrayList<Region>();
        if (!Files.isRegularFile(file)) {
            ledger.change("picture without a label file", 1);
            return regions;
        }
        var lines = lines(file);
        for (var i = 0; i < lines.size(); i++) {
            var line = lines.get(i).strip();
            if (line.isEmpty()) {
                continue;
            }
            var numbers = numbers(line);
            var number = numbers.length == 0 ? -1 : numbers[0];
            if (numbers.length < 5 || (numbers.length > 5 && numbers.length % 2 == 0)) {
                ledger.reject(
                        file,
                        i + 1,
                        "broken box",
                        "`" + line + "`; allowed: class x y width height, or class and points");
                continue;
            }
            if (number != Math.rint(number) || number < 0 || number >= names.size()) {
                ledger.reject(
                        file,
                        i + 1,
                        "unknown class",
                        "the class is `%s`; allowed: 0 to %d"
                                .formatted(line.split("\\s+", -1)[0], names.size() - 1));
                continue;
            }
            var box = numbers.length == 5 ? middle(numbers) : around(numbers, 1);
            var pixels = box.moved(size.width(), 0, size.height(), 0);
            add(regions, pixels, names.get((int) number), false, size, file, i + 1, ledger);
        }
        return regions;
    }

    private static Box middle(double[] n) {
        return new Box(n[1] - n[3] / 2, n[2] - n[4] / 2, n[1] + n[3] / 2, n[2] + n[4] / 2);
    }

    /// The box around points x, y, x, y and so on, the first of which stands at `from`.
    static Box around(double[] n, int from) {
        var box = new Box(n[from], n[from + 1], n[from], n[from + 1]);
        for (var i = from + 2; i + 1 < n.length; i += 2) {
            box =
                    new Box(
                            Math.min(box.left(), n[i]),
                            Math.min(box.top(), n[i + 1]),
                            Math.max(box.right(), n[i]),
                            Math.max(box.bottom(), n[i + 1]));
        }
        return box;
    }

    private static void add(
            List<Region> regions,
            Box box,
            String label,
            boolean difficult,
            Decoder.Size size,
            Path file,
            int line,
            Ledger ledger) {
        var clipped = ImageReader.clipped(box, size.width(), size.height(), ledger);
        if (clipped == null) {
            ledger.reject(
                    file,
                    line,
                    ImageReader.uselessness(box),
                    "the box of `%s` from (%s, %s) to (%s, %s) in a picture of %d x %d pixels"
                            .formatted(
                                    label,
                                    box.left(),
                                    box.top(),
                                    box.right(),
                                    box.bottom(),
                                    size.width(),
                                    size.height()));
        } else {
            regions.add(new Region(clipped, label, clipped.area(), false, difficult));
        }
    }

    /// The numbers of a line; none where one of its words is no finite number.
    private static double[] numbers(String line) {
        var words = line.split("\\s+", -1);
        var numbers = new double[words.length];
        for (var i = 0; i < words.length; i++) {
            try {
                numbers[i] = Double.parseDouble(words[i]);
            } catch (NumberFormatException e) {
                return new double[0];
            }
            if (!(Math.abs(numbers[i]) < 1e9)) {
                return new double[0];
            }
        }
        return numbers;
    }

    /// Where the labels of a picture stand: in `labels` where there is such a folder, else beside
    /// it, as where `images` is but a folder that all of the data lie in.
    private static Path labels(Path picture) {
        var apart = apart(picture);
        return apart != null && Files.isDirectory(parent(apart)) ? apart : beside(picture);
    }

    private static Path beside(Path picture) {
        var name = picture.getFileName().toString().replaceFirst("\\.[^.]*$", "") + ".txt";
        return picture.resolveSibling(name);
    }

    /// The file in `labels` of a picture in `images`; null of another.
    private static @Nullable Path apart(Path picture) {
        var path = beside(picture).toAbsolutePath().toString().replace(File.separatorChar, '/');
        var images = path.lastIndexOf("/images/");
        return images < 0
                ? null
                : Path.of(path.substring(0, images) + "/labels/" + path.substring(images + 8));
    }

    /// Counts the labels beside those of these pictures, which are all that their folders hold.
    private static void countAlone(List<Path> pictures, Ledger ledger) {
        var theirs = new HashSet<Path>();
        var folders = new HashSet<Path>();
        for (var picture : pictures) {
            var labels = apart(picture);
            if (labels != null) {
                theirs.add(labels);
                folders.add(parent(labels));
            }
        }
        var alone =
                folders.stream()
                        .filter(Files::isDirectory)
                        .flatMap(folder -> ImageReader.visible(folder).stream())
                        .filter(file -> file.toString().endsWith(".txt"))
                        .filter(file -> !file.endsWith("classes.txt") && !theirs.contains(file))
                        .count();
        if (alone > 0) {
            ledger.drop("label file without a picture", alone);
        }
    }

    private static List<String> names(Path data, Path folder) {
        var at = folder.toAbsolutePath();
        for (var above = 0; above <= 3 && at != null; above++) {
            for (var name : List.of("data.yaml", "classes.txt", "obj.names")) {
                var file = at.resolve(name);
                if (Files.isRegularFile(file)) {
                    return name.endsWith(".yaml")
                            ? yamlNames(file, yaml(file))
                            : lines(file).stream()
                                    .map(String::strip)
                                    .filter(n -> !n.isEmpty())
                                    .toList();
                }
            }
            at = at.getParent();
        }
        throw EspalierException.data(
                data
                        + ": the names of the classes are missing; they stand in data.yaml,"
                        + " classes.txt or obj.names, in the folder or up to three above");
    }

    private static Map<?, ?> yaml(Path file) {
        try {
            if (new Load(LoadSettings.builder().setLabel(file.toString()).build())
                            .loadFromString(text(file))
                    instanceof Map<?, ?> map) {
                return map;
            }
        } catch (YamlEngineException e) {
            throw EspalierException.data(file + ": not YAML (" + e.getMessage() + ")", e);
        }
        throw EspalierException.data(file + ": no keys of YAML, such as `names` and `train`");
    }

    private static List<String> yamlNames(Path file, Map<?, ?> yaml) {
        var names = new ArrayList<String>();
        switch (yaml.get("names")) {
            case List<?> list -> list.forEach(name -> names.add(String.valueOf(name)));
            case Map<?, ?> map -> {
                for (var i = 0; i < map.size(); i++) {
                    if (!map.containsKey(i)) {
                        throw EspalierException.data(
                                file
                                        + ": `names` has "
                                        + map.size()
                                        + " classes, but none for "
                                        + i);
                    }
                    names.add(String.valueOf(map.get(i)));
                }
            }
            case null, default -> {}
        }
        if (names.isEmpty()) {
            throw EspalierException.data(file + ": `names` is missing, a list of the classes");
        }
        return names;
    }

    /// Pascal VOC (Everingham et al. 2010): `Annotations/NAME.xml` and `JPEGImages/`.
    ///
    /// @param data the folder that holds them, or a list of names (`ImageSets/Main/train.txt`)
    static ImageData voc(Path data, Ledger ledger) {
        var folder = Files.isDirectory(data);
        var root = folder ? data : vocRoot(data);
        var files =
                folder
                        ? ImageReader.visible(root.resolve("Annotations"))
                        : vocNamed(data, "Annotations", ".xml", ledger);
        var images = new ArrayList<LabelledImage>();
        for (var file : files) {
            var xml = xml(file, ledger);
            if (xml != null) {
                var image = voc(root, file, xml, ledger);
                if (image != null) {
                    images.add(image);
                }
            }
        }
        var names = new TreeSet<String>();
        images.forEach(image -> names.addAll(image.labels()));
        return whole(data, images, List.copyOf(names), ledger);
    }

    /// Where a list of VOC's, two folders deep, says that the rest lies.
    static Path vocRoot(Path list) {
        return parent(parent(parent(list)));
    }

    /// What a list of VOC's names in a folder beside `ImageSets`.
    static List<Path> vocNamed(Path list, String folder, String ending, Ledger ledger) {
        var files = new ArrayList<Path>();
        var lines = lines(list);
        for (var i = 0; i < lines.size(); i++) {
            var name = lines.get(i).strip().split("\\s+", -1)[0];
            if (!name.isEmpty()) {
                var in = vocRoot(list).resolve(folder);
                var file = ImageReader.inside(in, name + ending, list, i + 1, ledger);
                if (file != null) {
                    files.add(file);
                }
            }
        }
        return files;
    }

    private static @Nullable LabelledImage voc(Path root, Path file, Document xml, Ledger ledger) {
        var name = text(xml.getDocumentElement(), "filename");
        var pictures = root.resolve("JPEGImages");
        var picture = ImageReader.inside(pictures, name == null ? "" : name, file, 0, ledger);
        var size = picture == null ? null : ImageReader.size(picture, ledger);
        if (picture == null || size == null) {
            return null;
        }
        var regions = new ArrayList<Region>();
        var objects = xml.getElementsByTagName("object");
        for (var i = 0; i < objects.getLength(); i++) {
            var object = (Element) objects.item(i);
            var label = text(object, "name");
            var box = child(object, "bndbox");
            var corners = new double[4];
            var whole = box != null && label != null;
            for (var c = 0; whole && c < 4; c++) {
                var corner = text(box, List.of("xmin", "ymin", "xmax", "ymax").get(c));
                var numbers = corner == null ? new double[0] : numbers(corner);
                whole = numbers.length == 1;
                // Pixels are counted from 1, and the last one belongs to the box.
                corners[c] = !whole ? 0 : c < 2 ? numbers[0] - 1 : numbers[0];
            }
            if (!whole) {
                ledger.reject(
                        file,
                        0,
                        "broken box",
                        "the object %d lacks a `name`, or numbers in `bndbox`".formatted(i + 1));
                continue;
            }
            var pixels = new Box(corners[0], corners[1], corners[2], corners[3]);
            var difficult = "1".equals(text(object, "difficult"));
            if (difficult) {
                ledger.change("difficult thing, neither learnt nor missed", 1);
            }
            add(regions, pixels, String.valueOf(label), difficult, size, file, 0, ledger);
        }
        return of(picture, regions);
    }

    private static @Nullable Element child(Element element, String name) {
        for (var at = element.getFirstChild(); at != null; at = at.getNextSibling()) {
            if (at instanceof Element child && child.getTagName().equals(name)) {
                return child;
            }
        }
        return null;
    }

    private static @Nullable String text(@Nullable Element element, String name) {
        var child = element == null ? null : child(element, name);
        var text = child == null ? "" : child.getTextContent().strip();
        return text.isEmpty() ? null : text;
    }

    private static @Nullable Document xml(Path file, Ledger ledger) {
        try {
            var factory = DocumentBuilderFactory.newInstance();
            // Without types, nothing outside of the file can be named, and nothing can grow.
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            var builder = factory.newDocumentBuilder();
            builder.setErrorHandler(null);
            return builder.parse(new ByteArrayInputStream(bytes(file)));
        } catch (SAXException | IOException e) {
            ledger.reject(file, 0, "broken XML", "not the XML of VOC (" + e.getMessage() + ")");
            return null;
        } catch (ParserConfigurationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static LabelledImage of(Path picture, List<Region> regions) {
        var labels = new TreeSet<String>();
        regions.forEach(region -> labels.add(region.label()));
        return new LabelledImage(
                new Picture.InFile(picture), List.copyOf(labels), regions, null, List.of());
    }

    private static ImageData whole(
            Path data, List<LabelledImage> images, List<String> names, Ledger ledger) {
        if (images.isEmpty()) {
            throw EspalierException.data(data + ": no picture can be used" + ledger.leftOut());
        }
        var unused = new TreeSet<>(names);
        images.forEach(image -> unused.removeAll(image.labels()));
        if (unused.size() == names.size()) {
            throw EspalierException.data(data + ": no picture has a box" + ledger.leftOut());
        }
        if (!unused.isEmpty()) {
            ledger.drop("class without a picture", unused.size());
        }
        return new ImageData(images, names);
    }

    private static Path parent(Path file) {
        var parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
    }

    private static byte[] bytes(Path file) throws IOException {
        if (Files.size(file) > MOST_BYTES) {
            throw new IOException("it has more than %,d bytes".formatted(MOST_BYTES));
        }
        return Files.readAllBytes(file);
    }

    private static String text(Path file) {
        return String.join("\n", lines(file));
    }

    private static List<String> lines(Path file) {
        try {
            if (Files.size(file) > MOST_BYTES) {
                throw new IOException("it has more than %,d bytes".formatted(MOST_BYTES));
            }
            return Files.readAllLines(file);
        } catch (CharacterCodingException e) {
            throw EspalierException.data(file + ": not UTF-8 text", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }
}
