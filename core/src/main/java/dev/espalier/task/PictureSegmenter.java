package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.MaskSource;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.Segmentations;
import dev.espalier.image.Geometry;
import dev.espalier.image.Image;
import dev.espalier.image.Mask;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Preprocessor.Size;
import dev.espalier.image.Sample;
import dev.espalier.model.Segmenter;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// A fine-tuned segmenter, ready to use: it tells the class of each pixel of a picture. Safe for
/// use by many threads until it is closed.
public final class PictureSegmenter implements AutoCloseable {
    /// The key of `config.json`, under [HuggingFace#OWN], of the share by which windows overlap.
    public static final String WINDOWS = "windows";

    /// Likewise of the colours of the classes in masks, as `#rrggbb`; without it pixels hold their
    /// numbers.
    public static final String COLOURS = "colours";

    /// The share of the memory that Java may use which a picture's scores may take, of four bytes
    /// each.
    private static final double SCORES = 0.5;

    private final Segmenter model;
    private final Preprocessor preprocessor;
    private final @Nullable Double windows;
    private final @Nullable List<Integer> colours;
    private final @Nullable Integer majority;

    /// A segmenter of `model`, which it owns from now on.
    ///
    /// @param windows the share by which windows over a picture overlap; null for pictures that are
    ///   stretched to what the model reads
    /// @param colours of the classes in masks; null where pixels hold their numbers
    /// @param majority the class that most training pixels have; null where that is not known
    /// @throws EspalierException (DATA) if windows are asked for, and have no size
    public PictureSegmenter(
            Segmenter model,
            Preprocessor preprocessor,
            @Nullable Double windows,
            @Nullable List<Integer> colours,
            @Nullable Integer majority) {
        this.model = model;
        this.preprocessor = preprocessor;
        this.windows = windows;
        this.colours = colours;
        this.majority = majority;
        if (windows != null && preprocessor.fixed() == null) {
            throw EspalierException.data(
                    "windows over a picture are of the size that the model reads, but by its %s that differs from picture to picture; allowed: `size` with `height` and `width`, or no windows"
                            .formatted(Preprocessor.FILE));
        }
    }

    /// Reads the segmenter that a fine-tuning run left in `folder`, in the Hugging Face layout.
    ///
    /// @throws EspalierException if the folder holds no segmenter that can be used, or a head that
    ///   was never trained
    public static PictureSegmenter load(Path folder) {
        return PictureModels.load(
                folder,
                Segmenter.class,
                "tell classes of pixels",
                (segmenter, preprocessor, config) ->
                        of(folder, segmenter, preprocessor.whole(folder), config));
    }

    private static PictureSegmenter of(
            Path folder, Segmenter segmenter, Preprocessor preprocessor, JsonNode config) {
        var own = config.path(HuggingFace.OWN);
        var windows = own.path(WINDOWS);
        if (!windows.isMissingNode()
                && !(windows.isNumber()
                        && windows.doubleValue() >= 0
                        && windows.doubleValue() < 1)) {
            throw EspalierException.data(
                    "%s: %s.%s of config.json is %s; allowed: 0 or more, below 1"
                            .formatted(folder, HuggingFace.OWN, WINDOWS, windows));
        }
        var colours = new ArrayList<Integer>();
        for (var colour : own.path(COLOURS)) {
            try {
                colours.add(Integer.parseInt(colour.asString("").replaceFirst("^#", ""), 16));
            } catch (NumberFormatException e) {
                throw EspalierException.data(
                        "%s: %s.%s has %s; allowed: such as \"#ff0000\""
                                .formatted(folder, HuggingFace.OWN, COLOURS, colour),
                        e);
            }
        }
        var commonest = Commonest.first(folder, config, segmenter.labels());
        return new PictureSegmenter(
                segmenter,
                preprocessor,
                windows.isNumber() ? windows.doubleValue() : null,
                colours.isEmpty() ? null : colours,
                commonest == null ? null : segmenter.labels().indexOf(commonest));
    }

