package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.image.Box;
import dev.espalier.image.Decoder;
import dev.espalier.image.Fit;
import dev.espalier.image.Image;
import dev.espalier.image.Mask;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.ToLongFunction;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/// Reads pictures with labels. Every picture is decoded once, so that broken ones are set aside
/// before a run begins.
public final class ImageReader {
    private static final Set<String> ENDINGS =
            Set.of("jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp");

    /// Pictures that are decoded together, and lie in memory at once.
    private static final int TOGETHER = 64;

    /// Their pixels at most, unless one alone has more: a small part of what Java may use, and yet
    /// several photographs.
    private static final long PIXELS_TOGETHER =
            Math.max(1L << 24, Runtime.getRuntime().maxMemory() / 64);

    /// Room in memory for the samples of pictures, which are not decoded again then. All data of a
    /// run share one.
    public static final class Room {
        /// Of the memory that Java may use.
        private static final double SHARE = 0.25;

        private long bytes;

        public Room() {
            this((long) (Runtime.getRuntime().maxMemory() * SHARE));
        }

        Room(long bytes) {
            this.bytes = bytes;
        }

        private boolean take(long more) {
            if (more > bytes) {
                return false;
            }
            bytes -= more;
            return true;
        }
    }

    private static final int IDX_IMAGES = 0x0803;

    /// What a picture takes beside its samples, about.
    private static final long PICTURE_BYTES = 200;

    private static final int IDX_LABELS = 0x0801;

    private ImageReader() {}

    /// The pictures of `place`, of whatever kind it is, with what is `wanted` of them:
    ///
    /// | there lies | it is |
    /// |---|---|
    /// | a folder with `Annotations` | Pascal VOC, its masks in `SegmentationClass` |
    /// | a folder with `images` and `masks` | pairs of the same names |
    /// | a folder with `images` and `labels` | YOLO |
    /// | another folder | a folder for each label |
    /// | `.json` | COCO |
    /// | `.csv`, `.tsv`, `.jsonl`, packed or not | a table of pictures and labels, or captions |
    /// | `…idx3…`, packed or not | IDX, its labels in `…idx1…` |
    /// | `.yaml`, `.txt` | YOLO, or a list of VOC's names under `ImageSets`, of boxes or of masks |
    ///
    /// @throws EspalierException (DATA) if it is of no such kind, or does not tell what is wanted
    public static ImageData read(ImageData.Place place, ImageData.Wanted wanted, Ledger ledger) {
        return read(place, wanted, ledger, new Room(), Fit.ANY);
    }

    /// As the other, with pictures held in what is left of `room`; those that a model does not see
    /// are set aside.
    public static ImageData read(
            ImageData.Place place, ImageData.Wanted wanted, Ledger ledger, Room room, Fit fit) {
        var read = undecoded(place, wanted, ledger);
        var seen = new BitSet();
        var images = decoded(read.images(), room, fit, seen, ledger);
        if (wanted instanceof ImageData.Wanted.Masks) {
            var unused = read.classes().size() - seen.get(0, read.classes().size()).cardinality();
            if (unused > 0) {
                ledger.drop("class without a picture", unused);
            }
        }
        return new ImageData(images, read.classes());
    }

    /// All pictures of a folder and of those in it, or of a file in IDX, without labels.
    ///
    /// @throws EspalierException (DATA) if there are none
    public static List<LabelledImage> unlabelled(Path path, Ledger ledger, Room room) {
        if (!Files.exists(path)) {
            throw EspalierException.data(path + ": there is no such file or folder");
        }
        var found = new ArrayList<LabelledImage>();
        if (Files.isDirectory(path)) {
            for (var file : pictures(path, ledger)) {
                found.add(new LabelledImage(new Picture.InFile(file), List.of()));
            }
        } else {
            held(path).forEach(picture -> found.add(new LabelledImage(picture, List.of())));
        }
        if (found.isEmpty()) {
            throw EspalierException.data(path + ": holds no picture" + ledger.leftOut());
        }
        return decoded(found, room, Fit.ANY, new BitSet(), ledger);
    }

    /// As [#read] of a folder for each label.
    public static List<LabelledImage> folders(Path root, Ledger ledger) {
        return decoded(
                folders(root, ledger, new LabelledReader.Labels.One()),
                new Room(),
                Fit.ANY,
                new BitSet(),
                ledger);
    }

