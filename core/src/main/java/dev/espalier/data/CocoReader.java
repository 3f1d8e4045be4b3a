package dev.espalier.data;

import dev.espalier.EspalierException;
import dev.espalier.corpus.Ledger;
import dev.espalier.image.Box;
import dev.espalier.image.Mask;
import dev.espalier.image.Region;
import dev.espalier.image.RunLengths;
import dev.espalier.io.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Reads the JSON of COCO (Lin et al. 2014, arXiv:1405.0312): boxes, outlines, labels of whole
/// pictures, captions. Outlines are polygons or run lengths.
final class CocoReader {
    private final Path file;
    private final Path root;
    private final ImageData.Wanted wanted;
    private final Ledger ledger;
    private final Map<Long, Entry> entries = new LinkedHashMap<>();
    private final Map<Long, String> categories = new LinkedHashMap<>();

    /// A picture and what has been read of it.
    private static final class Entry {
        final Path picture;
        final int width;
        final int height;
        final ArrayList<Region> regions = new ArrayList<>();
        final ArrayList<MaskSource.Shape> outlines = new ArrayList<>();
        final ArrayList<String> captions = new ArrayList<>();
        final TreeSet<String> labels = new TreeSet<>();

        /// Whether something is in it, but not where.
        boolean unknown;

        Entry(Path picture, int width, int height) {
            this.picture = picture;
            this.width = width;
            this.height = height;
        }
    }

    private CocoReader(ImageData.Place place, ImageData.Wanted wanted, Ledger ledger) {
        file = place.data();
        root = place.root();
        this.wanted = wanted;
        this.ledger = ledger;
    }

    static ImageData read(ImageData.Place place, ImageData.Wanted wanted, Ledger ledger) {
        return new CocoReader(place, wanted, ledger).read();
    }

    private ImageData read() {
        var json = Json.read(file);
        var captions = wanted instanceof ImageData.Wanted.Captions;
        list(json, "images").forEach(this::image);
        if (!captions) {
            list(json, "categories").forEach(this::category);
            if (categories.isEmpty()) {
                throw EspalierException.data(
                        file + ": `categories` is empty; one at least is needed");
            }
        }
        list(json, "annotations").forEach(this::annotation);
        var names = new ArrayList<>(categories.values());
        if (wanted instanceof ImageData.Wanted.Masks) {
            names.addFirst("background");
            if (names.size() > Mask.IGNORED) {
                throw EspalierException.data(
                        "%s: has %d classes of pixels, the background included; allowed: at most %d"
                                .formatted(file, names.size(), Mask.IGNORED));
            }
        }
        var images = new ArrayList<LabelledImage>();
        for (var entry : entries.values()) {
            if (wanted instanceof ImageData.Wanted.Masks && entry.unknown) {
                ledger.drop("picture with a thing that cannot be read");
                continue;
            }
            if (captions && entry.captions.isEmpty()) {
                ledger.drop("picture without a caption");
                continue;
            }
            if (wanted instanceof ImageData.Wanted.Labels(_, _, var kind)
                    && !ImageReader.fits(kind, entry.picture, entry.labels, ledger)) {
                continue;
            }
            images.add(
                    new LabelledImage(
                            new Picture.InFile(entry.picture),
                            List.copyOf(entry.labels),
                            entry.regions,
                            wanted instanceof ImageData.Wanted.Masks
                                    ? new MaskSource.Outlined(
                                            entry.width, entry.height, entry.outlines)
                                    : null,
                            entry.captions));
        }
        if (images.isEmpty()) {
            throw EspalierException.data(file + ": no picture can be used" + ledger.leftOut());
        }
        if (wanted instanceof ImageData.Wanted.Boxes
                && images.stream().allMatch(image -> image.regions().isEmpty())) {
            throw EspalierException.data(file + ": no picture has a box" + ledger.leftOut());
        }
        if (wanted instanceof ImageData.Wanted.Boxes
                && images.stream()
                        .flatMap(image -> image.regions().stream())
                        .allMatch(region -> region.box().area() < 1)) {
            throw EspalierException.data(
                    file
                            + ": each box is smaller than a pixel; are they shares of the picture? COCO's `bbox` is in pixels");
        }
        // Of masks the reader of pictures counts them.
        if (!captions && !(wanted instanceof ImageData.Wanted.Masks)) {
            var unused = new TreeSet<>(categories.values());
            images.forEach(image -> unused.removeAll(image.labels()));
            if (!unused.isEmpty()) {
                ledger.drop("class without a picture", unused.size());
            }
        }
        return new ImageData(images, captions ? List.of() : names);
    }

