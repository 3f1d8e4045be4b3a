package dev.espalier.image;

import dev.espalier.EspalierException;
import dev.espalier.io.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.MissingNode;

/// How a model reads pictures, as the Hugging Face library's `preprocessor_config.json` says:
/// brought to a size, cut to its middle, and each channel as (x / 255 - mean) / deviation.
///
/// @param processor the library's class for it, such as `ViTImageProcessor`
/// @param size null where pictures stay as large as they are
/// @param crop what is cut from the middle after that, or null
/// @param scale what 8-bit samples are multiplied by
/// @param mean of red, green and blue, after that
/// @param deviation likewise
/// @param reduceLabels whether the class 0 of a mask means nothing, and all others are one less
public record Preprocessor(
        String processor,
        @Nullable Size size,
        Resampling resampling,
        Size.@Nullable Exact crop,
        double scale,
        List<Double> mean,
        List<Double> deviation,
        boolean reduceLabels) {
    /// The file's name.
    public static final String FILE = "preprocessor_config.json";

    private static final double BY_255 = 1 / 255.0;

    /// What the library's processors for YOLOS make sides multiples of, whatever its patches are.
    private static final int YOLOS_MULTIPLE = 16;

    /// What pictures are brought to.
    public sealed interface Size {
        /// Whatever their shape was.
        record Exact(int height, int width) implements Size {}

        /// In their own shape, with the shorter side of `shortest` pixels, less where the longer
        /// one would be beyond `longest`; 0 bounds nothing. For YOLOS both are multiples of 16
        /// then, so that no patch is cut.
        record Edge(int shortest, int longest) implements Size {}
    }

    /// Keys that change no number that comes out, or stand for the default of what they are.
    private static final List<String> HARMLESS =
            List.of(
                    "_valid_processor_keys",
                    "image_processor_type",
                    "feature_extractor_type",
                    "processor_class",
                    "do_convert_rgb",
                    "do_convert_annotations",
                    "format",
                    "return_segmentation_masks",
                    "device",
                    "return_tensors",
                    "data_format",
                    "input_data_format",
                    "disable_grouping");

    public Preprocessor {
        mean = List.copyOf(mean);
        deviation = List.copyOf(deviation);
    }

    /// ViT's: exactly `height` x `width`, bilinear, samples from -1 to 1.
    public static Preprocessor vit(int height, int width) {
        var half = List.of(0.5, 0.5, 0.5);
        return new Preprocessor(
                "ViTImageProcessor",
                new Size.Exact(height, width),
                Resampling.BILINEAR,
                null,
                BY_255,
                half,
                half,
                false);
    }

    /// As [#vit], with the means and deviations of ImageNet's pictures, for the processor named.
    public static Preprocessor imageNet(String processor, int height, int width) {
        return new Preprocessor(
                processor,
                new Size.Exact(height, width),
                Resampling.BILINEAR,
                null,
                BY_255,
                List.of(0.485, 0.456, 0.406),
                List.of(0.229, 0.224, 0.225),
                false);
    }

    /// Whether all pictures get one size, so that they can share a batch.
    public Size.@Nullable Exact fixed() {
        return crop != null ? crop : size instanceof Size.Exact exact ? exact : null;
    }

    /// This, if nothing of a picture is left unseen.
    ///
    /// @param folder that it was read from
    /// @throws EspalierException (DATA) if only the middle is seen, so that what is told of places
    ///   would be wrong everywhere
    public Preprocessor whole(Path folder) {
        if (crop != null) {
            throw EspalierException.data(
                    "%s: `do_center_crop` is true, so that a picture's edges are not seen, where things and classes of pixels are to be told; allowed: false"
                            .formatted(folder.resolve(FILE)));
        }
        return this;
    }

    /// The same under another processor's name.
    public Preprocessor named(String other) {
        return new Preprocessor(
                other, size, resampling, crop, scale, mean, deviation, reduceLabels);
    }

    /// The same for masks whose classes are counted as the model counts them.
    public Preprocessor withoutReduction() {
        return new Preprocessor(processor, size, resampling, crop, scale, mean, deviation, false);
    }

    /// The size at which the model reads a picture of this one.
    Size.Exact seen(int width, int height) {
        return crop != null ? crop : resized(width, height);
    }

    /// `image` at the size that the model reads, still in 8 bits.
    public Image resize(Image image) {
        var to = resized(image.width(), image.height());
        var resized = resampling.resize(image, to.width(), to.height());
        return crop == null ? resized : middle(resized, crop);
    }

    /// `mask` at the size of its resized picture, which is [#whole]; its classes as the model
    /// counts them.
    public Mask resize(Mask mask) {
        if (crop != null) {
            throw new IllegalStateException("masks are not cut");
        }
        var to = resized(mask.width(), mask.height());
        return reduced(mask.resize(to.width(), to.height()));
    }

    /// `mask` with its classes as the model counts them.
    public Mask reduced(Mask mask) {
        if (!reduceLabels) {
            return mask;
        }
        var classes = mask.classes().clone();
        for (var i = 0; i < classes.length; i++) {
            // 0 becomes 255, which is ignored, and stays so.
            classes[i] = classes[i] == (byte) Mask.IGNORED ? classes[i] : (byte) (classes[i] - 1);
        }
        return new Mask(mask.width(), mask.height(), classes);
    }

    /// What a picture of this size is brought to, before its middle is cut.
    private Size.Exact resized(int width, int height) {
        return switch (size) {
            case null -> new Size.Exact(height, width);
            case Size.Exact exact -> exact;
            case Size.Edge edge -> {
                var shorter = Math.min(width, height);
                var longer = Math.max(width, height);
                var exact = (double) edge.shortest();
                if (edge.longest() > 0 && (double) longer / shorter * exact > edge.longest()) {
                    exact = (double) edge.longest() * shorter / longer;
                }
                var shortest = Math.max(1, (int) Math.rint(exact));
                var other = Math.max(1, (int) (exact * longer / shorter));
                yield width < height
                        ? new Size.Exact(whole(other), whole(shortest))
                        : new Size.Exact(whole(shortest), whole(other));
            }
        };
    }

    /// Of less than a multiple nothing would be left.
    private int whole(int side) {
        return processor.startsWith("Yolos") && side >= YOLOS_MULTIPLE
                ? side - side % YOLOS_MULTIPLE
                : side;
    }

    /// The middle of `image`, with black around it where it is smaller.
    private static Image middle(Image image, Size.Exact crop) {
        var top = Math.floorDiv(image.height() - crop.height(), 2);
        var left = Math.floorDiv(image.width() - crop.width(), 2);
        var rgb = new byte[3 * crop.width() * crop.height()];
        for (var y = Math.max(0, -top); y < crop.height() && top + y < image.height(); y++) {
            var x = Math.max(0, -left);
            var columns = Math.min(crop.width() - x, image.width() - left - x);
            System.arraycopy(
                    image.rgb(),
                    3 * ((top + y) * image.width() + left + x),
                    rgb,
                    3 * (y * crop.width() + x),
                    3 * columns);
        }
        return new Image(crop.width(), crop.height(), rgb);
    }

    /// The numbers that the model reads: (3, H, W).
    public float[] normalize(Image image) {
        var pixels = image.width() * image.height();
        var values = new float[3 * pixels];
        var table = new float[256];
        for (var c = 0; c < 3; c++) {
            for (var v = 0; v < 256; v++) {
                table[v] = (float) ((v * scale - mean.get(c)) / deviation.get(c));
            }
            for (var i = 0; i < pixels; i++) {
                values[c * pixels + i] = table[image.rgb()[3 * i + c] & 0xFF];
            }
        }
        return values;
    }

    /// The picture whose numbers these are, as far as 8 bits go.
    ///
    /// @param values (3, height, width)
    public Image picture(float[] values, int height, int width) {
        var pixels = height * width;
        var rgb = new byte[3 * pixels];
        for (var c = 0; c < 3; c++) {
            for (var i = 0; i < pixels; i++) {
                var v = (values[c * pixels + i] * deviation.get(c) + mean.get(c)) / scale;
                rgb[3 * i + c] = (byte) Math.clamp(Math.round(v), 0, 255);
            }
        }
        return new Image(width, height, rgb);
    }

    /// Reads the file of a model's `folder`.
    ///
    /// @throws EspalierException (DATA) if there is none, or it asks for what is not known
    public static Preprocessor read(Path folder) {
        var file = folder.resolve(FILE);
        var json = Json.read(file);
        var read = new Reader(file, json);
        if (!json.isObject()) {
            throw EspalierException.data(file + ": not a JSON object");
        }
        // Files of the library's fast processors have all keys, needed or not, some of them null.
        var square = read.is("default_to_square", true);
        var asked = read.size("size", square, read.get("max_size").asInt(0));
        var size = read.is("do_resize", true) ? asked : null;
        var askedCrop = read.size("crop_size", true, 0);
        var crop = read.is("do_center_crop", false) ? askedCrop : null;
        if (crop != null && !(crop instanceof Size.Exact)) {
            throw read.bad("crop_size", "a number, or `height` and `width`");
        }
        var factor = read.number("rescale_factor", BY_255);
        var normalized = read.is("do_normalize", true);
        if (!normalized) {
            read.get("image_mean");
            read.get("image_std");
        }
        var preprocessor =
                new Preprocessor(
                        read.processor(),
                        size,
                        read.resampling(),
                        (Size.Exact) crop,
                        read.is("do_rescale", true) ? factor : 1,
                        normalized ? read.three("image_mean") : List.of(0.0, 0.0, 0.0),
                        normalized ? read.three("image_std") : List.of(1.0, 1.0, 1.0),
                        read.is("do_reduce_labels", false) || read.is("reduce_labels", false));
        read.is("do_pad", false);
        read.size("pad_size", true, 0);
        read.requireAllKnown();
        return preprocessor;
    }

    /// Writes the file into `folder`.
    public void write(Path folder) throws IOException {
        var json = Json.mapper().createObjectNode();
        if (crop != null) {
            json.set("crop_size", size(crop));
        }
        json.put("do_center_crop", crop != null);
        json.put("do_normalize", true);
        if (reduceLabels || processor.startsWith("Segformer")) {
            json.put("do_reduce_labels", reduceLabels);
        }
        json.put("do_rescale", true);
        json.put("do_resize", size != null);
        json.set("image_mean", Json.mapper().valueToTree(mean));
        json.put("image_processor_type", processor);
        json.set("image_std", Json.mapper().valueToTree(deviation));
        json.put(
                "resample",
                switch (resampling) {
                    case NEAREST -> 0;
                    case BILINEAR -> 2;
                    case BICUBIC -> 3;
                });
        json.put("rescale_factor", scale);
        if (size != null) {
            json.set("size", size(size));
        }
        Files.writeString(folder.resolve(FILE), Json.pretty(json));
    }

    private static JsonNode size(Size size) {
        var json = Json.mapper().createObjectNode();
        switch (size) {
            case Size.Exact(var height, var width) -> {
                json.put("height", height);
                json.put("width", width);
            }
            case Size.Edge(var shortest, var longest) -> {
                json.put("shortest_edge", shortest);
                if (longest > 0) {
                    json.put("longest_edge", longest);
                }
            }
        }
        return json;
    }

    /// The keys of a file, and which have been read.
    private static final class Reader {
        private final Path file;
        private final JsonNode json;
        private final ArrayList<String> known = new ArrayList<>(HARMLESS);

        Reader(Path file, JsonNode json) {
            this.file = file;
            this.json = json;
        }

        /// What the file says; null is nothing.
        private JsonNode get(String key) {
            known.add(key);
            var value = json.path(key);
            return value.isNull() ? MissingNode.getInstance() : value;
        }

        EspalierException bad(String key, String allowed) {
            return EspalierException.data(
                    "%s: `%s` is %s; allowed: %s".formatted(file, key, json.path(key), allowed));
        }

        boolean is(String key, boolean byDefault) {
            var value = get(key);
            if (value.isMissingNode()) {
                return byDefault;
            }
            if (!value.isBoolean()) {
                throw bad(key, "true, false");
            }
            return value.booleanValue();
        }

        double number(String key, double byDefault) {
            var value = get(key);
            if (value.isMissingNode()) {
                return byDefault;
            }
            if (!value.isNumber() || !Double.isFinite(value.doubleValue())) {
                throw bad(key, "a number");
            }
            return value.doubleValue();
        }

        String processor() {
            var name = json.path("image_processor_type").asString("");
            return name.isEmpty()
                    ? json.path("feature_extractor_type").asString("ViTImageProcessor")
                    : name;
        }

        List<Double> three(String key) {
            var value = get(key);
            var numbers = new ArrayList<Double>();
            value.forEach(number -> numbers.add(number.asDouble(Double.NaN)));
            var deviation = key.equals("image_std");
            if (numbers.size() == 1) {
                numbers.addAll(Collections.nCopies(2, numbers.getFirst()));
            }
            if (numbers.size() != 3
                    || numbers.stream()
                            .anyMatch(x -> !Double.isFinite(x) || (deviation && x <= 0))) {
                throw bad(key, "three numbers" + (deviation ? " above 0" : ""));
            }
            return numbers;
        }

        Resampling resampling() {
            var value = get("resample");
            return switch (value.isMissingNode() ? 2 : value.asInt(-1)) {
                case 0 -> Resampling.NEAREST;
                case 2 -> Resampling.BILINEAR;
                case 3 -> Resampling.BICUBIC;
                default -> throw bad("resample", "0 (nearest), 2 (bilinear), 3 (bicubic)");
            };
        }

        /// @param square whether a number alone, as older files have it, is height and width, and
        ///   not the shorter side
        /// @param most what the longer side may be beside a number alone, which is the shorter side
        ///   then; 0 for no such bound
        @Nullable Size size(String key, boolean square, int most) {
            var value = get(key);
            if (value.isMissingNode()) {
                return null;
            }
            if (value.isInt()) {
                return square && most <= 0
                        ? new Size.Exact(side(key, value), side(key, value))
                        : new Size.Edge(side(key, value), Math.max(0, most));
            }
            if (value.has("height") && value.has("width")) {
                return new Size.Exact(
                        side(key, value.path("height")), side(key, value.path("width")));
            }
            if (value.has("shortest_edge")) {
                var longest = value.path("longest_edge");
                return new Size.Edge(
                        side(key, value.path("shortest_edge")),
                        longest.isMissingNode() ? 0 : side(key, longest));
            }
            throw bad(key, "a number, `height` and `width`, or `shortest_edge`");
        }

        private int side(String key, JsonNode value) {
            if (!value.isInt() || value.intValue() < 1 || value.intValue() > 1 << 14) {
                throw bad(key, "sides of 1 to 16384 pixels");
            }
            return value.intValue();
        }

        /// What would change the numbers and is not known must not pass; null asks for nothing.
        void requireAllKnown() {
            for (var key : json.propertyNames()) {
                if (!known.contains(key) && !json.path(key).isNull()) {
                    throw EspalierException.data(
                            "%s: `%s` is not known; allowed: %s"
                                    .formatted(
                                            file,
                                            key,
                                            String.join(", ", known.stream().sorted().toList())));
                }
            }
        }
    }
}