    /// As [#read] of IDX.
    public static List<LabelledImage> idx(Path images, Path labels, Ledger ledger) {
        return decoded(pairs(images, labels), new Room(), Fit.ANY, new BitSet(), ledger);
    }

    private static ImageData undecoded(
            ImageData.Place place, ImageData.Wanted wanted, Ledger ledger) {
        var data = place.data();
        var name = data.getFileName() == null ? "" : data.getFileName().toString();
        var folder = Files.isDirectory(data);
        if (!folder && !Files.isRegularFile(data)) {
            throw EspalierException.data(data + ": there is no such file or folder");
        }
        if (name.endsWith(".json")) {
            return CocoReader.read(place, wanted, ledger);
        }
        if (place.pictures() != null && !(isTable(name) || isDescription(name))) {
            throw EspalierException.usage(
                    "pictures: %s is not looked at, since %s lies beside its pictures; allowed with a table, COCO's JSON, or YOLO's description"
                            .formatted(place.pictures(), data));
        }
        return switch (wanted) {
            case ImageData.Wanted.Labels labels when folder ->
                    classes(folders(data, ledger, labels.labels()));
            case ImageData.Wanted.Labels labels when name.contains("idx3") -> {
                var told =
                        data.resolveSibling(
                                name.replace("idx3", "idx1").replace("images", "labels"));
                yield classes(pairs(data, told));
            }
            case ImageData.Wanted.Labels labels -> classes(table(place, labels, ledger));
            case ImageData.Wanted.Captions captions when !folder ->
                    new ImageData(captions(place, captions, ledger), List.of());
            case ImageData.Wanted.Boxes _
                    when Files.isDirectory(data.resolve("Annotations")) || isVocList(data) ->
                    BoxFiles.voc(data, ledger);
            case ImageData.Wanted.Boxes _ when isTable(name) ->
                    throw EspalierException.data(
                            data
                                    + ": a table tells no boxes; boxes are COCO's JSON, YOLO or"
                                    + " Pascal VOC");
            case ImageData.Wanted.Boxes _ -> BoxFiles.yolo(place, ledger);
            case ImageData.Wanted.Masks(var classes) when classes != null && isVocList(data) ->
                    new ImageData(
                            masks(
                                    BoxFiles.vocRoot(data),
                                    BoxFiles.vocNamed(data, "SegmentationClass", ".png", ledger),
                                    classes,
                                    ledger),
                            classes.names());
            case ImageData.Wanted.Masks(var classes) when folder && classes != null ->
                    new ImageData(masks(data, null, classes, ledger), classes.names());
            case ImageData.Wanted.Masks _ ->
                    throw EspalierException.data(
                            data
                                    + ": tells no classes of pixels; allowed: a folder with `images`"
                                    + " and `masks`, or a list of VOC's, where the classes are"
                                    + " named, or COCO's JSON");
            case ImageData.Wanted.Captions _ ->
                    throw EspalierException.data(
                            data + ": tells no captions; allowed: a table, or COCO's JSON");
        };
    }

    /// Whether its rows name pictures.
    private static boolean isTable(String name) {
        return name.matches(".*\\.(csv|tsv|jsonl)(\\.\\w+)?");
    }

    /// Whether it is a description of YOLO's, which names folders of pictures.
    private static boolean isDescription(String name) {
        return name.endsWith(".yaml") || name.endsWith(".yml");
    }

    /// Whether it is a list of VOC's, such as `ImageSets/Main/train.txt`.
    private static boolean isVocList(Path data) {
        var folder = data.toAbsolutePath().getParent();
        var above = folder == null ? null : folder.getParent();
        return above != null && above.endsWith("ImageSets") && data.toString().endsWith(".txt");
    }

    private static ImageData classes(List<LabelledImage> images) {
        var labels = new TreeSet<String>();
        images.forEach(image -> labels.addAll(image.labels()));
        return new ImageData(images, List.copyOf(labels));
    }

    /// A folder for each label with the pictures that have it, in folders of their own or not; in
    /// the order of their paths. Hidden files are passed over.
    private static List<LabelledImage> folders(
            Path root, Ledger ledger, LabelledReader.Labels kind) {
        var found = new ArrayList<LabelledImage>();
        for (var folder : visible(root)) {
            if (!Files.isDirectory(folder)) {
                ledger.drop("file beside the folders of labels");
                continue;
            }
            var label = folder.getFileName().toString();
            var before = found.size();
            for (var file : pictures(folder, ledger)) {
                if (fits(kind, file, List.of(label), ledger)) {
                    found.add(new LabelledImage(new Picture.InFile(file), List.of(label)));
                }
            }
            if (found.size() == before) {
                throw EspalierException.data(
                        "%s: the label `%s` has no picture; a folder of labels holds pictures, as %s"
                                .formatted(folder, label, ENDINGS.stream().sorted().toList()));
            }
        }
        if (found.isEmpty()) {
            throw EspalierException.data(
                    root + ": holds no folder of pictures; one for each label is needed");
        }
        return found;
    }