    /// How many pixels of each of `classes` classes the masks of `records` have.
    public static long[] counts(List<LabelledImage> records, int classes) {
        return counts(records.stream().map(PictureSegmenter::mask), classes);
    }

    private static long[] counts(Stream<Mask> masks, int classes) {
        var counts = new long[256];
        masks.forEach(mask -> {
            for (var label : mask.classes()) {
                counts[label & 0xFF]++;
            }
        });
        return Arrays.copyOf(counts, classes);
    }

    /// The class that most pixels have, the first of several.
    public static int majority(long[] counts) {
        var majority = 0;
        for (var c = 1; c < counts.length; c++) {
            majority = counts[c] > counts[majority] ? c : majority;
        }
        return majority;
    }

    /// The classes' names, in the order of their numbers in masks.
    public List<String> labels() {
        return model.labels();
    }

    /// What the pixels of masks stand for that this segmenter is judged by: the model's classes,
    /// before which, where it [reduces labels][Preprocessor#reduceLabels], stands one that means
    /// nothing.
    public MaskSource.Classes classes() {
        return new MaskSource.Classes(
                hasBackground()
                        ? labels()
                        : Stream.concat(Stream.of("background"), labels().stream()).toList(),
                colours);
    }

    /// Whether the first class may be what is left where nothing is: masks of models that reduce
    /// labels have a number for that which is none of the model's.
    public boolean hasBackground() {
        return !preprocessor.reduceLabels();
    }

    /// The class of each pixel of `image`, and how sure that is.
    ///
    /// @param mask of the picture's size
    /// @param scores the probability of each class at each pixel, (classes, height, width)
    @SuppressWarnings("ArrayRecordComponent") // handed over, never shared
    public record Segmented(Mask mask, float[] scores) {}

    public Segmented segment(Image image) {
        var scores = scores(image);
        int classes = model.labels().size(), pixels = image.width() * image.height();
        var mask = new byte[pixels];
        for (var at = 0; at < pixels; at++) {
            var best = 0;
            for (var c = 1; c < classes; c++) {
                best = scores[c * pixels + at] > scores[best * pixels + at] ? c : best;
            }
            mask[at] = (byte) best;
        }
        return new Segmented(new Mask(image.width(), image.height(), mask), scores);
    }

    private float[] scores(Image image) {
        var classes = model.labels().size();
        requireRoom(classes, image.width(), image.height(), Runtime.getRuntime().maxMemory());
        if (windows == null) {
            return probabilities(preprocessor.resize(image), image.width(), image.height());
        }
        var size = Objects.requireNonNull(preprocessor.fixed());
        return together(
                image,
                size,
                windows,
                classes,
                window -> probabilities(window, size.width(), size.height()));
    }

    /// @param heap bytes that Java may use
    /// @throws EspalierException (DATA) where a picture's scores have no room in them
    static void requireRoom(int classes, int width, int height, long heap) {
        var scores = (long) classes * width * height;
        var most = Math.min((long) (SCORES * heap / Float.BYTES), Integer.MAX_VALUE - 8);
        if (scores > most) {
            throw EspalierException.data(
                    "%,d x %,d pixels of %d classes have %,d scores, and there is room for %,d; tell a smaller picture, or give Java more memory (ESPALIER_HEAP)"
                            .formatted(width, height, classes, scores, most));
        }
    }

    /// What is told of a picture (classes, height, width) by windows over it, where several see a
    /// pixel their mean.
    ///
    /// @param told of a window of `size` (classes, height, width)
    static float[] together(
            Image image,
            Size.Exact size,
            double overlap,
            int classes,
            Function<Image, float[]> told) {
        var pixels = image.width() * image.height();
        var sum = new float[classes * pixels];
        var times = new int[pixels];
        for (var top : places(image.height(), size.height(), overlap)) {
            for (var left : places(image.width(), size.width(), overlap)) {
                var sample = new Sample(0, image, List.of(), null);
                var window = Geometry.window(sample, left, top, size.width(), size.height());
                var scores = told.apply(window.image());
                for (var y = 0; y < Math.min(size.height(), image.height() - top); y++) {
                    for (var x = 0; x < Math.min(size.width(), image.width() - left); x++) {
                        var to = (top + y) * image.width() + left + x;
                        times[to]++;
                        for (var c = 0; c < classes; c++) {
                            sum[c * pixels + to] +=
                                    scores[(c * size.height() + y) * size.width() + x];
                        }
                    }
                }
            }
        }
        for (var i = 0; i < sum.length; i++) {
            sum[i] /= times[i % pixels];
        }
        return sum;
    }

