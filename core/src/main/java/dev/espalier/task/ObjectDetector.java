package dev.espalier.task;

import dev.espalier.EspalierException;
import dev.espalier.data.Picture;
import dev.espalier.image.Box;
import dev.espalier.image.Detection;
import dev.espalier.image.Fit;
import dev.espalier.image.Image;
import dev.espalier.image.Preprocessor;
import dev.espalier.model.Yolos;
import dev.espalier.objective.Pixels;
import dev.espalier.torch.DType;
import dev.espalier.torch.Scope;
import dev.espalier.torch.Tensor;
import dev.espalier.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// A fine-tuned detector, ready to use: it tells which things are where in a picture. Safe for use
/// by many threads until it is closed.
public final class ObjectDetector implements AutoCloseable {
    /// Pictures that go through the model at once.
    private static final int BATCH = 32;

    private final Yolos model;
    private final Preprocessor preprocessor;

    /// A detector by `model`, which it owns from now on.
    public ObjectDetector(Yolos model, Preprocessor preprocessor) {
        this.model = model;
        this.preprocessor = preprocessor;
    }

    /// Reads the detector that a fine-tuning run left in `folder`, in the Hugging Face layout.
    ///
    /// @throws EspalierException if the folder holds no detector that can be used, or a head that
    ///   was never trained
    public static ObjectDetector load(Path folder) {
        return PictureModels.load(
                folder,
                Yolos.class,
                "tell things in pictures",
                (yolos, preprocessor, config) ->
                        new ObjectDetector(yolos, preprocessor.whole(folder)));
    }

    /// The names of the kinds of things.
    public List<String> labels() {
        return model.labels();
    }

    /// What is seen in each of `pictures`, in their own pixels, the surest first: for each token of
    /// the model its likeliest thing, however unlikely.
    public List<List<Detection>> detect(List<Picture> pictures) {
        return detect(model, preprocessor, pictures);
    }

    /// As [#detect(List)], by a model that goes on to live.
    public static List<List<Detection>> detect(
            Yolos model, Preprocessor preprocessor, List<Picture> pictures) {
        return PictureModels.each(
                pictures,
                new Fit(preprocessor, model.leastSide()),
                BATCH,
                part -> seen(model, part));
    }

    private static List<List<Detection>> seen(Yolos model, List<PictureModels.Read> pictures) {
        float[] scores;
        float[] boxes;
        try (var scope = new Scope()) {
            var stacked = Pixels.stacked(PictureModels.pixels(pictures));
            var told = Torch.noGrad(() -> model.tellOnly(stacked));
            scores = floats(told.scores());
            boxes = floats(told.boxes());
        }
        var scored = scores.length / pictures.size();
        var placed = boxes.length / pictures.size();
        var seen = new ArrayList<List<Detection>>();
        for (var i = 0; i < pictures.size(); i++) {
            seen.add(
                    seen(
                            model,
                            Arrays.copyOfRange(scores, i * scored, (i + 1) * scored),
                            Arrays.copyOfRange(boxes, i * placed, (i + 1) * placed),
                            pictures.get(i).width(),
                            pictures.get(i).height(),
                            true));
        }
        return seen;
    }

    /// `picture` as the model sees it, the redder where those tokens look whose thing has a score
    /// of at least `least`, or, where none has, the surest: the mean of [Yolos#looks].
    public static Image attention(
            Yolos model, Preprocessor preprocessor, Picture picture, double least) {
        return PictureClassifier.heated(
                new Fit(preprocessor, model.leastSide()),
                picture,
                pixels -> {
                    var told = model.tell(pixels);
                    var looks = model.looks(told, pixels); // (1, Q, h, w)
                    var seen =
                            seen(model, floats(told.scores()), floats(told.boxes()), 1, 1, false);
                    var most = seen.stream().mapToDouble(Detection::score).max().orElse(0);
                    var those =
                            IntStream.range(0, seen.size())
                                    // No token is left out where scores are no numbers.
                                    .filter(q -> !(seen.get(q).score() < Math.min(least, most)))
                                    .mapToObj(q -> looks.narrow(1, q, 1))
                                    .toArray(Tensor[]::new);
                    return Tensor.concat(1, those).sum(1).mul(1.0 / those.length).select(1, 0);
                });
    }

    private static float[] floats(Tensor tensor) {
        return tensor.to(DType.FLOAT).floats();
    }

    /// What each token tells of a picture of this size.
    ///
    /// @param scores (Q, K + 1)
    /// @param boxes (Q, 4)
    /// @param surestFirst else in the order of the tokens
    public static List<Detection> seen(
            Yolos model,
            float[] scores,
            float[] boxes,
            int width,
            int height,
            boolean surestFirst) {
        var classes = model.labels().size();
        var seen = new ArrayList<Detection>();
        for (var q = 0; q < boxes.length / 4; q++) {
            var most = Double.NEGATIVE_INFINITY;
            var best = 0;
            for (var c = 0; c <= classes; c++) {
                most = Math.max(most, scores[q * (classes + 1) + c]);
                var better = scores[q * (classes + 1) + c] > scores[q * (classes + 1) + best];
                best = c < classes && better ? c : best;
            }
            var sum = 0.0;
            for (var c = 0; c <= classes; c++) {
                sum += Math.exp(scores[q * (classes + 1) + c] - most);
            }
            double x = boxes[4 * q],
                    y = boxes[4 * q + 1],
                    w = boxes[4 * q + 2],
                    h = boxes[4 * q + 3];
            seen.add(
                    new Detection(
                            new Box(x - w / 2, y - h / 2, x + w / 2, y + h / 2)
                                    .moved(width, 0, height, 0),
                            model.labels().get(best),
                            Math.exp(scores[q * (classes + 1) + best] - most) / sum));
        }
        if (surestFirst) {
            seen.sort((a, b) -> Double.compare(b.score(), a.score()));
        }
        return seen;
    }

    @Override
    public void close() {
        model.free();
    }
}