    /// The pictures that the rows of a table name, with their labels.
    private static List<LabelledImage> table(
            ImageData.Place place, ImageData.Wanted.Labels wanted, Ledger ledger) {
        var columns =
                new LabelledReader.Columns(wanted.image(), null, wanted.label(), wanted.labels());
        var found = new ArrayList<LabelledImage>();
        for (var row : rows(place, columns, ledger)) {
            found.add(new LabelledImage(new Picture.InFile(row.picture()), row.labels()));
        }
        return found;
    }

    /// The pictures that the rows of a table name, each once, with all its captions.
    private static List<LabelledImage> captions(
            ImageData.Place place, ImageData.Wanted.Captions wanted, Ledger ledger) {
        var columns = new LabelledReader.Columns(wanted.image(), wanted.caption());
        var told = new LinkedHashMap<Path, List<String>>();
        for (var row : rows(place, columns, ledger)) {
            told.computeIfAbsent(row.picture(), _ -> new ArrayList<>()).addAll(row.labels());
        }
        var found = new ArrayList<LabelledImage>();
        told.forEach((file, captions) ->
                found.add(
                        new LabelledImage(
                                new Picture.InFile(file), List.of(), List.of(), null, captions)));
        return found;
    }

    private record Row(Path picture, List<String> labels) {}

    private static List<Row> rows(
            ImageData.Place place, LabelledReader.Columns columns, Ledger ledger) {
        var rows = new ArrayList<Row>();
        for (var record : LabelledReader.read(place.data(), columns, null, ledger)) {
            // What becomes of it is counted when its picture is decoded.
            ledger.recall();
            var line =
                    Long.parseLong(record.where().substring(record.where().lastIndexOf(':') + 1));
            var picture = inside(place.root(), record.text(), place.data(), line, ledger);
            if (picture != null) {
                rows.add(new Row(picture, record.labels()));
            }
        }
        if (rows.isEmpty()) {
            throw EspalierException.data(
                    place.data() + ": no picture can be used" + ledger.leftOut());
        }
        return rows;
    }

    /// Pictures in `images` and what their pixels are in `masks`, under the same names but for
    /// their endings; in VOC's folders too.
    ///
    /// @param listed the masks that are wanted, of VOC's; null for all
    private static List<LabelledImage> masks(
            Path root, @Nullable List<Path> listed, MaskSource.Classes classes, Ledger ledger) {
        var voc = Files.isDirectory(root.resolve("SegmentationClass"));
        var pictures = root.resolve(voc ? "JPEGImages" : "images");
        var masks = root.resolve(voc ? "SegmentationClass" : "masks");
        if (!Files.isDirectory(pictures) || !Files.isDirectory(masks)) {
            throw EspalierException.data(
                    root
                            + ": the folders `images` and `masks`, in which pairs have one name, are"
                            + " needed");
        }
        var byName = new HashMap<String, Path>();
        for (var mask : listed == null ? pictures(masks, ledger) : listed) {
            var first = byName.putIfAbsent(stem(masks.relativize(mask)), mask);
            // A list may name one twice.
            if (first != null && !first.equals(mask)) {
                ledger.reject(
                        mask, 0, "second mask of a picture", "has the name of " + first + ", too");
            }
        }
        var alone = new LinkedHashSet<>(byName.values());
        var found = new ArrayList<LabelledImage>();
        for (var file : pictures(pictures, ledger)) {
            var mask = byName.get(stem(pictures.relativize(file)));
            if (mask != null) {
                alone.remove(mask);
                found.add(
                        new LabelledImage(
                                new Picture.InFile(file),
                                List.of(),
                                List.of(),
                                new MaskSource.InFile(mask, classes),
                                List.of()));
            } else if (voc && listed == null) {
                ledger.drop("picture without a mask");
            } else if (listed == null) {
                ledger.reject(file, 0, "picture without a mask", "has no mask in " + masks);
            }
        }
        for (var mask : alone) {
            if (listed == null) {
                ledger.drop("mask without a picture");
            } else {
                ledger.reject(mask, 0, "no such picture", "has no picture in " + pictures);
            }
        }
        if (found.isEmpty()) {
            throw EspalierException.data(root + ": no picture has a mask" + ledger.leftOut());
        }
        return found;
    }