    private JsonNode list(JsonNode json, String key) {
        var list = json.path(key);
        if (!list.isArray()) {
            throw EspalierException.data(
                    "%s: `%s` is no list; COCO has the lists `images`, `annotations`, and but for captions `categories`"
                            .formatted(file, key));
        }
        return list;
    }

    private void image(JsonNode json) {
        var id = id(json, "id", "images");
        var name = json.path("file_name").asString("");
        var picture = ImageReader.inside(root, name, file, 0, ledger);
        var size = picture == null ? null : ImageReader.size(picture, ledger);
        if (picture == null || size == null) {
            return;
        }
        var width = json.path("width").asInt(size.width());
        var height = json.path("height").asInt(size.height());
        if (width != size.width() || height != size.height()) {
            ledger.reject(
                    picture,
                    0,
                    "picture of another size",
                    "has %d x %d pixels, where %s says %d x %d"
                            .formatted(size.width(), size.height(), file, width, height));
            return;
        }
        if (entries.put(id, new Entry(picture, width, height)) != null) {
            throw EspalierException.data(file + ": two of `images` have the id " + id);
        }
    }

    private void category(JsonNode json) {
        var id = id(json, "id", "categories");
        var name = json.path("name").asString("").strip();
        if (name.isEmpty() || categories.containsValue(name)) {
            throw EspalierException.data(
                    "%s: the category %d has the name `%s`; allowed: one that is not empty and no other has"
                            .formatted(file, id, name));
        }
        if (categories.put(id, name) != null) {
            throw EspalierException.data(file + ": two of `categories` have the id " + id);
        }
    }

    private long id(JsonNode json, String key, String list) {
        var value = json.path(key);
        if (!value.isIntegralNumber()) {
            throw EspalierException.data(
                    "%s: `%s` of one of `%s` is %s; a whole number is needed"
                            .formatted(file, key, list, value.isMissingNode() ? "missing" : value));
        }
        return value.longValue();
    }

    private void annotation(JsonNode json) {
        var id = json.path("id").asString("?");
        var entry = entries.get(id(json, "image_id", "annotations"));
        if (entry == null) {
            // Of a picture that was set aside, or of none.
            ledger.drop("annotation without a picture");
            return;
        }
        if (wanted instanceof ImageData.Wanted.Captions) {
            var caption = json.path("caption").asString("").strip();
            if (caption.isEmpty()) {
                ledger.drop("empty caption");
            } else {
                entry.captions.add(caption);
            }
            return;
        }
        var category = json.path("category_id").asLong(Long.MIN_VALUE);
        var label = categories.get(category);
        if (label == null) {
            reject(
                    "unknown category",
                    id,
                    "has the category "
                            + json.path("category_id")
                            + "; allowed: "
                            + categories.keySet());
            hide(numbers(json.path("bbox")), entry);
            return;
        }
        if (wanted instanceof ImageData.Wanted.Labels) {
            entry.labels.add(label);
            return;
        }
        if (wanted instanceof ImageData.Wanted.Masks) {
            entry.labels.add(label);
            // An outline tells all; the box is needed where there is none.
            if (!outlines(json.path("segmentation"), entry, label, id)) {
                hide(numbers(json.path("bbox")), entry);
            }
            return;
        }
        var box = box(json.path("bbox"), id);
        if (box == null) {
            return;
        }
        var clipped = ImageReader.clipped(box, entry.width, entry.height, ledger);
        if (clipped == null) {
            reject(
                    ImageReader.uselessness(box),
                    id,
                    "has the box %s, in pixels, in a picture of %d x %d"
                            .formatted(json.path("bbox"), entry.width, entry.height));
            return;
        }
        entry.labels.add(label);
        entry.regions.add(
                new Region(
                        clipped,
                        label,
                        json.path("area").asDouble(clipped.area()),
                        json.path("iscrowd").asInt(0) != 0));
    }