    /// Where windows of `size` pixels begin that cover `length` pixels and overlap by at least the
    /// share `overlap`, as evenly as whole pixels allow.
    static List<Integer> places(int length, int size, double overlap) {
        if (length <= size) {
            return List.of(0);
        }
        var most = Math.max(1, (int) (size * (1 - overlap)));
        var count = 1 + Math.ceilDiv(length - size, most);
        var places = new ArrayList<Integer>();
        for (var i = 0; i < count; i++) {
            places.add((int) ((long) i * (length - size) / (count - 1)));
        }
        return places;
    }

    /// Of a picture of the size that the model reads, told at another size.
    private float[] probabilities(Image image, int width, int height) {
        var read = new Pixels(preprocessor.normalize(image), 3, image.height(), image.width(), "");
        return Torch.noGrad(() -> {
            try (var scope = new Scope()) {
                return model.scores(Pixels.stacked(List.of(read)))
                        .to(DType.FLOAT)
                        .bilinear(height, width)
                        .softmax(1)
                        .floats();
            }
        });
    }

    /// What this segmenter makes of pictures with masks.
    ///
    /// @param masks what was told of each
    public record Evaluation(List<Score> scores, Segmentations result, List<Mask> masks) {
        public Evaluation {
            scores = List.copyOf(scores);
            masks = List.copyOf(masks);
        }
    }

    /// Judges the segmenter by `records`, at their own size, beside the one that tells every pixel
    /// as most training pixels are: the loss, in nats a pixel, mean IoU, mean Dice and pixel
    /// accuracy, and those of each class; those of the latter as `majority-…`, or where it is told
    /// from `records` themselves as `data-majority-…`.
    public Evaluation evaluate(String data, List<LabelledImage> records, long seed) {
        var commonest =
                majority == null
                        ? majority(counts(records.stream().map(this::truth), model.labels().size()))
                        : majority;
        var result = new Segmentations(model.labels());
        var always = new Segmentations(model.labels());
        var losses = new double[records.size()];
        var pixels = new double[records.size()];
        var masks = new ArrayList<Mask>();
        for (var i = 0; i < records.size(); i++) {
            var truth = truth(records.get(i));
            var told = segment(records.get(i).picture().image());
            result.add(truth, told.mask());
            always.add(truth, Mask.of(truth.width(), truth.height(), commonest));
            masks.add(told.mask());
            var classes = truth.classes();
            for (var at = 0; at < classes.length; at++) {
                var label = classes[at] & 0xFF;
                if (label != Mask.IGNORED) {
                    var p = told.scores()[label * classes.length + at];
                    losses[i] -= Math.log(Math.max(1e-12, p));
                    pixels[i]++;
                }
            }
        }
        var scores = new ArrayList<Score>();
        scores.add(Score.of(data, "loss", Interval.loss(losses, pixels), records.size()));
        scores.addAll(result.scores(data, seed));
        scores.addAll(result.labelScores(data, seed));
        for (var score : always.scores(data, seed)) {
            scores.add(
                    Score.of(
                            data,
                            Commonest.name("majority", majority) + "-" + score.metric(),
                            score.interval(),
                            score.n()));
        }
        return new Evaluation(scores, result, masks);
    }

    /// The mask of a picture, as the model counts classes.
    private Mask truth(LabelledImage record) {
        return preprocessor.reduced(mask(record));
    }

    /// The mask of a picture of segmentation data, all of which have one.
    public static Mask mask(LabelledImage record) {
        MaskSource mask = Objects.requireNonNull(record.mask());
        return mask.mask();
    }

    @Override
    public void close() {
        model.free();
    }
}