    private static String stem(Path file) {
        return file.toString().replaceFirst("\\.[^.]*$", "");
    }

    /// The file that `name`, found in `from`, names in `root`; null, and set aside, where there is
    /// none, or it lies elsewhere.
    static @Nullable Path inside(Path root, String name, Path from, long line, Ledger ledger) {
        Path file;
        try {
            file = root.resolve(name).normalize();
        } catch (InvalidPathException e) {
            ledger.reject(from, line, "no such picture", "names `" + name + "`, which is no path");
            return null;
        }
        var folder = root.toAbsolutePath().normalize();
        if (!file.toAbsolutePath().normalize().startsWith(folder) || Path.of(name).isAbsolute()) {
            ledger.reject(
                    from,
                    line,
                    "picture outside the data",
                    "names `%s`, which lies outside of %s".formatted(name, folder));
            return null;
        }
        if (name.isBlank() || !Files.exists(file)) {
            ledger.reject(
                    from,
                    line,
                    "no such picture",
                    "names `%s`, and there is no such file as %s".formatted(name, file));
            return null;
        }
        return file;
    }

    /// The size of a picture by its header; null, and set aside, where it is broken.
    static Decoder.@Nullable Size size(Path picture, Ledger ledger) {
        try {
            return Decoder.size(picture);
        } catch (EspalierException e) {
            ledger.reject(picture, 0, "broken picture", reason(picture.toString(), e));
            return null;
        }
    }

    /// What of a box lies in its picture; null where nothing does.
    static @Nullable Box clipped(Box box, int width, int height, Ledger ledger) {
        var clipped = box.in(width, height);
        if (!(clipped.area() > 0)) {
            return null;
        }
        // What rounding alone puts outside is not worth telling.
        if (box.area() - clipped.area() > 0.01 * box.area()) {
            ledger.change("box cut at its picture's edge", 1);
        }
        return clipped;
    }

    /// Why [#clipped] leaves nothing of a box.
    static String uselessness(Box box) {
        return box.area() > 0 ? "box outside its picture" : "box of no area";
    }

    /// Whether a picture's labels are as many as it may have; else it is set aside.
    static boolean fits(
            LabelledReader.Labels kind, Path picture, Collection<String> labels, Ledger ledger) {
        var allowed =
                switch (kind) {
                    case LabelledReader.Labels.One _ -> labels.size() == 1;
                    case LabelledReader.Labels.Several several ->
                            several.orNone() || !labels.isEmpty();
                    case LabelledReader.Labels.Number _ -> false;
                };
        if (!allowed) {
            ledger.reject(
                    picture,
                    0,
                    labels.isEmpty() ? "no label" : "several labels",
                    "has the labels %s, where %s"
                            .formatted(
                                    labels,
                                    kind instanceof LabelledReader.Labels.Several
                                            ? "one at least is needed"
                                            : "one is needed"));
        }
        return allowed;
    }

    /// Pictures and labels in IDX (LeCun's MNIST): bytes of n x height x width, and of n; plain or
    /// packed by gzip. Labels are the numbers as they stand.
    private static List<LabelledImage> pairs(Path images, Path labels) {
        var told = idx(labels, IDX_LABELS, 1);
        var pictures = held(images);
        if (told.sizes[0] != pictures.size()) {
            throw EspalierException.data(
                    "%s: holds %,d pictures, and %s holds %,d labels"
                            .formatted(images, pictures.size(), labels, told.sizes[0]));
        }
        return IntStream.range(0, pictures.size())
                .mapToObj(i ->
                        new LabelledImage(
                                pictures.get(i), List.of(String.valueOf(told.bytes[i] & 0xFF))))
                .toList();
    }

    /// The pictures of a file in IDX.
    private static List<Picture> held(Path images) {
        var pixels = idx(images, IDX_IMAGES, 3);
        var height = pixels.sizes[1];
        var width = pixels.sizes[2];
        var pictures = new ArrayList<Picture>();
        for (var i = 0; i < pixels.sizes[0]; i++) {
            var from = i * height * width;
            var grey = Arrays.copyOfRange(pixels.bytes, from, from + height * width);
            pictures.add(new Picture.Held(Image.grey(width, height, grey), images + "#" + i));
        }
        return pictures;
    }

