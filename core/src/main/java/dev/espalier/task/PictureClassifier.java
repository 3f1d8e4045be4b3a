package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.checkpoint.HuggingFace;
import dev.espalier.data.LabelledImage;
import dev.espalier.data.Picture;
import dev.espalier.evaluate.Judgement;
import dev.espalier.evaluate.Score;
import dev.espalier.image.Drawing;
import dev.espalier.image.Fit;
import dev.espalier.image.Image;
import dev.espalier.image.Preprocessor;
import dev.espalier.image.Resampling;
import dev.espalier.model.Problem;
import dev.espalier.model.VisionModel;
import dev.espalier.model.Vit;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A fine-tuned classifier of pictures, ready to use: it tells the label, or the labels, of a
/// picture. Safe for use by many threads until it is closed.
public final class PictureClassifier implements AutoCloseable {
    /// Pictures that go through the model at once.
    private static final int BATCH = 64;

    private final Vit model;
    private final Preprocessor preprocessor;
    private final @Nullable List<String> commonest;

    /// What a picture is taken for.
    ///
    /// @param labels those that are told: the likeliest; where any number may hold, all whose
    ///   probability reaches the model's threshold, the likeliest first
    /// @param probabilities of every label, the likeliest first
    public record Prediction(List<String> labels, SequencedMap<String, Double> probabilities) {
        public Prediction {
            labels = List.copyOf(labels);
        }
    }

    /// A classifier of `model`, which it owns from now on.
    public PictureClassifier(Vit model, Preprocessor preprocessor) {
        this(model, preprocessor, null);
    }

    private PictureClassifier(
            Vit model, Preprocessor preprocessor, @Nullable List<String> commonest) {
        this.model = model;
        this.preprocessor = preprocessor;
        this.commonest = commonest;
    }

    /// Reads the classifier that a fine-tuning run left in `folder`, in the Hugging Face layout.
    ///
    /// @throws EspalierException if the folder holds no classifier that can be used, or a head that
    ///   was never trained
    public static PictureClassifier load(Path folder) {
        return PictureModels.load(
                folder,
                Vit.class,
                "tell labels of pictures",
                (vit, preprocessor, config) ->
                        new PictureClassifier(
                                vit, preprocessor, Commonest.of(folder, config, vit.labels())));
    }

    /// How the model in `folder` reads pictures; without a file that tells it, as its family does.
    public static Preprocessor preprocessor(Path folder, VisionModel model) {
        return preprocessor(folder, model.imageHeight(), model.imageWidth());
    }

    /// As above for a model that was made for pictures of this size.
    public static Preprocessor preprocessor(Path folder, int height, int width) {
        if (Files.isRegularFile(folder.resolve(Preprocessor.FILE))) {
            return Preprocessor.read(folder);
        }
        return switch (HuggingFace.config(folder).path("model_type").asString("")) {
            case "segformer", "espalier-unet" ->
                    Preprocessor.imageNet("SegformerImageProcessor", height, width);
            case "yolos" -> Preprocessor.imageNet("YolosImageProcessor", height, width);
            case "vit_mae" -> Preprocessor.imageNet("ViTImageProcessor", height, width);
            default -> Preprocessor.vit(height, width);
        };
    }

    /// Which pictures the model in `folder` sees, so that others are set aside when data are read.
    public static Fit fit(Path folder) {
        // Without a file all become of the size that the model was made for.
        return Files.isRegularFile(folder.resolve(Preprocessor.FILE))
                ? new Fit(Preprocessor.read(folder), HuggingFace.leastSide(folder))
                : Fit.ANY;
    }

    public Problem problem() {
        return model.problem();
    }

    /// The predictions for pictures, in their order.
    public List<Prediction> predict(List<Picture> pictures) {
        return Arrays.stream(answers(model, preprocessor, pictures)).map(this::prediction).toList();
    }

