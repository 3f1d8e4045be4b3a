package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.MaskSource;
import dev.espalier.data.Picture;
import dev.espalier.evaluate.Interval;
import dev.espalier.evaluate.Score;
import dev.espalier.evaluate.Segmentations;
import dev.espalier.image.Decoder;
import dev.espalier.image.Fit;
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
import dev.espalier.torch.Tensor;
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

    /// Scores that exist at once where a picture is told by and by: 16 MiB.
    private static final int AT_ONCE = 1 << 22;

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
        int classes = labels().size(), width = image.width(), height = image.height();
        requireRoom("", classes, width, height, Runtime.getRuntime().maxMemory());
        var scores = new float[classes * width * height];
        var mask = new byte[width * height];
        tell(
                image,
                "",
                (from, count, told) -> {
                    for (var c = 0; c < classes; c++) {
                        var to = (c * height + from) * width;
                        System.arraycopy(told, c * count * width, scores, to, count * width);
                    }
                    likeliest(told, mask, from * width, count * width);
                });
        return new Segmented(new Mask(width, height, mask), scores);
    }

    /// The class of each pixel of `picture`, of which a large one's probabilities have no room.
    public Mask mask(Picture picture) {
        var image = picture.image();
        var mask = new byte[image.width() * image.height()];
        tell(
                image,
                picture.where(),
                (from, count, told) ->
                        likeliest(told, mask, from * image.width(), count * image.width()));
        return new Mask(image.width(), image.height(), mask);
    }

    /// Sets the classes of `count` pixels of `mask` by their probabilities (classes, count).
    private static void likeliest(float[] told, byte[] mask, int from, int count) {
        var classes = told.length / count;
        for (var at = 0; at < count; at++) {
            var best = 0;
            for (var c = 1; c < classes; c++) {
                best = told[c * count + at] > told[best * count + at] ? c : best;
            }
            mask[from + at] = (byte) best;
        }
    }

    /// Takes what is told of a picture by and by, since all of it may have no room.
    @FunctionalInterface
    interface Rows {
        /// @param from the first of `count` rows of the picture
        /// @param told the probability of each class at each pixel, (classes, count, width)
        void take(int from, int count, float[] told);
    }

    private void tell(Image image, String where, Rows rows) {
        var classes = labels().size();
        if (windows == null) {
            fit().require(where, image);
            whole(image, rows);
            return;
        }
        var size = Objects.requireNonNull(preprocessor.fixed());
        requireWindows(where, image.width());
        together(
                image,
                size,
                windows,
                classes,
                window -> {
                    var told = new float[classes * size.height() * size.width()];
                    whole(
                            window,
                            (from, count, part) -> {
                                for (var c = 0; c < classes; c++) {
                                    System.arraycopy(
                                            part,
                                            c * count * size.width(),
                                            told,
                                            (c * size.height() + from) * size.width(),
                                            count * size.width());
                                }
                            });
                    return told;
                },
                rows);
    }

    private Fit fit() {
        return new Fit(preprocessor, model.leastSide());
    }

    /// Refuses pictures of which what windows over them tell has no room.
    ///
    /// @throws EspalierException (DATA) naming the picture
    public void requireRoom(List<LabelledImage> records) {
        if (windows == null) {
            return;
        }
        for (var record : records) {
            if (record.picture() instanceof Picture.InFile(var file)) {
                requireWindows(record.where(), Decoder.size(file).width());
            } else {
                requireWindows(record.where(), record.picture().image().width());
            }
        }
    }

    /// A row of windows is put together at once.
    private void requireWindows(String where, int width) {
        var size = Objects.requireNonNull(preprocessor.fixed());
        requireRoom(
                where,
                labels().size(),
                Math.max(width, size.width()),
                size.height(),
                Runtime.getRuntime().maxMemory());
    }

    /// @param where the picture stands; empty where that is not known
    /// @param heap bytes that Java may use
    /// @throws EspalierException (DATA) where so many pixels' scores have no room in them
    static void requireRoom(String where, int classes, int width, int height, long heap) {
        var scores = (long) classes * width * height;
        var most = Math.min((long) (SCORES * heap / Float.BYTES), Integer.MAX_VALUE - 8);
        if (scores > most) {
            throw EspalierException.data(
                    "%s%,d x %,d pixels of %d classes have %,d scores, and there is room for %,d; tell a smaller picture, or give Java more memory (ESPALIER_HEAP)"
                            .formatted(
                                    where.isEmpty() ? "" : where + ": ",
                                    width,
                                    height,
                                    classes,
                                    scores,
                                    most));
        }
    }

    /// How many rows of that many scores are told at once.
    private static int atOnce(int scores) {
        return Math.max(1, AT_ONCE / scores);
    }

    /// What is told of a picture by windows over it, where several see a pixel their mean.
    ///
    /// @param told of a window of `size` (classes, height, width)
    static void together(
            Image image,
            Size.Exact size,
            double overlap,
            int classes,
            Function<Image, float[]> told,
            Rows rows) {
        int width = image.width(), high = Math.min(image.height(), size.height());
        // Of the rows that the windows at `top` see; those above are done with.
        var sum = new float[classes * high * width];
        var times = new int[high * width];
        var tops = places(image.height(), size.height(), overlap);
        for (var t = 0; t < tops.size(); t++) {
            int top = tops.get(t);
            for (var left : places(width, size.width(), overlap)) {
                var sample = new Sample(0, image, List.of(), null);
                var window = Geometry.window(sample, left, top, size.width(), size.height());
                var scores = told.apply(window.image());
                for (var y = 0; y < high; y++) {
                    for (var x = 0; x < Math.min(size.width(), width - left); x++) {
                        var to = y * width + left + x;
                        times[to]++;
                        for (var c = 0; c < classes; c++) {
                            sum[c * high * width + to] +=
                                    scores[(c * size.height() + y) * size.width() + x];
                        }
                    }
                }
            }
            var done = t + 1 < tops.size() ? tops.get(t + 1) - top : high;
            for (var from = 0; from < done; from += atOnce(classes * width)) {
                var count = Math.min(done - from, atOnce(classes * width));
                var means = new float[classes * count * width];
                for (var i = 0; i < means.length; i++) {
                    var at = from * width + i % (count * width);
                    means[i] = sum[i / (count * width) * high * width + at] / times[at];
                }
                rows.take(top + from, count, means);
            }
            // The rest moves up, and what comes below it has not been seen.
            var rest = (high - done) * width;
            System.arraycopy(times, done * width, times, 0, rest);
            Arrays.fill(times, rest, high * width, 0);
            for (var c = 0; c < classes; c++) {
                var of = c * high * width;
                System.arraycopy(sum, of + done * width, sum, of, rest);
                Arrays.fill(sum, of + rest, of + high * width, 0);
            }
        }
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

    /// What is told of a picture by the model's scores of it, brought to its size.
    private void whole(Image image, Rows rows) {
        int width = image.width(), height = image.height();
        var read = PictureClassifier.pixels(preprocessor, image, "");
        Torch.noGrad(() -> {
            try (var scope = new Scope()) {
                var scores =
                        model.scores(Pixels.stacked(List.of(read))).to(DType.FLOAT); // (1, K, h, w)
                var most = atOnce((int) scores.size(1) * width);
                for (var from = 0; from < height; from += most) {
                    try (var some = new Scope()) {
                        var count = Math.min(most, height - from);
                        var part = rows(scores, height, from, count); // (1, K, count, w)
                        var told = part.bilinear(count, width).softmax(1).floats();
                        rows.take(from, count, told);
                    }
                }
            }
        });
    }

    /// `count` rows of `x` (1, K, h, w) brought to `height` rows as [Tensor#bilinear] brings it.
    private static Tensor rows(Tensor x, int height, int from, int count) {
        var last = (int) x.size(2) - 1;
        var above = new long[count];
        var below = new long[count];
        var share = new float[count]; // of the row below
        for (var i = 0; i < count; i++) {
            var at = Math.max(0, (from + i + 0.5) * (last + 1) / height - 0.5);
            above[i] = Math.min(last, (long) at);
            below[i] = Math.min(last, above[i] + 1);
            share[i] = (float) (at - above[i]);
        }
        var upper = x.indexSelect(2, Tensor.of(above, count));
        var lower = x.indexSelect(2, Tensor.of(below, count));
        return upper.add(lower.sub(upper).mul(Tensor.of(share, 1, 1, count, 1)));
    }

    /// What this segmenter makes of pictures with masks.
    public record Evaluation(List<Score> scores, Segmentations result) {
        public Evaluation {
            scores = List.copyOf(scores);
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
        for (var i = 0; i < records.size(); i++) {
            var truth = truth(records.get(i));
            var told = judged(records.get(i).picture(), truth);
            losses[i] = told.loss();
            pixels[i] = told.pixels();
            result.add(truth, told.mask());
            always.add(truth, Mask.of(truth.width(), truth.height(), commonest));
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
        return new Evaluation(scores, result);
    }

    /// @param loss the sum over the `pixels` that mean something
    private record Judged(Mask mask, double loss, double pixels) {}

    private Judged judged(Picture picture, Mask truth) {
        var image = picture.image();
        var width = image.width();
        var mask = new byte[truth.classes().length];
        var sums = new double[2];
        tell(
                image,
                picture.where(),
                (from, count, told) -> {
                    likeliest(told, mask, from * width, count * width);
                    for (var at = 0; at < count * width; at++) {
                        var label = truth.classes()[from * width + at] & 0xFF;
                        if (label != Mask.IGNORED) {
                            var p = told[label * count * width + at];
                            sums[0] -= Math.log(Math.max(1e-12, p));
                            sums[1]++;
                        }
                    }
                });
        return new Judged(new Mask(width, image.height(), mask), sums[0], sums[1]);
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