    /// An array of bytes.
    @SuppressWarnings("ArrayRecordComponent") // passed on, never compared
    private record Idx(int[] sizes, byte[] bytes) {}

    private static Idx idx(Path file, int magic, int dimensions) {
        try (var in = new DataInputStream(unpacked(file))) {
            if (in.readInt() != magic) {
                throw EspalierException.data(
                        "%s: not IDX of bytes in %d dimensions".formatted(file, dimensions));
            }
            var sizes = new int[dimensions];
            var bytes = 1L;
            for (var d = 0; d < dimensions; d++) {
                sizes[d] = in.readInt();
                // Beyond an int already, it must not come to overflow a long.
                bytes = bytes > Integer.MAX_VALUE ? bytes : bytes * sizes[d];
                if (sizes[d] < 1 || bytes > Integer.MAX_VALUE - 8) {
                    throw EspalierException.data(
                            "%s: IDX of the sizes %s; at least 1 each, and at most 2 GiB are read"
                                    .formatted(file, Arrays.toString(sizes)));
                }
            }
            if (dimensions == 3 && (long) sizes[1] * sizes[2] > Decoder.MOST_PIXELS) {
                throw EspalierException.data(
                        "%s: pictures of %,d x %,d pixels; at most %,d pixels are read"
                                .formatted(file, sizes[2], sizes[1], Decoder.MOST_PIXELS));
            }
            var most = Runtime.getRuntime().maxMemory() / 2;
            // A grey pixel becomes three bytes, beside the one that was read.
            var taken = dimensions == 3 ? 4 * bytes + PICTURE_BYTES * sizes[0] : bytes;
            if (taken > most) {
                throw EspalierException.data(
                        "%s: its %,d bytes take %,d in memory, where half of Java's is %,d; split the file, or give Java more memory (ESPALIER_HEAP)"
                                .formatted(file, bytes, taken, most));
            }
            // In pieces, so that a header alone takes no memory.
            var content = in.readNBytes((int) bytes);
            if (content.length < bytes) {
                throw new EOFException();
            }
            if (in.read() >= 0) {
                throw EspalierException.data(
                        "%s: goes on after the %,d bytes that its header tells"
                                .formatted(file, bytes));
            }
            return new Idx(sizes, content);
        } catch (EOFException e) {
            throw EspalierException.data(file + ": ends before its header says", e);
        } catch (IOException e) {
            throw EspalierException.data(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    private static InputStream unpacked(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw EspalierException.data(file + ": there is no such file");
        }
        var in = new BufferedInputStream(Files.newInputStream(file));
        return file.toString().endsWith(".gz") ? new GZIPInputStream(in) : in;
    }

    static List<Path> visible(Path folder) {
        try (var files = Files.list(folder)) {
            return files.filter(f -> !f.getFileName().toString().startsWith("."))
                    .sorted(Comparator.comparing(Path::toString))
                    .toList();
        } catch (IOException e) {
            throw EspalierException.data(folder + ": cannot be read (" + e.getMessage() + ")", e);
        }
    }

    static List<Path> pictures(Path folder, Ledger ledger) {
        var found = new ArrayList<Path>();
        for (var file : visible(folder)) {
            // A link to a folder may lead back to where it stands.
            if (Files.isDirectory(file) && !Files.isSymbolicLink(file)) {
                found.addAll(pictures(file, ledger));
            } else if (isPicture(file) && Files.isRegularFile(file)) {
                found.add(file);
            } else {
                ledger.drop("not a picture by its name");
            }
        }
        return found;
    }

    private static boolean isPicture(Path file) {
        var name = file.getFileName().toString();
        return ENDINGS.contains(name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT));
    }

    /// What decoding one came to: it, with what is held, or why not.
    ///
    /// @param reason in a few words; empty where there is none
    private record Outcome(
            @Nullable Image image,
            @Nullable Mask mask,
            boolean animated,
            String reason,
            String detail) {
        static Outcome failure(String reason, String detail) {
            return new Outcome(null, null, false, reason, detail);
        }
    }

    /// `all` in parts that lie in memory at once, so that a few large ones do not fill it.
    ///
    /// @param together at most so many in a part
    /// @param most pixels in a part, unless one alone has more
    /// @param pixels of each, by its header
    public static <T> List<List<T>> groups(
            List<T> all, int together, long most, ToLongFunction<T> pixels) {
        var each = all.parallelStream().mapToLong(pixels).toArray();
        var groups = new ArrayList<List<T>>();
        var start = 0;
        var sum = 0L;
        for (var i = 0; i < each.length; i++) {
            if (i > start && (i - start == together || sum + each[i] > most)) {
                groups.add(all.subList(start, i));
                start = i;
                sum = 0;
            }
            sum += each[i];
        }
        if (start < each.length) {
            groups.add(all.subList(start, each.length));
        }
        return groups;
    }

    /// The pixels of a picture by its header; of what is none, 0.
    public static long pixels(Path file) {
        try {
            return Decoder.pixels(file);
        } catch (EspalierException e) {
            // Decoding will say why.
            return 0;
        }
    }

    /// Those that decoding a picture, and its mask, adds to what lies in memory.
    static long pixels(LabelledImage labelled) {
        var picture = labelled.picture() instanceof Picture.InFile(var file) ? pixels(file) : 0;
        return switch (labelled.mask()) {
            case MaskSource.InFile(var mask, _) -> picture + pixels(mask);
            case MaskSource.Outlined outlined ->
                    picture + (long) outlined.width() * outlined.height();
            case null, default -> picture;
        };
    }

    /// Those of `images` that can be decoded, held in memory as far as there is room.
    ///
    /// @param seen the numbers that masks hold are set
    static List<LabelledImage> decoded(
            List<LabelledImage> images, Room room, Fit fit, BitSet seen, Ledger ledger) {
        var result = new ArrayList<LabelledImage>();
        // By parts, so that what finds no room does not lie about.
        for (var some : groups(images, TOGETHER, PIXELS_TOGETHER, ImageReader::pixels)) {
            var outcomes = some.parallelStream().map(ImageReader::outcome).toList();
            for (var i = 0; i < some.size(); i++) {
                var labelled = some.get(i);
                var outcome = outcomes.get(i);
                var image = outcome.image();
                if (image == null) {
                    ledger.reject(Path.of(labelled.where()), 0, outcome.reason(), outcome.detail());
                    continue;
                }
                var refusal = fit.refusal(image.width(), image.height());
                if (refusal != null) {
                    ledger.reject(
                            Path.of(labelled.where()),
                            0,
                            "picture too small for the model",
                            refusal);
                    continue;
                }
                ledger.keep();
                if (outcome.animated()) {
                    ledger.change("first picture of an animation", 1);
                }
                var mask = outcome.mask();
                if (mask != null) {
                    for (var value : mask.classes()) {
                        seen.set(value & 0xFF);
                    }
                }
                if (room.take(image.rgb().length + (mask == null ? 0 : mask.classes().length))) {
                    labelled =
                            labelled.held(
                                    new Picture.Held(image, labelled.where()),
                                    mask == null ? null : new MaskSource.Held(mask));
                }
                result.add(labelled);
            }
        }
        if (result.isEmpty()) {
            throw EspalierException.data(
                    images.getFirst().where() + ": no picture can be used" + ledger.leftOut());
        }
        return result;
    }

    private static Outcome outcome(LabelledImage labelled) {
        Image image;
        var animated = false;
        try {
            if (labelled.picture() instanceof Picture.InFile(var file)) {
                var decoded = Decoder.read(file);
                image = decoded.image();
                animated = decoded.animated();
            } else {
                image = labelled.picture().image();
            }
        } catch (EspalierException e) {
            return Outcome.failure("broken picture", reason(labelled.where(), e));
        }
        Mask mask = null;
        var source = labelled.mask();
        if (source != null) {
            try {
                mask = source.mask();
            } catch (EspalierException e) {
                return Outcome.failure("broken mask", String.valueOf(e.getMessage()));
            }
            if (mask.width() != image.width() || mask.height() != image.height()) {
                return Outcome.failure(
                        "mask of another size",
                        "has %d x %d pixels, and its mask %d x %d"
                                .formatted(
                                        image.width(),
                                        image.height(),
                                        mask.width(),
                                        mask.height()));
            }
        }
        return new Outcome(image, mask, animated, "", "");
    }

    /// What is wrong, without the file's name, which the ledger tells itself.
    private static String reason(String where, EspalierException e) {
        var message = String.valueOf(e.getMessage());
        return message.startsWith(where + ": ") ? message.substring(where.length() + 2) : message;
    }
}