    private @Nullable Box box(JsonNode json, String id) {
        var numbers = numbers(json);
        if (numbers == null || numbers.length != 4) {
            reject("broken box", id, "has for `bbox` " + json + "; allowed: [x, y, width, height]");
            return null;
        }
        return new Box(numbers[0], numbers[1], numbers[0] + numbers[2], numbers[1] + numbers[3]);
    }

    /// Has the box [x, y, width, height] of a thing that cannot be read mean nothing in a mask,
    /// where it would be background else.
    private static void hide(double @Nullable [] box, Entry entry) {
        if (box == null || box.length != 4) {
            entry.unknown = true;
            return;
        }
        double left = Math.floor(box[0]),
                top = Math.floor(box[1]),
                right = Math.ceil(box[0] + box[2]),
                bottom = Math.ceil(box[1] + box[3]);
        entry.outlines.add(
                new MaskSource.Outline(
                        Mask.IGNORED,
                        new double[] {left, top, right, top, right, bottom, left, bottom}));
    }

    /// @return whether all of the thing could be read
    private boolean outlines(JsonNode json, Entry entry, String label, String id) {
        var number = List.copyOf(categories.values()).indexOf(label) + 1;
        if (json.isObject()) {
            try {
                entry.outlines.add(new MaskSource.Runs(number, runs(json, entry)));
            } catch (EspalierException e) {
                reject("broken run lengths", id, "has " + e.getMessage());
                return false;
            }
            return true;
        }
        if (json.isEmpty()) {
            reject("no outline", id, "has no outline in `segmentation`");
            return false;
        }
        var whole = true;
        for (var line : json) {
            var points = numbers(line);
            if (points == null || points.length < 6 || points.length % 2 != 0) {
                reject(
                        "broken outline",
                        id,
                        "has an outline that is no list of three points or more");
                whole = false;
                continue;
            }
            if (!(BoxFiles.around(points, 0).in(entry.width, entry.height).area() > 0)) {
                // Nothing of it is in the mask, which is right without.
                ledger.drop("outline of no area in its picture");
                continue;
            }
            entry.outlines.add(new MaskSource.Outline(number, points));
        }
        return whole;
    }

    private static RunLengths runs(JsonNode json, Entry entry) {
        var size = json.path("size");
        if (size.size() != 2
                || size.path(0).asInt(0) != entry.height
                || size.path(1).asInt(0) != entry.width) {
            throw EspalierException.data(
                    "run lengths of the size %s in a picture of [%d, %d]"
                            .formatted(size, entry.height, entry.width));
        }
        var counts = json.path("counts");
        if (counts.isString()) {
            return RunLengths.parse(entry.width, entry.height, counts.stringValue());
        }
        var lengths = new int[counts.size()];
        for (var i = 0; i < lengths.length; i++) {
            lengths[i] = counts.path(i).asInt(-1);
        }
        return new RunLengths(entry.width, entry.height, lengths);
    }

    /// A list of finite numbers, or null.
    private static double @Nullable [] numbers(JsonNode json) {
        if (!json.isArray()) {
            return null;
        }
        var numbers = new double[json.size()];
        for (var i = 0; i < numbers.length; i++) {
            numbers[i] = json.path(i).isNumber() ? json.path(i).doubleValue() : Double.NaN;
            if (!(Math.abs(numbers[i]) < 1e9)) {
                return null;
            }
        }
        return numbers;
    }

    private void reject(String reason, String id, String detail) {
        ledger.reject(file, 0, reason, "the annotation " + id + " " + detail);
    }
}