    private Prediction prediction(double[] answer) {
        var labels = model.labels();
        var byLabel = new LinkedHashMap<String, Double>();
        IntStream.range(0, answer.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> -answer[i]))
                .forEach(i -> byLabel.put(labels.get(i), answer[i]));
        var told =
                problem() instanceof Problem.MultiLabel several
                        ? byLabel.entrySet().stream()
                                .filter(e -> e.getValue() >= several.threshold())
                                .map(java.util.Map.Entry::getKey)
                                .toList()
                        : List.of(byLabel.firstEntry().getKey());
        return new Prediction(told, byLabel);
    }

    /// What this classifier makes of labelled pictures.
    public record Evaluation(List<Score> scores, Judgement judgement) {
        public Evaluation {
            scores = List.copyOf(scores);
        }
    }

    /// Judges the classifier by `records`, beside the one that always gives the answer that does
    /// best on the training records: as `majority-…`, or of models whose folder does not tell it,
    /// the best on `records` themselves, as `data-majority-…`.
    ///
    /// @throws EspalierException (DATA) if a picture has a label that the model does not know
    public Evaluation evaluate(String data, List<LabelledImage> records, long seed) {
        requireKnown(records, model.labels());
        var truth =
                records.stream().map(r -> truth(problem(), r.labels())).toArray(double[][]::new);
        var answers =
                answers(model, preprocessor, records.stream().map(LabelledImage::picture).toList());
        var constant = Answers.constant(problem(), commonest, truth);
        return new Evaluation(
                Answers.scores(data, problem(), truth, answers, constant, seed),
                Answers.judge(problem(), truth, answers));
    }

    /// Refuses pictures with a label that is not among `labels`.
    ///
    /// @throws EspalierException (DATA) naming the picture
    public static void requireKnown(List<LabelledImage> records, List<String> labels) {
        var known = new TreeSet<>(labels);
        for (var record : records) {
            for (var label : record.labels()) {
                if (!known.contains(label)) {
                    throw EspalierException.data(
                            "%s: the label '%s' is none of those that are learnt: %s"
                                    .formatted(record.where(), label, known));
                }
            }
        }
    }

    /// What `labels` are in numbers; see [Example#truth].
    public static double[] truth(Problem problem, List<String> labels) {
        var names = problem.labels();
        if (problem instanceof Problem.SingleLabel) {
            return new double[] {names.indexOf(labels.getFirst())};
        }
        var truth = new double[names.size()];
        labels.forEach(label -> truth[names.indexOf(label)] = 1);
        return truth;
    }

    /// The probability of what is true by `answer`: of the label, or the least among those of all
    /// labels being as they are.
    public static double likelihood(Problem problem, double[] truth, double[] answer) {
        if (problem instanceof Problem.SingleLabel) {
            return answer[(int) truth[0]];
        }
        return IntStream.range(0, truth.length)
                .mapToDouble(l -> truth[l] > 0 ? answer[l] : 1 - answer[l])
                .min()
                .orElse(1);
    }

    /// What `answer` tells in words: the likeliest label, or all that reach the threshold.
    public static String told(Problem problem, double[] answer) {
        var threshold = problem instanceof Problem.MultiLabel several ? several.threshold() : 2;
        var best = Arrays.stream(answer).max().orElse(0);
        var told =
                IntStream.range(0, answer.length)
                        .filter(l ->
                                answer[l] >= threshold
                                        || (problem instanceof Problem.SingleLabel
                                                && answer[l] == best))
                        .mapToObj(l -> "%s %.2f".formatted(problem.labels().get(l), answer[l]))
                        .toList();
        return told.isEmpty() ? "nothing" : String.join(", ", told);
    }

    /// The probabilities of the labels of each of `pictures`, in their order.
    public static double[][] answers(Vit model, Preprocessor preprocessor, List<Picture> pictures) {
        return PictureModels.each(
                        pictures,
                        new Fit(preprocessor, model.leastSide()),
                        BATCH,
                        part -> answers(model, part))
                .toArray(double[][]::new);
    }

    private static List<double[]> answers(Vit model, List<PictureModels.Read> pictures) {
        float[] scores;
        try (var scope = new Scope()) {
            var stacked = Pixels.stacked(PictureModels.pixels(pictures));
            scores = Torch.noGrad(() -> model.scores(stacked).to(DType.FLOAT).floats());
        }
        var classes = scores.length / pictures.size();
        var answers = new ArrayList<double[]>();
        for (var i = 0; i < pictures.size(); i++) {
            var answer = new double[classes];
            for (var c = 0; c < classes; c++) {
                answer[c] = scores[i * classes + c];
            }
            Answers.answer(model.problem(), answer);
            answers.add(answer);
        }
        return answers;
    }

    /// What the model sees of `picture`, the redder where what it tells goes by: [Vit#rollout].
    public static Image attention(Vit model, Preprocessor preprocessor, Picture picture) {
        return heated(new Fit(preprocessor, model.leastSide()), picture, model::rollout);
    }

    /// What a model sees of `picture`, the redder where `looks` tells more of its patches (1, h, w)
    /// from its pixels (1, C, H, W), as large as a page has room for.
    static Image heated(Fit fit, Picture picture, UnaryOperator<Tensor> looks) {
        var preprocessor = fit.preprocessor();
        var image = picture.image();
        fit.require(picture.where(), image);
        var read = pixels(preprocessor, image, picture.where());
        var seen = preprocessor.picture(read.values(), read.height(), read.width());
        // Of what is cut from a picture's middle, it has not the shape.
        var page = preprocessor.crop() == null ? Drawing.shrunk(image) : seen;
        try (var scope = new Scope()) {
            var weights = Torch.noGrad(() -> looks.apply(Pixels.stacked(List.of(read))));
            return Drawing.heated(
                    Resampling.BILINEAR.resize(seen, page.width(), page.height()),
                    (int) weights.size(2),
                    (int) weights.size(1),
                    weights.to(DType.FLOAT).floats());
        }
    }

    /// `image` as the model reads it.
    public static Pixels pixels(Preprocessor preprocessor, Image image, String where) {
        var resized = preprocessor.resize(image);
        return new Pixels(
                preprocessor.normalize(resized), 3, resized.height(), resized.width(), where);
    }

    @Override
    public void close() {
        model.free();
    }
}
